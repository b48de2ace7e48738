"""What the image data sets have in common."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray


def unit_range(pixels: UInt8[ndarray, "*shape"]) -> Float32[ndarray, "*shape"]:
    """Turn bytes 0..255 into float32 numbers 0..1; rounding times 255 gives the bytes back."""
    x: ndarray = np.divide(pixels, np.float32(255), dtype=np.float32)
    return x


def outside(labels: ndarray, classes: int) -> int | None:
    """Return the place of the first label that is not 0..classes − 1, if there is one."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    return int(wrong[0]) if wrong.size else None
