"""Max-pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from npnet import check
from npnet.functional._elementwise import Part, over_images
from npnet.functional._quiet import quiet, quietly
from npnet.functional._select import move_where
from npnet.functional._types import Backward
from npnet.functional._window import Size, Window, combined, images, pooling_window

# The most cells of a window that can be numbered by a byte.
NUMBERED = 256


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
        Pixels from one place of the window to the next; as large as the window if not given.
    padding : int or pair
        Width of the border, at most half of the window.
    dilation : int or pair
        Pixels from one cell of the window to the next.
    ceil_mode : bool
        Whether a window may hang over the far edge, so that no pixel is left out.

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
    y equals one pixel of its window and no other has a part in it, so that pixel takes the whole of
    ∂L/∂y; windows that overlap may choose the same pixel, whose gradient is then the sum:
    **grad_x[p] = Σ grad_y over the windows that chose p**.

    Where several pixels are largest, the first in row-major order of the window is chosen, as in PyTorch;
    forward keeps which. A NaN is larger than everything (of several, the last is chosen), so NaN propagates.

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
    place = pooling_window("max_pool2d", batch, kernel_size, stride, padding, dilation, ceil_mode)
    pool = _pool_anywhere if prod(place.kernel) <= NUMBERED else _pool_plainly
    if _lie_apart(place):
        pool = _pool_apart
    y_batch, backward_batch = pool(batch, place)
    y = y_batch.reshape(*x.shape[:-2], *place.out)

    def backward(grad_y: Float[ndarray, "*n c oh ow"]) -> Float[ndarray, "*n c h w"]:
        check.upstream("max_pool2d", grad_y, y)
        with quiet():
            return backward_batch(grad_y.reshape(y_batch.shape)).reshape(x.shape)

    return y, backward


def _pool_plainly(
    x: Float[ndarray, "n c h w"], place: Window
) -> tuple[Float[ndarray, "n c oh ow"], Backward]:
    """Go through the cells of the window, remembering the best so far: for windows of every kind."""
    padded = place.pad(x, -np.inf)
    largest = np.full_like(x, -np.inf, shape=(*x.shape[:2], *place.out))
    chosen = np.zeros_like(largest, dtype=np.min_scalar_type(place.kernel[0] * place.kernel[1]))
    chosen += _first_inside(place)  # which cell of the window
    for k, cell in enumerate(place.cells(padded)):
        better = (cell > largest) | np.isnan(cell)
        np.copyto(largest, cell, where=better)
        np.copyto(chosen, k, where=better)

    def backward(grad_y: Float[ndarray, "n c oh ow"]) -> Float[ndarray, "n c h w"]:
        grad_padded = np.zeros_like(padded)
        for k, cell in enumerate(place.cells(grad_padded)):
            np.add(cell, grad_y, out=cell, where=chosen == k)
        return place.crop(grad_padded)

    return largest, backward


def _pool_apart(x: Float[ndarray, "n c h w"], place: Window) -> tuple[Float[ndarray, "n c oh ow"], Backward]:
    """Pool windows that lie side by side, along rows first and then along columns.

    The largest of a window is the largest among those of its rows. On the way back a window's gradient goes
    to the first of its rows that has the maximum, and there to the first pixel that has it; so each window
    is gone through kh + kw times, not kh·kw. A pixel lies under one window at most, so that its gradient is
    written rather than added. NaN equals nothing: where there is one, the plain form takes over.
    """
    (oh, ow), (kh, kw) = place.out, place.kernel

    def columns(images: ndarray) -> list[ndarray]:
        return [images[:, :, : oh * kh, j : ow * kw : kw] for j in range(kw)]

    def rows(images: ndarray) -> list[ndarray]:
        return [images[:, :, i::kh] for i in range(kh)]

    y = np.empty_like(x, shape=(*x.shape[:2], oh, ow))

    def forward(some: Part) -> None:
        combined(np.maximum, rows(combined(np.maximum, columns(x[some]))), out=y[some])

    over_images(forward, x)

    def backward(grad_y: Float[ndarray, "n c oh ow"]) -> Float[ndarray, "n c h w"]:
        if np.isnan(y.max(initial=-np.inf)):
            return np.asarray(_pool_plainly(x, place)[1](grad_y))
        upstream = _laid_out_as(y, grad_y)
        covered = (oh * kh, ow * kw) == place.image
        grad_x = np.empty_like(x) if covered else np.zeros_like(x)

        def some_images(some: Part) -> None:
            of_row = combined(np.maximum, columns(x[some]))
            grad_of_row = np.empty_like(of_row)
            _to_first(rows(of_row), y[some], upstream[some], rows(grad_of_row))
            _to_first(columns(x[some]), of_row, grad_of_row, columns(grad_x[some]))

        over_images(some_images, x)
        return grad_x

    return y, backward


def _pool_anywhere(
    x: Float[ndarray, "n c h w"], place: Window
) -> tuple[Float[ndarray, "n c oh ow"], Backward]:
    """Find the maxima alone going forward, and only on the way back which cell of its window each was.

    Cells are then counted until the first that has the maximum, for all windows at once, and every gradient
    is added at that cell's place in memory by one call. NaN equals nothing, and −∞ may be the border's as
    well as a pixel's: where there is either, the plain form takes over.
    """
    y = np.empty_like(x, shape=(*x.shape[:2], *place.out))

    def forward(some: Part) -> None:
        combined(np.maximum, list(place.cells(place.pad(x[some], -np.inf))), out=y[some])

    over_images(forward, x)
    bordered = place.padded != place.image
    if np.isnan(y.max(initial=-np.inf)) or (bordered and y.min(initial=0) == -np.inf):
        return _pool_plainly(x, place)

    def backward(grad_y: Float[ndarray, "n c oh ow"]) -> Float[ndarray, "n c h w"]:
        grad_x = np.empty_like(x)

        def some_images(some: Part) -> None:
            padded = place.pad(x[some], -np.inf)
            pixels = _pixels(_first(list(place.cells(padded)), y[some]), place, padded.shape)
            grad_padded = np.zeros(padded.shape, x.dtype)
            np.add.at(grad_padded.reshape(-1), pixels.reshape(-1), grad_y[some].reshape(-1))
            grad_x[some] = place.crop(grad_padded)

        over_images(some_images, x)
        return grad_x

    return y, backward


def _first(cells: Sequence[Float[ndarray, "*n"]], largest: Float[ndarray, "*n"]) -> UInt8[ndarray, "*n"]:
    """Return the number of the first array that has the largest element: of those before it, none has."""
    if len(cells) == 1:
        return np.zeros_like(largest, np.uint8)
    passed = np.asarray(cells[0] != largest)
    number = passed.view(np.uint8)
    for cell in cells[1:-1]:
        passed = passed & (cell != largest)
        number = number + passed.view(np.uint8)
    return number


def _pixels(
    number: UInt8[ndarray, "n c oh ow"], place: Window, padded: tuple[int, ...]
) -> Int[ndarray, "n c oh ow"]:
    """Return where in memory, among padded images of a shape, the cell of each window's number is."""
    (n, c, hp, wp), (oh, ow), (kh, kw) = padded, place.out, place.kernel
    (sh, sw), (dh, dw) = place.stride, place.dilation
    images = np.arange(n * c).reshape(n, c, 1, 1) * (hp * wp)
    corners = np.add.outer(np.arange(oh) * (sh * wp), np.arange(ow) * sw)
    cells = np.add.outer(np.arange(kh) * (dh * wp), np.arange(kw) * dw)
    pixels: ndarray = images + corners + cells.reshape(-1)[number]
    return pixels


