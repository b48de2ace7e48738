"""The argument RUN of several commands: the folder of a run, or a file written by `npnet.save`."""

from __future__ import annotations

import os
from pathlib import Path

from npnet._regular import path_of
from npnet.errors import MissingError
from npnet.run import MODEL


def path_of_run(command: str, run: str, out: Path = Path("runs")) -> Path:
    """Return the path that was typed.

    Parameters
    ----------
    command : str
        For messages.
    run : str
    out : path
        Where runs are collected, to say which one was perhaps meant.

    Raises
    ------
    MissingError
        If nothing is there; the message says what could be.
    """
    path = path_of(command, run, "RUN")
    if os.path.exists(path):  # noqa: PTH110 - pathlib's raises, of long names
        return path
    raise MissingError(
        f"{command}: RUN must be the folder of a run or a file written by npnet.save, but there is no "
        f"{path}{_instead(run, out)}"
    )


def unfinished_run(run: str, out: Path) -> Path:
    """Return the folder named with ``--resume``, or without a name the newest unfinished run.

    Parameters
    ----------
    run : str
        What was typed; empty without a name.
    out : path
        Where runs are collected.

    Raises
    ------
    MissingError
        If there is no such folder, or none with the options of a run.
    """
    from npnet.run import OPTIONS, newest_unfinished  # noqa: PLC0415 - only a resumed run needs it

    if not run:
        return newest_unfinished(out)
    path = path_of("--resume", run, "RUN")
    if not os.path.exists(path / OPTIONS):  # noqa: PTH110 - as above
        what = "is no folder of a run" if os.path.exists(path) else "is not there"  # noqa: PTH110
        raise MissingError(
            f"--resume: RUN must be the folder of an unfinished run, but {path} {what}; without a name it is "
            f"the newest one in {out}"
        )
    return path


def model_file(command: str, run: str) -> Path:
    """Return the file with the model of a run.

    Raises
    ------
    MissingError
        If there is none; the message says what could be.
    """
    path = path_of_run(command, run)
    if not path.is_dir():
        return path
    if (path / MODEL).exists():
        return path / MODEL
    within = sorted(path.glob(f"*/{MODEL}"))
    hint = f"; its last run is {within[-1].parent}" if within else ""
    raise MissingError(f"{command}: {path} has no {MODEL}{hint}")


def _instead(run: str, out: Path) -> str:
    """Say what may be meant by the name of a recipe: its newest run, or one that is to be made."""
    from npnet import recipes  # noqa: PLC0415 - only a mistake needs them

    if run not in recipes.names():
        return ""
    runs = sorted((out / run).glob(f"*/{MODEL}"))  # they are named after the time
    return f"; its last run is {runs[-1].parent}" if runs else f"; `npnet train {run}` makes one"
