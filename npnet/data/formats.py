"""What raw data looks like, kept so that data yet to come goes the way the training data went."""

from __future__ import annotations

from collections.abc import Sequence
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
from npnet.data._image_file import MODES, SUFFIXES, pixels_of, read_pixels
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

MOST_PIXELS = 2**24  # of an image that a model looks at
TEXTS = (".csv", ".tsv", ".txt", ".json", ".xlsx")  # what files are called that hold no picture


@dataclass(frozen=True)
class Column:
    """A column of a raw table, and what becomes of it.

    Parameters
    ----------
    name : str
    categories : tuple of str, optional
        The texts that stand in it: it becomes one number for each, 1 for the text of the row and 0 for the
        others. Without them it is a column of numbers, and stays one.
    fill : float, optional
        What stands for a missing number; without it missing values are refused. A missing text is 0 for all
        categories.

    Raises
    ------
    InputError
        If something is of another kind.

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
        """What the numbers are called that the column becomes."""
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
            wrong = next(i for i, code in enumerate(cells.codes) if _no_number(cells.values[code], decimal))
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
    """What the rows of a table look like that a model learnt from: maps raw rows to x.

    Parameters
    ----------
    columns : tuple of Column
        In the order in which the model sees them.
    target : str
        The column that was learnt; "" where it has no name.
    decimal : str
        What stands before the decimals of a number written as text, "." or ",".

    Raises
    ------
    InputError
        If something is of another kind, or two columns have the same name.

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
        """What the numbers of x are called; a column of texts is one for each category."""
        return tuple(chain.from_iterable(column.features for column in self.columns))

    def __call__(self, rows: Any, *, owner: str = "RowFormat") -> ndarray:
        """Return raw rows as x, float64 of shape (n, features), not standardised.

        Parameters
        ----------
        rows : path of a CSV file, frame, dict, sequence of dicts, array, or sequence of rows
            Where columns have names they may stand in any order, and there may be more of them.
        owner : str
            Whom messages name.

        Raises
        ------
        InputError
            If a column is missing, or holds what it did not hold in training.
        """
        if isinstance(rows, str | PathLike):
            path = path_of(owner, rows)
            return self.encode(self.read(path, owner=owner), str(path))
        return self.encode(table_of(owner, "rows", rows, self.names), "rows")

    def read(self, path: Path, *, owner: str = "RowFormat") -> Table:
        """Read a CSV file; one whose first line holds a number has no header.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        if path.suffix.lower() in SUFFIXES:
            raise InputError(f"{owner}: this model answers rows of a CSV file, got {path}")
        return read_csv(owner, path, None, None, None)[0]

    def encode(self, table: Table, where: str) -> ndarray:
        """Return a table as x; `where` is what messages call it.

        Raises
        ------
        InputError
            As when called.
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
        """Return what `from_json` makes the format of again, in dicts, lists, texts and numbers."""
        columns = [
            {"name": column.name}
            | ({} if column.fill is None else {"fill": column.fill})
            | ({} if column.categories is None else {"categories": list(column.categories)})
            for column in self.columns
        ]
        return {"kind": "rows", "columns": columns, "target": self.target, "decimal": self.decimal}

    @classmethod
    def numbered(cls, features: int) -> RowFormat:
        """Return the format of rows of numbers whose columns have no names but "0", "1", ….

        Raises
        ------
        InputError
            If features is not a positive integer.
        """
        n = check.integer("RowFormat", "features", features, least=1)
        return cls(tuple(Column(str(i)) for i in range(n)))

    @classmethod
    def from_json(cls, value: Any) -> RowFormat:
        """Return the format that `to_json` wrote down.

        Raises
        ------
        InputError
            If it is something else.
        """
        columns = value.get("columns") if isinstance(value, dict) else None
        if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
            raise InputError("RowFormat: columns must be a list of objects")

        def column(entry: dict[str, Any]) -> Column:
            categories = entry.get("categories")
            kept = tuple(categories) if isinstance(categories, list) else categories
            return Column(entry.get("name"), kept, entry.get("fill"))  # type: ignore[arg-type] # checked there

        return cls(tuple(map(column, columns)), value.get("target"), value.get("decimal"))


