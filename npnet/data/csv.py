"""Your own table: read a CSV file as training, validation and test parts."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

from numpy.random import Generator

from npnet import check
from npnet._regular import path_of
from npnet.data._csv_file import read_csv
from npnet.data._own_rows import Choices, column_name, splits_of_rows
from npnet.data._table import Table, numbers_of
from npnet.data.dataset import ArrayDataset
from npnet.data.split import Size
from npnet.data.splits import Splits
from npnet.errors import InputError

Names = str | Sequence[str | int] | None


def csv(
    path: str | PathLike[str],
    target: str | int,
    *,
    task: str | None = None,
    features: Names = None,
    drop: Names = None,
    missing: str = "median",
    validation: Size | None = 0.2,
    test: Size | None = 0.2,
    standardized: bool = True,
    generator: Generator | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Splits[ArrayDataset]:
    r"""Read a CSV file and split its rows into training, validation and test parts.

    The type of each column is detected. A numeric column is one feature. A text column is one-hot encoded:
    one feature for each different value, 1 in the rows that hold it and 0 elsewhere. Print the result to
    see what was detected.

    Parameters
    ----------
    path : str or path
        A regular file of at most 1 GiB.
    target : str or int
        The target column: its name, or its position from 0; −1 is the last one.
    task : "classification" or "regression", optional
        By default, classification if the target is text or has at most 30 different whole numbers, and
        regression otherwise.
    features : names or positions of columns, optional
        The columns used as features; by default all but the target.
    drop : names or positions of columns, optional
        Columns to leave out, such as a name or an identifier that says nothing about other rows.
    missing : "median" or "refuse"
        How to treat an empty field, NA, nan, null, none or ?. "median" replaces a missing number by the
        median of the training part, encodes a missing text as 0 in all its features, and leaves out rows
        without a target; "refuse" raises an error.
    validation, test : float, int or None
        Size of each part: a fraction of the rows, a number of rows, or None for no such part. Both are
        stratified by class.
    standardized : bool
        Whether x, and in regression y, is standardised with the training part's mean and standard deviation.
    generator : numpy.random.Generator, optional
        Decides which rows are held out. The default has seed 0, so that the parts are the same every time.
    delimiter : str, optional
        The character between fields; by default the one of ``, ; tab |`` that gives every line the same
        number of fields.
    header : bool, optional
        Whether the first line names the columns; by default it does if none of its fields is a number.
        Columns without names are called "0", "1", ….
    decimal : "." or ",", optional
        The decimal separator; by default a comma if it is not the delimiter and makes more columns numeric
        than a point does.
    encoding : str, optional
        UTF-8 by default, with or without a byte order mark.

    Returns
    -------
    Splits
        x is float32 of shape (n, features). In classification y holds int64 labels, and `classes` their
        names in order. In regression y is float32 of shape (n, 1), standardised;
        ``target_standardization.undo(y)`` gives the original units. `format` and `standardization` convert
        future rows in the same way, and `report` says what was detected.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If the file cannot be read or is not a table, a column is unknown or unsuitable, or a size does not
        fit. The message gives the line number where there is one.

    Notes
    -----
    A column that counts the rows from 0 or 1 is left out unless `features` names it. Programs often write
    such an index; if the rows are sorted by class, it would reveal the class.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> lines = [f"{size},{size > 5 and 'big' or 'small'}" for size in range(2, 12)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "sizes.csv")
    ...     _ = path.write_text("size,name\n" + "\n".join(lines))
    ...     splits = csv(path, target="name")
    >>> splits
    Splits(sizes: 6 training, 2 validation, 2 test samples of shape (1,); 2 classes)
    >>> splits.classes, splits.features
    (('big', 'small'), ('size',))
    """
    owner = "csv"
    place = path_of(owner, path)
    choices = Choices.checked(
        owner,
        place.stem,
        generator,
        task=task,
        features=features,
        drop=drop,
        missing=missing,
        validation=validation,
        test=test,
        standardized=standardized,
        from_file=True,
    )
    _check_file_options(owner, delimiter, header, decimal, encoding)
    if not isinstance(target, str):
        check.integer(owner, "target", target)
    table, used, _ = read_csv(owner, place, delimiter, header, encoding)
    names = list(table.columns)
    if len(names) == 1:
        raise InputError(
            f"csv: {place} must have at least two columns, got one, {names[0]!r:.60}; set the character "
            "between fields with delimiter="
        )
    name = column_name(owner, "target", target, names)
    return splits_of_rows(table, name, table.columns[name], choices, decimal or _decimal(table, used))


def _check_file_options(owner: str, delimiter: Any, header: Any, decimal: Any, encoding: Any) -> None:
    if delimiter is not None:
        check.instance(owner, "delimiter", delimiter, str, "one character")
        if len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise InputError(f"{owner}: delimiter must be one character, such as ';', got {delimiter!r:.60}")
    if header is not None:
        check.flag(owner, "header", header)
    if decimal is not None:
        check.choice(owner, "decimal", decimal, (".", ","))
    if encoding is not None:
        check.instance(owner, "encoding", encoding, str, "the name of an encoding, such as 'cp1252'")


def _decimal(table: Table, delimiter: str) -> str:
    """Return the decimal separator that makes more columns numeric."""
    if delimiter == ",":
        return "."
    counts = {
        decimal: sum(numbers_of(cells, decimal) is not None for cells in table.columns.values())
        for decimal in (".", ",")
    }
    return "," if counts[","] > counts["."] else "."
