"""The softmax."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.errors import InputError
from npnet.kernels.softmax import exponentials, has_wide_rows, softmax_rows, sum_lines
from npnet.shapes import Float


@quietly
def softmax(x: Float[ndarray, "*n"], dim: int = -1) -> tuple[Float[ndarray, "*n"], Backward]:
    """Turn logits into probabilities along one axis: yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ).

    Parameters
    ----------
    x : array, any shape
        The logits. An array without axes is a single logit, with probability 1.
    dim : int
        The axis along which the probabilities sum to 1; negative axes count from the end.

    Returns
    -------
    y : array, the shape of x
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    InputError
        If x has no axis `dim`.
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    Every xⱼ affects every yᵢ of its line along `dim`. With S = Σ exp(x), the quotient rule gives
    ∂yᵢ/∂xⱼ = (exp(xᵢ) [i=j] S − exp(xᵢ) exp(xⱼ)) / S² = yᵢ ([i=j] − yⱼ). The chain rule sums over i:
    ∂L/∂xⱼ = Σᵢ ∂L/∂yᵢ yᵢ ([i=j] − yⱼ) = yⱼ (∂L/∂yⱼ − Σᵢ ∂L/∂yᵢ yᵢ), that is
    **grad_x = y (grad_y − Σ grad_y y)**: each gradient less the mean of all, weighted by the probabilities.

    A number added to all logits of a line cancels in the quotient, so their maximum is subtracted first: no
    exponential is then above 1, and the sum is at least 1. A line with +∞, or with −∞ alone, has no softmax
    and becomes NaN, as in PyTorch. float32 values are computed in float64 and rounded once, but for long rows
    that are contiguous; see `npnet.kernels.softmax`.

    References
    ----------
    Bridle, *Probabilistic interpretation of feedforward classification network outputs* (1990).
    Blanchard, Higham, Higham, *Accurately computing the log-sum-exp and softmax functions* (2021).

    Examples
    --------
    >>> import numpy as np
    >>> y, backward = softmax(np.array([1000.0, 1000.0 + np.log(3.0)]))
    >>> y.round(12)
    array([0.25, 0.75])
    >>> backward(np.array([16.0, 0.0])).round(9)
    array([ 3., -3.])
    """
    check.float_arrays("softmax", x=x)
    dim = check_dim("softmax", x, dim)
    if has_wide_rows(x, dim):
        y = softmax_rows(x)
    else:
        _, powers, total = exponentials(x, dim)  # exp(x − max x), and its sum
        y = np.asarray(powers / total, x.dtype, order="C")

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        check.upstream("softmax", grad_y, y)
        with quiet():
            mean = sum_lines(grad_y, y, dim)  # Σ grad_y y
            return np.asarray(y * (grad_y - mean), x.dtype)

    return y, backward


def check_dim(operation: str, x: ndarray, dim: int) -> int:
    """Return an axis of x; an array without axes accepts 0 and −1, as in PyTorch."""
    dim = check.integer(operation, "dim", dim)
    count = max(x.ndim, 1)
    if not -count <= dim < count:
        raise InputError(f"{operation}: dim must be from {-count} to {count - 1} for x {x.shape}, got {dim}")
    return dim
