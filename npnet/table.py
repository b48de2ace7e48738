"""Tables as text: one drawing for the summary of a model, the list of recipes and what is measured."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from npnet.errors import InputError

WIDEST = 10_000  # characters in a line; a table is as wide as it needs to be


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str | None = None,
    footer: Sequence[object] | None = None,
) -> str:
    """Draw a table and return it as text, without colours or control characters.

    Columns that hold nothing but numbers are aligned to the right.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : sequence of sequences
        One value for each column; integers are shown with their thousands apart.
    title : str, optional
        Stands above the table.
    footer : sequence, optional
        A last row set apart from the others, such as a sum.

    Returns
    -------
    text : str
        Lines without trailing blanks, and no newline at the end.

    Raises
    ------
    InputError
        If a row does not have one value for each column.

    Examples
    --------
    >>> print(table(["layer", "parameters"], [["0", 160], ["2", 4640]], footer=["all", 4800]))
    layer   parameters
    ──────────────────
    0              160
    2            4 640
    ──────────────────
    all          4 800
    """
    every_row = [*rows] if footer is None else [*rows, footer]
    for row in every_row:
        if len(row) != len(columns):
            raise InputError(f"table: a row must have {len(columns)} values, got {len(row)}: {row!r}")
    drawn = Table(box=box.HORIZONTALS, title=title, title_justify="left", show_edge=False, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = bool(every_row) and all(_is_number(row[i]) for row in every_row)
        drawn.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_shown(value)) for value in row))
    if footer is not None:
        drawn.add_section()
        drawn.add_row(*(Text(_shown(value)) for value in footer))
    page = io.StringIO()
    Console(file=page, width=WIDEST, color_system=None, legacy_windows=False).print(drawn)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace(",", " ")
    return str(value)
