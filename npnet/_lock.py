"""A lock between processes, which ends with the process that holds it, however it ends."""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from pathlib import Path


class Lock:
    """A lock on a file, which holds the number of the process that has it.

    Parameters
    ----------
    path : path
        The file; its folder must exist. It is made where it is missing, and stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free, and say whether it was."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            # The last holder may have removed the file in between: then this locks one that nobody else sees.
            if not (_take(descriptor) and _has_name(descriptor, self.path)):
                os.close(descriptor)
                return False
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()}".encode())
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def is_free(self) -> bool:
        """Return whether the lock could be taken now."""
        free = self.acquire()
        self.release()
        return free

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> str:
        """Return which process holds the lock, in words."""
        text = ""
        with suppress(OSError):
            text = self.path.read_bytes()[:80].decode(errors="replace")
        return text if text.startswith("process ") else "an unknown process"


def _has_name(descriptor: int, path: Path) -> bool:
    """Return whether an open file still stands under its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _take(descriptor: int) -> bool:
    """Lock an open file without waiting, and say whether it worked.

    Where the file system knows no locks, nothing keeps two runs apart.
    """
    try:
        fcntl = importlib.import_module("fcntl")
    except ModuleNotFoundError:  # Windows
        return _take_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _take_on_windows(descriptor: int) -> bool:
    msvcrt = importlib.import_module("msvcrt")
    os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # beyond the text, which others are to read
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return True
