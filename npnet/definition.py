"""The operations as their textbook sums, in plain loops: slow, obvious, and right by reading.

Each function below is its equation, one loop for each index. Nothing is shared with
`npnet.functional`: no unfolding, no windows, no matrix product. So where the two agree, both are right
or both are wrong in different ways at once. Names, arguments and meaning are the same; what is
returned is the output alone. For `linear`, `conv2d` and `max_pool2d` the gradients stand here too: the
same loops once more, each term of the sum sending its gradient back to the numbers it was made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import ceil, exp, floor, log, nan, sqrt

import numpy as np
from jaxtyping import Float, Integer, Shaped
from numpy import ndarray

from npnet.errors import InputError

Pair = int | tuple[int, int]


def linear(
    x: Float[ndarray, "*n in_features"],
    weight: Float[ndarray, "out_features in_features"],
    bias: Float[ndarray, " out_features"] | None = None,
) -> Float[ndarray, "*n out_features"]:
    """Apply an affine map to the last axis: y[n,o] = Σᵢ x[n,i] W[o,i] + b[o].

    Parameters
    ----------
    x : array, shape (*n, in_features)
    weight : array, shape (out_features, in_features)
    bias : array, shape (out_features,), optional

    Returns
    -------
    y : array, shape (*n, out_features)

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), np.array([5.0]))
    array([16.])
    """
    out_features, in_features = weight.shape
    y = np.zeros((*x.shape[:-1], out_features), x.dtype)
    for n in np.ndindex(x.shape[:-1]):
        for o in range(out_features):
            for i in range(in_features):
                y[*n, o] += x[*n, i] * weight[o, i]
            if bias is not None:
                y[*n, o] += bias[o]
    return y


def linear_backward(
    grad_y: Float[ndarray, "*n out_features"],
    x: Float[ndarray, "*n in_features"],
    weight: Float[ndarray, "out_features in_features"],
) -> tuple[ndarray, ndarray, ndarray]:
    """Give each term of ``linear`` its share of ∂L/∂y.

    The term x[n,i] W[o,i] of y[n,o] adds ∂L/∂y[n,o] · W[o,i] to ∂L/∂x[n,i] and ∂L/∂y[n,o] · x[n,i]
    to ∂L/∂W[o,i]; the term b[o] adds ∂L/∂y[n,o] to ∂L/∂b[o].

    Parameters
    ----------
    grad_y : array, shape (*n, out_features)
    x : array, shape (*n, in_features)
    weight : array, shape (out_features, in_features)

    Returns
    -------
    grad_x : array, the shape of x
    grad_weight : array, the shape of weight
    grad_bias : array, shape (out_features,)

    Examples
    --------
    >>> import numpy as np
    >>> linear_backward(np.array([10.0]), np.array([1.0, 2.0]), np.array([[3.0, 4.0]]))
    (array([30., 40.]), array([[10., 20.]]), array([10.]))
    """
    out_features, in_features = weight.shape
    grad_x, grad_weight = np.zeros(x.shape, x.dtype), np.zeros(weight.shape, weight.dtype)
    grad_bias = np.zeros(out_features, weight.dtype)
    for n in np.ndindex(x.shape[:-1]):
        for o in range(out_features):
            for i in range(in_features):
                grad_x[*n, i] += grad_y[*n, o] * weight[o, i]
                grad_weight[o, i] += grad_y[*n, o] * x[*n, i]
            grad_bias[o] += grad_y[*n, o]
    return grad_x, grad_weight, grad_bias


def conv2d(
    x: Float[ndarray, "*n c h w"],
    weight: Float[ndarray, "out_channels c_of_group kh kw"],
    bias: Float[ndarray, " out_channels"] | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Float[ndarray, "*n out_channels out_h out_w"]:
    """Slide every kernel over every image.

    y[n,o,p,q] = b[o] + Σ_c Σᵢ Σⱼ x[n, g·C + c, p·s + i·d − a, q·s + j·d − a] W[o,c,i,j]

    with stride s, dilation d and padding a. Output channel o belongs to group g, which sees the C input
    channels from g·C on; with one group that is all of them. Outside the image x counts as 0.

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
    weight : array, shape (out_channels, c / groups, kh, kw)
    bias : array, shape (out_channels,), optional
    stride, dilation : int or pair of ints
    padding : int, pair of ints, "same" or "valid"
        Rows and columns of zeros on each side. "same" keeps h and w, at stride 1; where the number to
        be added is odd, the extra row or column is the last.
    groups : int

    Returns
    -------
    y : array, shape (n, out_channels, out_h, out_w), without n where x has none

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9.0).reshape(1, 3, 3)
    >>> conv2d(x, np.array([[[[1.0, 0.0], [0.0, 10.0]]]]))
    array([[[40., 51.],
            [73., 84.]]])
    """
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
    """Give each term of ``conv2d`` its share of ∂L/∂y.

    The term x[…] W[…] of y[n,o,p,q] adds ∂L/∂y[n,o,p,q] · W[…] to the gradient of that very x, and
    ∂L/∂y[n,o,p,q] · x[…] to the gradient of that very W; b[o] gets Σ_n Σ_p Σ_q ∂L/∂y[n,o,p,q].

    Parameters
    ----------
    grad_y : array, shape (n, out_channels, out_h, out_w), without n where x has none
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


