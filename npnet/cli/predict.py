"""``npnet predict RUN FILE…``: what a trained model says of rows and pictures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.errors import InputError, MissingError
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
    target : str, optional
        What stands in the file as the right answer.
    probabilities : dict from names of classes to float
    """

    file: str
    line: str | None
    values: dict[str, Any]
    target: str | None = None
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
        help="CSV files whose header names the columns the model learnt from, or pictures.",
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
        0.

    Raises
    ------
    InputError
        If the run has no whole model, or a file is not what it takes.
    """
    from npnet import saved  # noqa: PLC0415 - not every command needs it
    from npnet.data import ImageFormat  # noqa: PLC0415 - likewise

    model = saved.load(_model_file(chosen.run))
    if isinstance(model.format, ImageFormat):
        answers = list(_of_pictures(model, chosen.files))
    elif model.row_format is not None:
        answers = [answer for file in chosen.files for answer in _of_rows(model, file)]
    else:
        raise InputError(f"predict: {model!r} takes neither rows nor pictures; use npnet.load in Python")
    lines = map(_json, answers) if chosen.json else _text(answers)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return 0


def _model_file(run: str) -> Path:
    """Return the file of a run."""
    from npnet._regular import path_of  # noqa: PLC0415 - as above

    path = path_of("predict", run, "RUN")
    if not path.is_dir():
        return path
    if (path / MODEL).exists():
        return path / MODEL
    within = sorted(path.glob(f"*/{MODEL}"))
    hint = f"; its last run is {within[-1].parent}" if within else ""
    raise MissingError(f"predict: {path} has no {MODEL}{hint}")


def _of_rows(model: Any, file: str) -> Iterator[Answer]:
    from npnet._regular import path_of  # noqa: PLC0415 - as above
    from npnet.data._table import shown_names, texts_of  # noqa: PLC0415 - likewise

    rows = model.row_format
    table = rows.read(path_of("predict", file, "FILE"))
    x = model.prepare_table(table, file)
    extra = [name for name in table.columns if name not in (*rows.names, rows.target)]
    if extra:
        _note(f"{file}: columns {shown_names(extra)} are not used")
    targets: list[str | None] = [None] * table.rows
    if rows.target in table.columns:
        texts, codes = texts_of(table.columns[rows.target])
        targets = [texts[code] for code in codes]
    for row, (values, probabilities) in enumerate(_values(model, x)):
        yield Answer(file, table.place(row).removeprefix("line "), values, targets[row], probabilities)


def _of_pictures(model: Any, files: Sequence[str]) -> Iterator[Answer]:
    for start in range(0, len(files), AT_A_TIME):
        some = list(files[start : start + AT_A_TIME])
        for file, (values, probabilities) in zip(some, _values(model, model.prepare(some)), strict=True):
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
        cells["target"] = answer.target or ""
        rows.append([_printable(cells[name]) for name in columns])
    yield table(columns, rows)
    judged = [answer for answer in answers if answer.target is not None and "class" in answer.values]
    if judged:
        right = sum(answer.values["class"] == answer.target for answer in judged)
        yield f"accuracy: {right / len(judged):.2%} of {len(judged)} rows".replace("%", " %")


def _shown(name: str, value: Any) -> Any:
    if name == "probability":
        return f"{value:7.2%}".replace("%", " %")
    if isinstance(value, list):
        return ", ".join(f"{number:g}" for number in value)
    return f"{value:g}" if isinstance(value, float) else value


def _printable(value: Any) -> Any:
    """Keep a name from moving the cursor."""
    if not isinstance(value, str):
        return value
    return "".join(letter if letter.isprintable() else "?" for letter in value)


def _note(message: str) -> None:
    sys.stderr.write(f"npnet: {_printable(message)}\n")
