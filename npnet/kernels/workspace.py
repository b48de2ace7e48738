"""Reused memory for intermediate results."""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

__all__ = ()  # for npnet itself, not for users

_local = threading.local()


def workspace(shape: tuple[int, ...], dtype: np.dtype[Any]) -> ndarray:
    """Return an uninitialised array that is valid until the next call in the same thread.

    Each thread has one buffer and reuses it. The operating system maps freshly allocated memory page by page,
    and other threads wait meanwhile.
    """
    needed = prod(shape) * dtype.itemsize
    buffer: ndarray | None = getattr(_local, "buffer", None)
    if buffer is None or buffer.nbytes < needed:
        buffer = _local.buffer = np.empty(needed, np.uint8)
    return buffer[:needed].view(dtype).reshape(shape)
