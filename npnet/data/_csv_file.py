"""Read CSV files in the dialects that common programs write."""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from npnet._regular import open_regular
from npnet._words import counted
from npnet.data._table import Cells, Table, number_of
from npnet.errors import InputError

MOST_BYTES = 2**30  # size of a file
DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 2**16  # bytes used to detect the delimiter
BLOCK = 1024  # rows transposed at a time


def read_csv(
    owner: str, path: Path, delimiter: str | None, header: bool | None, encoding: str | None
) -> tuple[Table, str, bool]:
    """Read a table; return it, the delimiter used, and whether there was a header.

    Blanks around a field are stripped, and empty lines are skipped. Each different text of a column is
    stored once and its rows as 4-byte codes, which bounds the memory of a large table.
    """
    with open_regular(owner, path, MOST_BYTES) as file:
        sample = file.read(SAMPLE)
        file.seek(0)
        chosen = encoding or _encoding(sample)
        used = delimiter or _delimiter(sample, chosen)
        try:
            text = io.TextIOWrapper(file, chosen, newline="")
            reader = csv.reader(_lines(owner, path, text), delimiter=used, skipinitialspace=True, strict=True)
            table, had_header = _read(owner, path, reader, header)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{owner}: {path} must be {chosen} text, got byte {error.object[error.start]:#04x}; save "
                "it as UTF-8, or name its encoding, such as encoding='cp1252'"
            ) from None
        except LookupError:
            raise InputError(f"{owner}: encoding must be a name Python knows, got {encoding!r:.60}") from None
        except csv.Error as error:
            raise InputError(f"{owner}: {path}: line {reader.line_num}: {error}") from None
        except OSError as error:
            raise InputError(f"{owner}: cannot read {path}: {error.strerror or error}") from None
    return table, used, had_header


def _encoding(sample: bytes) -> str:
    """Return the encoding of the byte order mark, or UTF-8 if there is none."""
    utf16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if sample.startswith(utf16) else "utf-8-sig"


def _delimiter(sample: bytes, encoding: str) -> str:
    """Return the delimiter that gives the first lines equally many fields; of several, the most fields."""
    try:
        text = codecs.getincrementaldecoder(encoding)("ignore").decode(sample)
    except LookupError:
        return DELIMITERS[0]
    lines = text.splitlines()
    lines = lines[:-1] if len(sample) == SAMPLE and len(lines) > 1 else lines  # the last one may be cut

    def merit(delimiter: str) -> tuple[bool, int]:
        try:
            widths = [len(row) for row in csv.reader(lines[:100], delimiter=delimiter) if row]
        except csv.Error:
            widths = []
        return len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0

    return max(DELIMITERS, key=merit)


def _lines(owner: str, path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    for number, line in enumerate(text, start=1):
        if "\0" in line:
            raise InputError(f"{owner}: {path}: line {number} holds a zero byte: it is not text")
        yield line


def _read(owner: str, path: Path, reader: Any, header: bool | None) -> tuple[Table, bool]:
    rows = _rows(reader)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{owner}: {path} is empty")
    line, fields = first
    has_header = header if header is not None else not any(_is_number(field) for field in fields)
    names = _names(owner, path, fields) if has_header else [str(i) for i in range(len(fields))]

    columns = [_Column() for _ in names]
    lines = array("q")
    block: list[list[str]] = []
    if not has_header:
        block.append(fields)
        lines.append(line)
    for line, fields in rows:
        if len(fields) != len(names):
            reference = "like the header" if has_header else "like the first line"
            raise InputError(
                f"{owner}: {path}: line {line} must have {counted(len(names), 'field')}, {reference}, "
                f"got {len(fields)}"
            )
        block.append(fields)
        lines.append(line)
        if len(block) == BLOCK:
            _append(columns, block)
    _append(columns, block)
    if not lines:
        raise InputError(f"{owner}: {path} must have at least one row after the header, got none")
    cells = {name: column.cells() for name, column in zip(names, columns, strict=True)}
    return Table(cells, len(lines), lambda row: f"line {lines[row]}"), has_header


def _rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the number of its last line."""
    for fields in reader:
        row = [field.strip() for field in fields]
        if row and (len(row) > 1 or row[0]):
            yield reader.line_num, row


def _is_number(field: str) -> bool:
    number = number_of(field)
    return number is not None and number == number  # noqa: PLR0124 - a missing value is nan


def _names(owner: str, path: Path, fields: list[str]) -> list[str]:
    names = [field or f"unnamed {i}" for i, field in enumerate(fields)]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(
            f"{owner}: {path}: the header must name each column once, got {', '.join(map(repr, twice[:5]))} "
            "more than once"
        )
    return names


class _Column:
    """A column while it is read: the code of each different text, and the codes of the rows."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.codes = array("i")

    def cells(self) -> Cells:
        return Cells(list(self.places), np.frombuffer(self.codes, np.intc))


def _append(columns: list[_Column], block: list[list[str]]) -> None:
    for column, fields in zip(columns, zip(*block, strict=True), strict=False):  # a block may be empty
        places = column.places
        column.codes.extend([places.setdefault(field, len(places)) for field in fields])
    block.clear()
