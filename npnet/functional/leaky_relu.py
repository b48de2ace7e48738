"""The leaky rectified linear unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet import check
from npnet.functional._elementwise import elementwise
from npnet.functional._quiet import quiet, quietly
from npnet.functional._select import either
from npnet.functional._types import Backward


@quietly
def leaky_relu(
    x: Float[ndarray, "*n"], negative_slope: float = 0.01
) -> tuple[Float[ndarray, "*n"], Backward]:
    """Flatten negative values: y = x where x > 0, else a x with a = `negative_slope`, elementwise.

    Parameters
    ----------
    x : array, any shape
    negative_slope : float
        The slope a left of zero.

    Returns
    -------
    y : array, the shape of x
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    InputError
        If the slope is not a number.
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    y depends on its own x alone, with slope 1 where x > 0 and slope a where x < 0, so by the chain rule
    **grad_x = grad_y where x > 0, else a grad_y**. At the kink x = 0 any slope between the two is a
    subgradient; a is taken, as PyTorch does, for −0.0 too. NaN passes forward, and as it is not above
    zero its gradient is a grad_y. With a = 0 this is `relu` but for two corners, the same as PyTorch's:
    −∞ · 0 is NaN, and NaN has the gradient 0.

    For slopes above 0 and up to 1, x is the larger of x and a x where x > 0, and a x elsewhere: y is found
    without asking for signs.

    References
    ----------
    Maas, Hannun, Ng, *Rectifier nonlinearities improve neural network acoustic models* (2013).

    Examples
    --------
    >>> import numpy as np
    >>> y, backward = leaky_relu(np.array([-1.0, 0.0, 2.0]), negative_slope=0.5)
    >>> y
    array([-0.5,  0. ,  2. ])
    >>> backward(np.array([10.0, 10.0, 10.0]))
    array([ 5.,  5., 10.])
    """
    check.float_arrays("leaky_relu", x=x)
    slope = x.dtype.type(_number(negative_slope))
    positive, y = np.empty_like(x, bool), np.empty_like(x)
    form = check.form(y)

    def multiply(positive: ndarray, values: ndarray, out: ndarray) -> None:
        np.multiply(values, either(positive, x.dtype.type(1), slope), out=out)

    def forward(x: ndarray, positive: ndarray, y: ndarray) -> None:
        np.greater(x, 0, out=positive)
        if 0 < slope <= 1:
            np.maximum(x, np.multiply(x, slope, out=y), out=y)
        else:
            multiply(positive, x, y)

    elementwise(forward, x, positive, y)

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        check.upstream("leaky_relu", grad_y, form)
        grad_x = np.empty_like(positive, grad_y.dtype)
        with quiet():
            elementwise(multiply, positive, grad_y, grad_x)
        return grad_x

    return y, backward


def _number(negative_slope: Any) -> float:
    """Return the slope as a float; ∞ and NaN pass too, as in PyTorch."""
    if isinstance(negative_slope, float):
        return negative_slope
    return check.number("leaky_relu", "negative_slope", negative_slope)
