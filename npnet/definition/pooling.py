"""Pooling, window by window."""

from __future__ import annotations

from itertools import product
from math import ceil, floor

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.definition._pair import Pair, pair
from npnet.shapes import Float


def max_pool2d(
    x: Float[ndarray, "*n c h w"],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Float[ndarray, "*n c out_h out_w"]:
    """Take the maximum of every window.

    y[n,c,p,q] = maxᵢ maxⱼ x[n, c, p·s + i·d − a, q·s + j·d − a]

    with stride s, dilation d and padding a, over the positions inside the image. If the window holds a NaN,
    the maximum is NaN.

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
    kernel_size : int or pair of ints
    stride : int or pair of ints, optional
        The kernel size by default.
    padding, dilation : int or pair of ints
    ceil_mode : bool
        Whether a window may extend beyond the end, provided it starts inside the image or its left or top
        padding.

    Returns
    -------
    y : array, shape (n, c, out_h, out_w), without n if x has none

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 5.,  7.],
            [13., 15.]]])
    """
    check.float_arrays("max_pool2d", x=x)
    if x.ndim == 3:
        image: ndarray = max_pool2d(x[None], kernel_size, stride, padding, dilation, ceil_mode)[0]
        return image
    rows, columns = _pool_windows(x, kernel_size, stride, padding, dilation, ceil_mode)
    y = np.zeros((*x.shape[:2], len(rows), len(columns)), x.dtype)
    for n, c, p, q in np.ndindex(y.shape):
        y[n, c, p, q] = x[n, c, *_place_of_maximum(x[n, c], rows[p], columns[q])]
    return y


def max_pool2d_backward(
    grad_y: Float[ndarray, "*n c out_h out_w"],
    x: Float[ndarray, "*n c h w"],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Float[ndarray, "*n c h w"]:
    """Route each ∂L/∂y to the maximum of its window; the gradients of windows with the same maximum add up.

    Of equal maxima, the first in row-major order of the window gets the gradient; of several NaNs the last
    one does, as in PyTorch.

    Parameters
    ----------
    grad_y : array, shape (n, c, out_h, out_w), without n if x has none
    x : array, shape (n, c, h, w) or (c, h, w)
    kernel_size, stride, padding, dilation, ceil_mode
        As given to ``max_pool2d``.

    Returns
    -------
    grad_x : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d_backward(np.array([[[10.0]]]), np.array([[[1.0, 3.0], [3.0, 2.0]]]), 2)
    array([[[ 0., 10.],
            [ 0.,  0.]]])
    """
    check.float_arrays("max_pool2d_backward", grad_y=grad_y, x=x)
    if x.ndim == 3:
        grad_image: ndarray = max_pool2d_backward(
            grad_y[None], x[None], kernel_size, stride, padding, dilation, ceil_mode
        )[0]
        return grad_image
    rows, columns = _pool_windows(x, kernel_size, stride, padding, dilation, ceil_mode)
    grad_x = np.zeros(x.shape, x.dtype)
    for n, c, p, q in np.ndindex(grad_y.shape):
        grad_x[n, c, *_place_of_maximum(x[n, c], rows[p], columns[q])] += grad_y[n, c, p, q]
    return grad_x


def avg_pool2d(
    x: Float[ndarray, "*n c h w"],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Float[ndarray, "*n c out_h out_w"]:
    """Average every window.

    y[n,c,p,q] = 1/D · Σᵢ Σⱼ x[n, c, p·s + i − a, q·s + j − a]

    with stride s and padding a, over the positions inside the image. D is `divisor_override` if given;
    otherwise it is the number of the window's positions inside the padded image, or, without
    `count_include_pad`, inside the image itself.

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
    kernel_size : int or pair of ints
    stride : int or pair of ints, optional
        The kernel size by default.
    padding : int or pair of ints
    ceil_mode : bool
        Whether a window may extend beyond the end, provided it starts inside the image or its left or top
        padding.
    count_include_pad : bool
    divisor_override : int, optional

    Returns
    -------
    y : array, shape (n, c, out_h, out_w), without n if x has none

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.ones((1, 2, 2)), 2, padding=1)
    array([[[0.25, 0.25],
            [0.25, 0.25]]])
    """
    check.float_arrays("avg_pool2d", x=x)
    if x.ndim == 3:
        image: ndarray = avg_pool2d(
            x[None], kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )[0]
        return image
    inside_rows, inside_columns = _pool_windows(x, kernel_size, stride, padding, 1, ceil_mode)
    counted_rows, counted_columns = inside_rows, inside_columns
    if count_include_pad:
        counted_rows, counted_columns = _pool_windows(
            x, kernel_size, stride, padding, 1, ceil_mode, margin=padding
        )
    y = np.zeros((*x.shape[:2], len(inside_rows), len(inside_columns)), x.dtype)
    for n, c, p, q in np.ndindex(y.shape):
        for row, column in product(inside_rows[p], inside_columns[q]):
            y[n, c, p, q] += x[n, c, row, column]
        y[n, c, p, q] /= divisor_override or len(counted_rows[p]) * len(counted_columns[q])
    return y


def _pool_windows(
    x: ndarray,
    kernel_size: Pair,
    stride: Pair | None,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    margin: Pair = 0,
) -> tuple[list[list[int]], list[list[int]]]:
    """Return the rows of every window and the columns of every window that are inside the image.

    With a margin, positions in the margin around the image count as inside.
    """
    rounded = ceil if ceil_mode else floor
    windows: list[list[list[int]]] = []
    for size, kernel, s, pad, d, m in zip(
        x.shape[2:],
        pair(kernel_size),
        pair(kernel_size if stride is None else stride),
        pair(padding),
        pair(dilation),
        pair(margin),
        strict=True,
    ):
        count = rounded((size + 2 * pad - d * (kernel - 1) - 1) / s) + 1
        if (count - 1) * s - pad >= size:  # ceil_mode: the last window would begin beyond the image
            count -= 1
        positions = [[p * s + k * d - pad for k in range(kernel)] for p in range(count)]
        windows.append([[at for at in window if -m <= at < size + m] for window in positions])
    rows, columns = windows
    return rows, columns


def _place_of_maximum(image: ndarray, rows: list[int], columns: list[int]) -> tuple[int, int]:
    best: tuple[int, int] | None = None
    for place in product(rows, columns):
        if best is None or image[place] > image[best] or np.isnan(image[place]):
            best = place
    assert best is not None, "every window overlaps the image"
    return best
