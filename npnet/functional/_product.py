"""Matrix products in pieces that may be computed side by side."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet._spread import evenly, in_blocks, spread

# Multiply-adds of a piece at least: about half a millisecond's worth, beside which handing it on is little.
PIECE = 16_000_000
# Longer sums in float32 are cut into parts of about half as many terms, which are added up in float64.
LONG = 16 * 1024


def product(a: Float[ndarray, "m k"], b: Float[ndarray, "k n"]) -> Float[ndarray, "m n"]:
    """Return a b; large products are cut into pieces along the longer side of the result.

    Into how many follows from its size alone, so that the same sums are made in the same order, in one
    thread or in many. (A BLAS that cuts by the number of its threads gives bits that depend on it.)

    Examples
    --------
    >>> product(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    if a.shape[1] > LONG and a.dtype == np.float32:
        return _long_product(a, b)
    multiply_adds = a.size * b.shape[1]
    if multiply_adds < 2 * PIECE:
        # Of tiny matrices dot takes half of the time of @; but a single 0 it would make 0 · NaN = 0.
        result: ndarray = a @ b if 1 in (a.size, b.size) else a.dot(b)
        return result
    side, count = max(len(a), b.shape[1]), 1
    while multiply_adds >= 2 * count * PIECE and side >= 2 * count:
        count *= 2
    out = np.empty((len(a), b.shape[1]), a.dtype)

    def multiply(piece: slice) -> None:
        if len(a) == side:
            np.matmul(a[piece], b, out=out[piece])
        elif a.shape[1] > side:
            # Long sums for a wide result: OpenBLAS is a fifth faster at bᵀ aᵀ, and the result is soon turned.
            out[:, piece] = (b[:, piece].T @ a.T).T
        else:
            np.matmul(a, b[:, piece], out=out[:, piece])

    spread(multiply, evenly(side, count))
    return out


def _long_product(a: Float[ndarray, "m k"], b: Float[ndarray, "k n"]) -> Float[ndarray, "m n"]:
    exact = np.zeros((len(a), b.shape[1]))
    for part in in_blocks(a.shape[1], LONG // 2):
        exact += product(a[:, part], b[part])
    return exact.astype(a.dtype)
