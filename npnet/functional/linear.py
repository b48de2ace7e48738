"""The affine map of a fully connected layer."""

from __future__ import annotations

from math import prod

from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import BackwardMany
from npnet._words import counted
from npnet.errors import InputError
from npnet.kernels.matmul import matmul
from npnet.kernels.sums import sum_rows
from npnet.shapes import Float


@quietly
def linear(
    x: Float[ndarray, "*n in_features"],
    weight: Float[ndarray, "out_features in_features"],
    bias: Float[ndarray, " out_features"] | None = None,
) -> tuple[Float[ndarray, "*n out_features"], BackwardMany]:
    """Apply an affine map to the last axis: y = x Wᵀ + b.

    Parameters
    ----------
    x : array, shape (*n, in_features)
        Any number of leading axes, including none.
    weight : array, shape (out_features, in_features)
        One row of weights for each output.
    bias : array, shape (out_features,), optional
        Added to every row of the product.

    Returns
    -------
    y : array, shape (*n, out_features)
        The outputs.
    backward : callable
        ``grad_x, grad_weight, grad_bias = backward(grad_y, needs=(True, True, True))``.

    Raises
    ------
    InputError
        If the shapes do not fit together.
    DTypeError
        If the arrays are not all float32 or all float64.

    Notes
    -----
    Write one output as a sum, y[n,o] = Σᵢ x[n,i] W[o,i] + b[o], and apply the chain rule
    ∂L/∂z = Σ ∂L/∂y · ∂y/∂z, summing over every output that depends on z:

    - x[n,i] enters all outputs of its row n, with factor W[o,i]:
      ∂L/∂x[n,i] = Σₒ ∂L/∂y[n,o] W[o,i], that is **grad_x = grad_y W**. The sum runs over the first
      index of W where forward sums over the second: forward multiplies by Wᵀ, backward by W.
    - W[o,i] enters output o of every row, with factor x[n,i]: ∂L/∂W[o,i] = Σₙ ∂L/∂y[n,o] x[n,i]. The sum runs
      over rows, and a matrix product sums over the second index of its left factor, so grad_y is transposed:
      **grad_weight = grad_yᵀ x**.
    - b[o] enters output o of every row, with factor 1: **grad_bias = Σₙ grad_y[n,o]**.

    `matmul` and `sum_rows` are ``a @ b`` and ``rows.sum(axis=0)``, in a fast and accurate form.

    References
    ----------
    Goodfellow, Bengio, Courville, *Deep Learning* (2016), section 6.5.6.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 2.0]])
    >>> y, backward = linear(x, np.array([[3.0, 4.0]]), np.array([5.0]))
    >>> y
    array([[16.]])
    >>> grad_x, grad_weight, grad_bias = backward(np.array([[10.0]]))
    >>> grad_x, grad_weight, grad_bias
    (array([[30., 40.]]), array([[10., 20.]]), array([10.]))
    """
    _check_shapes(x, weight, bias)
    out_features, in_features = weight.shape
    rows = x if x.ndim == 2 else x.reshape(prod(x.shape[:-1]), in_features)  # (n, in)

    y_rows = matmul(rows, weight.T)  # (n, out)
    if bias is not None:
        y_rows += bias
    y = y_rows if x.ndim == 2 else y_rows.reshape(*x.shape[:-1], out_features)

    def backward(
        grad_y: Float[ndarray, "*n out_features"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        check.upstream("linear", grad_y, y)
        check.needs("linear", needs)
        with quiet():
            grad_rows = grad_y.reshape(y_rows.shape)  # (n, out)
            grad_x = matmul(grad_rows, weight).reshape(x.shape) if needs[0] else None
            grad_weight = matmul(grad_rows.T, rows) if needs[1] else None
            grad_bias = sum_rows(grad_rows) if needs[2] and bias is not None else None
            return grad_x, grad_weight, grad_bias

    return y, backward


def _check_shapes(x: ndarray, weight: ndarray, bias: ndarray | None) -> None:
    check.float_arrays("linear", x=x, weight=weight, bias=bias, optional=("bias",))
    check.axes("linear", "weight", weight, (2,), "(out_features, in_features)")
    out_features, in_features = weight.shape
    if x.shape[-1:] != (in_features,):
        raise InputError(
            f"linear: x must have {counted(in_features, 'feature')} in its last axis, "
            f"as weight {weight.shape} asks, got shape {x.shape}"
        )
    check.shape("linear", "bias", bias, (out_features,), "for weight of shape {}", weight.shape)
