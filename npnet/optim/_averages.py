"""The moving averages that optimizers keep, updated in place."""

from __future__ import annotations

from numpy import divide as true_divide
from numpy import multiply, ndarray, subtract


def move_towards(average: ndarray, value: ndarray, weight: float, scratch: ndarray) -> None:
    """Set average ← average + weight · (value − average), the sum taken from its nearer end.

    With a weight of a half or more, value − (1 − weight) · (value − average) is the same in exact
    arithmetic and rounds better: a weight of 1 gives the value itself. PyTorch's ``lerp`` chooses alike.
    """
    # In the dtype of the arrays: where the weight is a rounded number, so must its complement be.
    share = average.dtype.type(weight)
    subtract(value, average, out=scratch)
    if abs(share) < 0.5:
        scratch *= share
        average += scratch
    else:
        scratch *= 1 - share
        subtract(value, scratch, out=average)


def decay_squares(average: ndarray, value: ndarray, decay: float, scratch: ndarray) -> None:
    """Set average ← decay · average + ((1 − decay) · value) · value."""
    average *= decay
    multiply(value, 1 - decay, out=scratch)
    scratch *= value
    average += scratch


def divide(value: ndarray, size: ndarray, eps: float, out: ndarray) -> ndarray:
    """Write value / (size + eps) to `out` and return it; `size` is overwritten.

    Without eps, what is divided by zero counts as zero: its parameter stays as it is, where otherwise it
    would become infinite or not a number.
    """
    if size.dtype.type(eps):
        size += eps
        true_divide(value, size, out=out)
    else:
        none = size == 0
        true_divide(value, size, out=out)
        out[none] = 0
    return out