def max_pool2d(
    x: Float[ndarray, "*n c h w"],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Float[ndarray, "*n c out_h out_w"]:
    """Take the largest number of every window.

    y[n,c,p,q] = maxᵢ maxⱼ x[n, c, p·s + i·d − a, q·s + j·d − a]

    with stride s, dilation d and padding a, over the positions inside the image. A NaN in the window is
    its maximum.

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
    kernel_size : int or pair of ints
    stride : int or pair of ints, optional
        The kernel size unless given.
    padding, dilation : int or pair of ints
    ceil_mode : bool
        Whether a window may reach over the end, as long as it begins inside the image or before it.

    Returns
    -------
    y : array, shape (n, c, out_h, out_w), without n where x has none

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 5.,  7.],
            [13., 15.]]])
    """
    if x.ndim == 3:
        image: ndarray = max_pool2d(x[None], kernel_size, stride, padding, dilation, ceil_mode)[0]
        return image
    rows, columns = _pool_windows(x, kernel_size, stride, padding, dilation, ceil_mode)
    y = np.zeros((*x.shape[:2], len(rows), len(columns)), x.dtype)
    for n, c, p, q in np.ndindex(y.shape):
        y[n, c, p, q] = x[n, c, *_place_of_maximum(x[n, c], rows[p], columns[q])]
    return y


def max_pool2d_backward(
    grad_y: Float[ndarray, "*n c out_h out_w"],
    x: Float[ndarray, "*n c h w"],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Float[ndarray, "*n c h w"]:
    """Send each ∂L/∂y to where the maximum was found; windows that share a maximum add up there.

    Of equal maxima, the first in row-major order of the window gets the gradient; of several NaNs the
    last one does, as in PyTorch.

    Parameters
    ----------
    grad_y : array, shape (n, c, out_h, out_w), without n where x has none
    x : array, shape (n, c, h, w) or (c, h, w)
    kernel_size, stride, padding, dilation, ceil_mode
        As given to ``max_pool2d``.

    Returns
    -------
    grad_x : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d_backward(np.array([[[10.0]]]), np.array([[[1.0, 3.0], [3.0, 2.0]]]), 2)
    array([[[ 0., 10.],
            [ 0.,  0.]]])
    """
    if x.ndim == 3:
        grad_image: ndarray = max_pool2d_backward(
            grad_y[None], x[None], kernel_size, stride, padding, dilation, ceil_mode
        )[0]
        return grad_image
    rows, columns = _pool_windows(x, kernel_size, stride, padding, dilation, ceil_mode)
    grad_x = np.zeros(x.shape, x.dtype)
    for n, c, p, q in np.ndindex(grad_y.shape):
        grad_x[n, c, *_place_of_maximum(x[n, c], rows[p], columns[q])] += grad_y[n, c, p, q]
    return grad_x


def avg_pool2d(
    x: Float[ndarray, "*n c h w"],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Float[ndarray, "*n c out_h out_w"]:
    """Average every window.

    y[n,c,p,q] = 1/D · Σᵢ Σⱼ x[n, c, p·s + i − a, q·s + j − a]

    with stride s and padding a, over the positions inside the image. D is `divisor_override` if given;
    otherwise the number of positions of the window that lie inside the padded image
    (`count_include_pad`) or inside the image itself.

    Parameters
    ----------
    x : array, shape (n, c, h, w) or (c, h, w)
    kernel_size : int or pair of ints
    stride : int or pair of ints, optional
        The kernel size unless given.
    padding : int or pair of ints
    ceil_mode : bool
        Whether a window may reach over the end, as long as it begins inside the image or before it.
    count_include_pad : bool
    divisor_override : int, optional

    Returns
    -------
    y : array, shape (n, c, out_h, out_w), without n where x has none

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.ones((1, 2, 2)), 2, padding=1)
    array([[[0.25, 0.25],
            [0.25, 0.25]]])
    """
    if x.ndim == 3:
        image: ndarray = avg_pool2d(
            x[None], kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )[0]
        return image
    inside_rows, inside_columns = _pool_windows(x, kernel_size, stride, padding, 1, ceil_mode)
    counted = inside_rows, inside_columns
    if count_include_pad:
        counted = _pool_windows(x, kernel_size, stride, padding, 1, ceil_mode, margin=padding)
    y = np.zeros((*x.shape[:2], len(inside_rows), len(inside_columns)), x.dtype)
    for n, c, p, q in np.ndindex(y.shape):
        for row, column in product(inside_rows[p], inside_columns[q]):
            y[n, c, p, q] += x[n, c, row, column]
        y[n, c, p, q] /= divisor_override or len(counted[0][p]) * len(counted[1][q])
    return y


def softmax(x: Float[ndarray, "*n"], dim: int = -1) -> Float[ndarray, "*n"]:
    """Turn scores into probabilities: y[k] = exp(x[k]) / Σⱼ exp(x[j]) along the axis `dim`.

    The largest score m is subtracted first; exp(−m) then stands in the numerator and in the
    denominator and cancels, while nothing overflows.

    Parameters
    ----------
    x : array
    dim : int

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([0.0, np.log(3.0)]))
    array([0.25, 0.75])
    """
    y = np.zeros(x.shape, x.dtype)
    for lane in _lanes(x, dim):
        scores = [float(x[place]) for place in lane]
        m = max(scores)
        total = sum(exp(score - m) for score in scores)
        for place, score in zip(lane, scores, strict=True):
            y[place] = exp(score - m) / total
    return y


def log_softmax(x: Float[ndarray, "*n"], dim: int = -1) -> Float[ndarray, "*n"]:
    """Give the logarithm of softmax: y[k] = x[k] − log Σⱼ exp(x[j]) along the axis `dim`.

    The largest score m is taken out of the sum, log Σⱼ exp(x[j]) = m + log Σⱼ exp(x[j] − m), so that
    nothing overflows.

    Parameters
    ----------
    x : array
    dim : int

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> np.exp(log_softmax(np.array([0.0, np.log(3.0)])))
    array([0.25, 0.75])
    """
    y = np.zeros(x.shape, x.dtype)
    for lane in _lanes(x, dim):
        scores = [float(x[place]) for place in lane]
        m = max(scores)
        log_total = log(sum(exp(score - m) for score in scores))
        for place, score in zip(lane, scores, strict=True):
            y[place] = score - m - log_total
    return y


def nll_loss(
    x: Float[ndarray, "*n"],
    target: Integer[ndarray, "*m"],
    weight: Float[ndarray, " c"] | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Float[ndarray, "*r"]:
    """Charge each example minus the log-probability of its class: loss[n] = −w[t] x[n,t], t = target[n].

    The mean is weighted too: Σₙ loss[n] / Σₙ w[target[n]]. Examples whose target is `ignore_index` have
    loss 0 and are not counted.

    Parameters
    ----------
    x : array, shape (n, c, *d) or (c,)
        Log-probabilities.
    target : array of integers, shape (n, *d) or ()
        The class of each example, 0 … c − 1.
    weight : array, shape (c,), optional
        The weight w of each class, 1 unless given.
    ignore_index : int
    reduction : "none", "mean" or "sum"

    Returns
    -------
    loss : array, shape () or, with reduction "none", the shape of target

    Raises
    ------
    InputError
        If a target is not a class.

    Examples
    --------
    >>> import numpy as np
    >>> x, target = np.array([[-1.0, -2.0], [-3.0, -4.0]]), np.array([0, 1])
    >>> nll_loss(x, target, reduction="none")
    array([1., 4.])
    >>> float(nll_loss(x, target, np.array([1.0, 3.0])))
    3.25
    """
    classes = x.shape[0] if x.ndim == 1 else x.shape[1]
    losses = np.zeros(target.shape, x.dtype)
    weights = 0.0
    for place in np.ndindex(target.shape):
        t = int(target[place])
        if t == ignore_index:
            continue
        if not 0 <= t < classes:
            raise InputError(f"nll_loss: target must be 0 … {classes - 1}, got {t} at {place}")
        w = 1.0 if weight is None else float(weight[t])
        losses[place] = -w * x[*place[:1], t, *place[1:]]
        weights += w
    if reduction == "none":
        return losses
    total = sum(float(loss) for loss in losses.flat)
    if reduction == "mean":
        total = total / weights if weights else nan  # a mean over nothing
    return np.array(total, x.dtype)


def batch_norm(
    x: Float[ndarray, "n c *d"],
    running_mean: Float[ndarray, " c"] | None,
    running_var: Float[ndarray, " c"] | None,
    weight: Float[ndarray, " c"] | None = None,
    bias: Float[ndarray, " c"] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[ndarray, "n c *d"]:
    """Bring every channel to mean 0 and variance 1, then scale and shift it.

    y[n,c,…] = (x[n,c,…] − μ[c]) / √(σ²[c] + ε) · w[c] + b[c]

    In training μ[c] is the mean of channel c's m numbers in the minibatch, 1/m Σ x, and σ²[c] their
    variance, 1/m Σ (x − μ)². The running statistics then move towards μ and towards the unbiased
    m/(m−1) σ² by the fraction `momentum`. Otherwise the running statistics are μ and σ² themselves.

    Parameters
    ----------
    x : array, shape (n, c, *d)
    running_mean, running_var : arrays, shape (c,), or None
        State: updated in place in training.
    weight, bias : arrays, shape (c,), optional
    training : bool
    momentum, eps : float

    Returns
    -------
    y : array, the shape of x

    Raises
    ------
    InputError
        If running statistics are needed and absent, or a channel has a single number to take the
        variance of.

    Examples
    --------
    >>> import numpy as np
    >>> mean, var = np.zeros(1), np.ones(1)
    >>> batch_norm(np.array([[1.0], [3.0]]), mean, var, training=True, eps=0.0)
    array([[-1.],
           [ 1.]])
    >>> mean, var
    (array([0.2]), array([1.1]))
    """
    y = np.zeros(x.shape, x.dtype)
    for c in range(x.shape[1] if x.size else 0):
        places = [(n, c, *d) for n in range(len(x)) for d in np.ndindex(x.shape[2:])]
        m = len(places)
        if training and m == 1:
            raise InputError("batch_norm: x must have more than one number in a channel to train on")
        if training:
            mean = sum(float(x[place]) for place in places) / m
            var = sum((float(x[place]) - mean) ** 2 for place in places) / m
            if running_mean is not None and running_var is not None:
                running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean
                running_var[c] = (1 - momentum) * running_var[c] + momentum * var * m / (m - 1)
        elif running_mean is None or running_var is None:
            raise InputError("batch_norm: running_mean and running_var must be given outside training")
        else:
            mean, var = float(running_mean[c]), float(running_var[c])
        w = 1.0 if weight is None else float(weight[c])
        b = 0.0 if bias is None else float(bias[c])
        for place in places:
            y[place] = (float(x[place]) - mean) / sqrt(var + eps) * w + b
    return y


# ---- where the terms of the sums are ---------------------------------------------------------------

Place = tuple[int, ...]


def _conv2d_terms(
    x: ndarray, weight: ndarray, stride: Pair, padding: Pair | str, dilation: Pair, groups: int
) -> Iterator[tuple[Place, Place, Place]]:
    """Yield for every product in ``conv2d`` the places of its y, its x and its weight."""
    out_channels, c_of_group, kh, kw = weight.shape
    (stride_h, stride_w), (dilation_h, dilation_w) = _pair(stride), _pair(dilation)
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
    """Return how many positions the kernel has, downwards and sideways."""
    sides = _conv2d_padding(padding, dilation, weight.shape[2:])
    out_h, out_w = (
        (size + sum(side) - d * (kernel - 1) - 1) // s + 1
        for size, side, kernel, s, d in zip(
            x.shape[2:], sides, weight.shape[2:], _pair(stride), _pair(dilation), strict=True
        )
    )
    return out_h, out_w


def _conv2d_padding(
    padding: Pair | str, dilation: Pair, kernel: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Return the zeros (before, after) the rows and (before, after) the columns."""
    if padding == "same":
        missing = [d * (k - 1) for d, k in zip(_pair(dilation), kernel, strict=True)]
        return tuple((m // 2, m - m // 2) for m in missing)
    amounts = (0, 0) if isinstance(padding, str) else _pair(padding)
    return tuple((amount, amount) for amount in amounts)


def _pool_windows(
    x: ndarray,
    kernel_size: Pair,
    stride: Pair | None,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    margin: Pair = 0,
) -> tuple[list[list[int]], list[list[int]]]:
    """Return for every window the rows it covers, and the columns, as far as they lie inside.

    Inside means: inside the image, with a margin around it.
    """
    rounded = ceil if ceil_mode else floor
    windows: list[list[list[int]]] = []
    for size, kernel, s, pad, d, m in zip(
        x.shape[2:],
        _pair(kernel_size),
        _pair(kernel_size if stride is None else stride),
        _pair(padding),
        _pair(dilation),
        _pair(margin),
        strict=True,
    ):
        count = rounded((size + 2 * pad - d * (kernel - 1) - 1) / s) + 1
        if (count - 1) * s - pad >= size:  # ceil_mode: the last window would begin beyond the image
            count -= 1
        positions = [[p * s + k * d - pad for k in range(kernel)] for p in range(count)]
        windows.append([[at for at in window if -m <= at < size + m] for window in positions])
    rows, columns = windows
    return rows, columns


def _place_of_maximum(image: ndarray, rows: list[int], columns: list[int]) -> tuple[int, int]:
    best: tuple[int, int] | None = None
    for place in product(rows, columns):
        if best is None or image[place] > image[best] or np.isnan(image[place]):
            best = place
    assert best is not None, "every window overlaps the image"
    return best


def _lanes(x: Shaped[ndarray, "*n"], dim: int) -> Iterator[list[Place]]:
    """Yield the places along the axis `dim`, for every choice of the other indices."""
    if x.ndim == 0:
        yield [()]
        return
    axis = dim % x.ndim
    for others in np.ndindex(x.shape[:axis] + x.shape[axis + 1 :]):
        yield [(*others[:axis], k, *others[axis:]) for k in range(x.shape[axis])]


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
