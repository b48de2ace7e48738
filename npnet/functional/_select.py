"""Values kept or cleared by a mask, without branches."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

# The integers that read the bits of float32 and float64, by their size.
INTEGERS: dict[int, np.dtype[Any]] = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}


def keep_where(
    mask: Bool[ndarray, "*n"], values: Float[ndarray, "*n"], out: Float[ndarray, "*n"] | None = None
) -> Float[ndarray, "*n"]:
    """Return values where the mask is true and 0 elsewhere, in `out` or in the mask's memory layout.

    ``np.where(mask, values, 0)`` decides anew for each element, and where signs are random the processor
    guesses wrong half of the time, at ten times the cost of everything else. Here the bits of each value,
    read as an integer, are multiplied by 1 or 0, which keeps a value as it is, NaN and infinities included,
    or clears it: the same work for every element, in two calls.

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


def either(mask: Bool[ndarray, "*n"], yes: np.floating, no: np.floating) -> Float[ndarray, "*n"]:
    """Return one number where the mask is true and another elsewhere.

    Of the bits, read as integers, no + (yes − no) and no + 0 are exact, whatever the numbers are.

    Examples
    --------
    >>> either(np.array([False, True]), np.float64(1), np.float64(np.inf))
    array([inf,  1.])
    """
    integer = INTEGERS[yes.itemsize]
    # Too large a step begins anew at the other end; unlike the operator, the function does not warn of that.
    step = np.subtract(yes.view(integer), no.view(integer))
    bits = np.asarray(np.multiply(mask, step))
    bits += no.view(integer)
    return bits.view(yes.dtype)


def move_where(
    mask: Bool[ndarray, "*n"],
    source: Float[ndarray, "*n"],
    out: Float[ndarray, "*n"],
    rest: Float[ndarray, "*n"],
) -> None:
    """Write what `keep_where` keeps of the source to `out`, and all else of it to `rest`.

    Exclusive or of the bits takes away what was kept, to the bit; `rest` may be the source itself. Here the
    mask is turned into integers on the way: numbers that stand apart should be gone through once only.
    """
    integer = INTEGERS[source.itemsize]
    np.multiply(source.view(integer), mask, out=out.view(integer))
    np.bitwise_xor(source.view(integer), out.view(integer), out=rest.view(integer))
