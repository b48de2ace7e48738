"""Average-pooling, over windows of a given size or into a given number of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.functional._elementwise import Part, over_images
from npnet.functional._quiet import quiet, quietly
from npnet.functional._types import Backward
from npnet.functional._window import Size, Window, combined, images, pooling_window


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
        Pixels from one place of the window to the next; as large as the window if not given.
    padding : int or pair
        Width of the border, at most half of the window.
    ceil_mode : bool
        Whether a window may hang over the far edge; what hangs over never counts in m.
    count_include_pad : bool
        Whether pixels of the border count in m.
    divisor_override : int, optional
        Takes the place of m; not 0.

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
    Every pixel under a window has a part in its average with factor 1/m, so each takes that share of the
    window's gradient, and a pixel under several windows takes the sum of its shares:
    **grad_x[p] = Σ grad_y/m over the windows that cover p**.

    Pixels are added up along one axis and then along the other, so that each window takes kh + kw steps, not
    kh·kw; and so are shares dealt out.

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
    place = pooling_window("avg_pool2d", batch, kernel_size, stride, padding, 1, ceil_mode)
    check.flag("avg_pool2d", "count_include_pad", count_include_pad)
    divisor_override = checked_divisor("avg_pool2d", divisor_override)
    divisor = _divisor(place, count_include_pad, divisor_override).astype(x.dtype)  # (oh, ow)
    averages = np.empty_like(batch, shape=(*batch.shape[:2], *place.out))  # in the memory layout of x

    def average(some: Part) -> None:
        of_row = combined(np.add, _under(place.pad(batch[some]), place, 2))
        total = combined(np.add, _under(of_row, place, 3), out=averages[some])
        total /= divisor

    over_images(average, batch)
    y = averages.reshape(*x.shape[:-2], *place.out)

    def backward(grad_y: Float[ndarray, "*n c oh ow"]) -> Float[ndarray, "*n c h w"]:
        check.upstream("avg_pool2d", grad_y, y)
        grad_averages = grad_y.reshape(averages.shape)
        grad_padded = np.zeros_like(batch, shape=(*batch.shape[:2], *place.padded))

        def share_out(some: Part) -> None:
            share = np.divide(grad_averages[some], divisor, out=np.empty_like(averages[some]))
            grad_of_row = np.zeros_like(share, shape=(*share.shape[:3], grad_padded.shape[3]))
            for column in _under(grad_of_row, place, 3):
                column += share
            for row in _under(grad_padded[some], place, 2):
                row += grad_of_row

        with quiet():
            over_images(share_out, batch)
        return place.crop(grad_padded).reshape(x.shape)

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
        (oh, ow), or one number for both; None keeps the image's own size.

    Returns
    -------
    y : array, shape (n, c, oh, ow) or (c, oh, ow)
    backward : callable
        ``grad_x = backward(grad_y)``.

    Raises
    ------
    InputError
        If output_size is not made of positive integers or None.
    DTypeError
        If x is not a float32 or float64 array.

    Notes
    -----
    As in `avg_pool2d`, each of the m pixels of a window takes 1/m of its gradient; windows overlap where
    oh does not divide h, and the shares of a pixel add up.

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
    rows, columns = _adaptive_spans(output_size, batch.shape[2:])

    averages = np.empty((*batch.shape[:2], len(rows), len(columns)), x.dtype)  # (n, c, oh, ow)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            under = batch[:, :, row, column]
            averages[:, :, i, j] = _sum_of_pixels(under) / (under.shape[2] * under.shape[3])
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


# So many pixels may be added up in float32.
FEW_PIXELS = 64


def _sum_of_pixels(under: Float[ndarray, "n c h w"]) -> Float[ndarray, "n c"]:
    """Add up the pixels of each channel: of large windows in float64."""
    exact = under.dtype if under.shape[2] * under.shape[3] <= FEW_PIXELS else np.float64
    # One axis after the other: NumPy then adds whole rows, in whatever order they stand in memory.
    return np.asarray(under.sum(axis=2, dtype=exact).sum(axis=2))


def _under(
    padded: Float[ndarray, "n c hp wp"], place: Window, axis: int
) -> list[Float[ndarray, "n c _h _w"]]:
    """View what lies under each row of the windows, for axis 2, or under each column, for axis 3."""
    kernel, stride, out = (pair[axis - 2] for pair in (place.kernel, place.stride, place.out))
    spans = [slice(k, k + (out - 1) * stride + 1, stride) for k in range(kernel)]
    return [padded[:, :, span] if axis == 2 else padded[..., span] for span in spans]


def checked_divisor(operation: str, divisor_override: int | None) -> int | None:
    """Return the divisor as an int; None is absent."""
    if divisor_override is None:
        return None
    divisor = check.integer(operation, "divisor_override", divisor_override)
    if divisor == 0:
        raise InputError(f"{operation}: divisor_override must not be 0, got 0")
    return divisor


def _divisor(place: Window, count_include_pad: bool, divisor_override: int | None) -> ndarray:
    """Return how many pixels are averaged at each place, shape (oh, ow)."""
    if divisor_override is not None:
        return np.full(place.out, divisor_override)
    counts = []
    for size, lead, kernel, step, places in zip(
        place.image, place.before, place.kernel, place.stride, place.out, strict=True
    ):
        first = step * np.arange(places) - lead
        border = lead if count_include_pad else 0
        counts.append(np.minimum(first + kernel, size + border) - np.maximum(first, -border))
    total: ndarray = counts[0][:, np.newaxis] * counts[1]
    return total


def checked_output_size(operation: str, value: object) -> int | tuple[int | None, int | None] | None:
    """Return how many windows are wanted as plain Python has it: a number, None, or a pair of these."""
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


def _adaptive_spans(
    output_size: int | tuple[int | None, int | None] | None, image: tuple[int, ...]
) -> tuple[list[slice], list[slice]]:
    """Return the rows and the columns each window spans."""
    plain = checked_output_size("adaptive_avg_pool2d", output_size)
    both = plain if isinstance(plain, tuple) else (plain, plain)
    spans = []
    for wanted, size in zip(both, image, strict=True):
        out = size if wanted is None else wanted
        spans.append([slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)])
    return spans[0], spans[1]
