"""The folder of one run: what it was made with, how it went, what came out.

::

    runs/digits/2026-05-09T08-24-00Z/
        settings.json        everything needed to do it again
        metrics.jsonl        one line for each epoch
        result.json          how it ended: "running", "finished", "interrupted" or "failed", and the figures
        model.safetensors    the weights
        *.png                the figures

Files appear whole or not at all: each is written under another name first and then renamed.
"""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from npnet.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETTINGS, METRICS, RESULT, MODEL = "settings.json", "metrics.jsonl", "result.json", "model.safetensors"


class RunFolder:
    """A new folder ``out/recipe/time/``, made when this is: whether it can be written shows at once.

    Parameters
    ----------
    out : path
        Where runs are collected.
    recipe : str
        The name of what is run.

    Raises
    ------
    InputError
        If the folder cannot be made or written to.

    Notes
    -----
    As a context manager it sees to it that a run which learnt nothing leaves nothing behind, and that
    any other says in ``result.json`` how it ended.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as out:
    ...     folder = RunFolder(out, "digits")
    ...     folder.write_json("settings.json", {"seed": 0})
    ...     json.loads((folder.path / "settings.json").read_text())
    {'seed': 0}
    """

    def __init__(self, out: str | Path, recipe: str) -> None:
        self._made: list[Path] = []  # the folders that were not there before, outermost first
        try:
            self.path = self._make_new(Path(out) / recipe)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            self.discard()
            raise InputError(
                f"the output folder {Path(out) / recipe} cannot be written ({error.strerror}); "
                "name another with --out"
            ) from error

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Write values to a file that a person can read too."""
        text = json.dumps(values, indent=2, ensure_ascii=False, default=str) + "\n"
        self.write(name, lambda file: file.write(text.encode()))

    def append_jsonl(self, name: str, values: Mapping[str, Any]) -> None:
        """Add one line to a file of lines.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        with _errors_name(self.path / name), (self.path / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def write(self, name: str, write: Callable[[IO[bytes]], object]) -> Path:
        """Let `write` fill a file, which gets its name when it is complete.

        Raises
        ------
        InputError
            If it cannot be written, for want of space for example; nothing of it is left then.
        """
        unfinished = self.path / f".{name}.unfinished"
        try:
            with _errors_name(self.path / name), unfinished.open("wb") as file:
                write(file)
            unfinished.replace(self.path / name)
        finally:
            unfinished.unlink(missing_ok=True)
        return self.path / name

    def figure(self, name: str, figure: Figure) -> Path:
        """Write a figure as a picture; the name's ending says of which kind."""
        kind = name.rpartition(".")[2]
        return self.write(name, lambda file: figure.savefig(file, format=kind))

    def discard(self) -> None:
        """Remove the folder, and those around it that were made for it and hold nothing else."""
        for made in reversed(self._made):
            if made == self.path:
                shutil.rmtree(made, ignore_errors=True)
            else:
                with suppress(OSError):  # not empty: another run has come to stand beside this one
                    made.rmdir()

    def __enter__(self) -> RunFolder:  # noqa: PYI034 - the shape checks cannot resolve Self
        self.write_json(RESULT, {"status": "running"})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Leave no folder of a run that learnt nothing, and let any other say that it did not end well."""
        if error is None:
            return
        if not (self.path / METRICS).exists():
            self.discard()
            return
        status = "interrupted" if isinstance(error, KeyboardInterrupt | BrokenPipeError) else "failed"
        with suppress(InputError):  # when the disk is full this cannot be written either
            self.write_json(RESULT, {"status": status, "error": str(error)})

    def _make_new(self, parent: Path) -> Path:
        """Make a folder named after the time, and those above it that are missing."""
        missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self._made.append(folder)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        for attempt in itertools.count(1):
            path = parent / (now if attempt == 1 else f"{now}-{attempt}")  # several runs in one second
            with suppress(FileExistsError):
                path.mkdir()
                self._made.append(path)
                break
        return path


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror})") from error
