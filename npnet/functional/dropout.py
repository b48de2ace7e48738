"""Dropout."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.errors import InputError
from npnet.shapes import Float


@quietly
def dropout(
    x: Float[ndarray, "*n"],
    p: float = 0.5,
    training: bool = True,
    *,
    generator: Generator | None = None,
) -> tuple[Float[ndarray, "*n"], Backward]:
    """Zero each value with probability p: y = r x / (1 − p), with r = 1 where kept and 0 where dropped.

    Dividing by 1 − p keeps the expectation of y at x, so that evaluation needs no correction: there y = x.

    Parameters
    ----------
    x : array, any shape
    p : float
        Probability that a value is dropped, from 0 to 1.
    training : bool
        Whether to drop values; otherwise y = x.
    generator : numpy.random.Generator
        Draws r; required in training.

    Returns
    -------
    y : array, the shape of x
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    InputError
        If p is not a probability, or training has no generator.
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    Once drawn, r is a constant, so y is x times a factor, and the gradient is multiplied by the same factor:
    **grad_x = r grad_y / (1 − p)**. A dropped value gets no gradient.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, *Dropout* (2014), in the inverted form.

    Examples
    --------
    >>> y, backward = dropout(np.ones(8), 0.5, generator=np.random.default_rng(0))
    >>> y
    array([2., 2., 2., 0., 0., 0., 0., 0.])
    >>> backward(np.ones(8))
    array([2., 2., 2., 0., 0., 0., 0., 0.])
    """
    check.float_arrays("dropout", x=x)
    p = check.number("dropout", "p", p, least=0.0, most=1.0)
    training = check.flag("dropout", "training", training)
    if generator is not None:
        check.generator("dropout", generator)
    if not training or p == 0:
        return x, lambda grad_y: _passed(grad_y, x)
    if generator is None:
        raise InputError(
            "dropout: generator must be a numpy.random.Generator in training, got None; "
            "pass generator= to forward"
        )
    # Drawn in float32 for both dtypes, so that both drop the same values.
    kept = generator.random(x.shape, dtype=np.float32) >= p
    scale = 0.0 if p == 1 else 1 / (1 - p)
    factor = np.where(kept, x.dtype.type(scale), 0)  # r / (1 − p)
    y = np.asarray(x * factor)  # 0 · ∞ is NaN, as in PyTorch
    form = check.form(y)

    def backward(grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        check.upstream("dropout", grad_y, form)
        with quiet():
            return np.asarray(grad_y * factor)

    return y, backward


def _passed(grad_y: ndarray, x: ndarray) -> ndarray:
    check.upstream("dropout", grad_y, x)
    return grad_y
