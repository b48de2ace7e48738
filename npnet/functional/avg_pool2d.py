"""Average-pooling, with windows of a given size or into a given number of windows."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import Backward
from npnet.errors import InputError
from npnet.functional.arguments import Size, images, pooling_window
from npnet.kernels import thresholds
from npnet.kernels.blocks import Part, for_image_blocks
from npnet.kernels.window import Window, reduce_arrays
from npnet.shapes import Float


@quietly
def avg_pool2d(
    x: Float[ndarray, "*n c h w"],
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> tuple[Float[ndarray, "*n c oh ow"], Backward]:
    """Average the pixels under a window: y[n,c,i,j] = (1/m) Σ x̃[n,c,i·s+k,j·s+l] over k, l.

    x̃ is x inside a border of zeros, and m the number of pixels averaged.

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
    ceil_mode : bool
        Whether the last window may extend past the far edge; pixels past it never count in m.
    count_include_pad : bool
        Whether pixels of the border count in m.
    divisor_override : int, optional
        Replaces m; not 0.

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
    Every pixel enters the average of its window with factor 1/m, so it gets that share of the window's
    gradient. A pixel under several windows gets the sum of its shares:
    **grad_x[p] = Σ grad_y/m over the windows that cover p**.

    A sum over a window is a sum over its rows of sums over columns, which takes kh + kw additions instead of
    kh·kw. Backward, its adjoint, distributes the shares along columns and then along rows.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, *Gradient-based learning applied to document recognition* (1998),
    whose subsampling layers average.

    Examples
    --------
    >>> y, backward = avg_pool2d(np.array([[[[1.0, 3.0], [3.0, 5.0]]]]), 2)
    >>> y
    array([[[[3.]]]])
    >>> backward(np.array([[[[8.0]]]]))
    array([[[[2., 2.],
             [2., 2.]]]])
    """
    check.float_arrays("avg_pool2d", x=x)
    batch = images("avg_pool2d", x)
    window = pooling_window("avg_pool2d", batch, kernel_size, stride, padding, 1, ceil_mode)
    check.flag("avg_pool2d", "count_include_pad", count_include_pad)
    divisor_override = checked_divisor("avg_pool2d", divisor_override)
    divisor = window_divisor(window, count_include_pad, divisor_override).astype(x.dtype)  # m: (oh, ow)
    averages = np.empty_like(batch, shape=(*batch.shape[:2], *window.out))  # in the memory layout of x

    def average(part: Part) -> None:
        column_sums = reduce_arrays(np.add, _rows_under(window.pad(batch[part]), window))
        total = reduce_arrays(np.add, _columns_under(column_sums, window), out=averages[part])
        total /= divisor

    for_image_blocks(average, batch)
    y = averages.reshape(*x.shape[:-2], *window.out)

    def backward(grad_y: Float[ndarray, "*n c oh ow"]) -> Float[ndarray, "*n c h w"]:
        check.upstream("avg_pool2d", grad_y, y)
        grad_averages = grad_y.reshape(averages.shape)
        grad_padded = np.zeros_like(batch, shape=(*batch.shape[:2], *window.padded))

        def distribute(part: Part) -> None:
            share = np.divide(grad_averages[part], divisor, out=np.empty_like(averages[part]))
            grad_column_sums = np.zeros_like(share, shape=(*share.shape[:3], grad_padded.shape[3]))
            for column in _columns_under(grad_column_sums, window):
                column += share
            for row in _rows_under(grad_padded[part], window):
                row += grad_column_sums

        with quiet():
            for_image_blocks(distribute, batch)
        return window.crop(grad_padded).reshape(x.shape)

    return y, backward


@quietly
def adaptive_avg_pool2d(
    x: Float[ndarray, "*n c h w"], output_size: int | tuple[int | None, int | None] | None
) -> tuple[Float[ndarray, "*n c oh ow"], Backward]:
    """Average into a given number of windows: row i spans ⌊i·h/oh⌋ to ⌈(i+1)·h/oh⌉, columns likewise.

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
        A minibatch of images, or one.
    output_size : int or pair
        (oh, ow), or one number for both; None keeps the size of the image.

    Returns
    -------
    y : array, shape (n, c, oh, ow) or (c, oh, ow)
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    InputError
        If output_size holds anything but positive integers and None.
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    As in `avg_pool2d`, each of the m pixels of a window gets 1/m of its gradient. Windows overlap where oh
    does not divide h, and the shares of a pixel are added.

    References
    ----------
    Lin, Chen, Yan, *Network in network* (2013), section 3.2, for the case of a single window.

    Examples
    --------
    >>> y, backward = adaptive_avg_pool2d(np.array([[[1.0, 2.0, 6.0]]]), (1, 2))
    >>> y
    array([[[1.5, 4. ]]])
    >>> backward(np.array([[[2.0, 4.0]]]))
    array([[[1., 3., 2.]]])
    """
    check.float_arrays("adaptive_avg_pool2d", x=x)
    batch = images("adaptive_avg_pool2d", x)
    rows, columns = adaptive_spans(output_size, batch.shape[2:])

    averages = np.empty((*batch.shape[:2], len(rows), len(columns)), x.dtype)  # (n, c, oh, ow)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            pixels = batch[:, :, row, column]
            averages[:, :, i, j] = _sum_pixels(pixels) / (pixels.shape[2] * pixels.shape[3])
    y = averages.reshape(*x.shape[:-2], len(rows), len(columns))

    def backward(grad_y: Float[ndarray, "*n c oh ow"]) -> Float[ndarray, "*n c h w"]:
        check.upstream("adaptive_avg_pool2d", grad_y, y)
        grad_averages = grad_y.reshape(averages.shape)
        grad_batch = np.zeros_like(batch)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                m = (row.stop - row.start) * (column.stop - column.start)
                with quiet():
                    grad_batch[:, :, row, column] += grad_averages[:, :, i : i + 1, j : j + 1] / m
        return grad_batch.reshape(x.shape)

    return y, backward


def _sum_pixels(pixels: Float[ndarray, "n c h w"]) -> Float[ndarray, "n c"]:
    """Sum the pixels of each channel; those of a large window in float64."""
    few = pixels.shape[2] * pixels.shape[3] <= thresholds.current.sum_pixels
    dtype = pixels.dtype if few else np.float64
    # One axis after the other, so that NumPy adds whole rows, whatever the memory layout.
    return np.asarray(pixels.sum(axis=2, dtype=dtype).sum(axis=2))


def _rows_under(padded: Float[ndarray, "n c hp wp"], window: Window) -> list[Float[ndarray, "n c oh wp"]]:
    """View the image rows under each row of the windows."""
    return [padded[:, :, span] for span in _spans(window, 0)]


def _columns_under(
    column_sums: Float[ndarray, "n c oh wp"], window: Window
) -> list[Float[ndarray, "n c oh ow"]]:
    """View the sums under each column of the windows."""
    return [column_sums[..., span] for span in _spans(window, 1)]


def _spans(window: Window, axis: int) -> list[slice]:
    """Return the coordinates of each row (axis 0) or each column (axis 1) of all windows."""
    kernel, stride, out = window.kernel[axis], window.stride[axis], window.out[axis]
    return [slice(k, k + (out - 1) * stride + 1, stride) for k in range(kernel)]


def checked_divisor(operation: str, divisor_override: int | None) -> int | None:
    """Return the divisor as an int, or None."""
    if divisor_override is None:
        return None
    divisor = check.integer(operation, "divisor_override", divisor_override)
    if divisor == 0:
        raise InputError(f"{operation}: divisor_override must not be 0, got 0")
    return divisor


def window_divisor(window: Window, count_include_pad: bool, divisor_override: int | None) -> ndarray:
    """Return m, the number of pixels averaged at each position; shape (oh, ow)."""
    if divisor_override is not None:
        return np.full(window.out, divisor_override)
    counts = []
    for size, lead, kernel, step, positions in zip(
        window.image, window.before, window.kernel, window.stride, window.out, strict=True
    ):
        first = step * np.arange(positions) - lead
        border = lead if count_include_pad else 0
        counts.append(np.minimum(first + kernel, size + border) - np.maximum(first, -border))
    total: ndarray = counts[0][:, np.newaxis] * counts[1]
    return total


def checked_output_size(operation: str, value: object) -> int | tuple[int | None, int | None] | None:
    """Return the output size as Python integers: a number, None, or a pair of these."""
    several = value if isinstance(value, tuple | list) else (value,)
    try:
        sizes = [
            None if size is None else check.integer(operation, "output_size", size, least=1)
            for size in several
        ]
    except InputError:
        sizes = []
    if len(sizes) == 1 and not isinstance(value, tuple | list):
        return sizes[0]
    if len(sizes) != 2:
        shown = f"{value!r:.60}" if isinstance(value, tuple | list) else check.described(value)
        raise InputError(
            f"{operation}: output_size must be a positive integer, None or a pair of these, got {shown}"
        )
    return sizes[0], sizes[1]


def adaptive_spans(
    output_size: int | tuple[int | None, int | None] | None, image: tuple[int, ...]
) -> tuple[list[slice], list[slice]]:
    """Return the rows and the columns that each window spans."""
    plain = checked_output_size("adaptive_avg_pool2d", output_size)
    both = plain if isinstance(plain, tuple) else (plain, plain)
    spans = []
    for wanted, size in zip(both, image, strict=True):
        out = size if wanted is None else wanted
        spans.append([slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)])
    return spans[0], spans[1]
