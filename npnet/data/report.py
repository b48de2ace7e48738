"""A report on the user's own data: the columns found, and remarks."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from npnet import check
from npnet._words import counted
from npnet.errors import InputError
from npnet.table import html_table, table

MOST_ROWS = 40  # rows of the table that are shown; the others are counted


@dataclass(frozen=True)
class Report:
    """A report on raw data: a title, a table and remarks, printed as text or shown in a notebook.

    Parameters
    ----------
    title : str
    columns : tuple of str
        Headings of the table.
    rows : tuple of tuples
        One value for each column.
    remarks : tuple of str
        What was left out, filled in or looked suspicious.

    Raises
    ------
    InputError
        If a row does not have one value for each column.

    Examples
    --------
    >>> print(Report("2 rows", ("column", "missing"), (("age", 1), ("sex", 0)), ("'id' left out",)))
    2 rows
    column   missing
    ────────────────
    age            1
    sex            0
    - 'id' left out
    """

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check.instance("Report", "title", self.title, str, "text")
        for name in ("columns", "rows", "remarks"):
            check.instance("Report", name, getattr(self, name), tuple, "a tuple")
        for name in ("columns", "remarks"):
            if not all(isinstance(text, str) for text in getattr(self, name)):
                raise InputError(f"Report: {name} must be strings")
        for row in self.rows:
            if not isinstance(row, tuple) or len(row) != len(self.columns):
                raise InputError(
                    f"Report: rows must be tuples of {counted(len(self.columns), 'value')}, got {row!r:.60}"
                )

    def __str__(self) -> str:
        parts = [self.title]
        if self.rows:
            parts.append(table(self.columns, self.rows[:MOST_ROWS]))
        return "\n".join([*parts, *(f"- {remark}" for remark in self._remarks())])

    def _repr_html_(self) -> str:
        """Return the report as HTML, for a notebook."""
        drawn = html_table(self.columns, self.rows[:MOST_ROWS], title=self.title) if self.rows else ""
        items = "".join(f"<li>{escape(remark)}</li>" for remark in self._remarks())
        heading = "" if self.rows else f"<p>{escape(self.title)}</p>"
        return heading + drawn + (f"<ul>{items}</ul>" if items else "")

    def _remarks(self) -> list[str]:
        more = len(self.rows) - MOST_ROWS
        return [*([counted(more, "more row")] if more > 0 else []), *self.remarks]
