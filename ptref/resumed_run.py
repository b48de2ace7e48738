"""The run that ``python -m ptref.train … --resume`` goes on with, in every one of its processes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from npnet import run
from npnet.cli._parser import Parser
from npnet.cli._runs import unfinished_run
from npnet.errors import InputError


def resumed_run(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Take ``--resume`` out of a command line and find the run it means.

    Every process finds it by itself, so the folder must be one that all of them see.

    Parameters
    ----------
    arguments : sequence of str

    Returns
    -------
    folder : path or None
        None without ``--resume``.
    rest : list of str
        What is left, for ``npnet train``.

    Raises
    ------
    InputError
        If there is no such run, or PyTorch has not trained it.

    Examples
    --------
    >>> resumed_run(["digits", "--epochs", "1"])
    (None, ['digits', '--epochs', '1'])
    """
    parser = Parser(prog="ptref.train", add_help=False)
    parser.add_argument("--resume", nargs="?", const="")
    parser.add_argument("--out", default="runs")
    chosen, rest = parser.parse_known_args(list(arguments))
    if chosen.resume is None:
        return None, list(arguments)
    folder = unfinished_run(chosen.resume, Path(chosen.out))
    engine = options_of(folder).get("engine")
    if engine != "torch":
        raise InputError(
            f"--resume: {folder} must be a run of the engine torch, got {engine!r}; npnet train --resume "
            "goes on with it"
        )
    return folder, rest


def options_of(folder: Path) -> dict[str, object]:
    """Return the options that a run was made with.

    Parameters
    ----------
    folder : path

    Returns
    -------
    options : dict

    Raises
    ------
    InputError
        If it is no folder of a run.
    """
    options = run.read_json(folder / run.OPTIONS).get("options")
    if not isinstance(options, dict):
        raise InputError(f"{folder / run.OPTIONS} does not hold the options of a run")
    return options


def copied(folder: Path, place: Path) -> Path:
    """Copy what a process needs to go on with a run that the first process alone may write to.

    Parameters
    ----------
    folder : path
        The run.
    place : path
        A folder of the process's own.

    Returns
    -------
    copy : path
    """
    kept = shutil.ignore_patterns(".lock", "*.tmp", "*.png")
    return Path(shutil.copytree(folder, place / "run", ignore=kept))
