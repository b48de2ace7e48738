"""The exponentials of a softmax: short class axes outermost in memory, wide rows in float32.

Maxima and sums along an axis of ten numbers take most of a softmax's time when each line is reduced by
itself. Idea: the copy to float64 places a short axis first in memory, so the reductions add and compare
whole rows, which is three times as fast. Wide rows of float32 numbers stay in float32, where an exponential
takes half the time, and BLAS adds them up; this is as accurate as PyTorch. The short form suits axes of up to
`thresholds.softmax_short` numbers, the wide one rows of up to `thresholds.softmax_wide` that are contiguous.
The bound is the exponential itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from npnet.kernels import thresholds
from npnet.kernels.blocks import fits_cache
from npnet.kernels.pieces import run_pieces
from npnet.kernels.workspace import workspace
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users


def exponentials(x: ndarray, axis: int) -> tuple[ndarray, ndarray, ndarray]:
    """Return z = x − max x along the axis, exp(z), and Σ exp(z) with the axis kept; all in float64.

    ∞ − ∞ gives NaN, as intended; the caller switches NumPy's warning off.
    """
    if x.ndim and x.shape[axis] <= thresholds.current.softmax_short:
        shifted = np.array(x.swapaxes(0, axis), np.float64, order="C").swapaxes(0, axis)
    else:
        shifted = x.astype(np.float64)
    shifted -= shifted.max(axis=axis, keepdims=True, initial=-np.inf)  # `initial` allows an axis of size 0
    powers = np.asarray(np.exp(shifted))
    return shifted, powers, np.asarray(powers.sum(axis=axis, keepdims=True))


# ---- wide rows -----------------------------------------------------------------------------------------


def has_wide_rows(x: ndarray, axis: int) -> bool:
    """Say whether the lines along an axis are wide rows of float32 numbers."""
    limits = thresholds.current
    return (
        x.dtype == np.float32
        and x.ndim > 0
        and x.size > 0
        and axis % x.ndim == x.ndim - 1
        and limits.softmax_short < x.shape[-1] <= limits.softmax_wide
        and x.flags.c_contiguous
    )


def softmax_rows(x: Float[ndarray, "*n k"]) -> Float[ndarray, "*n k"]:
    """Return exp(x) / Σ exp(x) of each row."""

    def normalize(y: Float[ndarray, "n k"]) -> None:
        np.exp(y, out=y)
        y /= _totals(y)

    return _of_shifted_rows(normalize, x)


def log_softmax_rows(x: Float[ndarray, "*n k"]) -> Float[ndarray, "*n k"]:
    """Return x − log Σ exp(x) of each row."""

    def normalize(y: Float[ndarray, "n k"]) -> None:
        y -= np.log(_totals(np.exp(y, out=workspace(y.shape, y.dtype))))

    return _of_shifted_rows(normalize, x)


def sum_lines(a: ndarray, b: ndarray | None, axis: int) -> ndarray:
    """Return Σ a or Σ a b along an axis that is kept: in float64, or in float32 for wide rows."""
    if has_wide_rows(a, axis):
        return _totals(a, b)
    return np.asarray(np.sum(a if b is None else a * b, axis=axis, keepdims=True, dtype=np.float64))


def _of_shifted_rows(
    normalize: Callable[[Float[ndarray, "n k"]], None], x: Float[ndarray, "*n k"]
) -> Float[ndarray, "*n k"]:
    """Subtract the maximum from each row and call a function on blocks of the result."""
    rows = x.reshape(-1, x.shape[-1])
    y = np.empty_like(rows)

    def fill(block: slice) -> None:
        np.subtract(rows[block], rows[block].max(axis=1, keepdims=True), out=y[block])
        normalize(y[block])

    run_pieces(fill, fits_cache(len(rows), 2 * rows.shape[1] * rows.itemsize))
    return y.reshape(x.shape)


def _totals(a: Float[ndarray, "*n k"], b: Float[ndarray, "*n k"] | None = None) -> Float[ndarray, "*n 1"]:
    other = np.ones(a.shape[-1], a.dtype) if b is None else b
    return np.asarray(np.vecdot(a, other))[..., np.newaxis]
