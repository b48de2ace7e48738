"""Max-pooling."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.functional.arguments import Size, images, pooling_window
from npnet.kernels import max_pool2d as kernel
from npnet.kernels.window import Window
from npnet.shapes import Float


@quietly
def max_pool2d(
    x: Float[ndarray, "*n c h w"],
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Float[ndarray, "*n c oh ow"], Backward]:
    """Keep the largest value under a window: y[n,c,i,j] = max over k, l of x̃[n,c,i·s+k·d,j·s+l·d].

    x̃ is x inside a border of −∞, so that the border never wins.

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
        A minibatch of images, or one.
    kernel_size : int or pair
        Height and width of the window.
    stride : int or pair, optional
        Pixels from one position of the window to the next; by default the size of the window.
    padding : int or pair
        Width of the border, at most half of the window.
    dilation : int or pair
        Pixels from one cell of the window to the next.
    ceil_mode : bool
        Whether the last window may extend past the far edge, so that no pixel is left out.

    Returns
    -------
    y : array, shape (n, c, oh, ow) or (c, oh, ow)
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    InputError
        If the window does not fit into the padded image or an option is out of range.
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    y equals one pixel of its window and does not depend on the others, so that pixel gets the whole of ∂L/∂y.
    Windows that overlap may choose the same pixel, whose gradient is then the sum:
    **grad_x[p] = Σ grad_y over the windows that chose p**.

    Where several pixels are largest, the first in row-major order of the window is chosen, as in PyTorch;
    forward keeps which. A NaN is larger than everything (of several, the last is chosen), so NaN propagates.

    `_max_pool` below is this derivation, line by line. `npnet.kernels.max_pool2d` computes the same faster.

    References
    ----------
    Weng, Ahuja, Huang, *Cresceptron* (1992), introduced it; Goodfellow, Bengio, Courville, *Deep Learning*
    (2016), section 9.3.

    Examples
    --------
    >>> x = np.array([[[[1.0, 3.0], [3.0, 2.0]]]])
    >>> y, backward = max_pool2d(x, 2)
    >>> y
    array([[[[3.]]]])
    >>> backward(np.array([[[[10.0]]]]))
    array([[[[ 0., 10.],
             [ 0.,  0.]]]])
    """
    check.float_arrays("max_pool2d", x=x)
    batch = images("max_pool2d", x)
    window = pooling_window("max_pool2d", batch, kernel_size, stride, padding, dilation, ceil_mode)
    if kernel.suits(window):
        y_batch, backward_batch = kernel.max_pool2d(batch, window, _max_pool)
    else:
        y_batch, backward_batch = _max_pool(batch, window)
    y = y_batch.reshape(*x.shape[:-2], *window.out)

    def backward(grad_y: Float[ndarray, "*n c oh ow"]) -> Float[ndarray, "*n c h w"]:
        check.upstream("max_pool2d", grad_y, y)
        with quiet():
            return backward_batch(grad_y.reshape(y_batch.shape)).reshape(x.shape)

    return y, backward


def _max_pool(x: Float[ndarray, "n c h w"], window: Window) -> tuple[Float[ndarray, "n c oh ow"], Backward]:
    """Visit the cells of the window one by one, and keep the largest so far: the plain form."""
    padded = window.pad(x, -np.inf)
    largest = np.full_like(x, -np.inf, shape=(*x.shape[:2], *window.out))
    chosen = np.zeros_like(largest, dtype=np.min_scalar_type(window.kernel[0] * window.kernel[1]))
    chosen += _first_inside(window)  # the number of the chosen cell
    for k, cell in enumerate(window.cells(padded)):
        better = (cell > largest) | np.isnan(cell)
        np.copyto(largest, cell, where=better)
        np.copyto(chosen, k, where=better)

    def backward(grad_y: Float[ndarray, "n c oh ow"]) -> Float[ndarray, "n c h w"]:
        grad_padded = np.zeros_like(padded)
        for k, cell in enumerate(window.cells(grad_padded)):
            np.add(cell, grad_y, out=cell, where=chosen == k)
        return window.crop(grad_padded)

    return largest, backward


def _first_inside(window: Window) -> ndarray:
    """Return the first cell of each window that lies on the image: the choice where all pixels are −∞."""
    first = [
        np.maximum(0, -(-(lead - step * np.arange(positions)) // gap))
        for lead, step, gap, positions in zip(
            window.before, window.stride, window.dilation, window.out, strict=True
        )
    ]
    cells = first[0][:, np.newaxis] * window.kernel[1] + first[1]
    return cells.astype(np.min_scalar_type(window.kernel[0] * window.kernel[1]))
