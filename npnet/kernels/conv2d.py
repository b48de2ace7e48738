"""Convolution with the batch innermost in memory: a few large matrix products on overlapping views.

Idea: stored in the order (h, c, w, n), each row of each channel is one contiguous run over all images, so
the matrix that gives an output row is a view of the input, and im2col is needed along the width at most. It
suits dilation 1 and one group, where the rows and channels under a kernel column lie at equal distances. It
is bound by the matrix products (GEMM) when channels are many, and by memory traffic when they are few.

A vertical stride s is a choice of rows: one output row begins s input rows below the last. A horizontal
stride s cuts the input into s *phases*, the columns q, q + s, q + 2s, …, which are contiguous arrays of their
own; the kernel columns q, q + s, … slide over phase q with stride 1, and the s results are added up. Where
the input is copied into its border of zeros anyway, the phases cost nothing.

An array of shape (n, c, h, w) may be stored in any order of its axes. In the order (h, c, w, n)

- one step to the right is n numbers further, so all positions of an output row, for all images, read one
  contiguous run of the input, whichever column of the kernel they use;
- the rows and channels of a kernel, (kh, c), find their pixels at equal distances from one another.

Lowering along the width alone is the idea of Cho and Brand, *MEC: memory-efficient convolution for deep
neural network* (arXiv 1706.06873); the batch as the innermost axis is from Krizhevsky, *cuda-convnet*
(2012). Elementwise operations and pooling keep the memory order of their input, so nothing is transposed
between two convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from npnet._types import BackwardMany
from npnet.kernels import thresholds
from npnet.kernels.blocks import divisor, fits_cache, image_blocks
from npnet.kernels.pieces import run_pieces
from npnet.kernels.sums import sum_first_axis
from npnet.kernels.window import Pair, Window
from npnet.kernels.workspace import workspace
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users


def suits(x: Float[ndarray, "n c h w"], window: Window, groups: int) -> bool:
    """Say whether the kernel has no gaps and one group, and always overlaps the image."""
    kh, kw = window.kernel
    return (
        len(x) > 0
        and window.dilation == (1, 1)
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
    """Convolve with dilation 1 and one group; y and grad_x have the batch innermost in memory."""
    phases = split_columns(x.transpose(2, 1, 3, 0), window)  # (hp, c, wp/sw, n) each
    y_rows = correlate(phases, weight, bias, window.out, window.stride)  # (oh, o, ow, n)

    def backward(
        grad_y: Float[ndarray, "n o oh ow"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        grad_rows = batch_last(grad_y)  # (oh, o, ow, n)
        grad_x = as_images(_grad_x(grad_rows, weight, window)) if needs[0] else None
        grad_weight = _grad_weight(phases, grad_rows, weight.shape, window.stride) if needs[1] else None
        grad_bias = sum_first_axis(grad_rows.sum(axis=(2, 3))) if needs[2] and bias is not None else None
        return grad_x, grad_weight, grad_bias

    return as_images(y_rows), backward


# ---- memory layout -------------------------------------------------------------------------------------


def batch_last(x: Float[ndarray, "n c h w"]) -> Float[ndarray, "h c w n"]:
    """Return images in the order (h, c, w, n), contiguous; a view if they are stored like that."""
    return pad_rows(x.transpose(2, 1, 3, 0), (0, 0), (0, 0))


def as_images(rows: Float[ndarray, "h c w n"]) -> Float[ndarray, "n c h w"]:
    """View rows as images again."""
    return rows.transpose(3, 1, 0, 2)


def split_columns(rows: Float[ndarray, "h c w n"], window: Window) -> list[Float[ndarray, "hp c _ n"]]:
    """Return the phases of rows inside a border of zeros: the columns q, q + s, q + 2s, … for each q < s."""
    (top, left), bottom, step = window.before, window.after[0], window.stride[1]
    if step == 1:
        return [pad_rows(rows, window.before, window.after)]
    phases = []
    for q in range(min(step, window.kernel[1])):
        first = (q - left) % step  # column of the image
        columns = rows[:, :, first::step]
        before = (left + first) // step
        after = -(-(window.padded[1] - q) // step) - before - columns.shape[2]
        phases.append(pad_rows(columns, (top, before), (bottom, after)))
    return phases


def pad_rows(rows: Float[ndarray, "h c w n"], before: Pair, after: Pair) -> Float[ndarray, "hp c wp n"]:
    """Return rows inside a border of zeros, contiguous; the rows themselves if nothing has to change.

    A negative width cuts off rows or columns.
    """
    if min(*before, *after) < 0:
        (top, left), (bottom, right) = before, after
        rows = rows[
            max(0, -top) : len(rows) + min(0, bottom), :, max(0, -left) : rows.shape[2] + min(0, right)
        ]
        before, after = (max(0, top), max(0, left)), (max(0, bottom), max(0, right))
    if before == after == (0, 0) and rows.flags.c_contiguous:
        return rows
    h, c, w, n = rows.shape
    (top, left), (bottom, right) = before, after
    padded = np.empty((top + h + bottom, c, left + w + right, n), rows.dtype)
    if top or bottom:
        padded[:top] = padded[top + h :] = 0
    if left or right:
        padded[top : top + h, :, :left] = padded[top : top + h, :, left + w :] = 0
    inside = padded[top : top + h, :, left : left + w]
    run_pieces(lambda block: _copy(rows[block], inside[block]), image_blocks(h, rows.size))
    return padded


def _copy(rows: Float[ndarray, "h c w n"], to: Float[ndarray, "h c w n"]) -> None:
    """Copy rows that may be stored in another order."""
    # 16 float32 numbers are one cache line: a transposing copy then reads and writes each line once.
    step = rows.shape[3] if rows.strides[3] == rows.itemsize else 16
    for i in range(0, rows.shape[3], step):
        to[..., i : i + step] = rows[..., i : i + step]


# ---- products ------------------------------------------------------------------------------------------


def correlate(
    phases: Sequence[Float[ndarray, "hp c _ n"]],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, " o"] | None,
    out: Pair,
    stride: Pair = (1, 1),
) -> Float[ndarray, "oh o ow n"]:
    """Slide kernels over rows: in one product for few weights, else in one product for each kernel column."""
    y = np.empty((out[0], len(weight), out[1], phases[0].shape[3]), phases[0].dtype)
    few_weights = weight.shape[3] > 1 and weight.size <= thresholds.current.conv_few_weights
    form = _correlate_lowered if few_weights else _correlate_by_column
    form(phases, weight, None if bias is None else bias.reshape(-1, 1, 1), y, stride)
    return y


def _correlate_lowered(
    phases: Sequence[Float[ndarray, "hp c _ n"]],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, "o 1 1"] | None,
    y: Float[ndarray, "oh o ow n"],
    stride: Pair,
) -> None:
    """y[i] = W (o × kh·kw·c) @ lowered[i·s : i·s+kh] (kh·kw·c × ow·n).

    Lowering (im2col along the width) copies each row kw times, shifted by 0 … kw−1 columns. Then kh lowered
    rows, just as they are stored, are the right-hand matrix of one output row, and the next output row's
    matrix begins s rows further down. With few channels the copy is cheap, and one product over the whole
    kernel is the fastest.
    """
    o, c, kh, kw = weight.shape
    oh, _, ow, n = y.shape
    kernels = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(o, kh * kw * c)
    run = _run_length(ow, weight.size * n)

    def multiply(block: slice) -> None:
        rows = _under(block, kh, stride[0])
        lowered = workspace((rows.stop - rows.start, kw, c, ow, n), y.dtype)
        for l in range(kw):
            column = l // stride[1]
            lowered[:, l] = phases[l % stride[1]][rows, :, column : column + ow]
        columns = _columns(lowered.reshape(len(lowered), kw * c, ow, n), (kh, 1), run, stride[0], ow)[:, 0]
        np.matmul(kernels, columns, out=_in_runs(y[block], run))
        if bias is not None:
            y[block] += bias  # while the block is in the cache

    run_pieces(multiply, fits_cache(oh, stride[0] * kw * c * ow * n * y.itemsize, weight.size * ow * n))


def _correlate_by_column(
    phases: Sequence[Float[ndarray, "hp c _ n"]],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, "o 1 1"] | None,
    y: Float[ndarray, "oh o ow n"],
    stride: Pair,
) -> None:
    """y[i] = Σₗ W[l] (o × kh·c) @ rows[i·s : i·s+kh, :, l : l+ow] (kh·c × ow·n).

    For one column l of the kernel the right-hand matrix is a view of the rows, so nothing is copied. The
    products of the kw columns are added up in blocks of rows that stay in the cache. With many channels these
    additions are few compared with the multiplications.
    """
    o, c, kh, kw = weight.shape
    oh, _, ow, n = y.shape
    kernels = np.ascontiguousarray(weight.transpose(3, 0, 2, 1)).reshape(kw, o, kh * c)
    run = _run_length(ow, o * kh * c * n)

    def multiply(block: slice) -> None:
        rows = _under(block, kh, stride[0])
        columns = [
            _columns(phase[rows], (kh, -(-(kw - q) // stride[1])), run, stride[0], ow)
            for q, phase in enumerate(phases)
        ]
        np.matmul(kernels[0], columns[0][:, 0], out=_in_runs(y[block], run))
        if bias is not None:
            y[block] += bias
        term = workspace(y[block].shape, y.dtype)
        for l in range(1, kw):
            np.matmul(kernels[l], columns[l % stride[1]][:, l // stride[1]], out=_in_runs(term, run))
            y[block] += term

    run_pieces(multiply, fits_cache(oh, o * ow * n * y.itemsize, weight.size * ow * n))


def _grad_x(
    grad_rows: Float[ndarray, "oh o ow n"], weight: Float[ndarray, "o c kh kw"], window: Window
) -> Float[ndarray, "h c w n"]:
    """Slide flipped kernels over the upstream gradient or, without padding, add up shifted terms.

    With a stride, the pixels of each phase, vertically and horizontally, meet the same cells of the kernel.
    """
    if window.stride == (1, 1):
        unpadded = window.before == window.after == (0, 0)
        if unpadded and weight.size <= thresholds.current.conv_few_weights:
            return _grad_x_by_shifts(grad_rows, weight)
        return _grad_x_by_flipping(grad_rows, weight, window.before, window.image)
    (h, w), (sh, sw) = window.image, window.stride
    grad_x = np.empty((h, weight.shape[1], w, grad_rows.shape[3]), grad_rows.dtype)
    for i in range(min(sh, h)):  # the first pixel of a phase
        for j in range(min(sw, w)):
            (p, top), (q, left) = _phase(i, window.before[0], sh), _phase(j, window.before[1], sw)
            phase, cells = grad_x[i::sh, :, j::sw], weight[:, :, p::sh, q::sw]
            size = (len(phase), phase.shape[2])
            phase[...] = _grad_x_by_flipping(grad_rows, cells, (top, left), size) if cells.size else 0
    return grad_x


def _phase(pixel: int, border: int, step: int) -> Pair:
    """Return the phase of a pixel behind a border, and how many pixels of the border are of this phase."""
    return (pixel + border) % step, (pixel + border) // step


def _grad_x_by_flipping(
    grad_rows: Float[ndarray, "oh o ow n"], weight: Float[ndarray, "o c kh kw"], border: Pair, image: Pair
) -> Float[ndarray, "h c w n"]:
    """grad_x[i, j] = Σ W[k, l]ᵀ grad_y[i − k, j − l]: flipping W turns the minus signs into plus signs.

    x[i, j] contributes to y[i − k, j − l] with factor W[k, l], so its gradient is a convolution too. Input
    and output channels are exchanged, since the sum now runs over o. Padding lets the kernels reach the
    first and last pixels.
    """
    (kh, kw), (oh, _, ow, _) = weight.shape[2:], grad_rows.shape
    flipped = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    before = (kh - 1 - border[0], kw - 1 - border[1])
    after = (image[0] + border[0] - oh, image[1] + border[1] - ow)
    return correlate([pad_rows(grad_rows, before, after)], flipped, None, image)


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
        columns = _columns(padded[_under(block, kh, 1)], (kh, 1), run, 1, ow)[:, 0]
        terms = workspace((len(columns), kw * c, ow, n), grad_rows.dtype)
        np.matmul(kernels, columns, out=_in_runs(terms, run))
        for l in range(kw):
            grad_x[block, :, l : l + ow] += terms[:, l * c : (l + 1) * c]

    run_pieces(multiply, fits_cache(h, kw * c * ow * n * grad_rows.itemsize, weight.size * ow * n))
    return grad_x


def _grad_weight(
    phases: Sequence[Float[ndarray, "hp c _ n"]],
    grad_rows: Float[ndarray, "oh o ow n"],
    shape: tuple[int, ...],
    stride: Pair,
) -> Float[ndarray, "o c kh kw"]:
    """Fill in the gradients of the kernel columns that slide over each phase."""
    if stride[1] == 1:
        return _grad_columns(phases[0], grad_rows, shape, stride[0])
    grad = np.empty(shape, grad_rows.dtype)
    for q, rows in enumerate(phases):
        columns = grad[..., q :: stride[1]]
        columns[...] = _grad_columns(rows, grad_rows, columns.shape, stride[0])
    return grad


def _grad_columns(
    rows: Float[ndarray, "hp c wp n"],
    grad_rows: Float[ndarray, "oh o ow n"],
    shape: tuple[int, ...],
    step: int,
) -> Float[ndarray, "o c kh kw"]:
    """grad_W[l] = Σᵢ grad_y[i] (o × ow·n) @ rows[i·s : i·s+kh, :, l : l+ow]ᵀ (ow·n × kh·c).

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
        columns = _columns(
            rows[_under(block, kh, step)], (kh, kw), run, step, ow
        )  # (rows, kw, runs, k, run·n)
        columns = columns.reshape(*columns.shape[:3], k // tile_k, 1, tile_k, run * n)
        grads = _in_runs(grad_rows[block], run)[:, np.newaxis]  # (rows, 1, runs, o, run·n)
        grads = grads.reshape(*grads.shape[:3], 1, o // tile_o, tile_o, run * n)
        sums[block.start] = sum_first_axis((grads @ columns.swapaxes(-1, -2)).sum(axis=2))

    blocks = fits_cache(oh, (ow // run) * kw * k * o * rows.itemsize, kw * k * o * ow * n)
    run_pieces(multiply, blocks)
    total = sums[0]
    for block in blocks[1:]:  # in a fixed order, whichever thread was first
        total += sums[block.start]
    by_column = total.transpose(2, 3, 1, 4, 0).reshape(o, kh, c, kw)
    return np.ascontiguousarray(by_column.swapaxes(1, 2))


# ---- views ---------------------------------------------------------------------------------------------


def _under(block: slice, kh: int, step: int) -> slice:
    """Return the input rows under a kernel of kh rows for a block of output rows."""
    return slice(block.start * step, (block.stop - 1) * step + kh)


def _columns(
    rows: Float[ndarray, "hp c wp n"], kernel: Pair, run: int, step: int, ow: int
) -> Float[ndarray, "oh kw runs kh_c run_n"]:
    """View the pixels under each kernel column, for every step-th row and `run` positions at a time."""
    (hp, c, _, n), (kh, kw) = rows.shape, kernel
    to_column, to_channel, to_row = _strides(rows)
    return ndarray(
        ((hp - kh) // step + 1, kw, ow // run, kh * c, run * n),
        rows.dtype,
        rows,
        strides=(step * to_row, to_column, run * to_column, to_channel, rows.itemsize),
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