def _to_first(
    cells: Sequence[Float[ndarray, "*n"]],
    largest: Float[ndarray, "*n"],
    upstream: Float[ndarray, "*n"],
    grad_cells: Sequence[Float[ndarray, "*n"]],
) -> None:
    """Hand each gradient to the first cell that equals the largest: what one does not take, the next may.

    What is left meanwhile is kept in the last one's place, since it takes all that the others did not.
    """
    last = grad_cells[-1]
    if len(cells) == 1:
        last[...] = upstream
    for cell, grad_cell in zip(cells[:-1], grad_cells[:-1], strict=True):
        move_where(cell == largest, upstream, out=grad_cell, rest=last)
        upstream = last


def _laid_out_as(y: Float[ndarray, "*n"], grad_y: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Return grad_y in the memory layout of y, so that both are gone through in one order."""
    if grad_y.strides == y.strides:
        return grad_y
    same = np.empty_like(y)
    same[...] = grad_y
    return same


def _lie_apart(place: Window) -> bool:
    """Say whether windows stand side by side on the image alone."""
    return place.stride == place.kernel and place.dilation == (1, 1) and place.before == place.after == (0, 0)


def _first_inside(place: Window) -> ndarray:
    """Return for each place the first cell that lies on the image: what wins where all pixels are −∞."""
    first = [
        np.maximum(0, -(-(lead - step * np.arange(places)) // spread))
        for lead, step, spread, places in zip(
            place.before, place.stride, place.dilation, place.out, strict=True
        )
    ]
    cells = first[0][:, np.newaxis] * place.kernel[1] + first[1]
    return cells.astype(np.min_scalar_type(place.kernel[0] * place.kernel[1]))
