"""From a raw table to splits: detect the type of each column, encode it, and report what was found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._words import counted
from npnet.data._parts import check_size, cut, default_generator, splits_of
from npnet.data._table import (
    Cells,
    ColumnCells,
    Table,
    closest,
    number_of,
    numbers_of,
    shown_names,
    text_of,
    texts_of,
)
from npnet.data.dataset import ArrayDataset
from npnet.data.report import Report
from npnet.data.row_format import Column, RowFormat
from npnet.data.split import Size
from npnet.data.splits import Splits
from npnet.errors import InputError

TASKS = ("classification", "regression")
MISSING = ("median", "refuse")
MOST_CLASSES = 30  # a target with at most so many different whole numbers holds class labels
MOST_CATEGORIES = 256  # different values of a text column
MOSTLY = 0.9  # with this share of numbers in a column, its other values are taken for mistakes
FEWEST_NUMBERED = 10  # a column 0, 1, 2, … of so many rows is an index, not a coincidence
# Currency and percent signs, and thousands separators.
DECORATION = re.compile(r"[$€£¥%\s'’_]|,(?=\d{3}(\D|$))|\b(USD|EUR|GBP|CHF)\b")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The arguments of `csv` and `arrays` with the same names."""

    owner: str
    name: str
    task: str | None
    features: Any
    drop: Any
    missing: str
    validation: Size | None
    test: Size | None
    standardized: bool
    generator: Generator
    from_file: bool  # a file may have an index column, written by a program

    @classmethod
    def checked(cls, owner: str, name: str, generator: Generator | None, **arguments: Any) -> Choices:
        """Check the arguments before anything is read."""
        if arguments["task"] is not None:
            check.choice(owner, "task", arguments["task"], TASKS)
        check.choice(owner, "missing", arguments["missing"], MISSING)
        for part in ("validation", "test"):
            check_size(owner, part, arguments[part])
        standardized = check.flag(owner, "standardized", arguments.pop("standardized"))
        for argument in ("features", "drop"):
            arguments[argument] = _column_list(owner, argument, arguments[argument])
        return cls(
            owner=owner,
            name=name,
            standardized=standardized,
            generator=default_generator(owner, generator),
            **arguments,
        )


@dataclass
class Remarks:
    """Rows and remarks of the report, collected while the columns are examined."""

    rows: list[tuple[object, ...]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """The target: y, and the names of the classes if y holds labels."""

    y: ndarray
    classes: tuple[str, ...]
    summary: str


def splits_of_rows(
    table: Table, target: str, cells: Target | ColumnCells, choices: Choices, decimal: str
) -> Splits[ArrayDataset]:
    """Turn a raw table and its target column into splits."""
    owner, found = choices.owner, Remarks()
    names = _features(owner, table, target, choices, found)
    may_have_index = choices.from_file and choices.features is None
    index_columns = _index_columns(table, names) if may_have_index else []
    for name in index_columns:
        found.remarks.append(f"{name!r} left out: it numbers the rows; name it in features= to include it")
    names = [name for name in names if name not in index_columns]

    if not isinstance(cells, Target):
        table, cells = _without_missing_targets(owner, table, target, cells, choices, found)
    resolved = resolve_target(owner, table, target, cells, choices.task, decimal)
    if choices.task is None and not resolved.classes and (resolved.y == np.rint(resolved.y)).all():
        found.remarks.append(
            f"{target!r} is learnt as a number; task='classification' makes each of its values a class"
        )
    sizes = {"validation": choices.validation, "test": choices.test}
    places = cut(owner, resolved.y, sizes, choices.generator, stratify=bool(resolved.classes))
    columns = _columns(owner, table, names, choices, places["train"], decimal, found)
    row_format = RowFormat(columns, target, decimal)
    x = row_format.encode(table, owner)

    parts = {part: ArrayDataset(x[rows], resolved.y[rows]) for part, rows in places.items()}
    sizes_found = ((table.rows, "row"), (len(columns), "column"), (x.shape[1], "feature"))
    title = f"{', '.join(counted(n, name) for n, name in sizes_found)}; {resolved.summary}"
    report = Report(title, ("column", "holds", "missing"), tuple(found.rows), tuple(found.remarks))
    return splits_of(
        owner,
        parts,
        classes=resolved.classes,
        name=choices.name,
        standardized=choices.standardized,
        format=row_format,
        report=report,
    )


# ---- which columns -------------------------------------------------------------------------------------


def column_name(owner: str, name: str, value: Any, names: Sequence[str]) -> str:
    """Return the name of a column that is given by name or by position."""
    if isinstance(value, str):
        if value.strip() not in names:
            raise InputError(f"{owner}: {name} must be a column, got {value!r}{closest(value, names)}")
        return value.strip()
    place = check.integer(owner, name, value, least=-len(names), most=len(names) - 1)
    return names[place]


def _column_list(owner: str, name: str, value: Any) -> tuple[Any, ...] | None:
    """Return names and positions of columns as a tuple; a single name becomes a tuple of one."""
    if value is None or isinstance(value, str):
        return None if value is None else (value,)
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, str) or check.is_integer(item) for item in value
    ):
        raise InputError(
            f"{owner}: {name} must be names or positions of columns, such as ['age', 'height'], "
            f"got {check.described(value)}"
        )
    return tuple(value)


