"""Results as JSON: one file for each suite, from which tables and figures are made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from npnet._whole import whole
from npnet.errors import InputError, MissingError

FOLDER = Path(__file__).parent / "results"
NO_TIME = "no time was left"  # how notes begin that no longer hold once more is measured


@dataclass(frozen=True)
class Record:
    """One measurement.

    Parameters
    ----------
    about : mapping from names to values
        What distinguishes this record from the others, such as the workload and its sizes.
    samples : mapping from engines to lists of float
        One number for each round, in `unit`.
    unit : str
    at_most : float, optional
        The target for the ratio to PyTorch.
    peers_at_most : mapping from engines to floats
        The targets for the ratios to peers, if any.
    """

    about: Mapping[str, Any]
    samples: Mapping[str, Sequence[float]]
    unit: str = "s"
    at_most: float | None = None
    peers_at_most: Mapping[str, float] = field(default_factory=dict)

    def has(self, **about: Any) -> bool:
        """Tell whether it is about this, whatever else it is about."""
        return about.items() <= dict(self.about).items()


@dataclass(frozen=True)
class Results:
    """The measurements of a suite, and the machine they were made on."""

    suite: str
    environment: Mapping[str, Any]
    method: Mapping[str, Any]
    records: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # for example what could not be measured

    def has(self, **about: Any) -> bool:
        """Tell whether there is a record about this, whatever else it is about."""
        return any(record.has(**about) for record in self.records)

    def note(self, text: str) -> None:
        """Add a note, unless it is there already."""
        if text not in self.notes:
            self.notes.append(text)


def require_writable(folder: Path) -> None:
    """Create the folder and a file in it, so that an error shows before anything is measured.

    Raises
    ------
    InputError
        If it cannot be written to.
    """
    with _as_input_error():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


def write(results: Results, folder: Path) -> Path:
    """Write a suite's results and return the file.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    with _as_input_error():
        folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(results), indent=1) + "\n"
    return write_whole(folder / f"{results.suite}.json", text.encode())


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file and return its path; an existing file is replaced completely or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with _as_input_error(), whole(path) as file:
        file.write(content)
    return path


def read(path: Path) -> Results:
    """Read what `write` wrote.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it does not hold results.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Results(**{**raw, "records": [Record(**record) for record in raw["records"]]})
    except FileNotFoundError:
        raise MissingError(f"{path} is missing: python -m benchmarks {path.stem}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError) as error:  # not text, not JSON, or other content
        raise InputError(f"{path} must hold results of python -m benchmarks: {error}") from None


def added_to(earlier: Results, now: Results) -> Results:
    """Return earlier results, to which new ones are to be added.

    Parameters
    ----------
    earlier : Results
    now : Results
        Without records: the machine and the method of what is to come.

    Raises
    ------
    InputError
        If another machine, library or number of threads stands behind the earlier ones.
    """
    for name in ("processor", "cores", "threads", "libraries", "cuda"):
        there, here = earlier.environment.get(name), now.environment.get(name)
        if there != here:
            raise InputError(
                f"--add: {now.suite} must be measured with the same {name} as before, got {here}, not {there}"
            )
    notes = [note for note in earlier.notes if NO_TIME not in note]
    notes.append(
        f"{now.suite}: what was missing beside {len(earlier.records)} records was added on "
        f"{now.environment['when']}"
    )
    return replace(earlier, method=now.method, records=list(earlier.records), notes=notes)


@contextmanager
def _as_input_error() -> Iterator[None]:
    """Raise a system's error as an `InputError`."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in a name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"--out: results must go to a folder that can be written to: {reason}") from None


def axes(results: Results) -> dict[str, list[tuple[int, Record]]]:
    """Return the records of each axis with their sizes, smallest first."""
    found: dict[str, list[tuple[int, Record]]] = {}
    for record in results.records:
        found.setdefault(record.about["axis"], []).append((record.about["size"], record))
    return {axis: sorted(records, key=lambda pair: pair[0]) for axis, records in found.items()}
