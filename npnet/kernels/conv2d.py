"""Convolution with the batch innermost in memory: a few large matrix products on overlapping views.

Idea: stored in the order (h, c, w, n), each row of each channel is one contiguous run over all images, so
the matrix that gives an output row is a view of the input, and im2col is needed along the width at most. It
suits stride 1, dilation 1 and one group, where all positions of an output row share one contiguous run. It
is bound by the matrix products (GEMM) when channels are many, and by memory traffic when they are few.

An array of shape (n, c, h, w) may be stored in any order of its axes. In the order (h, c, w, n)

- one step to the right is n numbers further, so all positions of an output row, for all images, read one
  contiguous run of the input, whichever column of the kernel they use;
- the rows and channels of a kernel, (kh, c), find their pixels at equal distances from one another.

A kernel of one pixel on C-contiguous images needs none of this, unless the images are tiny: see
`_convolve_pixels`.

Lowering along the width alone is the idea of Cho and Brand, *MEC: memory-efficient convolution for deep
neural network* (arXiv 1706.06873); the batch as the innermost axis is from Krizhevsky, *cuda-convnet*
(2012). Elementwise operations and pooling keep the memory order of their input, so nothing is transposed
between two convolutions.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy import ndarray

from npnet._types import BackwardMany
from npnet.kernels import thresholds
from npnet.kernels.blocks import divisor, fits_cache
from npnet.kernels.pieces import equal_slices, run_pieces
from npnet.kernels.sums import sum_first_axis
from npnet.kernels.window import Pair, Window
from npnet.kernels.workspace import workspace
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users

# The most parts in which threads sum the weight gradient over images; each part takes memory of its own.
MOST_SUMS = 16


def suits(x: Float[ndarray, "n c h w"], window: Window, groups: int) -> bool:
    """Say whether the kernel has stride 1, no gaps and one group, and always overlaps the image."""
    kh, kw = window.kernel
    return (
        len(x) > 0
        and window.stride == window.dilation == (1, 1)
        and groups == 1
        and max(window.before[0], window.after[0]) < kh
        and max(window.before[1], window.after[1]) < kw
    )


def conv2d(
    x: Float[ndarray, "n c h w"],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, " o"] | None,
    window: Window,
) -> tuple[Float[ndarray, "n o oh ow"], BackwardMany]:
    """Convolve with stride 1, dilation 1 and one group; y and grad_x have the batch innermost in memory.

    Kernels of one pixel leave C-contiguous images as they are, unless the images are tiny.
    """
    worth_a_product = prod(window.image) >= thresholds.current.conv_pixels
    if window.kernel == (1, 1) and worth_a_product and x.flags.c_contiguous:  # `suits` admits no border here
        return _convolve_pixels(x, weight, bias)
    rows = pad_rows(x.transpose(2, 1, 3, 0), window.before, window.after)  # (hp, c, wp, n)
    y_rows = correlate(rows, weight, bias)  # (oh, o, ow, n)

    def backward(
        grad_y: Float[ndarray, "n o oh ow"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        grad_rows = batch_last(grad_y)  # (oh, o, ow, n)
        grad_x = as_images(_grad_x(grad_rows, weight, window)) if needs[0] else None
        grad_weight = _grad_weight(rows, grad_rows, weight.shape) if needs[1] else None
        grad_bias = sum_first_axis(grad_rows.sum(axis=(2, 3))) if needs[2] and bias is not None else None
        return grad_x, grad_weight, grad_bias

    return as_images(y_rows), backward


def _convolve_pixels(
    x: Float[ndarray, "n c h w"], weight: Float[ndarray, "o c 1 1"], bias: Float[ndarray, " o"] | None
) -> tuple[Float[ndarray, "n o h w"], BackwardMany]:
    """Y = W (o × c) @ X (c × h·w), for each image: kernels of one pixel are a linear map of its channels.

    C-contiguous images are the right-hand matrices just as they are stored, so nothing is copied, and the
    gradients are those of a linear map: grad_X = Wᵀ grad_Y, grad_W = Σ grad_Y Xᵀ over images.
    """
    (n, c, h, w), o = x.shape, len(weight)
    kernels, pixels = weight.reshape(o, c), x.reshape(n, c, h * w)
    y = _map_channels(kernels, pixels, None if bias is None else bias.reshape(o, 1))

    def backward(
        grad_y: Float[ndarray, "n o h w"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        grads = grad_y.reshape(n, o, h * w)
        grad_x = _map_channels(kernels.T, grads, None).reshape(x.shape) if needs[0] else None
        grad_weight = _grad_pixel_weight(grads, pixels).reshape(weight.shape) if needs[1] else None
        grad_bias = sum_first_axis(grads.sum(axis=2)) if needs[2] and bias is not None else None
        return grad_x, grad_weight, grad_bias

    return y.reshape(n, o, h, w), backward


def _map_channels(
    matrix: Float[ndarray, "o c"], images: Float[ndarray, "n c hw"], bias: Float[ndarray, "o 1"] | None
) -> Float[ndarray, "n o hw"]:
    """Multiply the channels of every image by a matrix, in blocks of images that stay in the cache."""
    (n, c, hw), o = images.shape, len(matrix)
    out = np.empty((n, o, hw), images.dtype)

    def multiply(block: slice) -> None:
        np.matmul(matrix, images[block], out=out[block])
        if bias is not None:
            out[block] += bias

    run_pieces(multiply, fits_cache(n, (c + o) * hw * images.itemsize))
    return out


def _grad_pixel_weight(
    grads: Float[ndarray, "n o hw"], pixels: Float[ndarray, "n c hw"]
) -> Float[ndarray, "o c"]:
    """grad_W = Σ grad_Y Xᵀ over images, added in float64."""
    pieces = equal_slices(len(grads), min(len(grads), MOST_SUMS))
    sums = np.zeros((len(pieces), grads.shape[1], pixels.shape[1]))

    def multiply(piece: slice) -> None:
        total = sums[pieces.index(piece)]
        for i in range(piece.start, piece.stop):
            total += grads[i] @ pixels[i].T

    run_pieces(multiply, pieces)
    return np.asarray(sums.sum(axis=0), grads.dtype)


# ---- memory layout -------------------------------------------------------------------------------------


def batch_last(x: Float[ndarray, "n c h w"]) -> Float[ndarray, "h c w n"]:
    """Return images in the order (h, c, w, n), contiguous; a view if they are stored like that."""
    return pad_rows(x.transpose(2, 1, 3, 0), (0, 0), (0, 0))


def as_images(rows: Float[ndarray, "h c w n"]) -> Float[ndarray, "n c h w"]:
    """View rows as images again."""
    return rows.transpose(3, 1, 0, 2)


def pad_rows(rows: Float[ndarray, "h c w n"], before: Pair, after: Pair) -> Float[ndarray, "hp c wp n"]:
    """Return rows inside a border of zeros, contiguous; the rows themselves if nothing has to change."""
    if before == after == (0, 0) and rows.flags.c_contiguous:
        return rows
    h, c, w, n = rows.shape
    (top, left), (bottom, right) = before, after
    padded = np.empty((top + h + bottom, c, left + w + right, n), rows.dtype)
    if top or bottom:
        padded[:top] = padded[top + h :] = 0
    if left or right:
        padded[top : top + h, :, :left] = padded[top : top + h, :, left + w :] = 0
    _copy(rows, padded[top : top + h, :, left : left + w])
    return padded


def _copy(rows: Float[ndarray, "h c w n"], to: Float[ndarray, "h c w n"]) -> None:
    """Copy rows that may be stored in another order."""
    # 16 float32 numbers are one cache line: a transposing copy then reads and writes each line once.
    step = rows.shape[3] if rows.strides[3] == rows.itemsize else 16
    for i in range(0, rows.shape[3], step):
        to[..., i : i + step] = rows[..., i : i + step]


# ---- products ------------------------------------------------------------------------------------------


def correlate(
    rows: Float[ndarray, "hp c wp n"], weight: Float[ndarray, "o c kh kw"], bias: Float[ndarray, " o"] | None
) -> Float[ndarray, "oh o ow n"]:
    """Slide kernels over rows: in one product for few weights, else in one product for each kernel column."""
    (hp, _, wp, n), (o, _, kh, kw) = rows.shape, weight.shape
    y = np.empty((hp - kh + 1, o, wp - kw + 1, n), rows.dtype)
    few_weights = weight.size <= thresholds.current.conv_few_weights
    form = _correlate_lowered if few_weights else _correlate_by_column
    form(rows, weight, None if bias is None else bias.reshape(-1, 1, 1), y)
    return y


def _correlate_lowered(
    rows: Float[ndarray, "hp c wp n"],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, "o 1 1"] | None,
    y: Float[ndarray, "oh o ow n"],
) -> None:
    """y[i] = W (o × kh·kw·c) @ lowered[i : i+kh] (kh·kw·c × ow·n).

    Lowering (im2col along the width) copies each row kw times, shifted by 0 … kw−1 columns. Then kh lowered
    rows, just as they are stored, are the right-hand matrix of one output row, and the next output row's
    matrix begins one row further down. With few channels the copy is cheap, and one product over the whole
    kernel is the fastest.
    """
    o, c, kh, kw = weight.shape
    oh, _, ow, n = y.shape
    kernels = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(o, kh * kw * c)
    run = _run_length(ow, weight.size * n)

    def multiply(block: slice) -> None:
        block_rows = rows[block.start : block.stop + kh - 1]
        lowered = workspace((len(block_rows), kw, c, ow, n), rows.dtype)
        lowered[...] = _shifted(block_rows, kw)
        columns = _columns(lowered.reshape(len(lowered), kw * c, ow, n), kh, 1, run)[:, 0]
        np.matmul(kernels, columns, out=_in_runs(y[block], run))
        if bias is not None:
            y[block] += bias  # while the block is in the cache

    run_pieces(multiply, fits_cache(oh, kw * c * ow * n * rows.itemsize))


def _correlate_by_column(
    rows: Float[ndarray, "hp c wp n"],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, "o 1 1"] | None,
    y: Float[ndarray, "oh o ow n"],
) -> None:
    """y[i] = Σₗ W[l] (o × kh·c) @ rows[i : i+kh, :, l : l+ow] (kh·c × ow·n).

    For one column l of the kernel the right-hand matrix is a view of the rows, so nothing is copied. The
    products of the kw columns are added up in blocks of rows that stay in the cache. With many channels these
    additions are few compared with the multiplications.
    """
    o, c, kh, kw = weight.shape
    oh, _, ow, n = y.shape
    kernels = np.ascontiguousarray(weight.transpose(3, 0, 2, 1)).reshape(kw, o, kh * c)
    run = _run_length(ow, o * kh * c * n)

    def multiply(block: slice) -> None:
        columns = _columns(rows[block.start : block.stop + kh - 1], kh, kw, run)
        np.matmul(kernels[0], columns[:, 0], out=_in_runs(y[block], run))
        if bias is not None:
            y[block] += bias
        term = workspace(y[block].shape, rows.dtype)
        for l in range(1, kw):
            np.matmul(kernels[l], columns[:, l], out=_in_runs(term, run))
            y[block] += term

    run_pieces(multiply, fits_cache(oh, o * ow * n * rows.itemsize))


def _grad_x(
    grad_rows: Float[ndarray, "oh o ow n"], weight: Float[ndarray, "o c kh kw"], window: Window
) -> Float[ndarray, "h c w n"]:
    """Slide flipped kernels over the upstream gradient or, without padding, add up shifted terms."""
    unpadded = window.before == window.after == (0, 0)
    if unpadded and weight.size <= thresholds.current.conv_few_weights:
        return _grad_x_by_shifts(grad_rows, weight)
    return _grad_x_by_flipping(grad_rows, weight, window)


def _grad_x_by_flipping(
    grad_rows: Float[ndarray, "oh o ow n"], weight: Float[ndarray, "o c kh kw"], window: Window
) -> Float[ndarray, "h c w n"]:
    """grad_x[i, j] = Σ W[k, l]ᵀ grad_y[i − k, j − l]: flipping W turns the minus signs into plus signs.

    x[i, j] contributes to y[i − k, j − l] with factor W[k, l], so its gradient is a convolution too. Input
    and output channels are exchanged, since the sum now runs over o. Padding lets the kernels reach the
    first and last pixels.
    """
    (top, left), (bottom, right) = window.before, window.after
    kh, kw = window.kernel
    flipped = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    before, after = (kh - 1 - top, kw - 1 - left), (kh - 1 - bottom, kw - 1 - right)
    return correlate(pad_rows(grad_rows, before, after), flipped, None)


def _grad_x_by_shifts(
    grad_rows: Float[ndarray, "oh o ow n"], weight: Float[ndarray, "o c kh kw"]
) -> Float[ndarray, "h c w n"]:
    """grad_x[i, :, l : l+ow] += W[l]ᵀ (c × kh·o) @ grad_y[i−kh+1 : i+1] (kh·o × ow·n), for each l.

    The adjoint of the sum over kernel columns: one product computes the gradients of all columns, and each
    is added to the pixels that its column read. Only rows are padded. Flipped kernels would also multiply
    zeros at both ends of each row, which for 5×5 on a small image is half of their work.
    """
    o, c, kh, kw = weight.shape
    oh, _, ow, n = grad_rows.shape
    h, w = oh + kh - 1, ow + kw - 1
    kernels = np.ascontiguousarray(weight[:, :, ::-1].transpose(3, 1, 2, 0)).reshape(kw * c, kh * o)
    padded = pad_rows(grad_rows, (kh - 1, 0), (kh - 1, 0))
    grad_x = np.zeros((h, c, w, n), grad_rows.dtype)
    run = _run_length(ow, weight.size * n)

    def multiply(block: slice) -> None:
        columns = _columns(padded[block.start : block.stop + kh - 1], kh, 1, run)[:, 0]
        terms = workspace((len(columns), kw * c, ow, n), grad_rows.dtype)
        np.matmul(kernels, columns, out=_in_runs(terms, run))
        for l in range(kw):
            grad_x[block, :, l : l + ow] += terms[:, l * c : (l + 1) * c]

    run_pieces(multiply, fits_cache(h, kw * c * ow * n * grad_rows.itemsize))
    return grad_x


def _grad_weight(
    rows: Float[ndarray, "hp c wp n"], grad_rows: Float[ndarray, "oh o ow n"], shape: tuple[int, ...]
) -> Float[ndarray, "o c kh kw"]:
    """grad_W[l] = Σᵢ grad_y[i] (o × ow·n) @ rows[i : i+kh, :, l : l+ow]ᵀ (ow·n × kh·c).

    The products for every row i and column l are one batched product of views, which is then summed over
    rows. It is tiled over channels, because OpenBLAS computes A Bᵀ quickly only when the result is small.
    """
    o, c, kh, kw = shape
    oh, _, ow, n = grad_rows.shape
    k = kh * c
    tile_o = divisor(o, 32)
    tile_k = divisor(k, thresholds.current.conv_results // tile_o)
    run = _run_length(ow, tile_o * tile_k * n)
    sums: dict[int, ndarray] = {}  # by first row of the block: (kw, k/tile_k, o/tile_o, tile_o, tile_k)

    def multiply(block: slice) -> None:
        columns = _columns(rows[block.start : block.stop + kh - 1], kh, kw, run)  # (rows, kw, runs, k, run·n)
        columns = columns.reshape(*columns.shape[:3], k // tile_k, 1, tile_k, run * n)
        grads = _in_runs(grad_rows[block], run)[:, np.newaxis]  # (rows, 1, runs, o, run·n)
        grads = grads.reshape(*grads.shape[:3], 1, o // tile_o, tile_o, run * n)
        sums[block.start] = sum_first_axis((grads @ columns.swapaxes(-1, -2)).sum(axis=2))

    blocks = fits_cache(oh, (ow // run) * kw * k * o * rows.itemsize)
    run_pieces(multiply, blocks)
    total = sums[0]
    for block in blocks[1:]:  # in a fixed order, whichever thread was first
        total += sums[block.start]
    by_column = total.transpose(2, 3, 1, 4, 0).reshape(o, kh, c, kw)
    return np.ascontiguousarray(by_column.swapaxes(1, 2))


# ---- views ---------------------------------------------------------------------------------------------


def _shifted(rows: Float[ndarray, "hp c wp n"], kw: int) -> Float[ndarray, "hp kw c ow n"]:
    """View the rows kw times, shifted by 0 … kw−1 columns."""
    hp, c, wp, n = rows.shape
    to_column, to_channel, to_row = _strides(rows)
    return ndarray(
        (hp, kw, c, wp - kw + 1, n),
        rows.dtype,
        rows,
        strides=(to_row, to_column, to_channel, to_column, rows.itemsize),
    )


def _columns(
    rows: Float[ndarray, "hp c wp n"], kh: int, kw: int, run: int
) -> Float[ndarray, "oh kw runs kh_c run_n"]:
    """View the pixels under each kernel column, for each output row and `run` positions at a time."""
    hp, c, wp, n = rows.shape
    to_column, to_channel, to_row = _strides(rows)
    return ndarray(
        (hp - kh + 1, kw, (wp - kw + 1) // run, kh * c, run * n),
        rows.dtype,
        rows,
        strides=(to_row, to_column, run * to_column, to_channel, rows.itemsize),
    )


def _strides(rows: Float[ndarray, "hp c wp n"]) -> tuple[int, int, int]:
    """Return the strides in bytes of the columns, channels and rows of contiguous rows.

    ``rows.strides`` is no substitute: NumPy may store any stride for an axis of size 1.
    """
    _, c, wp, n = rows.shape
    return n * rows.itemsize, wp * n * rows.itemsize, c * wp * n * rows.itemsize


def _in_runs(y: Float[ndarray, "oh o ow n"], run: int) -> Float[ndarray, "oh runs o run_n"]:
    """View an output in the runs of positions that `_columns` uses."""
    oh, o, ow, n = y.shape
    return y.reshape(oh, o, ow // run, run * n).swapaxes(1, 2)


def _run_length(positions: int, multiply_adds_each: int) -> int:
    """Return how many positions of a row to multiply at once: a divisor of their number."""
    return divisor(positions, thresholds.current.conv_product // max(1, multiply_adds_each))
