"""Branch-free selection by a mask: ``np.where`` as arithmetic on the bits of floating-point numbers.

``np.where`` branches on each element of the mask. Where signs are random the processor mispredicts half of
these branches, which costs ten times as much as the rest of the operation. Integer arithmetic on the bits
takes the same time for every element and leaves each selected value exactly as it is, NaN and ∞ included.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from npnet.shapes import Bool, Float

__all__ = ()  # for npnet itself, not for users

# Integers of the size of float32 and float64, by which their bits are read.
INTEGERS: dict[int, np.dtype[Any]] = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}


def keep_where(
    mask: Bool[ndarray, "*n"], values: Float[ndarray, "*n"], out: Float[ndarray, "*n"] | None = None
) -> Float[ndarray, "*n"]:
    """Return ``np.where(mask, values, 0)``, in `out` or in the mask's memory layout.

    Examples
    --------
    >>> keep_where(np.array([False, True, True]), np.array([np.nan, 2.0, np.inf]))
    array([ 0.,  2., inf])
    """
    integer = INTEGERS[values.itemsize]
    kept = np.empty_like(mask, values.dtype) if out is None else out
    bits = kept.view(integer)
    bits[...] = mask
    bits *= values.view(integer)
    return kept


def choose_where(
    mask: Bool[ndarray, "*n"], if_true: np.floating, if_false: np.floating
) -> Float[ndarray, "*n"]:
    """Return ``np.where(mask, if_true, if_false)`` for two numbers.

    As integers, if_false + 1 · (if_true − if_false) and if_false + 0 are exact for every pair of numbers.

    Examples
    --------
    >>> choose_where(np.array([False, True]), np.float64(1), np.float64(np.inf))
    array([inf,  1.])
    """
    integer = INTEGERS[if_true.itemsize]
    # A difference that is too large wraps around, and back again in the sum. np.subtract does not warn of it.
    difference = np.subtract(if_true.view(integer), if_false.view(integer))
    bits = np.asarray(np.multiply(mask, difference))
    bits += if_false.view(integer)
    return bits.view(if_true.dtype)


def split_where(
    mask: Bool[ndarray, "*n"],
    source: Float[ndarray, "*n"],
    out: Float[ndarray, "*n"],
    rest: Float[ndarray, "*n"],
) -> None:
    """Write ``np.where(mask, source, 0)`` to `out` and ``np.where(mask, 0, source)`` to `rest`.

    `rest` may be the source itself: the exclusive or of the bits removes exactly what was written to `out`.
    """
    # The mask becomes integers within the multiplication: `out` may be strided, and is written only once.
    integer = INTEGERS[source.itemsize]
    np.multiply(source.view(integer), mask, out=out.view(integer))
    np.bitwise_xor(source.view(integer), out.view(integer), out=rest.view(integer))
