"""Tables as text and as HTML, for model summaries, histories and benchmark results."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

from npnet._words import counted
from npnet.errors import InputError

WIDEST = 10_000  # characters in a line, so that rich never wraps a row
HEADING = 'th scope="col"'


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str | None = None,
    footer: Sequence[object] | None = None,
) -> str:
    """Return a table as text, without colours or control characters.

    Columns of numbers are right-aligned.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : sequence of sequences
        One value for each column; integers are printed with spaces between thousands.
    title : str, optional
        Printed above the table.
    footer : sequence, optional
        A last row below a line, such as a sum.

    Returns
    -------
    text : str
        Lines without trailing blanks, and without a final newline.

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
    # Imported here, so that an HTML table does not wait for rich.
    from rich import box  # noqa: PLC0415 - see above
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415 - see above

    numeric = _numeric_columns(columns, rows, footer)
    drawn = Table(box=box.HORIZONTALS, title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column, is_numeric in zip(columns, numeric, strict=True):
        drawn.add_column(Text(column), justify="right" if is_numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_shown(value)) for value in row))
    if footer is not None:
        drawn.add_section()
        drawn.add_row(*(Text(_shown(value)) for value in footer))
    page = io.StringIO()
    Console(file=page, width=WIDEST, color_system=None, legacy_windows=False).print(drawn)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def html_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str | None = None,
    footer: Sequence[object] | None = None,
) -> str:
    """Return the same table as HTML, for a notebook; its colours are those of the page.

    Parameters
    ----------
    columns, rows, title, footer
        As in `table`.

    Returns
    -------
    html : str
        One ``<table>`` element.

    Raises
    ------
    InputError
        If a row does not have one value for each column.

    Examples
    --------
    >>> print(html_table(["layer"], [["ReLU()"], ["<own>"]]))
    <table>
    <thead><tr><th scope="col" style="text-align: left">layer</th></tr></thead>
    <tbody>
    <tr><td style="text-align: left">ReLU()</td></tr>
    <tr><td style="text-align: left">&lt;own&gt;</td></tr>
    </tbody>
    </table>
    """
    numeric = _numeric_columns(columns, rows, footer)
    styles = [f'style="text-align: {"right" if is_numeric else "left"}"' for is_numeric in numeric]

    def line(tag: str, values: Sequence[object]) -> str:
        name = tag.partition(" ")[0]
        cells = (
            f"<{tag} {style}>{escape(_shown(value))}</{name}>"
            for value, style in zip(values, styles, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    caption = [] if title is None else [f"<caption>{escape(title)}</caption>"]
    head = f"<thead>{line(HEADING, columns)}</thead>"
    body = ["<tbody>", *(line("td", row) for row in rows), "</tbody>"]
    foot = [] if footer is None else [f"<tfoot>{line('td', footer)}</tfoot>"]
    return "\n".join(["<table>", *caption, head, *body, *foot, "</table>"])


def _numeric_columns(
    columns: Sequence[str], rows: Sequence[Sequence[object]], footer: Sequence[object] | None
) -> list[bool]:
    """Return for each column whether all its values are numbers, including the footer's."""
    every_row = [*rows] if footer is None else [*rows, footer]
    for row in every_row:
        if len(row) != len(columns):
            raise InputError(
                f"table: a row must have {counted(len(columns), 'value')}, got {len(row)}: {row!r}"
            )
    return [bool(every_row) and all(_is_number(row[i]) for row in every_row) for i in range(len(columns))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace(",", " ")
    return str(value)
