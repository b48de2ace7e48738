"""Two-dimensional convolution."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet import check
from npnet._words import counted
from npnet.errors import InputError
from npnet.functional import _batch_last
from npnet.functional._quiet import quiet, quietly
from npnet.functional._sums import along_first
from npnet.functional._types import BackwardMany
from npnet.functional._window import (
    Padding,
    Size,
    Window,
    channels_last,
    convolution_padding,
    images,
    pair,
    window,
)


@quietly
def conv2d(
    x: Float[ndarray, "*n c h w"],
    weight: Float[ndarray, "o c_per_group kh kw"],
    bias: Float[ndarray, " o"] | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> tuple[Float[ndarray, "*n o oh ow"], BackwardMany]:
    """Slide small kernels over an image: y[n,o,i,j] = b[o] + Σ W[o,c,k,l] x̃[n,c,i·s+k·d,j·s+l·d].

    The sum runs over input channels c and kernel rows and columns k, l; x̃ is x inside a border of zeros,
    s the stride, d the dilation. (Strictly this is a cross-correlation: the kernel is not flipped.)

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
        A minibatch of images, or one.
    weight : array, shape (o, c/groups, kh, kw)
        One kernel for each output channel.
    bias : array, shape (o,), optional
    stride : int or pair
        Pixels from one place of the kernel to the next, vertically and horizontally.
    padding : int, pair, "same" or "valid"
        Width of the border of zeros; "valid" is none, "same" keeps the size (stride 1 only).
    dilation : int or pair
        Pixels from one cell of the kernel to the next.
    groups : int
        Channels are dealt into this many groups, each convolved on its own.

    Returns
    -------
    y : array, shape (n, o, oh, ow) or (o, oh, ow)
        With oh = ⌊(h + padding − dilation·(kh − 1) − 1) / stride⌋ + 1, likewise ow.
    backward : callable
        ``grad_x, grad_weight, grad_bias = backward(grad_y, needs=(True, True, True))``.

    Raises
    ------
    InputError
        If shapes do not fit together, the kernel does not fit into the padded image, groups do not divide
        the channels, or an option is out of range.
    DTypeError
        If the arrays are not all float32 or all float64.

    Notes
    -----
    *Lowering*: write the pixels under the kernel at one place as one column of c·kh·kw numbers, and put
    the columns of all oh·ow places side by side into a matrix X. Then one image's convolution is the
    product **Y = W X**, with W the kernels as rows, and its gradients are those of a linear map
    (see `npnet.functional.linear`; here the columns are the samples, so the sides are exchanged):

    - **grad_W = Σₙ grad_Y Xᵀ**: W[o,·] meets every column, so the sum runs over places, the second index
      of both grad_Y and X; X is turned to bring that index to the inside of the product.
    - **grad_X = Wᵀ grad_Y**: forward summed over W's second index, backward over its first. A pixel stands
      in several columns, once for each cell of the kernel that covered it, and each copy has a gradient of
      its own; the pixel's gradient is their sum. So grad_x adds each cell's row of grad_X onto the pixels
      that the cell covered: the adjoint of lowering.
    - **grad_b = Σ grad_Y** over images and places, as b[o] is added at each of them.

    The columns are kh·kw times the size of x, so they are not kept for backward but made again.

    That is the plain form, `_convolve_plainly`. With stride 1, dilation 1 and one group the columns are
    spared, and y and grad_x come with the batch innermost in memory: see `npnet.functional._batch_last`.

    References
    ----------
    Chellapilla, Puri, Simard, *High performance convolutional neural networks for document processing*
    (2006), for lowering; Dumoulin, Visin, *A guide to convolution arithmetic* (arXiv 1603.07285), for shapes.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> edge = np.array([[[[-1.0, 1.0]]]])
    >>> y, backward = conv2d(x, edge)
    >>> y
    array([[[[1., 1.],
             [1., 1.],
             [1., 1.]]]])
    >>> grad_x, grad_weight, _ = backward(np.ones_like(y))
    >>> grad_x
    array([[[[-1.,  0.,  1.],
             [-1.,  0.,  1.],
             [-1.,  0.,  1.]]]])
    """
    groups = _check_shapes(x, weight, bias, groups)
    batch = images("conv2d", x)
    place = _place(batch, weight, stride, padding, dilation)
    if _is_dense(batch, place, groups):
        y_batch, backward_batch = _batch_last.convolve(batch, weight, bias, place)
    else:
        y_batch, backward_batch = _convolve_plainly(batch, weight, bias, place, groups)
    y = y_batch.reshape(*x.shape[:-3], *y_batch.shape[1:])
    x_shape, batch_shape, form = x.shape, y_batch.shape, check.form(y)

    def backward(
        grad_y: Float[ndarray, "*n o oh ow"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        check.upstream("conv2d", grad_y, form)
        check.needs("conv2d", needs)
        with quiet():
            grad_x, grad_weight, grad_bias = backward_batch(grad_y.reshape(batch_shape), needs)
        return None if grad_x is None else grad_x.reshape(x_shape), grad_weight, grad_bias

    return y, backward


def _convolve_plainly(
    x: Float[ndarray, "n c h w"],
    weight: Float[ndarray, "o c_per_group kh kw"],
    bias: Float[ndarray, " o"] | None,
    place: Window,
    groups: int,
) -> tuple[Float[ndarray, "n o oh ow"], BackwardMany]:
    """Lower, then multiply: what `conv2d` derives, line by line, for any stride, dilation and groups."""
    o = len(weight)
    padded = place.pad(x)  # (n, c, hp, wp)
    kernels = weight.reshape(groups, o // groups, -1)  # (g, o/g, c/g·kh·kw)

    y_rows = kernels @ _columns(padded, place, groups)  # (n, g, o/g, oh·ow)
    if bias is not None:
        y_rows += bias.reshape(groups, o // groups, 1)
    rows_shape = y_rows.shape

    def backward(
        grad_y: Float[ndarray, "n o oh ow"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        grad_rows = grad_y.reshape(rows_shape)  # (n, g, o/g, oh·ow)
        grad_x = grad_weight = grad_bias = None
        if needs[0]:
            grad_columns = kernels.swapaxes(1, 2) @ grad_rows  # (n, g, c/g·kh·kw, oh·ow)
            grad_x = _scatter(grad_columns, place, padded.shape)
        if needs[1]:
            columns = _columns(padded, place, groups)
            grad_weight = along_first(grad_rows @ columns.swapaxes(2, 3)).reshape(weight.shape)
        if needs[2] and bias is not None:
            grad_bias = along_first(grad_rows.sum(axis=3)).reshape(o)
        return grad_x, grad_weight, grad_bias

    return y_rows.reshape(len(x), o, *place.out), backward


def _is_dense(x: Float[ndarray, "n c h w"], place: Window, groups: int) -> bool:
    """Say whether kernels without gaps stand at every pixel, on all channels, which has a faster form."""
    kh, kw = place.kernel
    return (
        len(x) > 0
        and place.stride == place.dilation == (1, 1)
        and groups == 1
        and max(place.before[0], place.after[0]) < kh
        and max(place.before[1], place.after[1]) < kw
    )


def _columns(
    padded: Float[ndarray, "n c hp wp"], place: Window, groups: int
) -> Float[ndarray, "n g c_kh_kw oh_ow"]:
    """Lower images into columns: the pixels under the kernel, for each place it stands in."""
    n, c = padded.shape[:2]
    columns = np.stack(list(place.cells(padded)), axis=2)  # (n, c, kh·kw, oh, ow)
    return columns.reshape(n, groups, c // groups * columns.shape[2], columns.shape[3] * columns.shape[4])


def _scatter(
    grad_columns: Float[ndarray, "n g c_kh_kw oh_ow"], place: Window, padded_shape: tuple[int, ...]
) -> Float[ndarray, "n c h w"]:
    """Add each cell's gradients onto the pixels the cell covered: the adjoint of `_columns`."""
    n, c = padded_shape[:2]
    grad_cells = grad_columns.reshape(n, c, place.kernel[0] * place.kernel[1], *place.out)
    grad_padded = np.zeros(padded_shape, grad_columns.dtype)
    for k, cell in enumerate(place.cells(grad_padded)):
        cell += grad_cells[:, :, k]
    return place.crop(grad_padded)


