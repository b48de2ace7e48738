"""Raw tables: numeric columns, and text columns that store each different value once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from npnet._words import counted
from npnet.check import described
from npnet.errors import DTypeError, InputError

# Notations for a missing value, in lower case and without surrounding blanks.
MISSING = frozenset({"", "na", "n/a", "<na>", "nan", "null", "none", "?"})


class Cells(NamedTuple):
    """A text column: its different values, and for each row the index of its value."""

    values: list[Any]
    codes: ndarray  # integers


ColumnCells = Cells | ndarray  # an array is float64, with NaN for missing values


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, all of one length.

    Parameters
    ----------
    columns : dict from names to columns
    rows : int
        Number of rows.
    place : callable
        Maps a row's index to its place for messages, such as "line 3".
    """

    columns: Mapping[str, ColumnCells]
    rows: int
    place: Callable[[int], str]

    def take(self, rows: ndarray) -> Table:
        """Return a table of some rows; messages still give their original places."""
        taken = {
            name: cells[rows] if isinstance(cells, ndarray) else Cells(cells.values, cells.codes[rows])
            for name, cells in self.columns.items()
        }
        return Table(taken, len(rows), lambda row: self.place(int(rows[row])))


def is_missing(value: Any) -> bool:
    """Return whether a value stands for a missing one."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas' missing values
        return True
    return isinstance(value, Real) and math.isnan(value)


def number_of(value: Any, decimal: str = ".") -> float | None:
    """Return a value as a float: NaN if it is missing, None if it is not a number."""
    if not isinstance(value, str):
        return math.nan if is_missing(value) else float(value) if isinstance(value, Real) else None
    text = value
    if decimal != ".":
        text = "x" if "." in value else value.replace(decimal, ".")
    try:
        number = float(text)
    except ValueError:
        return math.nan if is_missing(value) else None
    return None if "_" in value else number  # Python accepts 1_000 as a number; other programs do not


def numbers_of(cells: ColumnCells, decimal: str = ".") -> ndarray | None:
    """Return a column as float64 with NaN for missing values, or None if a value is not a number."""
    if isinstance(cells, ndarray):
        return cells
    numbers = [number_of(value, decimal) for value in cells.values]
    if None in numbers:
        return None
    found: ndarray = np.array(numbers, np.float64)[cells.codes]
    return found


def texts_of(cells: ColumnCells) -> tuple[list[str | None], ndarray]:
    """Return the different texts of a column, None for missing ones, and the index of each row's text."""
    if isinstance(cells, ndarray):
        values, codes = np.unique(cells, return_inverse=True)
        return [None if math.isnan(value) else text_of(float(value)) for value in values], codes
    return [None if is_missing(value) else text_of(value) for value in cells.values], cells.codes


def text_of(value: Any) -> str:
    """Return a value as text; a whole number has no decimal point."""
    number = None if isinstance(value, bool | np.bool_ | str) else number_of(value)
    if number is not None and number.is_integer():
        return f"{number:.0f}"
    return str(value).strip()


