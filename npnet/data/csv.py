"""One's own table: a CSV file as splits to learn from."""

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
    r"""Read a CSV file, find out what its columns are, and cut its rows into parts to learn from.

    A column of numbers is one feature. A column of other texts becomes one feature for each different text,
    1 where it stands in the row and 0 elsewhere. Print what is returned to see what was found.

    Parameters
    ----------
    path : str or path
        A regular file of at most 1 GiB.
    target : str or int
        The column to be learnt: its name, or its position from 0; −1 is the last one.
    task : "classification" or "regression", optional
        Without it, classes are learnt where the target is text, or at most 30 different whole numbers; other
        numbers are learnt as they are.
    features : names or positions of columns, optional
        Those to learn from; without it all but the target.
    drop : names or positions of columns, optional
        Those to leave out, such as a name or an identity number that says nothing about other rows.
    missing : "median" or "refuse"
        What happens where nothing, NA, nan, null, none or ? stands: a number becomes the median of the
        training part, a text is 0 for all its features, and a row without a target is left out; or all this
        is refused.
    validation, test : float, int or None
        What part of the rows the two become, stratified by class: a fraction, a number, or none.
    standardized : bool
        Whether x, and in regression y, is standardised by the training part's mean and deviation.
    generator : numpy.random.Generator, optional
        Decides which rows are held out; by default one of seed 0, so that the parts are always the same.
    delimiter : str, optional
        What stands between fields; without it the one of ``, ; tab |`` that cuts all lines alike.
    header : bool, optional
        Whether the first line names the columns; without it, whether none of its fields is a number.
        Columns without names are called "0", "1", ….
    decimal : "." or ",", optional
        What stands before decimals; without it a comma where the delimiter is none and that makes more
        columns numbers.
    encoding : str, optional
        UTF-8 by default, with or without a byte order mark.

    Returns
    -------
    Splits
        x float32 of shape (n, features). For classes y are int64 labels and `classes` their names, in
        order; for numbers y is float32 of shape (n, 1), standardised, and
        ``target_standardization.undo(y)`` has its own units. `format` and `standardization` bring rows yet
        to come to the same form, and `report` says what was found.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it cannot be read or is no table, a column is unknown or unfit, or a size does not fit; of a line
        in the file, the message has its number.

    Notes
    -----
    A column that counts the rows from 0 or 1 up is left out unless `features` names it: programs write
    such a column, and where the rows are in order it would tell the class.

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
    _check_writing(owner, delimiter, header, decimal, encoding)
    if not isinstance(target, str):
        check.integer(owner, "target", target)
    table, used, _ = read_csv(owner, place, delimiter, header, encoding)
    names = list(table.columns)
    if len(names) == 1:
        raise InputError(
            f"csv: {place} must have at least two columns, got one, {names[0]!r:.60}; say what stands "
            "between fields by delimiter="
        )
    name = column_name(owner, "target", target, names)
    return splits_of_rows(table, name, table.columns[name], choices, decimal or _decimal(table, used))


def _check_writing(owner: str, delimiter: Any, header: Any, decimal: Any, encoding: Any) -> None:
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
    """Find out whether decimals come after a point or a comma."""
    if delimiter == ",":
        return "."
    counts = {
        decimal: sum(numbers_of(cells, decimal) is not None for cells in table.columns.values())
        for decimal in (".", ",")
    }
    return "," if counts[","] > counts["."] else "."