@dataclass(frozen=True)
class ImageFormat:
    """What images look like to a model: maps pictures to x.

    Parameters
    ----------
    height, width : int
        Images of another size are brought to this one, smoothly; the ratio of their sides is not kept.
    mode : "RGB" or "L"
        Three channels, or one of grey.

    Raises
    ------
    InputError
        If a size is not positive or the mode is another.

    Examples
    --------
    >>> format = ImageFormat(8, 8, "L")
    >>> format(np.full((16, 16), 255, np.uint8)).shape
    (1, 1, 8, 8)
    >>> ImageFormat.from_json(format.to_json()) == format
    True
    """

    height: int
    width: int
    mode: str = "RGB"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            size = check.integer("ImageFormat", name, getattr(self, name), least=1, most=MOST_PIXELS)
            object.__setattr__(self, name, size)
        if self.height * self.width > MOST_PIXELS:
            pixels = self.height * self.width
            raise InputError(f"ImageFormat: height times width must be at most {MOST_PIXELS}, got {pixels}")
        check.choice("ImageFormat", "mode", self.mode, tuple(MODES))

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one sample of x."""
        return MODES[self.mode], self.height, self.width

    def __call__(self, images: Any, *, owner: str = "ImageFormat") -> ndarray:
        """Return images as x, float32 in [0, 1] of shape (n, c, h, w), not standardised.

        Parameters
        ----------
        images : path, image of Pillow, array, or sequence of these
            An array is of shape (h, w), (h, w, c), (n, h, w) or (n, h, w, c), or has its channels before h;
            bytes 0…255 or floating-point numbers 0…1.
        owner : str
            Whom messages name.

        Raises
        ------
        InputError
            If something is none of these, or a file cannot be read or is damaged.
        """
        several = _several(images)
        if not several:
            raise InputError(f"{owner}: images must be at least one image, got none")
        x = np.empty((len(several), *self.shape), np.float32)
        for i, image in enumerate(several):
            x[i] = self.one(image, owner=owner)
        return x

    def one(self, image: Any, *, owner: str = "ImageFormat") -> ndarray:
        """Return one image as float32 in [0, 1] of shape (c, h, w).

        Raises
        ------
        InputError
            As when called.
        """
        if isinstance(image, str | PathLike):
            path = path_of(owner, image)
            if path.suffix.lower() in TEXTS:
                raise InputError(f"{owner}: this model answers pictures, got {path}")
            return read_pixels(owner, path, (self.height, self.width), self.mode)
        return pixels_of(owner, image, (self.height, self.width), self.mode)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` makes the format of again."""
        return {"kind": "images", "height": self.height, "width": self.width, "mode": self.mode}

    @classmethod
    def from_json(cls, value: Any) -> ImageFormat:
        """Return the format that `to_json` wrote down.

        Raises
        ------
        InputError
            If it is something else.
        """
        if not isinstance(value, dict):
            raise InputError(f"ImageFormat: format must be an object, got {check.described(value)}")
        settings: dict[str, Any] = {name: value.get(name) for name in ("height", "width", "mode")}
        return cls(**settings)


def _no_number(value: Any, decimal: str) -> bool:
    return number_of(value, decimal) is None


def _check_texts(owner: str, name: str, value: Any) -> None:
    if (
        not isinstance(value, tuple)
        or not all(isinstance(text, str) for text in value)
        or len(set(value)) < len(value)
        or not value
    ):
        raise InputError(f"{owner}: {name} must be a tuple of different texts, got {check.described(value)}")


def _several(images: Any) -> Sequence[Any]:
    """Return images one by one; an array may hold one or many."""
    if isinstance(images, list | tuple):
        return images
    if isinstance(images, ndarray) and images.dtype.kind in "buif":
        colour = images.ndim == 3 and (images.shape[-1] in (1, 3, 4) or images.shape[0] in (1, 3, 4))
        if images.ndim == 4 or (images.ndim == 3 and not colour):
            return list(images)
    return [images]