def _features(owner: str, table: Table, target: str, choices: Choices, found: Remarks) -> list[str]:
    """Return the columns to learn from."""
    known = list(table.columns)
    dropped = {column_name(owner, "drop", item, known) for item in choices.drop or ()}
    if choices.features is None:
        names = [name for name in known if name != target and name not in dropped]
        found.remarks += [f"{name!r} left out, as asked" for name in known if name in dropped]
    else:
        names = [column_name(owner, "features", item, known) for item in choices.features]
        if target in names or dropped & set(names) or len(set(names)) < len(names):
            shown = shown_names(names)
            raise InputError(f"{owner}: features must be different, not the target nor dropped, got {shown}")
    if not names:
        raise InputError(
            f"{owner}: features must be at least one column beside the target, got {shown_names(known)}"
        )
    return names


def _index_columns(table: Table, names: Sequence[str]) -> list[str]:
    """Return the columns that count the rows from 0 or 1: in sorted data they would reveal the class."""
    found = []
    for name in names:
        numbers = numbers_of(table.columns[name]) if table.rows >= FEWEST_NUMBERED else None
        if numbers is not None and _count_up(numbers):
            found.append(name)
    return found if len(found) < len(names) else []


def _count_up(numbers: ndarray) -> bool:
    return bool(numbers[0] in (0, 1) and (numbers == np.arange(len(numbers)) + numbers[0]).all())


def _columns(
    owner: str,
    table: Table,
    names: Sequence[str],
    choices: Choices,
    train: ndarray,
    decimal: str,
    found: Remarks,
) -> tuple[Column, ...]:
    columns, too_many = [], {}
    for name in names:
        cells = table.columns[name]
        numbers = numbers_of(cells, decimal)
        missing = _count_missing(cells, numbers)
        if missing == table.rows:
            if choices.features is not None:
                raise InputError(
                    f"{owner}: column {name!r} must hold values, got none in {counted(table.rows, 'row')}"
                )
            found.remarks.append(f"{name!r} left out: it holds no values")
            continue
        if missing and choices.missing == "refuse":
            raise InputError(
                f"{owner}: column {name!r} must hold no missing values, got {missing}, the first in "
                f"{table.place(_first_missing(cells, numbers))}; missing='median' fills them"
            )
        if numbers is not None:
            columns.append(_number_column(owner, table, name, numbers, train, found, missing))
            continue
        texts = _categories(owner, table, name, cells, decimal)
        if len(texts) > MOST_CATEGORIES:
            too_many[name] = len(texts), _formatted_number(texts)
            continue
        columns.append(Column(name, texts))
        shown = ", ".join(texts) if len(texts) <= 4 else f"{', '.join(texts[:3])} … {len(texts)} texts"
        found.rows.append((name, shown, missing))
        if len(texts) == 1:
            found.remarks.append(f"{name!r} is the same in all rows")
        remark = _remark_on_texts(name, texts, table.rows - missing)
        found.remarks += [remark] if remark else []
    if too_many:
        shown = ", ".join(f"{name!r} {count}" for name, (count, _) in too_many.items())
        number = next((formatted for _, formatted in too_many.values() if formatted), None)
        hint = f"; a number such as {number[0]!r} must be written {number[1]}" if number else ""
        hint = hint or "; write dates as plain numbers, such as years"
        raise InputError(
            f"{owner}: a text column must hold at most {MOST_CATEGORIES} different values, got {shown}; "
            f"leave out columns that only name the row with drop={list(too_many)}{hint}"
        )
    if not columns:
        raise InputError(f"{owner}: no column holds values to learn from, of {shown_names(list(names))}")
    return tuple(columns)


