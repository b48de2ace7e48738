"""The activations, number by number: each function of one number, applied to every element."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, isnan, log

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.shapes import Float


def relu(x: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Keep positive values: y = x where x > 0, else 0.

    Parameters
    ----------
    x : array

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return _for_each("relu", lambda v: 0.0 if v <= 0 else v, x)


def leaky_relu(x: Float[ndarray, "*n"], negative_slope: float = 0.01) -> Float[ndarray, "*n"]:
    """Scale negative values down: y = x where x > 0, else a x with a = `negative_slope`.

    Parameters
    ----------
    x : array
    negative_slope : float

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> leaky_relu(np.array([-1.0, 2.0]), negative_slope=0.5)
    array([-0.5,  2. ])
    """
    return _for_each("leaky_relu", lambda v: v if v > 0 else negative_slope * v, x)


def tanh(x: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Squash values into (−1, 1): y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).

    Numerator and denominator are divided by e^|x| first, so nothing overflows.

    Parameters
    ----------
    x : array

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> tanh(np.array([0.0, np.log(3.0)])).round(12)
    array([0. , 0.8])
    """

    def one(v: float) -> float:
        up, down = exp(v - abs(v)), exp(-v - abs(v))
        return (up - down) / (up + down)

    return _for_each("tanh", one, x, at_infinity=(-1.0, 1.0))


def sigmoid(x: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Squash values into (0, 1): y = eˣ / (1 + eˣ).

    Numerator and denominator are divided by the larger of 1 and eˣ first, so nothing overflows.

    Parameters
    ----------
    x : array

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.array([0.0, np.log(3.0)])).round(12)
    array([0.5 , 0.75])
    """

    def one(v: float) -> float:
        largest = max(0.0, v)
        return exp(v - largest) / (exp(-largest) + exp(v - largest))

    return _for_each("sigmoid", one, x, at_infinity=(0.0, 1.0))


def softplus(x: Float[ndarray, "*n"], beta: float = 1.0, threshold: float = 20.0) -> Float[ndarray, "*n"]:
    """Smooth the kink of ReLU: y = log(1 + exp(βx)) / β where βx ≤ `threshold`, else x.

    The larger of 1 and exp(βx) is taken out of the logarithm first, so nothing overflows.

    Parameters
    ----------
    x : array
    beta, threshold : float

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> softplus(np.array([0.0, 30.0])).round(4)
    array([ 0.6931, 30.    ])
    """

    def one(v: float) -> float:
        if beta * v > threshold:
            return v
        largest = max(0.0, beta * v)
        return (largest + log(exp(-largest) + exp(beta * v - largest))) / beta

    return _for_each("softplus", one, x, at_infinity=(0.0, inf))


def _for_each(
    owner: str,
    function: Callable[[float], float],
    x: Float[ndarray, "*n"],
    at_infinity: tuple[float, float] | None = None,
) -> Float[ndarray, "*n"]:
    """Apply a function to each element; `at_infinity` are its limits, and of NaN it is NaN."""
    check.float_arrays(owner, x=x)
    y = np.zeros(x.shape, x.dtype)
    for place in np.ndindex(x.shape):
        v = float(x[place])
        if isnan(v):
            y[place] = v
        elif at_infinity is not None and abs(v) == inf:
            y[place] = at_infinity[v > 0]
        else:
            y[place] = function(v)
    return y
