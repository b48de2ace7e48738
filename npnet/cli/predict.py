"""``npnet predict RUN FILE…``: what a trained model says of rows and pictures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan
from typing import Any

import numpy as np
from numpy import ndarray

from npnet._judged import errors_of
from npnet._words import counted
from npnet.cli._output import MISTAKE, complain
from npnet.cli._runs import model_file
from npnet.errors import InputError
from npnet.run import MODEL

AT_A_TIME = 256  # pictures held at once
EXAMPLES = """\
examples:
  npnet predict runs/digits/2026-05-09T08-24-00Z seven.png
  npnet predict iris.safetensors new.csv --json
"""


@dataclass(frozen=True)
class Answer:
    """What the model says of one row or one picture.

    Parameters
    ----------
    file : str
    line : str, optional
        The number of the line in a CSV file; pictures have none.
    values : dict
        What is answered, by name.
    target : str or float, optional
        What stands in the file as the right answer.
    probabilities : dict from names of classes to float
    """

    file: str
    line: str | None
    values: dict[str, Any]
    target: str | float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)


def add_parser(commands: Any) -> None:
    """Add the command to those of ``npnet``.

    Parameters
    ----------
    commands : what `argparse.ArgumentParser.add_subparsers` returns
    """
    parser = commands.add_parser(
        "predict",
        help="say what a trained model makes of rows or pictures",
        description="Print the class and its probability, or the number, for each row or each picture.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(command=predict)
    parser.add_argument(
        "run",
        metavar="RUN",
        help=f"The folder of a run that has a {MODEL}, or a file written by npnet.save.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="CSV files whose header names the columns the model learnt from, or pictures and their folders.",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="Print a JSON object a line, with the probabilities of all classes.",
    )


def predict(chosen: argparse.Namespace) -> int:
    """Run the command.

    Parameters
    ----------
    chosen : argparse.Namespace
        With `run`, `files` and `json`.

    Returns
    -------
    status : int
        0, or 2 if a file was not what the model takes; the others are answered all the same.

    Raises
    ------
    InputError
        If the run has no whole model.
    """
    from npnet import saved  # noqa: PLC0415 - not every command needs it
    from npnet.data import ImageFormat  # noqa: PLC0415 - likewise

    model = saved.load(model_file("predict", chosen.run))
    faults: list[str] = []
    if isinstance(model.format, ImageFormat):
        answers = list(_of_pictures(model, chosen.files, faults))
    elif model.row_format is not None:
        answers = list(_of_files(model, chosen.files, faults))
    else:
        raise InputError(f"predict: {model!r} takes neither rows nor pictures; use npnet.load in Python")
    lines = map(_json, answers) if chosen.json else _text(answers)
    for line in lines if answers else ():
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()  # before what is said of the other files
    for fault in faults:
        complain(fault, MISTAKE)
    return MISTAKE if faults else 0


def _of_files(model: Any, files: Sequence[str], faults: list[str]) -> Iterator[Answer]:
    """Yield the answers to the rows of each file that can be read; of the others note what is wrong."""
    for file in files:
        try:
            yield from list(_of_rows(model, file))
        except InputError as error:
            faults.append(str(error))


def _of_rows(model: Any, file: str) -> Iterator[Answer]:
    from npnet._regular import path_of  # noqa: PLC0415 - as above
    from npnet.data._table import shown_names  # noqa: PLC0415 - likewise

    rows = model.row_format
    table = rows.read(path_of("predict", file, "FILE"), owner="predict")
    x = model.prepare_table(table, file)
    extra = [name for name in table.columns if name not in (*rows.names, rows.target)]
    if extra:
        _note(f"{file}: columns {shown_names(extra)} are not used")
    targets = _targets(model, table)
    for row, (values, probabilities) in enumerate(_values(model, x)):
        yield Answer(file, table.place(row).removeprefix("line "), values, targets[row], probabilities)


def _targets(model: Any, table: Any) -> list[Any]:
    """Return what stands in a table as the right answers: names of classes, or numbers; None for none."""
    from npnet.data._table import number_of, texts_of  # noqa: PLC0415 - as above

    rows = model.row_format
    if rows.target not in table.columns:
        return [None] * table.rows
    texts, codes = texts_of(table.columns[rows.target])
    found: list[Any] = texts
    if model.task == "regression":
        numbers = [None if text is None else number_of(text, rows.decimal) for text in texts]
        found = [number if number is not None and isfinite(number) else None for number in numbers]
    return [found[code] for code in codes]


def _of_pictures(model: Any, files: Sequence[str], faults: list[str]) -> Iterator[Answer]:
    """Yield the answers to the pictures that can be read; of the others note what is wrong."""
    from npnet.data._image_file import pillow  # noqa: PLC0415 - as above

    pillow("predict")  # without it no picture can be read
    held: list[str] = []
    resized = _Resized(model.format.height, model.format.width)
    x = np.empty((AT_A_TIME, *model.format.shape), np.float32)
    for file in _pictures(files, faults):
        try:
            x[len(held)] = model.format.one(file, owner="predict")
        except InputError as error:
            faults.append(str(error))
            continue
        held.append(file)
        resized.look_at(file)
        if len(held) == AT_A_TIME:
            yield from _of_held(model, held, x)
            held = []
    if held:
        yield from _of_held(model, held, x[: len(held)])
    resized.tell()


@dataclass
class _Resized:
    """The pictures that had another size than the model takes."""

    height: int
    width: int
    number: int = 0
    example: str = ""

    def look_at(self, file: str) -> None:
        from npnet._regular import path_of  # noqa: PLC0415 - as above
        from npnet.data._image_file import read_size  # noqa: PLC0415 - likewise

        height, width = read_size(path_of("predict", file, "FILE"))
        if (height, width) != (self.height, self.width):
            self.number += 1
            self.example = self.example or f"{file} has {height}×{width}"

    def tell(self) -> None:
        if self.number:
            pictures = "1 picture was" if self.number == 1 else f"{self.number} pictures were"
            _note(f"{pictures} resized to {self.height}×{self.width} pixels; {self.example}")


def _pictures(files: Sequence[str], faults: list[str]) -> Iterator[str]:
    """Yield files, and in the place of a folder the pictures in it."""
    from npnet._regular import path_of  # noqa: PLC0415 - as above
    from npnet.data.image_folder import pictures_in  # noqa: PLC0415 - likewise

    for file in files:
        try:
            path = path_of("predict", file, "FILE")
            found = [str(each) for each in pictures_in("predict", path)] if path.is_dir() else [file]
        except InputError as error:
            faults.append(str(error))
            continue
        if not found:
            faults.append(f"predict: the folder {path} holds no pictures")
        yield from found


def _of_held(model: Any, files: Sequence[str], x: ndarray) -> Iterator[Answer]:
    standardised = x if model.standardization is None else model.standardization(x)
    for file, (values, probabilities) in zip(files, _values(model, standardised), strict=True):
        yield Answer(file, None, values, None, probabilities)


def _values(model: Any, x: ndarray) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Yield what is answered for each sample, and the probability of each class."""
    from npnet.data import ArrayDataset  # noqa: PLC0415 - as above

    prepared = ArrayDataset(x, np.zeros(len(x)))
    if model.task == "regression":
        for value in model.predict(prepared):
            yield {"value": value.tolist()}, {}
        return
    for probabilities in model.predict_proba(prepared):
        names = model.names(len(probabilities))
        best = int(probabilities.argmax())
        rounded = [round(float(p), 6) for p in probabilities]
        yield {"class": names[best], "probability": rounded[best]}, dict(zip(names, rounded, strict=False))


