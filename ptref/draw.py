"""Random inputs for comparisons.

The functions ask a `Choose` for small decisions: an integer in a range, or one of several options. The parity
table uses a seeded generator (`Seeded`), the tests use hypothesis (`ptref.strategies`), which reduces a
failure to the smallest decisions that still fail. Every decision leads to valid inputs, so none is rejected.

The elements of an array are not decisions: its kind of values, its memory layout and its seed are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from numpy.typing import DTypeLike

from npnet import check
from npnet.errors import InputError

__all__ = ["DTYPES", "FINITE", "LAYOUTS", "VALUES", "Choose", "Seeded", "make_array"]

T = TypeVar("T")
Shape = tuple[int, ...]

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class Choose:
    """Makes decisions; the lowest integer and the first option are the simplest."""

    def integer(self, low: int, high: int) -> int:
        """Return an integer from low to high, both included."""
        raise NotImplementedError

    def choice(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.integer(0, len(options) - 1)]

    def seed(self) -> int:
        """Return a seed."""
        return self.integer(0, 2**32 - 1)


class Seeded(Choose):
    """Makes decisions with a NumPy generator.

    Parameters
    ----------
    generator : numpy.random.Generator

    Examples
    --------
    >>> choose = Seeded(np.random.default_rng(0))
    >>> choose.choice(["stride", "padding", "dilation"])
    'dilation'
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = check.generator("Seeded", generator)

    def integer(self, low: int, high: int) -> int:
        """Return an integer from low to high, both included, all equally likely."""
        return int(self.generator.integers(low, high, endpoint=True))


# ---- values --------------------------------------------------------------------------------------------


def _ordinary(rng: Generator, shape: Shape) -> ndarray:
    return np.asarray(rng.standard_normal(shape))


def _with(rng: Generator, shape: Shape, specials: tuple[float, ...]) -> ndarray:
    values = _ordinary(rng, shape)
    return np.where(rng.random(shape) < 0.3, rng.choice(specials, shape), values)


VALUES: dict[str, Callable[[Generator, Shape], ndarray]] = {
    "ordinary": _ordinary,
    "repeated": lambda rng, shape: rng.integers(-1, 2, shape),  # equal maxima; inputs at the kink of ReLU
    "zeros": lambda rng, shape: rng.choice((0.0, -0.0), shape),
    "offset": lambda rng, shape: 100 + _ordinary(rng, shape),  # cancels when the mean is subtracted
    "huge": lambda rng, shape: _with(rng, shape, (1e4, -1e4)),  # logits that overflow an exponential
    "tiny": lambda rng, shape: 1e-20 * _ordinary(rng, shape),  # squares that underflow float32
    "positive": lambda rng, shape: np.abs(_with(rng, shape, (0.0,))),  # weights, variances
    "probability": lambda rng, shape: np.clip(rng.uniform(-0.2, 1.2, shape), 0, 1),  # with exact 0 and 1
    "infinite": lambda rng, shape: _with(rng, shape, (np.inf, -np.inf)),
    "nan": lambda rng, shape: _with(rng, shape, (np.nan,)),
}

FINITE = ("ordinary", "repeated", "zeros", "offset", "huge", "tiny")


# ---- layouts -------------------------------------------------------------------------------------------


def _copied(values: ndarray) -> ndarray:
    return np.array(values, order="C")


def _reversed(values: ndarray) -> ndarray:
    every_axis = (slice(None, None, -1),) * values.ndim
    return np.ascontiguousarray(values[every_axis])[every_axis] if values.ndim else _copied(values)


def _strided(values: ndarray) -> ndarray:
    # The gaps hold NaN or an invalid label, which reveals an operation that ignores the strides.
    gap = np.nan if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    wide = np.full((*values.shape, 2), gap, values.dtype)
    wide[..., 0] = values
    return wide[..., 0]


def _transposed(values: ndarray) -> ndarray:
    return np.array(values, order="F")


