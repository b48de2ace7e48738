"""The geometry shared by convolution and pooling: a window that slides over an image.

A window has kh·kw *cells*. For one cell, taken over all places the window stands, the pixels under it are a
strided view of the image: `Window.cells` yields these views. Reading them lowers an image into columns or
finds maxima; adding into them, on an array of gradients, is the adjoint. Forward and backward of all sliding
operations are loops over the same views.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet import check
from npnet.errors import InputError

Pair = tuple[int, int]
Size = int | tuple[int, int]
Padding = int | tuple[int, int] | Literal["same", "valid"]


class Window(NamedTuple):
    """Where a kernel stands on an image of one size; pairs are (vertical, horizontal)."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair  # padding above and to the left
    after: Pair  # padding below and to the right
    image: Pair  # h, w
    out: Pair  # places the window stands in: oh, ow

    @property
    def padded(self) -> Pair:
        """Height and width of an image with its border."""
        (top, left), (bottom, right), (h, w) = self.before, self.after, self.image
        return top + h + bottom, left + w + right

    def pad(self, x: Float[ndarray, "n c h w"], fill: float = 0.0) -> Float[ndarray, "n c hp wp"]:
        """Return x inside a border of `fill`, or x itself when there is no border."""
        if self.padded == self.image:
            return x
        # In the memory layout of x: what is done to both is done along contiguous runs.
        padded = np.full_like(x, fill, shape=(*x.shape[:2], *self.padded))
        self.crop(padded)[...] = x
        return padded

    def crop(self, padded: Float[ndarray, "n c hp wp"]) -> Float[ndarray, "n c h w"]:
        """Return the image inside the border: the adjoint of `pad`."""
        (top, left), (h, w) = self.before, self.image
        return padded[:, :, top : top + h, left : left + w]

    def cells(self, padded: Float[ndarray, "n c hp wp"]) -> Iterator[Float[ndarray, "n c oh ow"]]:
        """Yield, in row-major order of the kernel, the pixels under each of its cells, as views."""
        (oh, ow), (sh, sw), (dh, dw) = self.out, self.stride, self.dilation
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                yield padded[
                    :,
                    :,
                    i * dh : i * dh + (oh - 1) * sh + 1 : sh,
                    j * dw : j * dw + (ow - 1) * sw + 1 : sw,
                ]