# ---- printing ------------------------------------------------------------------------------------------


def _json(answer: Answer) -> str:
    content: dict[str, Any] = {"file": answer.file}
    if answer.line is not None:
        content["line"] = int(answer.line)
    content |= answer.values
    if answer.probabilities:
        content["probabilities"] = answer.probabilities
    if answer.target is not None:
        content["target"] = answer.target
    return json.dumps(content)


def _text(answers: Sequence[Answer]) -> Iterator[str]:
    from npnet.table import table  # noqa: PLC0415 - as above

    several = len({answer.file for answer in answers}) > 1
    rows_of_tables = answers[0].line is not None
    known = any(answer.target is not None for answer in answers)
    columns = [
        *(["file"] if several or not rows_of_tables else []),
        *(["line"] if rows_of_tables else []),
        *answers[0].values,
        *(["target"] if known else []),
    ]
    rows = []
    for answer in answers:
        place = {"file": answer.file, "line": None if answer.line is None else int(answer.line)}
        cells = place | {name: _shown(name, value) for name, value in answer.values.items()}
        cells["target"] = "" if answer.target is None else _shown("target", answer.target)
        rows.append([_printable(cells[name]) for name in columns])
    yield table(columns, rows)
    judged = [answer for answer in answers if answer.target is not None and "class" in answer.values]
    if judged:
        right = sum(answer.values["class"] == answer.target for answer in judged)
        yield f"accuracy: {right / len(judged):.2%} of {counted(len(judged), 'row')}".replace("%", " %")
    numbers = [answer for answer in answers if isinstance(answer.target, float)]
    if numbers and all(isinstance(answer.values.get("value"), float) for answer in numbers):
        yield _errors(numbers)


def _errors(answers: Sequence[Answer]) -> str:
    """Say how far numbers are off."""
    predicted = np.array([answer.values["value"] for answer in answers])
    errors = errors_of(predicted, np.array([answer.target for answer in answers]))
    r2 = "" if isnan(errors["r2"]) else f", R²: {errors['r2']:.4f}"
    return f"RMSE: {_shown('rmse', errors['rmse'])}{r2}, of {counted(len(answers), 'row')}"


def _shown(name: str, value: Any) -> Any:
    if name == "probability":
        return f"{value:7.2%}".replace("%", " %")
    if isinstance(value, list):
        return ", ".join(_number(number) for number in value)
    if name == "target" and isinstance(value, float):
        return f"{value:.12g}"
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> str:
    """Return a number to seven places, as float32 has them, without an exponent where that reads well."""
    if not 1e-4 <= abs(value) < 1e12:
        return f"{value:.7g}"
    return np.format_float_positional(value, precision=7, unique=False, fractional=False, trim="-")


def _printable(value: Any) -> Any:
    """Keep a name from moving the cursor."""
    if not isinstance(value, str):
        return value
    return "".join(letter if letter.isprintable() else "?" for letter in value)


def _note(message: str) -> None:
    sys.stderr.write(f"npnet: {_printable(message)}\n")
