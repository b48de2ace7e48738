"""What the image data sets have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from npnet import check
from npnet.errors import InputError


def unit_range(pixels: UInt8[ndarray, "*shape"]) -> Float32[ndarray, "*shape"]:
    """Turn bytes 0..255 into float32 numbers 0..1; rounding times 255 gives the bytes back."""
    x: ndarray = np.divide(pixels, np.float32(255), dtype=np.float32)
    return x


def outside(labels: ndarray, classes: int) -> int | None:
    """Return the place of the first label that is not 0..classes − 1, if there is one."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    return int(wrong[0]) if wrong.size else None


def check_held_out(owner: str, validation: Any, generator: Any) -> None:
    """Require what `hold_out` needs, before anything is downloaded or read."""
    if generator is not None:
        check.generator(owner, generator)
    if validation is None:
        return
    if isinstance(validation, int | np.integer) and not isinstance(validation, bool):
        check.integer(owner, "validation", validation, least=1)
    else:
        check.number(owner, "validation", validation, above=0.0, below=1.0)
    if generator is None:
        raise InputError(f"{owner}: generator must be given where a validation part is held out, got None")