def coded(values: Iterable[Any]) -> Cells:
    """Store each different value once, with its index for each row."""
    places: dict[Any, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return Cells(list(places), np.array(codes, np.intp))


def row_place(row: int) -> str:
    """Return the place of a row that does not come from a file."""
    return f"row {row}"


# ---- from frames, dicts and arrays ---------------------------------------------------------------------


def is_frame(value: Any) -> bool:
    """Return whether a value is a data frame, of pandas or polars for example, without importing either."""
    return hasattr(value, "columns") and hasattr(value, "to_numpy") and hasattr(value, "__getitem__")


def table_of(owner: str, name: str, raw: Any, names: Sequence[str] | None) -> Table:
    """Make a table of a frame, a dict, dicts, or rows of values.

    Parameters
    ----------
    owner, name : str
        The function and its argument, for messages.
    raw : frame, dict from names to values or to columns, sequence of dicts, array, or sequence of rows
        A one-dimensional array, or a sequence of values, is one row.
    names : sequence of str, optional
        Names of the columns if `raw` has none; rows must then have as many values. By default columns are
        called "0", "1", ….

    Returns
    -------
    table : Table

    Raises
    ------
    InputError
        If `raw` is of another type, or its rows differ in length.
    """
    if is_frame(raw):
        return _from_columns(owner, name, {str(column): raw[column] for column in raw.columns})
    if isinstance(raw, Mapping):
        single = all(isinstance(value, str) or not np.ndim(value) for value in raw.values())
        columns = {str(key): [value] if single else value for key, value in raw.items()}
        return _from_columns(owner, name, columns)
    if isinstance(raw, Sequence) and not isinstance(raw, str) and raw and isinstance(raw[0], Mapping):
        return _from_dicts(owner, name, raw)
    rows = _rows(owner, name, raw.to_numpy() if hasattr(raw, "to_numpy") else raw)
    width = rows.shape[1]
    if names is not None and width != len(names):
        raise InputError(
            f"{owner}: {name} must be rows of {counted(len(names), 'value')}, {shown_names(names)}, got "
            f"{counted(width, 'value')} a row"
        )
    found = [str(i) for i in range(width)] if names is None else names
    return _from_columns(owner, name, {key: rows[:, i] for i, key in enumerate(found)}, len(rows))


def _rows(owner: str, name: str, raw: Any) -> ndarray:
    """Return values as an array of shape (rows, columns)."""
    if isinstance(raw, ndarray) and type(raw) is not ndarray:
        kind = "masked array" if isinstance(raw, np.ma.MaskedArray) else type(raw).__name__
        raise DTypeError(f"{owner}: {name} must be a plain array, got a {kind}; write np.asarray({name})")
    if not isinstance(raw, ndarray | list | tuple):
        raise InputError(
            f"{owner}: {name} must be rows of values: an array, a frame, dicts, or lists, "
            f"got {described(raw)}"
        )
    try:
        rows = np.asarray(raw)
        if rows.dtype.kind in "US" and not isinstance(raw, ndarray):
            rows = np.array(raw, object)  # keeps numbers in mixed rows, which NumPy would turn into text
    except ValueError:
        raise InputError(f"{owner}: {name} must be rows of equal length, got rows that differ") from None
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or not rows.size:
        raise InputError(f"{owner}: {name} must be rows of values, got shape {np.shape(raw)}")
    return rows


def _from_dicts(owner: str, name: str, raw: Sequence[Any]) -> Table:
    keys = list(raw[0])
    for i, row in enumerate(raw):
        if not isinstance(row, Mapping) or row.keys() != raw[0].keys():
            shown = shown_names(list(row)) if isinstance(row, Mapping) else described(row)
            raise InputError(
                f"{owner}: {name} must be dicts with equal keys, {shown_names(keys)}, got {shown} in row {i}"
            )
    return _from_columns(owner, name, {str(key): [row[key] for row in raw] for key in keys}, len(raw))


def _from_columns(owner: str, name: str, raw: Mapping[str, Any], rows: int | None = None) -> Table:
    columns = {key: column_of(owner, key, values) for key, values in raw.items()}
    lengths = {key: len(c) if isinstance(c, ndarray) else len(c.codes) for key, c in columns.items()}
    n = rows if rows is not None else next(iter(lengths.values()), 0)
    for key, length in lengths.items():
        if length != n:
            raise InputError(
                f"{owner}: column {key!r} must have {counted(n, 'value')} like the first column, got {length}"
            )
    if not n:
        raise InputError(f"{owner}: {name} must have at least one row, got none")
    return Table(columns, n, row_place)


def column_of(owner: str, name: str, values: Any) -> ColumnCells:
    """Make a column from a series, an array or a sequence of values."""
    array = values.to_numpy() if hasattr(values, "to_numpy") else values
    if not isinstance(array, ndarray):
        if isinstance(array, str) or not isinstance(array, Iterable):
            raise InputError(
                f"{owner}: column {name!r} must be values, one for each row, got {described(array)}"
            )
        array = _objects(list(array))
    if array.ndim != 1 or array.dtype.kind not in "biufOUST":
        raise DTypeError(f"{owner}: column {name!r} must hold numbers or text, got {described(array)}")
    if array.dtype.kind in "biuf":
        numbers: ndarray = array.astype(np.float64)
        return numbers
    try:
        return coded(array.tolist())
    except TypeError:  # unhashable values, such as lists
        raise DTypeError(f"{owner}: column {name!r} must hold numbers or text, got other things") from None


def _objects(values: list[Any]) -> ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


# ---- messages ------------------------------------------------------------------------------------------


def shown_names(names: Sequence[Any], most: int = 8) -> str:
    """Return the names for a message: the first few, and how many there are in all."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} … {len(names)} in all"


def closest(name: str, names: Iterable[str]) -> str:
    """Suggest the most similar name, or list the names that exist."""
    known = list(names)
    by_lower_case = {known_name.lower(): known_name for known_name in known}
    match = get_close_matches(name.lower(), by_lower_case, n=1)
    return f"; did you mean {by_lower_case[match[0]]!r}?" if match else f"; there are {shown_names(known)}"
