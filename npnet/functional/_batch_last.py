"""Convolution with the batch innermost in memory: the fast form.

An array of images has the shape (n, c, h, w), but that does not say in which order its numbers stand in
memory. Stored in the order (h, c, w, n), each row of each channel is one contiguous run over all images, and

- a step to the right is a step of n numbers, so that all places of an output row, for all images, meet one
  contiguous run of the input, whichever column of the kernel they look through;
- the rows and channels of a kernel, (kh, c), find their pixels at equal distances from one another: an
  output row sums over a matrix that stands in memory as it is.

So convolution is a handful of large matrix products on overlapping views. Lowering along the width alone is
the idea of Cho and Brand, *MEC: memory-efficient convolution for deep neural network* (arXiv 1706.06873);
the batch as the innermost axis is from Krizhevsky, *cuda-convnet* (2012). What works element by element
keeps the order it is given, so between two convolutions nothing is turned around.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet._spread import spread
from npnet.functional._cache import blocks, divisor, scratch
from npnet.functional._sums import along_first
from npnet.functional._types import BackwardMany
from npnet.functional._window import Pair, Window

# Products of up to so many multiply-adds OpenBLAS computes without copying ("packing") its operands first,
# which would cost thin matrices more than the product. Of A Bᵀ it is quick only up to so many results.
PRODUCT = 1_000_000
RESULTS = 32 * 32
# A kernel of up to so many weights leaves room for a product of at least 256 places.
FEW_WEIGHTS = PRODUCT // 256


def convolve(
    x: Float[ndarray, "n c h w"],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, " o"] | None,
    place: Window,
) -> tuple[Float[ndarray, "n o oh ow"], BackwardMany]:
    """Convolve with stride 1, dilation 1 and one group; y and grad_x have the batch innermost in memory."""
    rows = bordered(x.transpose(2, 1, 3, 0), place.before, place.after)  # (hp, c, wp, n)
    y_rows = correlate(rows, weight, bias)  # (oh, o, ow, n)

    def backward(
        grad_y: Float[ndarray, "n o oh ow"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        grad_rows = batch_last(grad_y)  # (oh, o, ow, n)
        grad_x = as_images(_grad_x(grad_rows, weight, place)) if needs[0] else None
        grad_weight = _grad_weight(rows, grad_rows, weight.shape) if needs[1] else None
        grad_bias = along_first(grad_rows.sum(axis=(2, 3))) if needs[2] and bias is not None else None
        return grad_x, grad_weight, grad_bias

    return as_images(y_rows), backward


# ---- the order in memory -------------------------------------------------------------------------------


def batch_last(x: Float[ndarray, "n c h w"]) -> Float[ndarray, "h c w n"]:
    """Return images in the order (h, c, w, n), contiguous; a view if they stand so already."""
    return bordered(x.transpose(2, 1, 3, 0), (0, 0), (0, 0))


def as_images(rows: Float[ndarray, "h c w n"]) -> Float[ndarray, "n c h w"]:
    """View rows as images again."""
    return rows.transpose(3, 1, 0, 2)


def bordered(rows: Float[ndarray, "h c w n"], before: Pair, after: Pair) -> Float[ndarray, "hp c wp n"]:
    """Return rows within a border of zeros, contiguous; the rows themselves if they are that already."""
    if before == after == (0, 0) and rows.flags.c_contiguous:
        return rows
    h, c, w, n = rows.shape
    (top, left), (bottom, right) = before, after
    wide = np.empty((top + h + bottom, c, left + w + right, n), rows.dtype)
    if top or bottom:
        wide[:top] = wide[top + h :] = 0
    if left or right:
        wide[top : top + h, :, :left] = wide[top : top + h, :, left + w :] = 0
    _copy(rows, wide[top : top + h, :, left : left + w])
    return wide


def _copy(rows: Float[ndarray, "h c w n"], to: Float[ndarray, "h c w n"]) -> None:
    """Copy rows that may stand in another order."""
    # 16 numbers are a line of the cache: of images in their usual order each is fetched and written once.
    step = rows.shape[3] if rows.strides[3] == rows.itemsize else 16
    for i in range(0, rows.shape[3], step):
        to[..., i : i + step] = rows[..., i : i + step]


# ---- the products --------------------------------------------------------------------------------------


def correlate(
    rows: Float[ndarray, "hp c wp n"], weight: Float[ndarray, "o c kh kw"], bias: Float[ndarray, " o"] | None
) -> Float[ndarray, "oh o ow n"]:
    """Slide kernels over rows: by one product if there are few weights, or one for each kernel column."""
    (hp, _, wp, n), (o, _, kh, kw) = rows.shape, weight.shape
    y = np.empty((hp - kh + 1, o, wp - kw + 1, n), rows.dtype)
    form = _correlate_lowered if weight.size <= FEW_WEIGHTS else _correlate_by_column
    form(rows, weight, None if bias is None else bias.reshape(-1, 1, 1), y)
    return y


def _correlate_lowered(
    rows: Float[ndarray, "hp c wp n"],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, "o 1 1"] | None,
    y: Float[ndarray, "oh o ow n"],
) -> None:
    """y[i] = W (o × kh·kw·c) @ lowered[i : i+kh] (kh·kw·c × ow·n).

    Each row is copied kw times, shifted by 0 … kw−1 columns. Then kh lowered rows, as they stand in memory,
    are the right-hand matrix of an output row; the next output row's matrix begins one row further down.
    Copying a few channels costs little, and a product that sums over all of the kernel at once, most quickly.
    """
    o, c, kh, kw = weight.shape
    oh, _, ow, n = y.shape
    kernels = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(o, kh * kw * c)
    run = _run(ow, weight.size * n)

    def some_rows(part: slice) -> None:
        under_part = rows[part.start : part.stop + kh - 1]
        lowered = scratch((len(under_part), kw, c, ow, n), rows.dtype)
        lowered[...] = _shifted(under_part, kw)
        under = _under(lowered.reshape(len(lowered), kw * c, ow, n), kh, 1, run)[:, 0]
        np.matmul(kernels, under, out=_in_runs(y[part], run))
        if bias is not None:
            y[part] += bias  # while they are in the cache

    spread(some_rows, blocks(oh, kw * c * ow * n * rows.itemsize))


def _correlate_by_column(
    rows: Float[ndarray, "hp c wp n"],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, "o 1 1"] | None,
    y: Float[ndarray, "oh o ow n"],
) -> None:
    """y[i] = Σₗ W[l] (o × kh·c) @ rows[i : i+kh, :, l : l+ow] (kh·c × ow·n).

    For one column l of the kernels, the right-hand matrix stands in memory as it is and nothing is copied.
    The products of the kw columns are added up, block by block of rows so that they stay in the cache.
    With many channels the additions are few beside the multiplications.
    """
    o, c, kh, kw = weight.shape
    oh, _, ow, n = y.shape
    columns = np.ascontiguousarray(weight.transpose(3, 0, 2, 1)).reshape(kw, o, kh * c)
    run = _run(ow, o * kh * c * n)

    def some_rows(part: slice) -> None:
        under = _under(rows[part.start : part.stop + kh - 1], kh, kw, run)
        np.matmul(columns[0], under[:, 0], out=_in_runs(y[part], run))
        if bias is not None:
            y[part] += bias
        term = scratch(y[part].shape, rows.dtype)
        for l in range(1, kw):
            np.matmul(columns[l], under[:, l], out=_in_runs(term, run))
            y[part] += term

    spread(some_rows, blocks(oh, o * ow * n * rows.itemsize))


def _grad_x(
    grad_rows: Float[ndarray, "oh o ow n"], weight: Float[ndarray, "o c kh kw"], place: Window
) -> Float[ndarray, "h c w n"]:
    """Slide flipped kernels over the upstream gradient, or, without padding, add up shifted terms."""
    unpadded = place.before == place.after == (0, 0)
    if unpadded and weight.size <= FEW_WEIGHTS:
        return _grad_x_by_shifts(grad_rows, weight)
    return _grad_x_by_flipping(grad_rows, weight, place)


def _grad_x_by_flipping(
    grad_rows: Float[ndarray, "oh o ow n"], weight: Float[ndarray, "o c kh kw"], place: Window
) -> Float[ndarray, "h c w n"]:
    """grad_x[i, j] = Σ W[k, l]ᵀ grad_y[i − k, j − l], with the minus signs turned around by flipping W.

    x[i, j] had a part in y[i − k, j − l] with factor W[k, l], so its gradient is a convolution too. Channels
    change places, since the sum now runs over o. A border lets the kernels reach the first and last pixels.
    """
    (top, left), (bottom, right) = place.before, place.after
    kh, kw = place.kernel
    flipped = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    before, after = (kh - 1 - top, kw - 1 - left), (kh - 1 - bottom, kw - 1 - right)
    return correlate(bordered(grad_rows, before, after), flipped, None)


def _grad_x_by_shifts(
    grad_rows: Float[ndarray, "oh o ow n"], weight: Float[ndarray, "o c kh kw"]
) -> Float[ndarray, "h c w n"]:
    """grad_x[i, :, l : l+ow] += W[l]ᵀ (c × kh·o) @ grad_y[i−kh+1 : i+1] (kh·o × ow·n), for each l.

    The adjoint of summing over kernel columns: each column has a gradient of its own, all are computed by
    one product, and each is added where its column looked. Only rows are bordered by zeros, whereas flipped
    kernels would pass over zeros at both ends of each row too: for 5×5 on a small image half of their work.
    """
    o, c, kh, kw = weight.shape
    oh, _, ow, n = grad_rows.shape
    h, w = oh + kh - 1, ow + kw - 1
    columns = np.ascontiguousarray(weight[:, :, ::-1].transpose(3, 1, 2, 0)).reshape(kw * c, kh * o)
    tall = bordered(grad_rows, (kh - 1, 0), (kh - 1, 0))
    grad_x = np.zeros((h, c, w, n), grad_rows.dtype)
    run = _run(ow, weight.size * n)

    def some_rows(part: slice) -> None:
        under = _under(tall[part.start : part.stop + kh - 1], kh, 1, run)[:, 0]
        terms = scratch((len(under), kw * c, ow, n), grad_rows.dtype)
        np.matmul(columns, under, out=_in_runs(terms, run))
        for l in range(kw):
            grad_x[part, :, l : l + ow] += terms[:, l * c : (l + 1) * c]

    spread(some_rows, blocks(h, kw * c * ow * n * grad_rows.itemsize))
    return grad_x


def _grad_weight(
    rows: Float[ndarray, "hp c wp n"], grad_rows: Float[ndarray, "oh o ow n"], shape: tuple[int, ...]
) -> Float[ndarray, "o c kh kw"]:
    """grad_W[l] = Σᵢ grad_y[i] (o × ow·n) @ rows[i : i+kh, :, l : l+ow]ᵀ (ow·n × kh·c).

    All of these products, for every row i and column l, are one stacked product of views. It is cut into
    blocks of few channels, as A Bᵀ is quick for small results alone, and then summed over rows.
    """
    o, c, kh, kw = shape
    oh, _, ow, n = grad_rows.shape
    k = kh * c
    part_o = divisor(o, 32)
    part_k = divisor(k, RESULTS // part_o)
    run = _run(ow, part_o * part_k * n)
    sums: dict[int, ndarray] = {}  # by the row they begin with: (kw, k/part_k, o/part_o, part_o, part_k)

    def some_rows(part: slice) -> None:
        under = _under(rows[part.start : part.stop + kh - 1], kh, kw, run)  # (rows, kw, runs, k, run·n)
        under = under.reshape(*under.shape[:3], k // part_k, 1, part_k, run * n)
        above = _in_runs(grad_rows[part], run)[:, np.newaxis]  # (rows, 1, runs, o, run·n)
        above = above.reshape(*above.shape[:3], 1, o // part_o, part_o, run * n)
        sums[part.start] = along_first((above @ under.swapaxes(-1, -2)).sum(axis=2))

    parts = blocks(oh, (ow // run) * kw * k * o * rows.itemsize)
    spread(some_rows, parts)
    total = sums[0]
    for part in parts[1:]:  # in their order, whichever was done first
        total += sums[part.start]
    by_column = total.transpose(2, 3, 1, 4, 0).reshape(o, kh, c, kw)
    return np.ascontiguousarray(by_column.swapaxes(1, 2))


# ---- views ---------------------------------------------------------------------------------------------


def _shifted(rows: Float[ndarray, "hp c wp n"], kw: int) -> Float[ndarray, "hp kw c ow n"]:
    """View rows kw times, shifted by 0 … kw−1 columns."""
    hp, c, wp, n = rows.shape
    to_column, to_channel, to_row = _strides(rows)
    return ndarray(
        (hp, kw, c, wp - kw + 1, n),
        rows.dtype,
        rows,
        strides=(to_row, to_column, to_channel, to_column, rows.itemsize),
    )


def _under(
    rows: Float[ndarray, "hp c wp n"], kh: int, kw: int, run: int
) -> Float[ndarray, "oh kw runs kh_c run_n"]:
    """View what each column of a kernel stands on, row by row of the output and `run` places at a time."""
    hp, c, wp, n = rows.shape
    to_column, to_channel, to_row = _strides(rows)
    return ndarray(
        (hp - kh + 1, kw, (wp - kw + 1) // run, kh * c, run * n),
        rows.dtype,
        rows,
        strides=(to_row, to_column, run * to_column, to_channel, rows.itemsize),
    )


def _strides(rows: Float[ndarray, "hp c wp n"]) -> tuple[int, int, int]:
    """Return how many bytes it is to the next column, channel and row of contiguous rows.

    ``rows.strides`` will not do: of an axis of size 1, which may be longer in a view, they mean nothing.
    """
    _, c, wp, n = rows.shape
    return n * rows.itemsize, wp * n * rows.itemsize, c * wp * n * rows.itemsize


def _in_runs(y: Float[ndarray, "oh o ow n"], run: int) -> Float[ndarray, "oh runs o run_n"]:
    """View an output as `_under` views what it is computed from."""
    oh, o, ow, n = y.shape
    return y.reshape(oh, o, ow // run, run * n).swapaxes(1, 2)


def _run(places: int, multiply_adds_each: int) -> int:
    """Return how many places of a row to multiply at once, a divisor of their number."""
    return divisor(places, PRODUCT // max(1, multiply_adds_each))
