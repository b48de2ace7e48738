"""Files that appear whole or not at all, and are on the disk once they have appeared."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

# What a file is called while it is being written: a name that nobody else has, and that tells what is left of
# a process that was killed meanwhile.
UNFINISHED = re.compile(r"\.[0-9a-f]{8,}\.tmp")
SHORT = len(".01234567.tmp")  # for the name of the file itself may be as long as the file system allows


def unfinished_name(length: int = SHORT) -> str:
    """Return a name of so many characters for a file that is being written."""
    digits = length - len("..tmp")
    return f".{secrets.token_hex(digits)[:digits]}.tmp"


def is_unfinished(name: str) -> bool:
    """Tell whether a file of this name was being written."""
    return UNFINISHED.fullmatch(name) is not None


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to be written, which gets its name when the block has ended without an error.

    It is written under a name of its own in the same folder, flushed to the disk, and renamed; then the
    folder is flushed. If anything goes wrong before that, an old file stays and nothing new is left. Of a
    symbolic link the file it points to is replaced. A pipe or a device is written into.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_file() or target.is_dir()):
        with target.open("wb") as stream:
            yield stream
        return
    unfinished = target.with_name(unfinished_name())
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:  # an interrupt must leave nothing behind either
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    flush(target.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process has left half-written in a folder; nobody else may be writing there."""
    with suppress(OSError):  # a folder that may not be listed or changed
        for path in [*folder.iterdir()]:
            if is_unfinished(path.name):
                path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
