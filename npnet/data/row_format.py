"""The format of a model's raw table, kept with it so that future rows are encoded like the training data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._regular import path_of
from npnet.data._csv_file import read_csv
from npnet.data._image_file import SUFFIXES
from npnet.data._table import (
    ColumnCells,
    Table,
    closest,
    number_of,
    numbers_of,
    shown_names,
    table_of,
    texts_of,
)
from npnet.errors import InputError


@dataclass(frozen=True)
class Column:
    """A column of a raw table, and how it is encoded.

    Parameters
    ----------
    name : str
    categories : tuple of str, optional
        The texts the column may hold, which are one-hot encoded: one feature for each text. By default the
        column is numeric, and is one feature.
    fill : float, optional
        Replaces a missing number; by default missing numbers are refused. A missing text is encoded as 0 in
        all categories.

    Raises
    ------
    InputError
        If an argument has the wrong type.

    Examples
    --------
    >>> Column("colour", categories=("blue", "red")).features
    ('colour=blue', 'colour=red')
    """

    name: str
    categories: tuple[str, ...] | None = None
    fill: float | None = None

    def __post_init__(self) -> None:
        check.instance("Column", "name", self.name, str, "text")
        if self.categories is not None:
            _check_texts("Column", "categories", self.categories)
        if self.fill is not None:
            object.__setattr__(self, "fill", check.number("Column", "fill", self.fill))

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features that the column becomes."""
        if self.categories is None:
            return (self.name,)
        return tuple(f"{self.name}={category}" for category in self.categories)

    def encode(self, cells: ColumnCells, table: Table, decimal: str) -> ndarray:
        """Return the column of a table as numbers, float64 of shape (rows, features)."""
        return (
            self._numbers(cells, table, decimal) if self.categories is None else self._one_hot(cells, table)
        )

    def _numbers(self, cells: ColumnCells, table: Table, decimal: str) -> ndarray:
        numbers = numbers_of(cells, decimal)
        if numbers is None:
            assert not isinstance(cells, ndarray)
            wrong = next(
                i for i, code in enumerate(cells.codes) if number_of(cells.values[code], decimal) is None
            )
            raise self._misfit(table, wrong, "a number", cells.values[cells.codes[wrong]])
        infinite = np.flatnonzero(np.isinf(numbers))
        if infinite.size:
            raise self._misfit(table, int(infinite[0]), "a finite number", float(numbers[infinite[0]]))
        missing = np.flatnonzero(np.isnan(numbers))
        if missing.size and self.fill is None:
            raise InputError(f"{table.place(int(missing[0]))}: column {self.name!r} must not be missing")
        if missing.size:
            numbers = numbers.copy()
            numbers[missing] = self.fill
        return numbers[:, None]

    def _one_hot(self, cells: ColumnCells, table: Table) -> ndarray:
        assert self.categories is not None
        texts, codes = texts_of(cells)
        places = {category: i for i, category in enumerate(self.categories)}
        rows = np.zeros((len(texts), len(self.categories)))
        for i, text in enumerate(texts):
            if text is None:
                continue
            if text in places:
                rows[i, places[text]] = 1
                continue
            for row in np.flatnonzero(codes == i)[:1]:  # a text may stand in rows alone that were left out
                expected = f"one of {shown_names(self.categories)}"
                raise self._misfit(table, int(row), expected, text)
        encoded: ndarray = rows[codes]
        return encoded

    def _misfit(self, table: Table, row: int, expected: str, value: object) -> InputError:
        return InputError(
            f"{table.place(row)}: column {self.name!r} must be {expected}, got {check.described(value)}"
        )