def _read_only(values: ndarray) -> ndarray:
    copy = _copied(values)
    copy.flags.writeable = False
    return copy


LAYOUTS: dict[str, Callable[[ndarray], ndarray]] = {
    "contiguous": _copied,
    "reversed": _reversed,
    "strided": _strided,
    "transposed": _transposed,
    "read-only": _read_only,
}


def make_array(shape: Shape, dtype: DTypeLike, values: str, layout: str, seed: int) -> ndarray:
    """Return a random array with a given kind of values and memory layout.

    Parameters
    ----------
    shape : tuple of int
    dtype : float32 or float64
    values : str
        Kind of values, one of `VALUES`.
    layout : str
        Memory layout, one of `LAYOUTS`.
    seed : int
        At least 0; it determines the values.

    Returns
    -------
    array : array, of the given shape and dtype

    Raises
    ------
    InputError
        If values or layout is unknown, shape is not a tuple of integers of at least 0, or seed is not an
        integer of at least 0.
    DTypeError
        If dtype is neither float32 nor float64.

    Examples
    --------
    >>> x = make_array((2, 2), np.float32, "repeated", "reversed", seed=0)
    >>> x.strides, x.dtype
    ((-8, -4), dtype('float32'))
    """
    check.choice("make_array", "values", values, VALUES)
    check.choice("make_array", "layout", layout, LAYOUTS)
    seed = check.integer("make_array", "seed", seed, least=0)
    drawn = VALUES[values](np.random.default_rng(seed), check_shape("make_array", "shape", shape))
    return LAYOUTS[layout](np.asarray(drawn, check.float_dtype("make_array", dtype)))


def check_shape(owner: str, name: str, value: Any) -> Shape:
    """Return a shape as a tuple of ints."""
    if not isinstance(value, tuple):
        raise InputError(f"{owner}: {name} must be a tuple of integers, got {check.described(value)}")
    return tuple(check.integer(owner, f"a size in {name}", size, least=0) for size in value)


def array(choose: Choose, shape: Shape, dtype: DTypeLike, values: Sequence[str] = FINITE) -> ndarray:
    """Choose kind of values, layout and seed of an array."""
    return make_array(shape, dtype, choose.choice(list(values)), choose.choice(list(LAYOUTS)), choose.seed())


# ---- shapes --------------------------------------------------------------------------------------------


def axes(choose: Choose, most: int = 3, least: int = 0, size: int = 4) -> Shape:
    """Choose a shape: `least` to `most` axes of 0 to `size` elements."""
    return tuple(choose.integer(0, size) for _ in range(choose.integer(least, most)))


def batch(choose: Choose) -> Shape:
    """Choose the batch axis: one sample, several, an empty batch, or no batch axis."""
    return choose.choice([(1,), (2,), (3,), (0,), ()])


def one_or_pair(choose: Choose, low: int, high: int) -> int | tuple[int, int]:
    """Choose an integer for both image axes, or one for each."""
    if choose.choice([True, False]):
        return choose.integer(low, high)
    return choose.integer(low, high), choose.integer(low, high)


def as_pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Return an integer or a pair as a pair (vertical, horizontal)."""
    return value if isinstance(value, tuple) else (value, value)


def image_size(
    choose: Choose,
    kernel: tuple[int, int],
    dilation: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    least: int | tuple[int, int] = 1,
) -> tuple[int, int]:
    """Choose (height, width) of an image, at least `least`, so that the kernel fits into the padded image."""
    smallest = [
        max(size, d * (k - 1) + 1 - 2 * p)
        for size, k, d, p in zip(as_pair(least), kernel, as_pair(dilation), as_pair(padding), strict=True)
    ]
    return smallest[0] + choose.integer(0, 5), smallest[1] + choose.integer(0, 5)


def optional(choose: Choose, make: Callable[[], T]) -> T | None:
    """Choose between None and what `make` returns."""
    return make() if choose.choice([False, True]) else None
