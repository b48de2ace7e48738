"""The mean squared error."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import LossBackward
from npnet.functional._losses import check_reduction, reduce_losses
from npnet.shapes import Float


@quietly
def mse_loss(
    x: Float[ndarray, "*n"], target: Float[ndarray, "*n"], reduction: str = "mean"
) -> tuple[Float[ndarray, "*loss"], LossBackward]:
    """Square the distance from the target: Lᵢ = (xᵢ − tᵢ)².

    Parameters
    ----------
    x : array, any shape
    target : array, the shape of x
        Not broadcast: a target of shape (n,) for x of shape (n, 1) is an error, not n × n differences.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements.

    Returns
    -------
    loss : array, shape (), or the shape of x with "none"
    backward : callable
        ``grad_x = backward(grad_loss=None)``; the upstream gradient is 1 by default.

    Raises
    ------
    InputError
        If the shapes differ, or the reduction is unknown.
    DTypeError
        If the arrays are not both float32 or both float64.

    Notes
    -----
    Each Lᵢ depends on its own xᵢ alone, with slope 2 (xᵢ − tᵢ), so **grad_x = 2 (x − t) ∂L/∂Lᵢ**, where
    ∂L/∂Lᵢ is the upstream gradient, under "mean" divided by the number of elements. The mean of nothing
    is NaN, as in PyTorch.

    References
    ----------
    Bishop, *Pattern Recognition and Machine Learning* (2006), section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> loss, backward = mse_loss(np.array([1.0, 5.0]), np.array([0.0, 2.0]))
    >>> loss  # (1² + 3²) / 2
    array(5.)
    >>> backward()
    array([1., 3.])
    """
    check.float_arrays("mse_loss", x=x, target=target)
    check.shape("mse_loss", "target", target, x.shape, "like x")
    check_reduction("mse_loss", reduction)
    difference = x - target
    losses = difference * difference
    loss, loss_gradient = reduce_losses("mse_loss", losses, reduction, x.dtype)

    def backward(grad_loss: ndarray | None = None) -> Float[ndarray, "*n"]:
        with quiet():
            return np.asarray(2 * loss_gradient(grad_loss) * difference)

    return loss, backward
