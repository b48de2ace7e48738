"""Sums of many numbers: short ones as they are, long ones in parts that are added up in float64.

Added one after another, a million float32 numbers lose four of their seven digits, since each is small beside
what has been added up so far.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet._spread import in_blocks

# So many numbers may be added one after another in float32.
FEW = 32
# Up to so many rows are added in halves: it takes half the time of converting them.
MANY = 512
# Numbers converted to float64 at a time: small enough for the cache.
BLOCK = 64 * 1024


def total(rows: Float[ndarray, "n k"]) -> Float[ndarray, " k"]:
    """Return the sum of all rows: a product with ones, for which BLAS takes a third of NumPy's time.

    Examples
    --------
    >>> total(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    if rows.dtype != DOUBLE:
        # Of two halves added together each sum has half as many terms, and rounds half as often.
        while FEW < len(rows) <= MANY and len(rows) % 2 == 0:
            half = len(rows) // 2
            rows = rows[:half] + rows[half:]
        if len(rows) > FEW:
            return _long_total(rows)
    sums: ndarray = _ones(len(rows), rows.dtype).dot(rows)
    return sums


def _long_total(rows: Float[ndarray, "n k"]) -> Float[ndarray, " k"]:
    n, k = rows.shape
    step = max(FEW, BLOCK // max(1, k))
    if n <= step:
        sums: ndarray = _ones(n, DOUBLE).dot(rows.astype(DOUBLE)).astype(rows.dtype)
        return sums
    exact = np.zeros(k)
    for part in in_blocks(n, step):
        exact += _ones(min(step, n - part.start), DOUBLE).dot(rows[part].astype(DOUBLE))
    return exact.astype(rows.dtype)


def along_first(terms: Float[ndarray, "n ..."]) -> ndarray:
    """Return the sum along the first axis: of a few at a time as they are, of these sums in float64.

    Examples
    --------
    >>> along_first(np.full((100, 2), 0.5, np.float32))
    array([50., 50.], dtype=float32)
    """
    n = len(terms)
    if n <= FEW or terms.dtype == np.float64:
        return np.asarray(terms.sum(axis=0))
    whole = n - n % FEW
    groups = terms[:whole].reshape(n // FEW, FEW, *terms.shape[1:]).sum(axis=1)
    exact = groups.sum(axis=0, dtype=np.float64)
    if whole < n:
        exact += terms[whole:].sum(axis=0)
    return np.asarray(exact, terms.dtype)


DOUBLE: np.dtype[Any] = np.dtype(np.float64)


@lru_cache(maxsize=32)
def _ones(n: int, dtype: np.dtype[Any]) -> Float[ndarray, " n"]:
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones
