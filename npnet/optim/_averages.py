"""Moving averages of gradients and their squares, updated in place."""

from __future__ import annotations

from numpy import divide as true_divide
from numpy import multiply, ndarray, subtract


def move_towards(average: ndarray, value: ndarray, weight: float, scratch: ndarray) -> None:
    """Set average ← average + weight · (value − average), linear interpolation.

    With a weight of ½ or more it computes value − (1 − weight) · (value − average): the same in exact
    arithmetic, but more accurate when rounded, and exact for a weight of 1. PyTorch's ``lerp`` does the same.
    """
    # Rounded to the dtype of the arrays first, so that weight and 1 − weight still add up to 1.
    rounded = average.dtype.type(weight)
    subtract(value, average, out=scratch)
    if abs(rounded) < 0.5:
        scratch *= rounded
        average += scratch
    else:
        scratch *= 1 - rounded
        subtract(value, scratch, out=average)


def moved_towards(average: str, value: str, kept: str, weight: float) -> str:
    """Return what `move_towards` computes with a weight of 1 − kept, as an equation."""
    difference = f"({value} − {average})"
    return f"{average} + (1 − {kept}) · {difference}" if weight < 0.5 else f"{value} − {kept} · {difference}"


def decay_squares(average: ndarray, value: ndarray, decay: float, scratch: ndarray) -> None:
    """Set average ← decay · average + ((1 − decay) · value) · value."""
    if average.dtype.type(decay):
        average *= decay
    else:  # an average that overflowed to ∞ must become 0; 0 · ∞ would be NaN
        average[...] = 0
    multiply(value, 1 - decay, out=scratch)
    scratch *= value
    average += scratch


def divide(value: ndarray, size: ndarray, eps: float, out: ndarray) -> ndarray:
    """Write value / (size + eps) to `out` and return it; `size` is overwritten.

    Without eps, a quotient with a divisor of 0 is set to 0, so that its parameter stays as it is instead of
    becoming ∞ or NaN.
    """
    if size.dtype.type(eps):
        size += eps
        true_divide(value, size, out=out)
    else:
        zero = size == 0
        true_divide(value, size, out=out)
        out[zero] = 0
    return out
