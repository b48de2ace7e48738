"""Convolution as a sum over its kernel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.definition._pair import Pair, pair
from npnet.shapes import Float

Place = tuple[int, ...]


def conv2d(
    x: Float[ndarray, "*n c h w"],
    weight: Float[ndarray, "out_channels c_of_group kh kw"],
    bias: Float[ndarray, " out_channels"] | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Float[ndarray, "*n out_channels out_h out_w"]:
    """Slide every kernel over every image, and sum the products at each position.

    y[n,o,p,q] = b[o] + Σ_c Σᵢ Σⱼ x[n, g·C + c, p·s + i·d − a, q·s + j·d − a] W[o,c,i,j]

    with stride s, dilation d and padding a. Output channel o belongs to group g, which uses the C input
    channels from g·C on; with one group, these are all channels. Outside the image x is 0.

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
    weight : array, shape (out_channels, c / groups, kh, kw)
    bias : array, shape (out_channels,), optional
    stride, dilation : int or pair of ints
    padding : int, pair of ints, "same" or "valid"
        Rows and columns of zeros on each side. "same" keeps h and w at stride 1; if the number of added rows
        or columns is odd, the extra one comes last.
    groups : int

    Returns
    -------
    y : array, shape (n, out_channels, out_h, out_w), without n if x has none

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9.0).reshape(1, 3, 3)
    >>> conv2d(x, np.array([[[[1.0, 0.0], [0.0, 10.0]]]]))
    array([[[40., 51.],
            [73., 84.]]])
    """
    check.float_arrays("conv2d", x=x, weight=weight, bias=bias, optional=("bias",))
    if x.ndim == 3:
        image: ndarray = conv2d(x[None], weight, bias, stride, padding, dilation, groups)[0]
        return image
    out_h, out_w = _conv2d_size(x, weight, stride, padding, dilation)
    y = np.zeros((len(x), len(weight), out_h, out_w), x.dtype)
    for out, inside, tap in _conv2d_terms(x, weight, stride, padding, dilation, groups):
        y[out] += x[inside] * weight[tap]
    if bias is not None:
        for n, o, p, q in np.ndindex(y.shape):
            y[n, o, p, q] += bias[o]
    return y


def conv2d_backward(
    grad_y: Float[ndarray, "*n out_channels out_h out_w"],
    x: Float[ndarray, "*n c h w"],
    weight: Float[ndarray, "out_channels c_of_group kh kw"],
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the gradients of ``conv2d``, term by term.

    The term x[…] W[…] of y[n,o,p,q] adds ∂L/∂y[n,o,p,q] · W[…] to the gradient of its x, and
    ∂L/∂y[n,o,p,q] · x[…] to the gradient of its W. The gradient of b[o] is Σ_n Σ_p Σ_q ∂L/∂y[n,o,p,q].

    Parameters
    ----------
    grad_y : array, shape (n, out_channels, out_h, out_w), without n if x has none
    x : array, shape (n, c, h, w) or (c, h, w)
    weight : array, shape (out_channels, c / groups, kh, kw)
    stride, padding, dilation, groups
        As given to ``conv2d``.

    Returns
    -------
    grad_x : array, the shape of x
    grad_weight : array, the shape of weight
    grad_bias : array, shape (out_channels,)

    Examples
    --------
    >>> import numpy as np
    >>> x, weight = np.array([[[1.0, 2.0, 3.0]]]), np.array([[[[10.0, 20.0]]]])
    >>> grad_x, grad_weight, grad_bias = conv2d_backward(np.array([[[1.0, 0.5]]]), x, weight)
    >>> grad_x, grad_weight, grad_bias
    (array([[[10., 25., 10.]]]), array([[[[2. , 3.5]]]]), array([1.5]))
    """
    check.float_arrays("conv2d_backward", grad_y=grad_y, x=x, weight=weight)
    if x.ndim == 3:
        grad_x, grad_weight, grad_bias = conv2d_backward(
            grad_y[None], x[None], weight, stride, padding, dilation, groups
        )
        return grad_x[0], grad_weight, grad_bias
    grad_x, grad_weight = np.zeros(x.shape, x.dtype), np.zeros(weight.shape, weight.dtype)
    grad_bias = np.zeros(len(weight), weight.dtype)
    for out, inside, tap in _conv2d_terms(x, weight, stride, padding, dilation, groups):
        grad_x[inside] += grad_y[out] * weight[tap]
        grad_weight[tap] += grad_y[out] * x[inside]
    for n, o, p, q in np.ndindex(grad_y.shape):
        grad_bias[o] += grad_y[n, o, p, q]
    return grad_x, grad_weight, grad_bias


def _conv2d_terms(
    x: ndarray, weight: ndarray, stride: Pair, padding: Pair | str, dilation: Pair, groups: int
) -> Iterator[tuple[Place, Place, Place]]:
    """Yield for every product in ``conv2d`` the indices of its y, its x and its weight."""
    out_channels, c_of_group, kh, kw = weight.shape
    (stride_h, stride_w), (dilation_h, dilation_w) = pair(stride), pair(dilation)
    (top, _), (left, _) = _conv2d_padding(padding, dilation, (kh, kw))
    out_h, out_w = _conv2d_size(x, weight, stride, padding, dilation)
    for n, o, p, q in np.ndindex(len(x), out_channels, out_h, out_w):
        group = o // (out_channels // groups)
        for c, i, j in np.ndindex(c_of_group, kh, kw):
            row, column = p * stride_h + i * dilation_h - top, q * stride_w + j * dilation_w - left
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                yield (n, o, p, q), (n, group * c_of_group + c, row, column), (o, c, i, j)


def _conv2d_size(
    x: ndarray, weight: ndarray, stride: Pair, padding: Pair | str, dilation: Pair
) -> tuple[int, int]:
    """Return the numbers of vertical and horizontal positions of the kernel."""
    sides = _conv2d_padding(padding, dilation, weight.shape[2:])
    out_h, out_w = (
        (size + sum(side) - d * (kernel - 1) - 1) // s + 1
        for size, side, kernel, s, d in zip(
            x.shape[2:], sides, weight.shape[2:], pair(stride), pair(dilation), strict=True
        )
    )
    return out_h, out_w


def _conv2d_padding(
    padding: Pair | str, dilation: Pair, kernel: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Return the padding (top, bottom), (left, right)."""
    if padding == "same":
        missing = [d * (k - 1) for d, k in zip(pair(dilation), kernel, strict=True)]
        return tuple((m // 2, m - m // 2) for m in missing)
    amounts = (0, 0) if isinstance(padding, str) else pair(padding)
    return tuple((amount, amount) for amount in amounts)
