"""The logistic sigmoid."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet.functional import _check
from npnet.functional._types import Backward


def sigmoid(x: Float[ndarray, "*n"]) -> tuple[Float[ndarray, "*n"], Backward]:
    """Squash values into (0, 1): y = σ(x) = 1 / (1 + e⁻ˣ), elementwise.

    Parameters
    ----------
    x : array, any shape

    Returns
    -------
    y : array, the shape of x
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    Differentiate the quotient: ∂y/∂x = e⁻ˣ / (1 + e⁻ˣ)², the product of 1/(1 + e⁻ˣ) = y and
    e⁻ˣ/(1 + e⁻ˣ) = 1 − y, so **grad_x = grad_y y (1 − y)**: the output is all that backward needs.

    For very negative x, e⁻ˣ overflows. Multiplying numerator and denominator by eˣ gives the equal form
    eˣ/(1 + eˣ), good there. Both use the exponential of −|x|, which is never above 1. float32
    values are worked out in float64 and rounded once.

    References
    ----------
    Goodfellow, Bengio, Courville, *Deep Learning* (2016), section 3.10.

    Examples
    --------
    >>> import numpy as np
    >>> y, backward = sigmoid(np.array([-1000.0, 0.0, np.log(3.0)]))
    >>> y
    array([0.  , 0.5 , 0.75])
    >>> backward(np.array([16.0, 16.0, 16.0]))
    array([0., 4., 3.])
    """
    _check.float_arrays("sigmoid", x=x)
    small = np.exp(-np.abs(x), dtype=np.float64)
    y = np.asarray(np.where(x >= 0, 1, small) / (1 + small), x.dtype)

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        _check.upstream("sigmoid", grad_y, y)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(grad_y * (y * (1 - y)))

    return y, backward