@lru_cache(maxsize=1024)
def window(
    operation: str,
    image: Pair,
    kernel: Pair,
    stride: Pair,
    padding: Pair | tuple[Pair, Pair],
    dilation: Pair,
    *,
    ceil_mode: bool = False,
) -> Window:
    """Place a window on an image: out = ⌊(size + padding − dilation·(kernel − 1) − 1) / stride⌋ + 1.

    With `ceil_mode` the quotient is rounded up, so that a window may hang over the far edge, as long as it
    begins inside the image or the border before it.
    """
    before, after = padding if isinstance(padding[0], tuple) else (padding, padding)
    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    out, overhang = [], []
    for size, extent, step, lead, trail in zip(image, extents, stride, before, after, strict=True):
        room = size + lead + trail - extent
        places = (-(-room // step) if ceil_mode else room // step) + 1
        if places < 1 or (room < 0 and not ceil_mode):
            raise InputError(
                f"{operation}: the kernel with its dilation must fit into the padded image, "
                f"got kernel {tuple(extents)} for an image of {image[0]}×{image[1]} "
                f"padded by {before} before and {after} after"
            )
        if ceil_mode and (places - 1) * step >= size + lead:
            places -= 1
        out.append(places)
        overhang.append(max(0, (places - 1) * step + extent - size - lead))
    return Window(kernel, stride, dilation, before, (overhang[0], overhang[1]), image, (out[0], out[1]))


def pair(operation: str, name: str, value: object, *, least: int) -> Pair:
    """Return (vertical, horizontal) from one number for both or from a pair, each at least `least`."""
    plain = size(operation, name, value, least=least)
    return plain if isinstance(plain, tuple) else (plain, plain)


def size(operation: str, name: str, value: object, *, least: int) -> Size:
    """Return one number for both directions, or a pair, as plain Python has them.

    A tuple of one number is that number, as in PyTorch.
    """
    if type(value) is int and value >= least:
        return value
    several = value if isinstance(value, tuple | list) else (value,)
    try:
        numbers = [check.integer(operation, name, number, least=least) for number in several]
    except InputError:
        numbers = []
    if len(numbers) not in (1, 2):
        kind = "a positive integer" if least == 1 else "an integer of at least 0"
        raise InputError(
            f"{operation}: {name} must be {kind} or a pair of them, got {check.described(value)}"
            if not isinstance(value, tuple | list)
            else f"{operation}: {name} must be {kind} or a pair of them, got {value!r:.60}"
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def pooling_size(operation: str, name: str, value: object, *, least: int) -> Size | None:
    """Do the same for a stride of pooling, where None and () stand for the size of the window."""
    if value is None or (isinstance(value, tuple | list) and not value):
        return None
    return size(operation, name, value, least=least)


def convolution_padding(
    padding: Padding, kernel: Pair, stride: Pair, dilation: Pair, operation: str = "conv2d"
) -> tuple[Pair, Pair]:
    """Return the padding before and after; "same" keeps the image's size and puts an odd pixel after."""
    if not isinstance(padding, str):
        both = pair(operation, "padding", padding, least=0)
        return both, both
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        raise InputError(f"{operation}: padding must be a number, a pair, 'same' or 'valid', got {padding!r}")
    if stride != (1, 1):
        raise InputError(f"{operation}: padding='same' needs stride 1, got {stride}")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    before = (total[0] // 2, total[1] // 2)
    return before, (total[0] - before[0], total[1] - before[1])


def images(operation: str, x: ndarray) -> Float[ndarray, "n c h w"]:
    """Return x with a batch axis, which a single image (c, h, w) lacks."""
    if x.ndim not in (3, 4):
        raise InputError(f"{operation}: x must have shape (n, c, h, w) or (c, h, w), got {x.shape}")
    if 0 in x.shape[-3:]:
        raise InputError(f"{operation}: x must have at least one channel and one pixel, got {x.shape}")
    return x if x.ndim == 4 else x[np.newaxis]


def pooling_window(
    operation: str,
    batch: Float[ndarray, "n c h w"],
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
) -> Window:
    """Place a pooling window, whose stride is its size if not given and whose border at most half of that."""
    check.flag(operation, "ceil_mode", ceil_mode)
    kernel = pair(operation, "kernel_size", kernel_size, least=1)
    own = pooling_size(operation, "stride", stride, least=1)
    steps = kernel if own is None else pair(operation, "stride", own, least=1)
    border = pair(operation, "padding", padding, least=0)
    spread = pair(operation, "dilation", dilation, least=1)
    check_border(operation, kernel, border)
    image = (batch.shape[2], batch.shape[3])
    try:
        return window(operation, image, kernel, steps, border, spread, ceil_mode=bool(ceil_mode))
    except InputError as error:
        if batch.shape[3] <= MOST_COLOURS < batch.shape[1]:
            raise InputError(f"{error}; {CHANNELS_LAST}") from None
        raise


# A last axis as short as this may be the colours of an image (and their opacity).
MOST_COLOURS = 4
CHANNELS_LAST = "x looks like (n, h, w, c): write x.transpose(0, 3, 1, 2)"


def check_border(operation: str, kernel: Pair, border: Pair) -> None:
    """Require a border of at most half a window, beyond which a window could lie within it."""
    if any(2 * p > k for p, k in zip(border, kernel, strict=True)):
        raise InputError(
            f"{operation}: padding must be at most half of kernel_size, got padding {border} for {kernel}"
        )


def channels_last(x: ndarray, channels: int) -> str:
    """Say how to turn images around whose channels come last, for a message; nothing if they do not."""
    if x.ndim == 4 and x.shape[3] == channels:
        return f"; {CHANNELS_LAST}"
    if x.ndim == 3 and x.shape[2] == channels:
        return "; x looks like (h, w, c): write x.transpose(2, 0, 1)"
    if x.ndim == 3 and channels == 1:
        return "; if x is (n, h, w), grey images, write x[:, np.newaxis]"
    return ""


def combined(
    function: np.ufunc, cells: Sequence[Float[ndarray, "*n"]], out: Float[ndarray, "*n"] | None = None
) -> Float[ndarray, "*n"]:
    """Return several arrays combined element by element by a function of two, first to last.

    Examples
    --------
    >>> combined(np.add, [np.array([1.0]), np.array([2.0]), np.array([4.0])])
    array([7.])
    """
    total: ndarray = function(cells[0], cells[1], out=out) if cells[1:] else np.positive(cells[0], out=out)
    for cell in cells[2:]:
        function(total, cell, out=total)
    return total
