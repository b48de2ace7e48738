"""Pieces of work small enough for a processor's cache, and room to do them in."""

from __future__ import annotations

import threading
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from npnet._spread import in_blocks

# Bytes of intermediate results between two passes over them: a core's own (L2) cache is about this large.
CACHE = 1024 * 1024


def blocks(count: int, bytes_each: int) -> list[slice]:
    """Cut a range into blocks, each as large as fits into the cache.

    Examples
    --------
    >>> blocks(5, CACHE // 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return in_blocks(count, max(1, CACHE // max(1, bytes_each)))


@cache
def divisor(number: int, limit: int) -> int:
    """Return the largest divisor of a number that is not above the limit, and 1 at least.

    Examples
    --------
    >>> divisor(28, 10), divisor(13, 10)
    (7, 1)
    """
    return next((part for part in range(min(number, limit), 1, -1) if number % part == 0), 1)


_local = threading.local()


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any]) -> ndarray:
    """Return an array of arbitrary content, to be done with before the next call in the same thread.

    Each thread has one piece of memory, always the same: fresh memory would have to be mapped by the
    operating system page by page, with the other threads waiting.
    """
    needed = prod(shape) * dtype.itemsize
    room: ndarray | None = getattr(_local, "room", None)
    if room is None or room.nbytes < needed:
        room = _local.room = np.empty(needed, np.uint8)
    return room[:needed].view(dtype).reshape(shape)
