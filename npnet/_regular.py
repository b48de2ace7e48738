"""Opening files that somebody else made: only regular ones, and only as large as can be read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Any

from npnet import check
from npnet.errors import InputError, MissingError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def path_of(owner: str, value: Any, name: str = "path") -> Path:
    """Return a path, ``~`` replaced by the home folder."""
    path = check.path(owner, name, value)
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user, or no home folder: then this is its name
        return path


def open_regular(owner: str, path: Path, most: int) -> IO[bytes]:
    """Open a regular file of at most so many bytes; a pipe or a device is refused without waiting for it.

    A device is never opened, as that alone may do something. What was opened is looked at once more: the
    name may have come to stand for something else.
    """
    check_regular(owner, path, most)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:  # no permission
        raise InputError(f"{owner}: cannot read {path}: {error.strerror or error}") from None
    try:
        check_status(owner, path, os.fstat(descriptor), most)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(owner: str, path: Path, most: int) -> None:
    """Require a regular file of at most so many bytes, for a reader that opens it itself."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(f"{owner}: there is no file {path}") from None
    except OSError as error:
        raise InputError(f"{owner}: cannot read {path}: {error.strerror or error}") from None
    check_status(owner, path, status, most)


def check_status(owner: str, path: Path, status: os.stat_result, most: int) -> None:
    """Require that a status is of a regular file of at most so many bytes."""
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{owner}: {path} must be a file, got {kind_of(status)}")
    if status.st_size > most:
        size = status.st_size / 2**20
        raise InputError(f"{owner}: {path} must be of at most {most / 2**20:.0f} MiB, got {size:.0f} MiB")


def kind_of(status: os.stat_result) -> str:
    """Return what stands there instead of a file, in words."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
