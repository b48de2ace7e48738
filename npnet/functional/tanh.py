"""The hyperbolic tangent."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.kernels.blocks import elementwise
from npnet.shapes import Float


@quietly
def tanh(x: Float[ndarray, "*n"]) -> tuple[Float[ndarray, "*n"], Backward]:
    """Squash values into (−1, 1): y = tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), elementwise.

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
    Write y = s/c with s = sinh x and c = cosh x, each of which is the other's derivative. By the
    quotient rule ∂y/∂x = (c·c − s·s)/c² = 1 − y², so **grad_x = grad_y (1 − y²)**: the output is all
    that backward needs.

    Forward computes float32 values in float64 and rounds once. Backward computes in float32: near ±1 the
    rounding of y dominates the error of 1 − y² anyway.

    References
    ----------
    LeCun, Bottou, Orr, Müller, *Efficient BackProp* (1998), section 4.4.

    Examples
    --------
    >>> import numpy as np
    >>> y, backward = tanh(np.array([0.0, np.log(3.0)]))
    >>> y
    array([0. , 0.8])
    >>> backward(np.array([10.0, 10.0])).round(12)
    array([10. ,  3.6])
    """
    check.float_arrays("tanh", x=x)
    y = np.empty_like(x)
    elementwise(_tanh, x, y, effort=4)

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        check.upstream("tanh", grad_y, y)
        grad_x = np.empty_like(y)
        with quiet():
            elementwise(_grad_x, y, grad_y, grad_x)
        return grad_x

    return y, backward


def _tanh(x: Float[ndarray, "*n"], y: Float[ndarray, "*n"]) -> None:
    y[...] = np.tanh(x, dtype=np.float64)


def _grad_x(y: Float[ndarray, "*n"], grad_y: Float[ndarray, "*n"], grad_x: Float[ndarray, "*n"]) -> None:
    np.square(y, out=grad_x)
    np.subtract(1, grad_x, out=grad_x)
    grad_x *= grad_y
