"""Open files from outside safely: regular files only, up to a largest size."""

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
    """Return a path with ``~`` replaced by the home folder."""
    path = check.path(owner, name, value)
    try:
        return path.expanduser()
    except RuntimeError:  # no such user or no home folder: then ~ is part of the name
        return path


def open_regular(owner: str, path: Path, most: int) -> IO[bytes]:
    """Open a regular file of at most `most` bytes; refuse a pipe or a device without waiting for it.

    A device is never opened, as opening alone may have an effect. The opened file is checked once more, as
    its name may refer to another file by then. Without an owner, messages start with the path.
    """
    check_regular(owner, path, most)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:  # no permission
        raise InputError(f"{_prefix(owner)}cannot read {path}: {error.strerror or error}") from None
    try:
        _check_status(owner, path, os.fstat(descriptor), most)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(owner: str, path: Path, most: int) -> None:
    """Require a regular file of at most `most` bytes, for a reader that opens the file itself."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(f"{_prefix(owner)}there is no file {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{_prefix(owner)}cannot read {path}: {reason}") from None
    _check_status(owner, path, status, most)


def _check_status(owner: str, path: Path, status: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise InputError(f"{_prefix(owner)}{path} must be a file, got {kind}")
    if status.st_size > most:
        got = _size(status.st_size)
        raise InputError(f"{_prefix(owner)}{path} must be of at most {_size(most)}, got {got}")


def _prefix(owner: str) -> str:
    return f"{owner}: " if owner else ""


def _size(count: int) -> str:
    return f"{count} bytes" if count < 2**20 else f"{count / 2**20:.0f} MiB"
