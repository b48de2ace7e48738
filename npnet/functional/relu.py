"""The rectified linear unit."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._types import Backward
from npnet.kernels.blocks import elementwise
from npnet.kernels.masks import keep_where
from npnet.shapes import Bool, Float


def relu(x: Float[ndarray, "*n"]) -> tuple[Float[ndarray, "*n"], Backward]:
    """Replace negative values by zero: y = max(x, 0), elementwise.

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
    Each y depends on its own x alone, with slope 1 where x > 0 and slope 0 where x < 0, so
    **grad_x = grad_y where x > 0, else 0**. At the kink x = 0 any slope from 0 to 1 is a subgradient; like
    PyTorch, npnet takes 0, for −0.0 too. A NaN stays NaN, and its gradient passes unchanged, again as in
    PyTorch: the gradient passes wherever the output is not zero.

    References
    ----------
    Nair, Hinton, *Rectified linear units improve restricted Boltzmann machines* (2010).

    Examples
    --------
    >>> import numpy as np
    >>> y, backward = relu(np.array([-1.0, 0.0, 2.0]))
    >>> y
    array([0., 0., 2.])
    >>> backward(np.array([10.0, 10.0, 10.0]))
    array([ 0.,  0., 10.])
    """
    check.float_arrays("relu", x=x)
    passes, y = np.empty_like(x, bool), np.empty_like(x)
    elementwise(_forward, x, passes, y)
    form = check.form(y)

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        check.upstream("relu", grad_y, form)
        grad_x = np.empty_like(passes, grad_y.dtype)
        elementwise(keep_where, passes, grad_y, grad_x)
        return grad_x

    return y, backward


def _forward(x: Float[ndarray, "*n"], passes: Bool[ndarray, "*n"], y: Float[ndarray, "*n"]) -> None:
    x.clip(0, np.inf, out=y)  # three times as fast as np.maximum(x, 0)
    np.not_equal(y, 0, out=passes)
