"""The folder of one run: what it was made with, how it went, what came out.

::

    runs/digits/2026-05-09T08-24-00Z/
        settings.json        everything needed to do it again
        options.json         what was asked for, to resume it
        metrics.jsonl        one line for each epoch
        result.json          how it ended: "running", "finished", "interrupted" or "failed", and the figures
        model.safetensors    the weights
        *.png                the figures
        report.html          all of it to look at: open it in a browser
        checkpoints/         the state of training, until the run has finished

Files appear whole or not at all: each is written under another name first, flushed, and then renamed. What a
killed run leaves behind besides, the next run of the recipe removes.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from npnet import check
from npnet._lock import Lock
from npnet._regular import open_regular
from npnet._whole import flush, is_unfinished, remove_unfinished, unfinished_name, whole
from npnet._words import shortened
from npnet.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETTINGS, METRICS, RESULT, MODEL = "settings.json", "metrics.jsonl", "result.json", "model.safetensors"
OPTIONS, CHECKPOINTS, REPORT = "options.json", "checkpoints", "report.html"
MOST_BYTES = 2**20  # of a JSON file that is read
LONGEST_NAME = 64  # characters; no file of a run has a longer name, nor has it while it is being written
LONGEST_SHOWN = 160  # characters of a path that a message shows
A_WHILE = 60.0  # seconds; no run takes so long from making its folder to taking its lock


class RunFolder:
    """A new folder ``out/recipe/time/``, made when this is: whether it can be written shows at once.

    Parameters
    ----------
    out : path
        Where runs are collected.
    recipe : str
        The name of what is run.

    Attributes
    ----------
    path : path
        The folder.
    noted : int
        How many lines were added to files of lines.
    stays : bool
        Whether the folder stays even if the run ends in an error before anything was learnt.

    Raises
    ------
    InputError
        If the folder cannot be made or written to; nothing of it is left then.

    Notes
    -----
    As a context manager it sees to it that a run which learnt nothing leaves nothing behind, and that
    any other says in ``result.json`` how it ended.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     folder = RunFolder(out, "digits")
    ...     folder.write_json("settings.json", {"seed": 0})
    ...     json.loads((folder.path / "settings.json").read_text())
    {'seed': 0}
    """

    noted: int = 0
    stays: bool = False

    def __init__(self, out: str | os.PathLike[str], recipe: str) -> None:
        parent = check.path("RunFolder", "out", out) / _file_name("RunFolder", "recipe", recipe)
        self._made: list[Path] = []  # the folders that were not there before, outermost first
        _sweep(parent)
        try:
            self.path = self._make_new(parent)
            _try_writing(self.path)
        except (OSError, ValueError) as error:  # ValueError: a character that no file system has
            self.discard()
            raise InputError(
                f"the output folder {_shown(parent)} cannot be written ({_reason(error)}); "
                "name another with --out"
            ) from error

    @classmethod
    def reopen(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Return the folder of a run that has not finished, to go on in it.

        Raises
        ------
        InputError
            If it is not such a folder, or the run has finished.
        """
        folder = cls.__new__(cls)
        folder.path, folder._made = check.path("RunFolder", "path", path), []  # noqa: SLF001 - its own
        read_json(folder.path / OPTIONS)
        if read_json(folder.path / RESULT).get("status") == "finished":
            raise InputError(f"the run in {_shown(folder.path)} has finished; there is nothing to resume")
        return folder

    def checkpoints(self, name: str) -> Path:
        """Return the folder for the checkpoints of one training, and for what else it needs to go on.

        Raises
        ------
        InputError
            If the name is not that of a file.
        """
        return self.path / CHECKPOINTS / _file_name("RunFolder", "name", name)

    def remove_checkpoints(self) -> None:
        """Remove the checkpoints, which a finished run does not need once its lines are on the disk too."""
        flush(self.path / METRICS)
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Write values to a file that a person can read too.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        _mapping("RunFolder", values)
        text = json.dumps(values, indent=2, ensure_ascii=False, default=str) + "\n"
        # A half character, from a path that is not text, is written as JSON writes characters by number.
        encoded = text.encode(errors="backslashreplace")
        self.write(name, lambda file: file.write(encoded))

    def append_jsonl(self, name: str, values: Mapping[str, Any]) -> None:
        """Add one line to a file of lines.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        _mapping("RunFolder", values)
        path = self.path / _file_name("RunFolder", "name", name)
        with _errors_name(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values, default=str) + "\n")
        self.noted += 1

    def write(self, name: str, write: Callable[[IO[bytes]], object]) -> Path:
        """Let `write` fill a file, which gets its name when it is complete.

        Raises
        ------
        InputError
            If it cannot be written, for want of space for example; nothing of it is left then.
        """
        path = self.path / _file_name("RunFolder", "name", name)
        check.function("RunFolder", "write", write)
        with _errors_name(path), whole(path) as file:
            write(file)
        return path

    def figure(self, name: str, figure: Figure) -> Path:
        """Write a figure as a picture; the name's ending says of which kind.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        kind = _file_name("RunFolder", "name", name).rpartition(".")[2]
        if not callable(getattr(figure, "savefig", None)):
            raise InputError(
                f"RunFolder: figure must be a figure of matplotlib, got {check.described(figure)}"
            )
        if kind not in figure.canvas.get_supported_filetypes():
            raise InputError(f"RunFolder: name must end as pictures do, such as .png, got {name!r:.80}")
        return self.write(name, lambda file: figure.savefig(file, format=kind))

    def discard(self) -> None:
        """Remove the folder, and those around it that were made for it and hold nothing else."""
        for made in reversed(self._made):
            if made == getattr(self, "path", None):
                shutil.rmtree(made, ignore_errors=True)
            with suppress(OSError):  # gone, or not empty: another run has come to stand beside this one
                made.rmdir()

    def __enter__(self) -> RunFolder:  # noqa: PYI034 - the shape checks cannot resolve Self
        self._lock = Lock(self.path / ".lock")
        try:
            self._take_lock()
            remove_unfinished(self.path)
            _watcher.get()(self.path)
            self.write_json(RESULT, {"status": "running"})
            for name in (METRICS, REPORT):  # of a run that is resumed; they are written again
                (self.path / name).unlink(missing_ok=True)
        except BaseException:  # there is no __exit__ then
            self._lock.release()
            self.discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Leave no folder of a run that learnt nothing, and let any other say that it did not end well."""
        with suppress(OSError):
            self._lock.path.unlink()
        self._lock.release()
        if error is None:
            return
        if not (self.stays or os.path.lexists(self.path / METRICS) or self._has_steps()):
            self.discard()
            return
        status = "interrupted" if isinstance(error, KeyboardInterrupt | BrokenPipeError) else "failed"
        try:
            self.write_json(RESULT, {"status": status, "error": str(error)})
        except InputError:  # when the disk is full, what stands there can still be written over
            with suppress(OSError), (self.path / RESULT).open("r+b") as file:
                file.write(json.dumps({"status": status}, separators=(",", ":")).encode())
                file.truncate()

    def _take_lock(self) -> None:
        with _errors_name(self.path):
            free = self._lock.acquire()
        if not free:
            raise InputError(f"the run in {_shown(self.path)} goes on already, in {self._lock.holder()}")

    def _has_steps(self) -> bool:
        """Return whether a checkpoint of a training beyond its beginning is there."""
        steps = (path.stem.removeprefix("step-") for path in self.path.glob(f"{CHECKPOINTS}/*/step-*.*"))
        return any(step.isdigit() and int(step) for step in steps)

    def _make_new(self, parent: Path) -> Path:
        """Make a folder named after the time, and those above it that are missing."""
        missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
        for folder in reversed(missing):
            with suppress(FileExistsError):
                folder.mkdir()
                self._made.append(folder)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        for attempt in itertools.count(1):
            path = parent / (now if attempt == 1 else f"{now}-{attempt}")  # several runs in one second
            with suppress(FileExistsError):
                path.mkdir()
                self._made.append(path)
                break
        return path


_watcher: ContextVar[Callable[[Path], object]] = ContextVar("watcher", default=lambda _folder: None)


@contextmanager
def watching(tell: Callable[[Path], object]) -> Iterator[None]:
    """Tell the folder of every run that begins within the block, or goes on, as soon as it is there.

    Parameters
    ----------
    tell : callable
        Takes the path of the folder.

    Raises
    ------
    InputError
        If it is no function.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out, watching(lambda path: print(path.parent.name)):
    ...     with RunFolder(out, "digits"):
    ...         pass
    digits
    """
    check.function("watching", "tell", tell)
    token = _watcher.set(tell)
    try:
        yield
    finally:
        _watcher.reset(token)


def newest_unfinished(out: str | os.PathLike[str]) -> Path:
    """Return the newest folder under `out` of a run that has not finished and that nobody is working on.

    Parameters
    ----------
    out : path
        Where runs are collected.

    Returns
    -------
    path : path

    Raises
    ------
    InputError
        If there is none.
    """
    parent = check.path("newest_unfinished", "out", out)
    for recipe in parent.glob("*/"):
        _sweep(recipe)
    for path in sorted(parent.glob(f"*/*/{OPTIONS}"), key=lambda path: path.parent.name, reverse=True):
        lock = Lock(path.with_name(".lock"))
        with suppress(InputError):
            if not (lock.path.exists() and not lock.is_free()):
                return RunFolder.reopen(path.parent).path
    raise InputError(f"there is no run in {_shown(parent)} that could be resumed")


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the values in a file that `RunFolder.write_json` has written.

    Parameters
    ----------
    path : path

    Returns
    -------
    values : dict

    Raises
    ------
    InputError
        If there is no such file, or it holds something else.
    """
    path = check.path("read_json", "path", path)
    with open_regular("", path, MOST_BYTES) as file:
        content = file.read(MOST_BYTES + 1)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{_shown(path)} is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"{_shown(path)} must hold values by name, got {check.described(values)}")
    return values


