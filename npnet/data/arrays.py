"""Your own arrays or frame: x and y as training, validation and test parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._words import counted
from npnet.data._own_rows import Choices, Target, resolve_target, splits_of_rows
from npnet.data._parts import cut, splits_of
from npnet.data._table import ColumnCells, Table, column_of, is_frame, row_place, table_of
from npnet.data.dataset import ArrayDataset
from npnet.data.report import Report
from npnet.data.split import Size
from npnet.data.splits import Splits
from npnet.errors import InputError

TARGET = "y"


def arrays(
    x: Any,
    y: Any,
    *,
    task: str | None = None,
    missing: str = "median",
    validation: Size | None = 0.2,
    test: Size | None = 0.2,
    standardized: bool = True,
    generator: Generator | None = None,
    name: str = "",
) -> Splits[ArrayDataset]:
    """Split your own arrays or frame into training, validation and test parts, and standardise them.

    Parameters
    ----------
    x : array, frame, dict of columns, or sequence of rows
        The samples: a table of numbers and text, encoded as in `npnet.data.csv`, or a numeric array of
        shape (n, ...), such as images (n, c, h, w).
    y : array, series or sequence
        The target of each sample: a class, a number, or several numbers.
    task : "classification" or "regression", optional
        By default, classification if y is text, has an integer dtype, or has at most 30 different whole
        numbers, and regression otherwise.
    missing, validation, test, standardized, generator
        As in `npnet.data.csv`.
    name : str
        The name of the data set.

    Returns
    -------
    Splits
        As from `npnet.data.csv`; x is float32. If y has several numbers for each sample, each is
        standardised on its own, unless all of them are 0 or 1.

    Raises
    ------
    InputError
        If x and y differ in length, or a value is invalid, such as an infinite number.
    DTypeError
        If x or y holds neither numbers nor text.

    Examples
    --------
    >>> x = np.arange(20.0).reshape(10, 2)
    >>> splits = arrays(x, ["low"] * 5 + ["high"] * 5)
    >>> splits
    Splits(6 training, 2 validation, 2 test samples of shape (2,); 2 classes)
    >>> splits.classes
    ('high', 'low')
    """
    owner = "arrays"
    check.instance(owner, "name", name, str, "text")
    choices = Choices.checked(
        owner,
        name,
        generator,
        task=task,
        features=None,
        drop=None,
        missing=missing,
        validation=validation,
        test=test,
        standardized=standardized,
        from_file=False,
    )
    x = _as_array(owner, x)
    images = _images(owner, x) if hasattr(x, "ndim") and not is_frame(x) else None
    samples: Table | ndarray = table_of(owner, "x", x, None) if images is None else images
    n = samples.rows if isinstance(samples, Table) else len(samples)
    target = _read_target(owner, y, n, task)
    if isinstance(samples, Table):
        return splits_of_rows(samples, TARGET, target, choices, ".")
    return _splits_of_array(samples, target, choices)


def _splits_of_array(x: ndarray, target: Target | ColumnCells, choices: Choices) -> Splits[ArrayDataset]:
    n = len(x)
    resolved = resolve_target(choices.owner, Table({}, n, row_place), TARGET, target, choices.task, ".")
    sizes = {"validation": choices.validation, "test": choices.test}
    places = cut(choices.owner, resolved.y, sizes, choices.generator, stratify=bool(resolved.classes))
    parts = {part: ArrayDataset(x[rows], resolved.y[rows]) for part, rows in places.items()}
    return splits_of(
        choices.owner,
        parts,
        classes=resolved.classes,
        name=choices.name,
        standardized=choices.standardized,
        format=None,
        report=Report(f"{counted(n, 'sample')} of shape {x.shape[1:]}; {resolved.summary}"),
    )


def _as_array(owner: str, x: Any) -> Any:
    """Convert nested lists of numbers to an array; a one-dimensional x has one feature."""
    if hasattr(x, "to_numpy") and not is_frame(x):  # a series: one feature
        x = x.to_numpy()
    if isinstance(x, list | tuple) and not any(isinstance(row, Mapping) for row in x):
        try:
            array = np.asarray(x)
        except ValueError:
            raise InputError(f"{owner}: x must be rows of equal length, got rows that differ") from None
        if array.dtype.kind in "biuf":
            x = array
        elif array.ndim == 1:
            x = [[row] for row in x]
    return x[:, None] if type(x) is ndarray and x.ndim == 1 else x


def _images(owner: str, x: Any) -> ndarray | None:
    """Return samples of more than one axis, such as images; None for a table."""
    if np.ndim(x) <= 2:
        return None
    array = check.array(owner, "x", x)
    if not array.size:
        raise InputError(f"{owner}: x must hold at least one sample, got shape {array.shape}")
    if array.ndim == 4 and array.shape[-1] in (1, 3) and array.shape[1] not in (1, 3):
        raise InputError(
            f"{owner}: x must have its channels before height and width, (n, c, h, w), got {array.shape}; "
            "write x.transpose(0, 3, 1, 2)"
        )
    if array.ndim == 3:
        raise InputError(
            f"{owner}: x must have shape (n, features) or (n, c, h, w), got {array.shape}; "
            "for grey images write x[:, None]"
        )
    return array.astype(np.float32) if array.dtype.kind == "b" else array


def _read_target(owner: str, y: Any, n: int, task: str | None) -> Target | ColumnCells:
    """Return the target: labels for an integer dtype, numbers for more than one axis, else the raw column."""
    values = y.to_numpy() if hasattr(y, "to_numpy") else y
    if isinstance(values, ndarray) and type(values) is not ndarray:
        check.array(owner, "y", values)
    if not isinstance(values, ndarray | list | tuple):
        raise InputError(
            f"{owner}: y must be an array, a series or a list, one value for each sample, got "
            f"{check.described(y)}"
        )
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{owner}: y must be one value for each sample, got lists that differ") from None
    if array.ndim == 2 and array.shape[1] == 1:
        array = values = array[:, 0]
    if array.ndim == 0 or len(array) != n:
        raise InputError(f"{owner}: y must be one value for each of {n} samples of x, got {np.shape(values)}")
    if array.ndim > 1:
        return _multiple_targets(owner, array, task)
    cells = column_of(owner, "y", values)
    if array.dtype.kind in "iub" and task is None:
        return resolve_target(owner, Table({}, n, row_place), TARGET, cells, "classification", ".")
    return cells


def _multiple_targets(owner: str, y: ndarray, task: str | None) -> Target:
    one_hot = y.ndim == 2 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
    if task == "classification" or y.dtype.kind not in "biuf" or (task is None and one_hot):
        hint = "; it looks one-hot: write y.argmax(axis=1)" if one_hot else ""
        raise InputError(f"{owner}: y must be one class for each sample, got shape {y.shape}{hint}")
    if not np.isfinite(y).all():
        raise InputError(f"{owner}: y must hold finite numbers, got {y[~np.isfinite(y)][0]}")
    return Target(y.astype(np.float64), (), f"{counted(y[0].size, 'number')} to learn for each")
