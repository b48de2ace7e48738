"""Convolution of few pixels and many channels: lowering with the positions of all images side by side.

Idea: the columns of im2col for all images form one matrix, so each direction is one large product that
reads the weights once. It suits layers whose weights outweigh their pixels, such as the last ones of a deep
network; elsewhere the columns, kh·kw times as large as x, would cost more than they save. It is bound by the
matrix products, which read or write every weight in memory.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy import ndarray

from npnet._types import BackwardMany
from npnet.kernels import thresholds
from npnet.kernels.matmul import matmul
from npnet.kernels.sums import sum_first_axis
from npnet.kernels.window import Window
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users


def suits(
    x: Float[ndarray, "n c h w"], weight: Float[ndarray, "o c_per_group kh kw"], window: Window, groups: int
) -> bool:
    """Say whether there is one group, and many weights for each position of the kernel."""
    positions = len(x) * prod(window.out)
    return groups == 1 and 0 < positions * thresholds.current.conv_joined <= weight.size


def conv2d(
    x: Float[ndarray, "n c h w"],
    weight: Float[ndarray, "o c kh kw"],
    bias: Float[ndarray, " o"] | None,
    window: Window,
) -> tuple[Float[ndarray, "n o oh ow"], BackwardMany]:
    """Convolve with one group; y and grad_x have the batch innermost in memory."""
    (n, c), o, dtype = x.shape[:2], len(weight), x.dtype
    padded = window.pad(x)
    kernels = weight.reshape(o, -1)  # W: (o, c·kh·kw)
    shape = c, prod(window.kernel), *window.out, n

    def lower() -> Float[ndarray, "c_kh_kw oh_ow_n"]:
        """X: the pixels under each cell of the kernel, for all positions in all images."""
        columns = np.empty(shape, dtype)
        for k, cell in enumerate(window.cells(padded)):
            columns[:, k] = _batch_last(cell)
        return columns.reshape(kernels.shape[1], -1)

    y = matmul(kernels, lower())
    if bias is not None:
        y += bias[:, np.newaxis]

    def backward(
        grad_y: Float[ndarray, "n o oh ow"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        grads = np.ascontiguousarray(_batch_last(grad_y)).reshape(o, -1)
        grad_x = grad_weight = grad_bias = None
        if needs[0]:
            grad_cells = matmul(kernels.T, grads).reshape(shape)
            grad_padded = np.zeros((c, *window.padded, n), dtype).transpose(3, 0, 1, 2)
            for k, cell in enumerate(window.cells(grad_padded)):
                cell += grad_cells[:, k].transpose(3, 0, 1, 2)
            grad_x = window.crop(grad_padded)
        if needs[1]:
            grad_weight = matmul(grads, lower().T).reshape(weight.shape)
        if needs[2] and bias is not None:
            grad_bias = sum_first_axis(grads.T)
        return grad_x, grad_weight, grad_bias

    return y.reshape(o, *window.out, n).transpose(3, 0, 1, 2), backward


def _batch_last(images: Float[ndarray, "n c h w"]) -> Float[ndarray, "c h w n"]:
    return images.transpose(1, 2, 3, 0)