@dataclass(frozen=True)
class RowFormat:
    """The format of the table a model was trained on: maps raw rows to x.

    Parameters
    ----------
    columns : tuple of Column
        In the order of the model's input.
    target : str
        The name of the target column, or "".
    decimal : "." or ","
        The decimal separator of numbers written as text.

    Raises
    ------
    InputError
        If an argument has the wrong type, or two columns have the same name.

    Examples
    --------
    >>> format = RowFormat((Column("age", fill=30.0), Column("sex", ("f", "m"))))
    >>> format([{"age": 52, "sex": "m"}, {"age": "", "sex": "f"}])
    array([[52.,  0.,  1.],
           [30.,  1.,  0.]])
    >>> RowFormat.from_json(format.to_json()) == format
    True
    """

    columns: tuple[Column, ...]
    target: str = ""
    decimal: str = "."

    def __post_init__(self) -> None:
        if not isinstance(self.columns, tuple) or not self.columns:
            raise InputError("RowFormat: columns must be a tuple of at least one Column")
        for column in self.columns:
            check.instance("RowFormat", "columns", column, Column, "Columns")
        if len({column.name for column in self.columns}) < len(self.columns):
            raise InputError("RowFormat: columns must have different names")
        check.instance("RowFormat", "target", self.target, str, "text")
        check.choice("RowFormat", "decimal", self.decimal, (".", ","))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that raw rows must have."""
        return tuple(column.name for column in self.columns)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features of x; a text column has one feature for each category."""
        return tuple(chain.from_iterable(column.features for column in self.columns))

    def __call__(self, rows: Any, *, owner: str = "RowFormat") -> ndarray:
        """Return raw rows as x, float64 of shape (n, features), not standardised.

        Parameters
        ----------
        rows : path of a CSV file, frame, dict, sequence of dicts, array, or sequence of rows
            Named columns may be in any order, and additional columns are ignored.
        owner : str
            The name of the function, for messages.

        Raises
        ------
        InputError
            If a column is missing, or holds a value that its `Column` does not allow.
        """
        if isinstance(rows, str | PathLike):
            path = path_of(owner, rows)
            return self.encode(self.read(path, owner=owner), str(path))
        return self.encode(table_of(owner, "rows", rows, self.names), "rows")

    def read(self, path: Path, *, owner: str = "RowFormat") -> Table:
        """Read a CSV file; if its first line holds a number, it has no header.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        if path.suffix.lower() in SUFFIXES:
            raise InputError(f"{owner}: this model takes rows of a CSV file, got {path}")
        return read_csv(owner, path, None, None, None)[0]

    def encode(self, table: Table, where: str) -> ndarray:
        """Return a table as x; `where` names the table in messages.

        Raises
        ------
        InputError
            As for a call.
        """
        missing = [name for name in self.names if name not in table.columns]
        if missing:
            extra = [name for name in table.columns if name not in self.names and name != self.target]
            hint = closest(missing[0], extra) if extra else ""
            if all(name.isdecimal() for name in table.columns):
                hint = "; the first line names no columns"
            plural = "columns" if len(missing) > 1 else "column"
            raise InputError(f"{where}: {plural} {shown_names(missing)} must be there, got none{hint}")
        try:
            parts = [
                column.encode(table.columns[column.name], table, self.decimal) for column in self.columns
            ]
        except InputError as error:
            raise error.inside(where) from None
        return np.concatenate(parts, axis=1)

    def to_json(self) -> dict[str, Any]:
        """Return the format as dicts, lists, strings and numbers, which `from_json` reads."""
        columns = [
            {"name": column.name}
            | ({} if column.fill is None else {"fill": column.fill})
            | ({} if column.categories is None else {"categories": list(column.categories)})
            for column in self.columns
        ]
        return {"kind": "rows", "columns": columns, "target": self.target, "decimal": self.decimal}

    @classmethod
    def numbered(cls, features: int) -> RowFormat:
        """Return the format of numeric rows whose columns are called "0", "1", ….

        Raises
        ------
        InputError
            If features is not a positive integer.
        """
        n = check.integer("RowFormat", "features", features, least=1)
        return cls(tuple(Column(str(i)) for i in range(n)))

    @classmethod
    def from_json(cls, value: Any) -> RowFormat:
        """Return the format that `to_json` wrote.

        Raises
        ------
        InputError
            If the value is not one of its results.
        """
        columns = value.get("columns") if isinstance(value, dict) else None
        if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
            raise InputError("RowFormat: columns must be a list of objects")

        def column(entry: dict[str, Any]) -> Column:
            categories = entry.get("categories")
            kept = tuple(categories) if isinstance(categories, list) else categories
            return Column(entry.get("name"), kept, entry.get("fill"))  # type: ignore[arg-type] # Column checks it

        return cls(tuple(map(column, columns)), value.get("target"), value.get("decimal"))


def _check_texts(owner: str, name: str, value: Any) -> None:
    if (
        not isinstance(value, tuple)
        or not all(isinstance(text, str) for text in value)
        or len(set(value)) < len(value)
        or not value
    ):
        raise InputError(
            f"{owner}: {name} must be a tuple of different strings, got {check.described(value)}"
        )
