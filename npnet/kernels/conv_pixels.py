"""Convolution with a kernel of one pixel: a linear map of the channels of images as they are stored.

Idea: a C-contiguous image is a matrix of channels by pixels, so the convolution is one matrix product for
each image, and nothing is copied or put into another order. It suits images of some hundred pixels or more;
the products of smaller ones cost less with the batch innermost (`npnet.kernels.conv2d`). It is bound by
memory traffic when channels are few.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy import ndarray

from npnet._types import BackwardMany
from npnet.kernels import thresholds
from npnet.kernels.blocks import fits_cache
from npnet.kernels.pieces import equal_slices, run_pieces
from npnet.kernels.sums import sum_first_axis
from npnet.kernels.window import Window
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users

# The most parts in which threads sum the weight gradient over images; each part takes memory of its own.
MOST_SUMS = 16


def suits(x: Float[ndarray, "n c h w"], window: Window, groups: int) -> bool:
    """Say whether the kernel is one pixel that meets each pixel once, in large C-contiguous images."""
    return (
        len(x) > 0
        and window.kernel == window.stride == (1, 1)
        and window.before == window.after == (0, 0)
        and groups == 1
        and prod(window.image) >= thresholds.current.conv_pixels
        and x.flags.c_contiguous
    )


def conv2d(
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
