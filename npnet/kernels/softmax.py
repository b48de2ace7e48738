"""The exponentials of a softmax, with short class axes outermost in memory.

Maxima and sums along an axis of ten numbers take most of a softmax's time when each line is reduced by
itself. Idea: the copy to float64 places a short axis first in memory, so the reductions add and compare
whole rows, which is three times as fast. This suits axes of up to `thresholds.softmax_short` numbers; the
bound is then the exponential itself.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet.kernels import thresholds

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
