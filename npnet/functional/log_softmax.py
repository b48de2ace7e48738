"""The logarithm of the softmax."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.functional.softmax import check_dim
from npnet.kernels.softmax import exponentials, has_wide_rows, log_softmax_rows, sum_lines
from npnet.shapes import Float


@quietly
def log_softmax(x: Float[ndarray, "*n"], dim: int = -1) -> tuple[Float[ndarray, "*n"], Backward]:
    """Turn logits into log-probabilities along one axis: yᵢ = xᵢ − log Σⱼ exp(xⱼ).

    Parameters
    ----------
    x : array, any shape
        The logits. An array without axes is a single logit, with log-probability 0.
    dim : int
        The axis along which the probabilities exp(y) sum to 1; negative axes count from the end.

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
    xⱼ affects yⱼ directly, with slope 1, and through the sum every yᵢ of its line along `dim`:
    ∂/∂xⱼ log Σ exp(x) = exp(xⱼ) / Σ exp(x) = pⱼ, the softmax, which is exp(yⱼ). So
    ∂yᵢ/∂xⱼ = [i=j] − pⱼ, and the chain rule sums over i: ∂L/∂xⱼ = ∂L/∂yⱼ − pⱼ Σᵢ ∂L/∂yᵢ, that is
    **grad_x = grad_y − exp(y) Σ grad_y**.

    The logarithm of `softmax` is the same on paper, but a probability too small for the dtype would give
    log 0 = −∞. Here the maximum m of a line is subtracted, x − m − log Σ exp(x − m): the sum is at least 1,
    and nothing overflows. A logit of −∞ has the log-probability −∞; a line with +∞, or with −∞ alone, becomes
    NaN, as in PyTorch. float32 values are computed in float64 and rounded once, but for long rows that are
    contiguous; see `npnet.kernels.softmax`.

    References
    ----------
    Blanchard, Higham, Higham, *Accurately computing the log-sum-exp and softmax functions* (2021).

    Examples
    --------
    >>> import numpy as np
    >>> y, backward = log_softmax(np.array([1000.0, 1000.0 + np.log(3.0)]))
    >>> np.exp(y).round(9)
    array([0.25, 0.75])
    >>> backward(np.array([4.0, 0.0])).round(9)
    array([ 3., -3.])
    """
    check.float_arrays("log_softmax", x=x)
    dim = check_dim("log_softmax", x, dim)
    wide = has_wide_rows(x, dim)
    if wide:
        y = log_softmax_rows(x)
    else:
        shifted, _, total = exponentials(x, dim)  # x − max x, and Σ exp(x − max x)
        y = np.asarray(shifted - np.log(total), x.dtype, order="C")

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        check.upstream("log_softmax", grad_y, y)
        with quiet():
            total = sum_lines(grad_y, None, dim)
            powers = np.exp(y, dtype=x.dtype if wide else np.float64)
            return np.asarray(grad_y - powers * total, x.dtype)

    return y, backward
