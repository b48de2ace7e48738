"""Sums of many numbers: short ones in their own dtype, long ones in parts that are added in float64.

Added one after another, a million float32 numbers lose four of their seven digits, because each is small
compared with the sum so far.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.kernels import thresholds
from npnet.kernels.pieces import slices_of
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users

FLOAT64: np.dtype[Any] = np.dtype(np.float64)


def sum_rows(rows: Float[ndarray, "n k"]) -> Float[ndarray, " k"]:
    """Return ``rows.sum(axis=0)``, as a product with ones: BLAS takes a third of the time of NumPy's sum.

    Examples
    --------
    >>> sum_rows(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    if rows.dtype != FLOAT64:
        limits = thresholds.current
        # Pairwise: after adding one half to the other, each sum has half as many terms and rounding errors.
        while limits.sum_short < len(rows) <= limits.sum_halved and len(rows) % 2 == 0:
            half = len(rows) // 2
            rows = rows[:half] + rows[half:]
        if len(rows) > limits.sum_short:
            return _sum_rows_in_parts(rows)
    sums: ndarray = _ones(len(rows), rows.dtype).dot(rows)
    return sums


def _sum_rows_in_parts(rows: Float[ndarray, "n k"]) -> Float[ndarray, " k"]:
    """Convert a block of rows at a time to float64, and add them up there."""
    n, k = rows.shape
    limits = thresholds.current
    length = max(limits.sum_short, limits.sum_block // max(1, k))
    if n <= length:
        sums: ndarray = _ones(n, FLOAT64).dot(rows.astype(FLOAT64)).astype(rows.dtype)
        return sums
    total = np.zeros(k)
    for part in slices_of(n, length):
        total += _ones(min(length, n - part.start), FLOAT64).dot(rows[part].astype(FLOAT64))
    return total.astype(rows.dtype)


def sum_first_axis(terms: Float[ndarray, "n ..."]) -> ndarray:
    """Return ``terms.sum(axis=0)``: a few terms at a time in their own dtype, these sums in float64.

    Examples
    --------
    >>> sum_first_axis(np.full((100, 2), 0.5, np.float32))
    array([50., 50.], dtype=float32)
    """
    n, few = len(terms), thresholds.current.sum_short
    if n <= few or terms.dtype == np.float64:
        return np.asarray(terms.sum(axis=0))
    whole = n - n % few
    groups = terms[:whole].reshape(n // few, few, *terms.shape[1:]).sum(axis=1)
    total = groups.sum(axis=0, dtype=np.float64)
    if whole < n:
        total += terms[whole:].sum(axis=0)
    return np.asarray(total, terms.dtype)


@lru_cache(maxsize=32)
def _ones(n: int, dtype: np.dtype[Any]) -> Float[ndarray, " n"]:
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones
