"""Max-pooling without an index of the chosen pixels: maxima forward, their positions only in backward.

Idea: forward takes elementwise maxima of strided views alone, and backward finds each window's first
maximum by comparing the pixels with it again. Windows side by side are pooled along rows and then along
columns, which takes kh + kw passes instead of kh·kw; overlapping windows number their first maximum by a
byte and scatter-add the gradient at its address. Windows side by side always suit, others up to 256 cells;
both run on blocks that stay in the cache, and are bound by memory traffic and by the scatter-add, which adds
one number at a time.

NaN equals nothing, and −∞ may come from the border as well as from a pixel. Where these occur the plain
form, which the caller passes in, takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy import ndarray

from npnet._types import Backward
from npnet.kernels.blocks import Part, for_image_blocks
from npnet.kernels.masks import split_where
from npnet.kernels.window import Window, reduce_arrays
from npnet.shapes import Float, Int, UInt8

__all__ = ()  # for npnet itself, not for users

# The most cells of a window that one byte can number.
MOST_CELLS = 256

Pooling = Callable[[ndarray, Window], tuple[ndarray, Backward]]


def suits(window: Window) -> bool:
    """Say whether windows lie side by side, or have so few cells that a byte numbers them."""
    return prod(window.kernel) <= MOST_CELLS or _side_by_side(window)


def max_pool2d(
    x: Float[ndarray, "n c h w"], window: Window, plain: Pooling
) -> tuple[Float[ndarray, "n c oh ow"], Backward]:
    """Pool images; `plain` computes the same for values that do not suit this form."""
    pool = pool_side_by_side if _side_by_side(window) else pool_overlapping
    return pool(x, window, plain)


def _side_by_side(window: Window) -> bool:
    """Say whether windows neither overlap nor leave the image."""
    return (
        window.stride == window.kernel
        and window.dilation == (1, 1)
        and window.before == window.after == (0, 0)
    )


# ---- windows side by side ------------------------------------------------------------------------------


def pool_side_by_side(
    x: Float[ndarray, "n c h w"], window: Window, plain: Pooling
) -> tuple[Float[ndarray, "n c oh ow"], Backward]:
    """Pool along rows first and then along columns.

    The maximum of a window is the maximum over its rows of each row's maximum. Backward routes the gradient
    of a window to its first row that attains the maximum, and there to the first pixel that does. Each
    pixel belongs to one window at most, so its gradient is written rather than added.
    """
    (oh, ow), (kh, kw) = window.out, window.kernel

    def columns(images: ndarray) -> list[ndarray]:
        return [images[:, :, : oh * kh, l : ow * kw : kw] for l in range(kw)]

    def rows(images: ndarray) -> list[ndarray]:
        return [images[:, :, k::kh] for k in range(kh)]

    y = np.empty_like(x, shape=(*x.shape[:2], oh, ow))

    def forward(part: Part) -> None:
        reduce_arrays(np.maximum, rows(reduce_arrays(np.maximum, columns(x[part]))), out=y[part])

    for_image_blocks(forward, x)

    def backward(grad_y: Float[ndarray, "n c oh ow"]) -> Float[ndarray, "n c h w"]:
        if np.isnan(y.max(initial=-np.inf)):
            return np.asarray(plain(x, window)[1](grad_y))
        upstream = _in_layout_of(y, grad_y)
        covered = (oh * kh, ow * kw) == window.image
        grad_x = np.empty_like(x) if covered else np.zeros_like(x)

        def route(part: Part) -> None:
            row_maxima = reduce_arrays(np.maximum, columns(x[part]))
            grad_row_maxima = np.empty_like(row_maxima)
            _route_to_first(rows(row_maxima), y[part], upstream[part], rows(grad_row_maxima))
            _route_to_first(columns(x[part]), row_maxima, grad_row_maxima, columns(grad_x[part]))

        for_image_blocks(route, x)
        return grad_x

    return y, backward


def _route_to_first(
    cells: Sequence[Float[ndarray, "*n"]],
    largest: Float[ndarray, "*n"],
    upstream: Float[ndarray, "*n"],
    grad_cells: Sequence[Float[ndarray, "*n"]],
) -> None:
    """Route each gradient to the first cell that equals the maximum; the other cells get 0.

    The gradients that are not routed yet are kept in the array of the last cell, which gets what remains.
    """
    last = grad_cells[-1]
    if len(cells) == 1:
        last[...] = upstream
    for cell, grad_cell in zip(cells[:-1], grad_cells[:-1], strict=True):
        split_where(cell == largest, upstream, out=grad_cell, rest=last)
        upstream = last


def _in_layout_of(y: Float[ndarray, "*n"], grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Return grad_y in the memory layout of y, so that both are read in the same order."""
    if grad_y.strides == y.strides:
        return grad_y
    copy = np.empty_like(y)
    copy[...] = grad_y
    return copy


# ---- overlapping windows -------------------------------------------------------------------------------


def pool_overlapping(
    x: Float[ndarray, "n c h w"], window: Window, plain: Pooling
) -> tuple[Float[ndarray, "n c oh ow"], Backward]:
    """Pool windows of up to 256 cells with any stride, padding and dilation.

    Backward counts, for all windows at once, the cells before the first maximum, and adds every gradient at
    the address of that cell in a single call.
    """
    y = np.empty_like(x, shape=(*x.shape[:2], *window.out))

    def forward(part: Part) -> None:
        reduce_arrays(np.maximum, list(window.cells(window.pad(x[part], -np.inf))), out=y[part])

    for_image_blocks(forward, x)
    padded = window.padded != window.image
    if np.isnan(y.max(initial=-np.inf)) or (padded and y.min(initial=0) == -np.inf):
        return plain(x, window)

    def backward(grad_y: Float[ndarray, "n c oh ow"]) -> Float[ndarray, "n c h w"]:
        grad_x = np.empty_like(x)

        def scatter(part: Part) -> None:
            padded = window.pad(x[part], -np.inf)
            addresses = _addresses(_first_maximum(list(window.cells(padded)), y[part]), window, padded.shape)
            grad_padded = np.zeros(padded.shape, x.dtype)
            np.add.at(grad_padded.reshape(-1), addresses.reshape(-1), grad_y[part].reshape(-1))
            grad_x[part] = window.crop(grad_padded)

        for_image_blocks(scatter, x)
        return grad_x

    return y, backward


def _first_maximum(
    cells: Sequence[Float[ndarray, "*n"]], largest: Float[ndarray, "*n"]
) -> UInt8[ndarray, "*n"]:
    """Return the number of the first cell that equals the maximum: how many cells before it do not."""
    if len(cells) == 1:
        return np.zeros_like(largest, np.uint8)
    not_yet = np.asarray(cells[0] != largest)
    number = not_yet.view(np.uint8)
    for cell in cells[1:-1]:
        not_yet = not_yet & (cell != largest)
        number = number + not_yet.view(np.uint8)
    return number


def _addresses(
    number: UInt8[ndarray, "n c oh ow"], window: Window, padded: tuple[int, ...]
) -> Int[ndarray, "n c oh ow"]:
    """Return the index of each window's numbered cell in the flattened padded images."""
    (n, c, hp, wp), (oh, ow), (kh, kw) = padded, window.out, window.kernel
    (sh, sw), (dh, dw) = window.stride, window.dilation
    images = np.arange(n * c).reshape(n, c, 1, 1) * (hp * wp)
    corners = np.add.outer(np.arange(oh) * (sh * wp), np.arange(ow) * sw)
    cells = np.add.outer(np.arange(kh) * (dh * wp), np.arange(kw) * dw)
    addresses: ndarray = images + corners + cells.reshape(-1)[number]
    return addresses