def _sweep(parent: Path) -> None:
    """Remove what killed runs left: folders in which none had begun, checkpoints of one that had finished."""
    for folder in parent.glob("????-??-??T??-??-??Z*/"):
        with suppress(OSError, InputError):
            if not _was_killed(folder):
                continue
            if _holds_nothing(folder):
                shutil.rmtree(folder)
            elif read_json(folder / RESULT).get("status") == "finished":
                shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
                (folder / ".lock").unlink()


def _was_killed(folder: Path) -> bool:
    """Return whether the run in a folder was killed: any other removes its lock in the end.

    Between making its folder and taking the lock a run looks like one that was killed, but for its age.
    """
    lock = Lock(folder / ".lock")
    if not lock.path.exists():
        return _holds_nothing(folder) and time.time() - folder.stat().st_mtime > A_WHILE
    return lock.is_free()


def _holds_nothing(folder: Path) -> bool:
    """Return whether a folder has no more in it than what is there before a run begins."""
    return all(path.name in {".lock", RESULT} or is_unfinished(path.name) for path in folder.iterdir())


def _try_writing(folder: Path) -> None:
    """Write a file as the longest of a run is written, by its absolute path, and remove it again."""
    probe, renamed = (Path(os.path.realpath(folder), unfinished_name(LONGEST_NAME)) for _ in range(2))
    try:
        with probe.open("xb") as file:
            file.write(b"whether there is space, too")
        with probe.open("ab"):  # what was written must open again: metrics grow line by line
            pass
        probe.rename(renamed)
    finally:
        for name in (probe, renamed):
            with suppress(OSError):
                name.unlink()


def _mapping(owner: str, values: Any) -> None:
    if not isinstance(values, Mapping):
        raise InputError(f"{owner}: values must be a mapping from names, got {check.described(values)}")


def _file_name(owner: str, argument: str, value: Any) -> str:
    """Return the name of a file or folder that stands directly in another."""
    name: str = check.instance(owner, argument, value, str, "the name of a file")
    if not name or name in {".", ".."} or any(character in name for character in "/\\\0"):
        raise InputError(f"{owner}: {argument} must be the name of a file, got {name!r:.80}")
    return name


def _shown(path: Path) -> str:
    return shortened(str(path), LONGEST_SHOWN)


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{_shown(path)} cannot be written ({_reason(error)})") from error
