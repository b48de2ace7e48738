"""The leaky rectified linear unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.kernels.blocks import elementwise
from npnet.kernels.masks import choose_where
from npnet.shapes import Float


@quietly
def leaky_relu(
    x: Float[ndarray, "*n"], negative_slope: float = 0.01
) -> tuple[Float[ndarray, "*n"], Backward]:
    """Scale negative values down: y = x where x > 0, else a x with a = `negative_slope`, elementwise.

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
    Each y depends on its own x alone, with slope 1 where x > 0 and slope a where x < 0, so by the chain
    rule **grad_x = grad_y where x > 0, else a grad_y**. At the kink x = 0 any slope between the two is a
    subgradient; like PyTorch, npnet takes a, for −0.0 too. A NaN stays NaN; as NaN > 0 is false, its
    gradient is a grad_y. With a = 0 this is `relu` except in two cases, where it agrees with PyTorch: −∞ ·
    0 is NaN, and a NaN has the gradient 0.

    For 0 < a ≤ 1, y = max(x, a x), which needs no selection by sign.

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
    one, slope = x.dtype.type(1), x.dtype.type(_number(negative_slope))
    positive, y = np.empty_like(x, bool), np.empty_like(x)
    form = check.form(y)

    def multiply(positive: ndarray, values: ndarray, out: ndarray) -> None:
        np.multiply(values, choose_where(positive, one, slope), out=out)

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
    """Return the slope as a float; ∞ and NaN are accepted, as in PyTorch."""
    if isinstance(negative_slope, float):
        return negative_slope
    return check.number("leaky_relu", "negative_slope", negative_slope)