def _remark_on_texts(name: str, texts: Sequence[str], rows: int) -> str:
    """Return a remark if a text column more likely holds numbers, dates or names of rows; "" otherwise."""
    number = _formatted_number(texts)
    if number:
        return (
            f"column {name!r}: {counted(len(texts), 'text')} such as {number[0]!r}, each a feature of its "
            f"own; to use them as numbers write {number[1]}"
        )
    if rows < FEWEST_NUMBERED or 2 * len(texts) <= rows:
        return ""
    return (
        f"column {name!r}: {len(texts)} different texts in {rows} rows, such as {texts[0]!r:.40}, each a "
        f"feature of its own; if these are numbers or dates, write them as plain numbers, otherwise "
        f"drop=[{name!r}]"
    )


def _formatted_number(texts: Sequence[str]) -> tuple[str, str] | None:
    """Return one text and its number, if most are numbers with currency signs, % or separators."""
    found = [
        (text, plain)
        for text in texts
        if (plain := DECORATION.sub("", text)) != text and _is_number_text(plain)
    ]
    numbers = sum(number_of(text) is not None for text in texts)
    return found[0] if found and len(found) + numbers >= MOSTLY * len(texts) else None


def _is_number_text(text: str) -> bool:
    return any(letter.isdigit() for letter in text) and number_of(text) is not None


def _number_column(
    owner: str, table: Table, name: str, numbers: ndarray, train: ndarray, found: Remarks, missing: int
) -> Column:
    known = numbers[~np.isnan(numbers)]
    infinite = np.flatnonzero(np.isinf(numbers))
    if infinite.size:
        raise InputError(
            f"{owner}: {table.place(int(infinite[0]))}: column {name!r} must be a finite number, "
            f"got {numbers[infinite[0]]}"
        )
    training = numbers[train][~np.isnan(numbers[train])]
    fill = float(np.median(training if training.size else known))
    low, high = known.min(), known.max()
    found.rows.append((name, f"{low:g} … {high:g}", missing))
    if missing:
        found.remarks.append(f"{name!r}: {missing} missing, filled with the training part's median, {fill:g}")
    if low == high:
        found.remarks.append(f"{name!r} is the same in all rows")
    return Column(name, fill=fill)


def _categories(owner: str, table: Table, name: str, cells: ColumnCells, decimal: str) -> tuple[str, ...]:
    """Return the different texts of a column, sorted; refuse a column of numbers with a few mistakes."""
    assert isinstance(cells, Cells)
    is_number = np.array([number_of(value, decimal) is not None for value in cells.values])
    rows = is_number[cells.codes]
    if rows.mean() >= MOSTLY and len(cells.values) > MOST_CLASSES:
        wrong = int(np.flatnonzero(~rows)[0])
        raise InputError(
            f"{owner}: {table.place(wrong)}: column {name!r} must be a number, as in the other rows, "
            f"got {check.described(cells.values[cells.codes[wrong]])}"
        )
    texts, codes = texts_of(cells)
    used = set(codes.tolist())
    return tuple(sorted({text for i, text in enumerate(texts) if text is not None and i in used}))


def _count_missing(cells: ColumnCells, numbers: ndarray | None) -> int:
    if numbers is not None:
        return int(np.isnan(numbers).sum())
    texts, codes = texts_of(cells)
    return int(np.array([text is None for text in texts])[codes].sum())


