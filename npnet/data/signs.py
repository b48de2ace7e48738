"""Sign Language MNIST: photographs of hands that sign letters."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet._regular import open_regular
from npnet._words import counted
from npnet.data import files
from npnet.data._images import check_held_out, unit_range
from npnet.data.dataset import ArrayDataset
from npnet.data.files import data_folder
from npnet.data.image_format import ImageFormat
from npnet.data.published import published
from npnet.data.split import Size, hold_out
from npnet.data.splits import Splits
from npnet.errors import InputError, MissingError
from npnet.shapes import Int64, UInt8

FOLDER = "sign_mnist"
SOURCE = "https://www.kaggle.com/datasets/datamunge/sign-language-mnist"
ROWS = {"sign_mnist_train.csv": 27455, "sign_mnist_test.csv": 7172}
LETTERS = "ABCDEFGHIKLMNOPQRSTUVWXY"  # J and Z are signed with a motion, which a photograph cannot show

_HEADER = ["label", *(f"pixel{i}" for i in range(1, 785))]
_BYTES = {str(byte): byte for byte in range(256)}  # faster than int(), and refuses " 1", "+1" and "01"
_J, _Y = 9, 24  # published labels count the letters of the alphabet from A = 0


@published(*(f"{FOLDER}/{file}" for file in ROWS), download=None)
def signs(
    folder: str | PathLike[str] | None = None,
    *,
    validation: Size | None = None,
    generator: Generator | None = None,
) -> Splits[ArrayDataset]:
    """Return Sign Language MNIST: 27 455 training and 7 172 test photographs of 24 letters.

    Its source requires an account, so it is not downloaded: put its two CSV files into the folder
    ``sign_mnist`` of the data folder.

    Parameters
    ----------
    folder : path, optional
        The data folder; see `npnet.data.data_folder`.
    validation : float or int, optional
        What part of the training part becomes the validation part, stratified: a fraction or a number.
    generator : numpy.random.Generator, optional
        Decides which; needed with `validation`.

    Returns
    -------
    Splits
        x is float32 of shape (n, 1, 28, 28), the published bytes divided by 255. y numbers the 24 letters
        from A = 0 to Y = 23; the published labels leave out J's number, 9.

    Raises
    ------
    MissingError
        If a file is missing; the message says where to get it and where to put it.
    InputError
        If a file differs from the published one; the message names the file and the line.

    References
    ----------
    *Sign Language MNIST*, https://www.kaggle.com/datasets/datamunge/sign-language-mnist.
    """
    check_held_out("signs", validation, generator)
    train, test = (_part(data_folder(folder) / FOLDER / file, rows) for file, rows in ROWS.items())
    train, held_out = hold_out(train, validation, generator)
    return Splits(
        train, held_out, test, classes=tuple(LETTERS), name="signs", format=ImageFormat(28, 28, "L")
    )


def read_signs(path: str | PathLike[str]) -> tuple[UInt8[ndarray, "n 28 28"], Int64[ndarray, " n"]]:
    """Read a CSV file with the columns label, pixel1, …, pixel784.

    Parameters
    ----------
    path : path

    Returns
    -------
    pixels : array of uint8, shape (n, 28, 28)
    labels : array of int64, shape (n,)
        As published: 0..24 without 9, the letters of the alphabet without J and Z.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is not a regular file, a column is missing, or a row is not a label followed by 784 whole
        numbers 0..255; the message names the file and the line.
    """
    path = files.as_path("read_signs", "path", path)
    try:
        raw = open_regular("", path, files.MOST_BYTES)
        with io.TextIOWrapper(raw, newline="", encoding="utf-8-sig") as file:
            rows = np.frombuffer(b"".join(_rows(path, file)), dtype=np.uint8).reshape(-1, 785)
    except MissingError:
        raise MissingError(
            f"{path} is missing; get sign_mnist_train.csv and sign_mnist_test.csv from {SOURCE} "
            f"(an account is required) and put them into {path.parent}"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {files.reason(error)}") from None
    return rows[:, 1:].reshape(-1, 28, 28).copy(), rows[:, 0].astype(np.int64)


def _rows(path: Path, file: Iterator[str]) -> Iterator[bytes]:
    """Yield each row as its 785 bytes."""
    lines = csv.reader(file)
    _check_header(path, next(lines, []))
    for fields in lines:
        if fields:  # skips empty lines
            yield _row(f"{path}: line {lines.line_num}", fields)


def _check_header(path: Path, columns: Sequence[str]) -> None:
    missing = [column for column in _HEADER if column not in columns]
    if missing:
        raise InputError(
            f"{path}: {counted(len(missing), 'column')} missing from line 1, the first is {missing[0]!r}"
        )
    if list(columns) != _HEADER:
        raise InputError(f"{path}: the columns in line 1 must be label, pixel1, ..., pixel784, in this order")


def _row(where: str, fields: Sequence[str]) -> bytes:
    if len(fields) != len(_HEADER):
        raise InputError(f"{where} must have {len(_HEADER)} fields, got {len(fields)}")
    try:
        row = bytes(map(_BYTES.__getitem__, fields))
    except KeyError:
        raise _wrong_field(where, fields) from None
    if row[0] > _Y or row[0] == _J:
        raise InputError(f"{where}: label must be 0..24 and not 9, got {row[0]}")
    return row


def _wrong_field(where: str, fields: Sequence[str]) -> InputError:
    column = next(i for i, field in enumerate(fields) if field not in _BYTES)
    allowed = "0..24 and not 9" if column == 0 else "a whole number 0..255"
    return InputError(f"{where}: {_HEADER[column]} must be {allowed}, got {fields[column]!r}")


def _part(path: Path, rows: int) -> ArrayDataset:
    pixels, labels = read_signs(path)
    if len(pixels) != rows:
        raise InputError(f"{path} must have {rows} rows after the header, as published, got {len(pixels)}")
    labels -= labels > _J  # closes the gap at J
    return ArrayDataset(unit_range(pixels[:, None]), labels)
