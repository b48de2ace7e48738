"""Flattening of axes."""

from __future__ import annotations

from math import prod

from numpy import ndarray

from npnet import check
from npnet._types import Backward
from npnet.errors import InputError
from npnet.shapes import Float


def flatten(
    x: Float[ndarray, "*n"], start_dim: int = 0, end_dim: int = -1
) -> tuple[Float[ndarray, "*flat"], Backward]:
    """Merge the axes from start_dim to end_dim into one, in row-major order.

    Parameters
    ----------
    x : array, any shape
    start_dim, end_dim : int
        The first and the last axis to merge; negative axes count from the end.

    Returns
    -------
    y : array
        Shares memory with x where NumPy can give a view.
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    InputError
        If an axis does not exist or the last comes before the first.
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    Values change their position alone, so gradients are moved back: **grad_x is grad_y in the shape of x**.

    References
    ----------
    ``torch.flatten``, whose conventions this function follows.

    Examples
    --------
    >>> import numpy as np
    >>> y, backward = flatten(np.zeros((2, 3, 4)), start_dim=1)
    >>> y.shape, backward(y).shape
    ((2, 12), (2, 3, 4))
    """
    check.float_arrays("flatten", x=x)
    start_dim = check.integer("flatten", "start_dim", start_dim)
    end_dim = check.integer("flatten", "end_dim", end_dim)
    ndim = max(x.ndim, 1)
    if not (-ndim <= start_dim < ndim and -ndim <= end_dim < ndim):
        name, axis = ("end_dim", end_dim) if -ndim <= start_dim < ndim else ("start_dim", start_dim)
        hint = "; a single sample needs a batch axis: write x[np.newaxis]" if (x.ndim, axis) == (1, 1) else ""
        raise InputError(f"flatten: {name} must be an axis of x, whose shape is {x.shape}, got {axis}{hint}")
    first, last = start_dim % ndim, end_dim % ndim
    if first > last:
        raise InputError(f"flatten: start_dim must not come after end_dim, got {start_dim} and {end_dim}")
    y = x.reshape(*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :])

    def backward(grad_y: Float[ndarray, "*flat"]) -> Float[ndarray, "*n"]:
        check.upstream("flatten", grad_y, y)
        return grad_y.reshape(x.shape)

    return y, backward
