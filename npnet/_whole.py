"""Files that appear whole or not at all, and are on the disk once they have appeared."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

UNFINISHED = ".????????.tmp"  # what a file is called while it is being written


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
    # A short name, since that of the file itself may be as long as the file system allows.
    unfinished = target.with_name(f".{secrets.token_hex(4)}.tmp")
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
    for unfinished in folder.glob(UNFINISHED):
        with suppress(OSError):
            unfinished.unlink()


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
