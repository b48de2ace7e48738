"""Matrix products (GEMM) in pieces that threads may share, with long float32 sums added in float64."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet.kernels import thresholds
from npnet.kernels.pieces import equal_slices, run_pieces, slices_of
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users


def matmul(a: Float[ndarray, "m k"], b: Float[ndarray, "k n"]) -> Float[ndarray, "m n"]:
    """Return a b; a large product is cut into pieces along the longer side of the result.

    The number of pieces depends on the size of the product alone, so every sum is computed in the same
    order by one thread or by many. (A BLAS that divides the work by its own number of threads gives bits
    that depend on that number.)

    Examples
    --------
    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    limits = thresholds.current
    if a.shape[1] > limits.matmul_long_sum and a.dtype == np.float32:
        return _matmul_in_parts(a, b)
    multiply_adds = a.size * b.shape[1]
    if multiply_adds < 4 * limits.matmul_piece:
        # For tiny matrices dot takes half the time of @. With a single element it would give 0 · NaN = 0.
        result: ndarray = a @ b if 1 in (a.size, b.size) else a.dot(b)
        return result
    side = max(len(a), b.shape[1])
    out = np.empty((len(a), b.shape[1]), a.dtype)

    def multiply(piece: slice) -> None:
        if len(a) == side:
            np.matmul(a[piece], b, out=out[piece])
        elif a.shape[1] > side:
            # Sums longer than the result is wide: OpenBLAS computes bᵀ aᵀ a fifth faster, and transposing
            # the result is cheap.
            out[:, piece] = (b[:, piece].T @ a.T).T
        else:
            np.matmul(a, b[:, piece], out=out[:, piece])

    run_pieces(multiply, _pieces(side, multiply_adds))
    return out


def _pieces(side: int, multiply_adds: int, least: int = 1) -> list[slice]:
    """Cut a side of a result into as many pieces as this many multiply-adds are worth."""
    count = 1
    while multiply_adds >= (2 * count) ** 2 * thresholds.current.matmul_piece and side >= 2 * count * least:
        count *= 2
    return equal_slices(side, count)


def _matmul_in_parts(a: Float[ndarray, "m k"], b: Float[ndarray, "k n"]) -> Float[ndarray, "m n"]:
    """Cut the sums over k into parts, and add the parts in float64."""
    total = np.zeros((len(a), b.shape[1]))
    parts = slices_of(a.shape[1], thresholds.current.matmul_long_sum // 4)
    by_row = len(a) >= b.shape[1]

    def add(piece: slice) -> None:
        rows, columns = (piece, slice(None)) if by_row else (slice(None), piece)
        for part in parts:
            total[rows, columns] += a[rows, part] @ b[part, columns]

    run_pieces(add, _pieces(max(total.shape), a.size * b.shape[1], least=thresholds.current.matmul_side))
    return total.astype(a.dtype)
