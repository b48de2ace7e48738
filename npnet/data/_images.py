"""Helpers shared by the published image data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.shapes import Float32, UInt8


def unit_range(pixels: UInt8[ndarray, "*shape"]) -> Float32[ndarray, "*shape"]:
    """Map bytes 0..255 to float32 in [0, 1]; rounding 255 · x gives the bytes back."""
    x: ndarray = np.divide(pixels, np.float32(255), dtype=np.float32)
    return x


def outside(labels: ndarray, classes: int) -> int | None:
    """Return the index of the first label outside 0..classes − 1, or None."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    return int(wrong[0]) if wrong.size else None


def check_held_out(owner: str, validation: Any, generator: Any) -> None:
    """Check the arguments of `hold_out` before anything is downloaded or read."""
    if generator is not None:
        check.generator(owner, generator)
    if validation is None:
        return
    if check.is_integer(validation):
        check.integer(owner, "validation", validation, least=1)
    else:
        check.number(owner, "validation", validation, above=0.0, below=1.0)
    if generator is None:
        raise InputError(f"{owner}: generator must be given where a validation part is held out, got None")