def _first_missing(cells: ColumnCells, numbers: ndarray | None) -> int:
    if numbers is not None:
        return int(np.flatnonzero(np.isnan(numbers))[0])
    texts, codes = texts_of(cells)
    return int(np.flatnonzero(np.array([text is None for text in texts])[codes])[0])


# ---- the target ----------------------------------------------------------------------------------------


def _without_missing_targets(
    owner: str, table: Table, target: str, cells: ColumnCells, choices: Choices, found: Remarks
) -> tuple[Table, ColumnCells]:
    """Leave out the rows whose target is missing."""
    texts, codes = texts_of(cells)
    known = ~np.array([text is None for text in texts])[codes]
    if known.all():
        return table, cells
    first, unknown = table.place(int(np.flatnonzero(~known)[0])), int((~known).sum())
    if choices.missing == "refuse" or not known.any():
        raise InputError(
            f"{owner}: target {target!r} must be there in every row, got {counted(unknown, 'row')} without "
            f"it, the first is {first}"
        )
    found.remarks.append(
        f"{counted(unknown, 'row')} left out: target {target!r} is missing, first in {first}"
    )
    rows = np.flatnonzero(known)
    target_column = Table({target: cells}, table.rows, table.place).take(rows)
    return table.take(rows), target_column.columns[target]


def resolve_target(
    owner: str, table: Table, target: str, cells: Target | ColumnCells, task: str | None, decimal: str
) -> Target:
    """Return the target of a column as labels or numbers; a `Target` is returned as it is."""
    if isinstance(cells, Target):
        return cells
    numbers = numbers_of(cells, decimal)
    if task is None:
        task = "classification" if numbers is None or _are_labels(numbers) else "regression"
    if task == "regression":
        return _regression_target(owner, table, target, cells, numbers)
    if numbers is None:
        texts, codes = texts_of(cells)
        used = sorted({texts[code] or "" for code in set(codes.tolist())})
        places = {text: i for i, text in enumerate(used)}
        y = np.array([places.get(text or "", 0) for text in texts], np.int64)[codes]
        classes = tuple(used)
    else:
        values, y = np.unique(numbers, return_inverse=True)
        classes = tuple(text_of(float(value)) for value in values)
    if len(classes) < 2:
        raise InputError(
            f"{owner}: target {target!r} must hold at least two classes, got only {classes[0]!r}"
        )
    if 2 * len(classes) > len(y):
        raise InputError(
            f"{owner}: target {target!r} must hold classes of several rows each, got {len(classes)} "
            f"different values in {len(y)} rows; task='regression' learns numbers"
        )
    return Target(y.astype(np.int64), classes, f"target {target!r}: {len(classes)} classes")


def _are_labels(numbers: ndarray) -> bool:
    """Return whether numbers look like class labels: few different whole numbers."""
    if not np.isfinite(numbers).all() or not (numbers == np.rint(numbers)).all():
        return False
    different = len(np.unique(numbers))
    return different <= MOST_CLASSES and 2 * different <= len(numbers)


def _regression_target(
    owner: str, table: Table, target: str, cells: ColumnCells, numbers: ndarray | None
) -> Target:
    if numbers is None:
        assert isinstance(cells, Cells)
        wrong = next(i for i, code in enumerate(cells.codes) if number_of(cells.values[code]) is None)
        value = check.described(cells.values[cells.codes[wrong]])
        raise InputError(f"{owner}: {table.place(wrong)}: target {target!r} must be a number, got {value}")
    with np.errstate(over="ignore"):  # checked below
        outside = np.flatnonzero(~np.isfinite(numbers.astype(np.float32)))
    if outside.size:
        place = table.place(int(outside[0]))
        raise InputError(
            f"{owner}: {place}: target {target!r} must be a number that float32 can hold, "
            f"got {numbers[outside[0]]}"
        )
    return Target(numbers[:, None], (), f"target {target!r}: {numbers.min():g} … {numbers.max():g}")
