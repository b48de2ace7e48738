"""Two-dimensional convolution."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import BackwardMany
from npnet._words import counted
from npnet.errors import InputError
from npnet.functional.arguments import Padding, Size, channels_last, convolution_padding, images, pair
from npnet.kernels import conv2d as kernel
from npnet.kernels import conv_joined, conv_pixels
from npnet.kernels.sums import sum_first_axis
from npnet.kernels.window import Window, place_window
from npnet.shapes import Float


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

    The sum runs over the input channels c of the group of o, and over kernel rows and columns k, l; x̃ is x
    inside a border of zeros, s the stride, d the dilation. (Strictly this is a
    cross-correlation: the kernel is not flipped.)

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
        A minibatch of images, or one.
    weight : array, shape (o, c/groups, kh, kw)
        One kernel for each output channel.
    bias : array, shape (o,), optional
    stride : int or pair
        Pixels from one position of the kernel to the next, vertically and horizontally.
    padding : int, pair, "same" or "valid"
        Width of the border of zeros; "valid" is none, "same" keeps the size (stride 1 only).
    dilation : int or pair
        Pixels from one cell of the kernel to the next.
    groups : int
        Number of groups the channels are divided into; each group is convolved by itself.

    Returns
    -------
    y : array, shape (n, o, oh, ow) or (o, oh, ow)
        With oh = ⌊(h + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1, likewise ow; "same" keeps h and w.
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
    *Lowering* (im2col): write the pixels under the kernel at one position as a column of c·kh·kw numbers, and
    put the columns of all oh·ow positions side by side into a matrix X. The convolution of one image is then
    the matrix product **Y = W X**, with the kernels as the rows of W, and its gradients are those of a linear
    map (see `npnet.functional.linear`; here samples are columns instead of rows, so the factors swap sides):

    - **grad_W = Σₙ grad_Y Xᵀ**: W[o,·] multiplies every column, so for each image the product sums over
      positions, the second index of both grad_Y and X; Σₙ adds up the images.
    - **grad_X = Wᵀ grad_Y**: forward sums over the second index of W, backward over the first. A pixel
      occurs in several columns, once for each cell of the kernel that covers it, and its gradient is the
      sum over its occurrences. So grad_x adds each row of grad_X to the pixels that its cell covers
      (col2im, the adjoint of lowering).
    - **grad_b = Σ grad_Y** over images and positions, because b[o] is added at each of them.

    The columns are kh·kw times as large as x, so backward computes them again rather than keep them.

    `_convolve` below is this derivation, line by line. With dilation 1 and one group the faster
    `npnet.kernels.conv2d` computes the same without these columns; y and grad_x are then not C-contiguous:
    the batch index varies fastest in memory. For a kernel of one pixel `npnet.kernels.conv_pixels` multiplies
    C-contiguous images of 256 pixels or more as they are, and where weights outweigh pixels
    `npnet.kernels.conv_joined` lowers all images into one matrix.

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
    window = _window(batch, weight, stride, padding, dilation)
    if conv_pixels.suits(batch, window, groups):
        y_batch, backward_batch = conv_pixels.conv2d(batch, weight, bias)
    elif conv_joined.suits(batch, weight, window, groups):
        y_batch, backward_batch = conv_joined.conv2d(batch, weight, bias, window)
    elif kernel.suits(batch, window, groups):
        y_batch, backward_batch = kernel.conv2d(batch, weight, bias, window)
    else:
        y_batch, backward_batch = _convolve(batch, weight, bias, window, groups)
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


def _convolve(
    x: Float[ndarray, "n c h w"],
    weight: Float[ndarray, "o c_per_group kh kw"],
    bias: Float[ndarray, " o"] | None,
    window: Window,
    groups: int,
) -> tuple[Float[ndarray, "n o oh ow"], BackwardMany]:
    """Lower, then multiply: the plain form, for any stride, dilation and number of groups."""
    (n, c), o, (kh, kw), dtype = x.shape[:2], len(weight), window.kernel, x.dtype
    padded = window.pad(x)  # (n, c, hp, wp)
    kernels = weight.reshape(groups, o // groups, -1)  # W: (g, o/g, c/g·kh·kw)

    def lower() -> Float[ndarray, "n g c_kh_kw oh_ow"]:
        """X: the pixels under each cell of the kernel, for all positions."""
        columns = np.stack(list(window.cells(padded)), axis=2)  # (n, c, kh·kw, oh, ow)
        return columns.reshape(n, groups, kernels.shape[2], window.out[0] * window.out[1])

    y = kernels @ lower()  # (n, g, o/g, oh·ow)
    if bias is not None:
        y += bias.reshape(groups, o // groups, 1)
    y_shape = y.shape

    def backward(
        grad_y: Float[ndarray, "n o oh ow"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        grad_y = grad_y.reshape(y_shape)  # (n, g, o/g, oh·ow)
        grad_x = grad_weight = grad_bias = None
        if needs[0]:
            grad_columns = kernels.swapaxes(1, 2) @ grad_y  # (n, g, c/g·kh·kw, oh·ow)
            grad_cells = grad_columns.reshape(n, c, kh * kw, *window.out)
            grad_padded = np.zeros(padded.shape, dtype)
            for k, cell in enumerate(window.cells(grad_padded)):
                cell += grad_cells[:, :, k]  # onto the pixels that this cell covers
            grad_x = window.crop(grad_padded)
        if needs[1]:
            grad_weight = sum_first_axis(grad_y @ lower().swapaxes(2, 3)).reshape(weight.shape)
        if needs[2] and bias is not None:
            grad_bias = sum_first_axis(grad_y.sum(axis=3)).reshape(o)
        return grad_x, grad_weight, grad_bias

    return y.reshape(n, o, *window.out), backward


def _window(batch: ndarray, weight: ndarray, stride: Size, padding: Padding, dilation: Size) -> Window:
    size = (weight.shape[2], weight.shape[3])
    steps = pair("conv2d", "stride", stride, least=1)
    gaps = pair("conv2d", "dilation", dilation, least=1)
    border = convolution_padding(padding, size, steps, gaps)
    return place_window("conv2d", (batch.shape[2], batch.shape[3]), size, steps, border, gaps)


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
