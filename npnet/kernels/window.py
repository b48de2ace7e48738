"""The geometry of convolution and pooling: a window that slides over an image.

A window has kh·kw *cells*. The pixels under one cell, for all positions of the window, are a strided view
of the image, and `Window.cells` yields these views. Reading them is im2col, or a maximum over the window;
adding into them, in an array of gradients, is the adjoint. Forward and backward of all sliding operations
are loops over these views.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from npnet.errors import InputError
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users

Pair = tuple[int, int]


class Window(NamedTuple):
    """A sliding window on images of one size; pairs are (vertical, horizontal)."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair  # padding above and to the left
    after: Pair  # padding below and to the right
    image: Pair  # h, w
    out: Pair  # number of positions: oh, ow

    @property
    def padded(self) -> Pair:
        """Height and width of the padded image."""
        (top, left), (bottom, right), (h, w) = self.before, self.after, self.image
        return top + h + bottom, left + w + right

    def pad(self, x: Float[ndarray, "n c h w"], fill: float = 0.0) -> Float[ndarray, "n c hp wp"]:
        """Return x inside a border of `fill`, or x itself without padding."""
        if self.padded == self.image:
            return x
        # In the memory layout of x, so that both are read and written in the same order.
        padded = np.full_like(x, fill, shape=(*x.shape[:2], *self.padded))
        self.crop(padded)[...] = x
        return padded

    def crop(self, padded: Float[ndarray, "n c hp wp"]) -> Float[ndarray, "n c h w"]:
        """Return the image without its border: the adjoint of `pad`."""
        (top, left), (h, w) = self.before, self.image
        return padded[:, :, top : top + h, left : left + w]

    def cells(self, padded: Float[ndarray, "n c hp wp"]) -> Iterator[Float[ndarray, "n c oh ow"]]:
        """Yield views of the pixels under each cell (k, l), in row-major order of the window."""
        (oh, ow), (sh, sw), (dh, dw) = self.out, self.stride, self.dilation
        for k in range(self.kernel[0]):
            for l in range(self.kernel[1]):
                yield padded[
                    :,
                    :,
                    k * dh : k * dh + (oh - 1) * sh + 1 : sh,
                    l * dw : l * dw + (ow - 1) * sw + 1 : sw,
                ]


@lru_cache(maxsize=1024)
def place_window(
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

    With `ceil_mode` the quotient is rounded up: the last window may extend past the far edge, as long as it
    begins inside the image or the border before it.
    """
    before, after = padding if isinstance(padding[0], tuple) else (padding, padding)
    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    out, overhang = [], []
    for size, extent, step, lead, trail in zip(image, extents, stride, before, after, strict=True):
        room = size + lead + trail - extent
        positions = (-(-room // step) if ceil_mode else room // step) + 1
        if positions < 1 or (room < 0 and not ceil_mode):
            raise InputError(
                f"{operation}: the kernel with its dilation must fit into the padded image, "
                f"got kernel {tuple(extents)} for an image of {image[0]}×{image[1]} "
                f"padded by {before} before and {after} after"
            )
        if ceil_mode and (positions - 1) * step >= size + lead:
            positions -= 1
        out.append(positions)
        overhang.append(max(0, (positions - 1) * step + extent - size - lead))
    return Window(kernel, stride, dilation, before, (overhang[0], overhang[1]), image, (out[0], out[1]))


def reduce_arrays(
    function: np.ufunc, arrays: Sequence[Float[ndarray, "*n"]], out: Float[ndarray, "*n"] | None = None
) -> Float[ndarray, "*n"]:
    """Reduce several arrays elementwise by a binary function such as ``np.maximum``, from first to last.

    Examples
    --------
    >>> reduce_arrays(np.add, [np.array([1.0]), np.array([2.0]), np.array([4.0])])
    array([7.])
    """
    first, *others = arrays
    if not others:
        result: ndarray = np.positive(first, out=out)
        return result
    total: ndarray = function(first, others[0], out=out)
    for array in others[1:]:
        function(total, array, out=total)
    return total
