"""The logistic sigmoid."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.kernels.blocks import elementwise
from npnet.shapes import Float


@quietly
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

    For very negative x, e⁻ˣ overflows to ∞, and 1/(1 + ∞) = 0 is the correctly rounded y. For float32, 1 +
    e⁻ˣ is computed in float64, which leaves two roundings.

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
    check.float_arrays("sigmoid", x=x)
    y = np.empty_like(x)
    elementwise(_sigmoid, x, y, effort=4)

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        check.upstream("sigmoid", grad_y, y)
        grad_x = np.empty_like(y)
        with quiet():
            elementwise(_grad_x, y, grad_y, grad_x)
        return grad_x

    return y, backward


def _sigmoid(x: Float[ndarray, "*n"], y: Float[ndarray, "*n"]) -> None:
    sums = np.exp(-x, dtype=np.float64)
    sums += 1
    y[...] = sums
    np.divide(1, y, out=y)


def _grad_x(y: Float[ndarray, "*n"], grad_y: Float[ndarray, "*n"], grad_x: Float[ndarray, "*n"]) -> None:
    np.subtract(1, y, out=grad_x)
    grad_x *= y
    grad_x *= grad_y
