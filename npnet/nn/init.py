"""Initial weights: PyTorch's default distributions, and Xavier's and He's by name."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from numpy.typing import DTypeLike

from npnet import check
from npnet.errors import InputError

__all__ = ["SCHEMES", "initial"]

SCHEMES = ("default", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal")


def initial(
    shape: tuple[int, ...],
    *,
    bias: bool,
    init: str,
    generator: Generator | None,
    dtype: DTypeLike,
    owner: str = "initial",
) -> tuple[ndarray, ndarray | None]:
    """Draw the initial weight and bias of a linear or convolutional layer.

    fan_in is the number of inputs that an output depends on, fan_out the number of outputs that an input
    reaches:

    =================  ===========================================  =======================
    scheme             weight                                       bias
    =================  ===========================================  =======================
    default            uniform in ±1/√fan_in                        uniform in ±1/√fan_in
    xavier_uniform     uniform in ±√(6/(fan_in + fan_out))          0
    xavier_normal      normal, variance 2/(fan_in + fan_out)        0
    kaiming_uniform    uniform in ±√(6/fan_in)                      0
    kaiming_normal     normal, variance 2/fan_in                    0
    =================  ===========================================  =======================

    Parameters
    ----------
    shape : tuple of int
        Shape of the weight: (out, in), or (out, in/groups, kh, kw).
    bias : bool
        Whether to draw a bias.
    init : str
        One of `SCHEMES`.
    generator : numpy.random.Generator
        Draws the numbers in float64, which are then rounded, so that both dtypes start alike.
    dtype : float32 or float64
    owner : str
        The layer whose weights these are, for error messages.

    Returns
    -------
    weight : array, of `shape`
    bias : array, shape (out,), or None

    Raises
    ------
    InputError
        If `shape` is no shape of a weight, the scheme is unknown, the generator is not a NumPy generator, or
        bias is not a bool.
    DTypeError
        If dtype is neither float32 nor float64.

    References
    ----------
    Glorot, Bengio (2010), *Understanding the difficulty of training deep feedforward neural networks*;
    He, Zhang, Ren, Sun (2015), *Delving deep into rectifiers*. PyTorch's default is
    ``kaiming_uniform_(a=sqrt(5))``, which amounts to ±1/√fan_in.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> weight, bias = initial((2, 100), bias=True, init="default", generator=rng, dtype=np.float32)
    >>> bool(abs(weight).max() < 0.1), bias.dtype
    (True, dtype('float32'))
    """
    shape = _shape(owner, shape)
    bias = check.flag(owner, "bias", bias)
    init = check.choice(owner, "init", init, SCHEMES)
    source = check.generator(owner, generator)
    dtype = check.float_dtype(owner, dtype)

    kernel = prod(shape[2:])
    fan_in, fan_out = shape[1] * kernel, shape[0] * kernel
    variance = {
        "default": 1 / (3 * fan_in),  # the variance of a uniform distribution in ±1/√fan_in
        "xavier": 2 / (fan_in + fan_out),
        "kaiming": 2 / fan_in,
    }[init.partition("_")[0]]

    def draw(size: tuple[int, ...]) -> ndarray:
        if init.endswith("normal"):
            return source.normal(0, sqrt(variance), size).astype(dtype)
        bound = sqrt(3 * variance)
        return source.uniform(-bound, bound, size).astype(dtype)

    weight = draw(shape)
    if not bias:
        return weight, None
    return weight, draw(shape[:1]) if init == "default" else np.zeros(shape[:1], dtype)


def _shape(owner: str, shape: Any) -> tuple[int, ...]:
    """Require the shape of a weight: at least two positive sizes."""
    sizes = shape if isinstance(shape, tuple | list) else ()
    if len(sizes) < 2:
        raise InputError(f"{owner}: shape must be (out, in, …), got {shape!r:.60}")
    return tuple(check.integer(owner, "shape", size, least=1) for size in sizes)
