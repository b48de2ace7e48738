"""The affine map as a sum over its inputs."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.shapes import Float


def linear(
    x: Float[ndarray, "*n in_features"],
    weight: Float[ndarray, "out_features in_features"],
    bias: Float[ndarray, " out_features"] | None = None,
) -> Float[ndarray, "*n out_features"]:
    """Apply an affine map to the last axis: y[n,o] = Σᵢ x[n,i] W[o,i] + b[o].

    Parameters
    ----------
    x : array, shape (*n, in_features)
    weight : array, shape (out_features, in_features)
    bias : array, shape (out_features,), optional

    Returns
    -------
    y : array, shape (*n, out_features)

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), np.array([5.0]))
    array([16.])
    """
    check.float_arrays("linear", x=x, weight=weight, bias=bias, optional=("bias",))
    out_features, in_features = weight.shape
    y = np.zeros((*x.shape[:-1], out_features), x.dtype)
    for n in np.ndindex(x.shape[:-1]):
        for o in range(out_features):
            for i in range(in_features):
                y[*n, o] += x[*n, i] * weight[o, i]
            if bias is not None:
                y[*n, o] += bias[o]
    return y


def linear_backward(
    grad_y: Float[ndarray, "*n out_features"],
    x: Float[ndarray, "*n in_features"],
    weight: Float[ndarray, "out_features in_features"],
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the gradients of ``linear``, term by term.

    The term x[n,i] W[o,i] of y[n,o] adds ∂L/∂y[n,o] · W[o,i] to ∂L/∂x[n,i] and ∂L/∂y[n,o] · x[n,i]
    to ∂L/∂W[o,i]; the term b[o] adds ∂L/∂y[n,o] to ∂L/∂b[o].

    Parameters
    ----------
    grad_y : array, shape (*n, out_features)
    x : array, shape (*n, in_features)
    weight : array, shape (out_features, in_features)

    Returns
    -------
    grad_x : array, the shape of x
    grad_weight : array, the shape of weight
    grad_bias : array, shape (out_features,)

    Examples
    --------
    >>> import numpy as np
    >>> linear_backward(np.array([10.0]), np.array([1.0, 2.0]), np.array([[3.0, 4.0]]))
    (array([30., 40.]), array([[10., 20.]]), array([10.]))
    """
    check.float_arrays("linear_backward", grad_y=grad_y, x=x, weight=weight)
    out_features, in_features = weight.shape
    grad_x, grad_weight = np.zeros(x.shape, x.dtype), np.zeros(weight.shape, weight.dtype)
    grad_bias = np.zeros(out_features, weight.dtype)
    for n in np.ndindex(x.shape[:-1]):
        for o in range(out_features):
            for i in range(in_features):
                grad_x[*n, i] += grad_y[*n, o] * weight[o, i]
                grad_weight[o, i] += grad_y[*n, o] * x[*n, i]
            grad_bias[o] += grad_y[*n, o]
    return grad_x, grad_weight, grad_bias