def _place(batch: ndarray, weight: ndarray, stride: Size, padding: Padding, dilation: Size) -> Window:
    kernel = (weight.shape[2], weight.shape[3])
    steps = pair("conv2d", "stride", stride, least=1)
    spread = pair("conv2d", "dilation", dilation, least=1)
    border = convolution_padding(padding, kernel, steps, spread)
    return window("conv2d", (batch.shape[2], batch.shape[3]), kernel, steps, border, spread)


def _check_shapes(x: ndarray, weight: ndarray, bias: ndarray | None, groups: int) -> int:
    check.float_arrays("conv2d", x=x, weight=weight, bias=bias, optional=("bias",))
    check.axes("conv2d", "weight", weight, (4,), "(o, c/groups, kh, kw)")
    if 0 in weight.shape:
        raise InputError(f"conv2d: weight must have no axis of size 0, got {weight.shape}")
    c, o = images("conv2d", x).shape[1], len(weight)
    groups = check.integer("conv2d", "groups", groups, least=1)
    wanted = weight.shape[1] * groups
    if c != wanted:
        raise InputError(
            f"conv2d: x must have {counted(wanted, 'channel')}, as weight {weight.shape} "
            f"with groups={groups} asks, got shape {x.shape}{channels_last(x, wanted)}"
        )
    if o % groups:
        raise InputError(f"conv2d: groups must divide {o} output channels, got {groups}")
    check.shape("conv2d", "bias", bias, (o,), "for weight of shape {}", weight.shape)
    return groups
