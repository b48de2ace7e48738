"""The softplus function, a smooth form of ReLU."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.kernels.blocks import elementwise
from npnet.shapes import Float


@quietly
def softplus(
    x: Float[ndarray, "*n"], beta: float = 1.0, threshold: float = 20.0
) -> tuple[Float[ndarray, "*n"], Backward]:
    """Smooth the kink of ReLU: y = log(1 + exp(βx)) / β where βx ≤ `threshold`, else x, elementwise.

    Parameters
    ----------
    x : array, any shape
    beta : float
        The sharpness β, above 0: with growing β the curve approaches `relu`.
    threshold : float
        The value of βx above which y = x.

    Returns
    -------
    y : array, the shape of x
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    InputError
        If beta is not a finite number above 0, or threshold not a finite number.
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    By the chain rule the outer 1/β cancels the inner β: ∂y/∂x = exp(βx) / (1 + exp(βx)), the sigmoid of βx.
    The definition of y gives 1 + exp(βx) = exp(βy), so ∂y/∂x = (exp(βy) − 1) / exp(βy) and **grad_x = grad_y
    (1 − exp(−βy)) where βx ≤ threshold, else grad_y**. Beside the output, backward needs only which elements
    are above the threshold. It computes 1 − exp(−βy) by ``expm1``: where y is near 0 the difference cancels.

    Forward computes log(exp(0) + exp(βx)) by ``logaddexp``, which does not overflow, in float64, and rounds
    once. Near the threshold of 20, log(1 + exp(z)) − z is 2·10⁻⁹, less than float32 resolves there.

    References
    ----------
    Dugas, Bengio, Bélisle, Nadeau, Garcia, *Incorporating second-order functional knowledge for better option
    pricing* (2000).

    Examples
    --------
    >>> import numpy as np
    >>> y, backward = softplus(np.array([-1000.0, np.log(3.0), 1000.0]))
    >>> np.exp(-y)
    array([1.  , 0.25, 0.  ])
    >>> backward(np.array([4.0, 4.0, 4.0]))
    array([0., 3., 4.])
    """
    check.float_arrays("softplus", x=x)
    beta = check.number("softplus", "beta", beta, above=0.0)
    threshold = check.number("softplus", "threshold", threshold)
    y, linear = np.empty_like(x), np.empty_like(x, bool)

    def forward(x: ndarray, linear: ndarray, y: ndarray) -> None:
        z = np.multiply(x, beta, dtype=np.float64)
        np.greater(z, threshold, out=linear)
        y[...] = np.logaddexp(0, z) / beta
        np.copyto(y, x, where=linear)

    def multiply_by_slope(y: ndarray, linear: ndarray, grad_y: ndarray, grad_x: ndarray) -> None:
        np.expm1(np.multiply(y, -beta, out=grad_x), out=grad_x)
        np.multiply(grad_x, -grad_y, out=grad_x)
        np.copyto(grad_x, grad_y, where=linear)

    elementwise(forward, x, linear, y, effort=4)

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        check.upstream("softplus", grad_y, y)
        grad_x = np.empty_like(y)
        with quiet():
            elementwise(multiply_by_slope, y, linear, grad_y, grad_x, effort=4)
        return grad_x

    return y, backward
