"""Mistakes planted in real operations, by the kind they are to be explained as."""

import numpy as np

from npnet import functional as F

RNG = np.random.default_rng(20)


def normal(*shape):
    return RNG.standard_normal(shape)


X, WEIGHT, BIAS = normal(5, 4), normal(3, 4), normal(3)
SQUARE = normal(4, 4)
IMAGES, KERNELS = normal(3, 2, 5, 6), normal(4, 2, 3, 3)
LABELS = np.array([0, 3, 1, 2, 2])
DISTINCT = RNG.permutation(3 * 2 * 36).reshape(3, 2, 6, 6) / 7.0  # no two are equal: no ties


def spoiled(operation, **mistakes):
    """Return an operation whose gradients are spoiled: each by a function of all gradients, grad_y and y.

    The gradients are called by the names of the inputs.
    """

    def wrong(*inputs):
        y, backward = operation(*inputs)

        def wrong_backward(grad_y=1.0):
            found = backward(grad_y)
            grads = list(found) if isinstance(found, tuple) else [found]
            return tuple(
                mistakes[name](grads, grad_y, y, *inputs) if name in mistakes else grad
                for name, grad in zip(NAMES, grads, strict=False)
            )

        return y, wrong_backward

    def named(x, weight=None, bias=None):
        return wrong(*(value for value in (x, weight, bias) if value is not None))

    return named


NAMES = ("x", "weight", "bias")


def linear(**mistakes):
    return spoiled(F.linear, **mistakes), (X, WEIGHT, BIAS)


def square_linear(**mistakes):
    return spoiled(F.linear, **mistakes), (X, SQUARE, normal(4))


def conv(**mistakes):
    return spoiled(lambda x, w, b: F.conv2d(x, w, b, padding=1), **mistakes), (IMAGES, KERNELS, normal(4))


def cube(x):
    return x**3, lambda g: 3 * g * x**2


def sine(x):
    return np.sin(x), lambda g: g * np.cos(x)


def softmax(x):
    return F.softmax(x, 1)


def log_softmax(x):
    return F.log_softmax(x, 1)


def elementwise(operation, mistake, x=X):
    return spoiled(operation, x=mistake), (x,)


def pool(mistake, x=DISTINCT, **options):
    return spoiled(lambda x: F.max_pool2d(x, 2, **options), x=mistake), (x,)


def norm(mistake):
    def operation(x, weight, bias):
        mean, variance = np.zeros(2), np.ones(2)
        return F.batch_norm(x, mean, variance, weight, bias, training=True)

    return spoiled(operation, x=mistake), (IMAGES, normal(2), normal(2))


def mean_of(grad_y):
    return grad_y.mean(axis=(0, 2, 3), keepdims=True)


def deviation(x):
    return np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + 1e-5)


def channels(weight):
    return weight.reshape(1, -1, 1, 1)


def cross_entropy(mistake):
    def operation(x, target):
        value, backward = F.cross_entropy(x, target)
        return value, lambda grad_y: mistake(backward(grad_y), grad_y, x)

    return operation, (X, LABELS)


def one_hot(labels, classes=4):
    return (np.arange(classes) == labels[:, np.newaxis]).astype(float)


def overlapping_overwritten(grads, grad_y, y, x, weight, bias):
    grad = np.zeros((len(x), 2, x.shape[2] + 2, x.shape[3] + 2))
    for i, j in np.ndindex(*y.shape[2:]):
        grad[:, :, i : i + 3, j : j + 3] = np.einsum("no,ockl->nckl", grad_y[:, :, i, j], weight)
    return grad[:, :, 1:-1, 1:-1]


def to_all_of_the_window(grads, grad_y, y, x):
    return np.repeat(np.repeat(grad_y, 2, axis=2), 2, axis=3)


def moved(array, axis, by):
    """Return an array moved along an axis, zeros coming in."""
    grad = np.roll(array, by, axis)
    grad[(slice(None),) * axis + (slice(None, by) if by > 0 else slice(by, None),)] = 0
    return grad


def with_part(array, where, value):
    array = array.copy()
    array[where] = value
    return array


def column_major(array, order):
    """Return the numbers in the memory order of other axes: reshape where transpose was meant."""
    return array.transpose(order).reshape(array.shape)


# The kind, the gradient it is found in, and the operation with its inputs.
PLANTED = {
    "zero": ("weight", linear(weight=lambda g, *_: np.zeros_like(g[1]))),
    "sign": ("weight", linear(weight=lambda g, *_: -g[1])),
    "divided_by_n": ("bias", linear(bias=lambda g, grad_y, *_: grad_y.mean(axis=0))),
    "divided_by_n of a convolution": ("weight", conv(weight=lambda g, *_: g[1] / len(IMAGES))),
    "multiplied_by_n": ("x", cross_entropy(lambda grad, *_: grad * len(X))),
    "twice": ("weight", linear(weight=lambda g, *_: g[1] + g[1])),
    "factor": ("x", elementwise(cube, lambda g, *_: g[0] / 3)),
    "factor_missing of x": ("x", elementwise(cube, lambda g, u, y, x: g[0] / x)),
    "factor_missing of y": ("x", elementwise(F.sigmoid, lambda g, u, y, x: g[0] / y)),
    "factor_missing of the weight": ("x", norm(lambda g, u, y, x, w, b: g[0] / channels(w))),
    "factor_twice": ("x", norm(lambda g, u, y, x, w, b: g[0] * channels(w))),
    "ignores_upstream": ("x", elementwise(F.tanh, lambda g, u, y, x: 1 - y**2)),
    "ignores_upstream of a layer": ("x", linear(x=lambda g, u, y, x, w, b: np.ones_like(u) @ w)),
    "ignores_upstream of a weight": ("weight", linear(weight=lambda g, u, y, x, w, b: np.ones_like(u).T @ x)),
    "upstream_squared": ("x", elementwise(F.relu, lambda g, u, *_: g[0] * u)),
    "upstream_squared in a layer": ("weight", linear(weight=lambda g, u, y, x, *_: (u * u).T @ x)),
    "upstream_absolute": ("weight", linear(weight=lambda g, u, y, x, *_: np.abs(u).T @ x)),
    "upstream_averaged": ("weight", linear(weight=lambda g, u, y, x, *_: (0 * u + u.mean(0)).T @ x)),
    "upstream_centred": ("weight", linear(weight=lambda g, u, y, x, *_: (u - u.mean(0)).T @ x)),
    "upstream_sign": ("weight", linear(weight=lambda g, u, y, x, *_: np.sign(u).T @ x)),
    "upstream_transposed": (
        "weight", (spoiled(F.linear, weight=lambda g, u, y, x, *_: u @ x), (SQUARE, normal(4, 4), normal(4))),
    ),
    "upstream_flipped": ("weight", linear(weight=lambda g, u, y, x, *_: u[::-1].T @ x)),
    "shortcut_twice": ("x", elementwise(F.tanh, lambda g, u, *_: g[0] + u)),
    "applied_twice": ("x", elementwise(F.tanh, lambda g, u, y, x: u * (1 - y**2) ** 2)),
    "transposed": ("weight", square_linear(weight=lambda g, *_: g[1].T)),
    "axes_permuted": ("weight", conv(weight=lambda g, *_: g[1].transpose(0, 1, 3, 2))),
    "reshaped": ("x", conv(x=lambda g, *_: column_major(g[0], (0, 1, 3, 2)))),
    "reshaped channels": ("x", conv(x=lambda g, *_: column_major(g[0], (0, 2, 3, 1)))),
    "exchanged": (
        "weight",
        (
            spoiled(lambda x, a, b: (x @ a @ b, lambda g: (g @ (a @ b).T, x.T @ g @ b.T, (x @ a).T @ g)),
                    weight=lambda g, *_: g[2], bias=lambda g, *_: g[1]),
            (X, SQUARE, normal(4, 4)),
        ),
    ),
    "flipped": ("weight", conv(weight=lambda g, *_: g[1][:, :, ::-1, ::-1])),
    "kernel_flipped": (
        "x",
        conv(x=lambda g, u, y, x, w, b: F.conv2d(x, w[:, :, ::-1, ::-1], b, padding=1)[1](u)[0]),
    ),
    "weight_transposed": ("x", square_linear(x=lambda g, u, y, x, w, b: u @ w.T)),
    "shifted": ("x", conv(x=lambda g, *_: moved(g[0], 3, 1))),
    "shifted up": ("x", conv(x=lambda g, *_: moved(g[0], 2, -1))),
    "shifted pool": ("x", pool(lambda g, *_: moved(moved(g[0], 2, 1), 3, 1))),
    "reordered": ("bias", linear(bias=lambda g, *_: g[2][[1, 2, 0]])),
    "reordered channels": ("weight", conv(weight=lambda g, *_: g[1][[1, 0, 3, 2]])),
    "zero_where": ("x", elementwise(F.tanh, lambda g, u, y, x: g[0] * (x > 0))),
    "gate_missing": ("x", elementwise(F.relu, lambda g, u, *_: u.copy())),
    "gate_inverted": ("x", elementwise(F.relu, lambda g, u, y, x: u * (x < 0))),
    "passes_where_zero": ("x", pool(to_all_of_the_window)),
    "diagonal": ("x", elementwise(softmax, lambda g, u, y, x: u * y * (1 - y))),
    "sum_missing": ("x", elementwise(softmax, lambda g, u, y, x: u * y)),
    "sum_missing of log_softmax": ("x", elementwise(log_softmax, lambda g, u, y, x: u.copy())),
    "wrong_axis": (
        "x", elementwise(softmax, lambda g, u, y, x: y * (u - (u * y).sum(axis=0))),
    ),
    "mean_subtracted": ("weight", linear(weight=lambda g, *_: g[1] - g[1].mean())),
    "mean_subtracted over an axis": ("weight", linear(weight=lambda g, *_: g[1] - g[1].mean(axis=0))),
    "mean_constant": (
        "x", norm(lambda g, u, y, x, w, b: g[0] + channels(w) * mean_of(u) / deviation(x)),
    ),
    "statistics_constant": ("x", norm(lambda g, u, y, x, w, b: u * channels(w) / deviation(x))),
    "variance_constant": (
        "x",
        norm(lambda g, u, y, x, w, b: channels(w) * (u - mean_of(u)) / deviation(x)),
    ),
    "target_missing": ("x", cross_entropy(lambda grad, u, x: u * F.softmax(x, 1)[0] / len(x))),
    "logits_for_probabilities": ("x", cross_entropy(lambda grad, u, x: u * (x - one_hot(LABELS)) / len(x))),
    "sum_over_batch_missing": ("bias", linear(bias=lambda g, u, *_: u[0])),
    "sum_over_batch_missing in a weight": (
        "weight", conv(weight=lambda g, u, y, x, w, b: F.conv2d(x[-1:], w, b, padding=1)[1](u[-1:])[1]),
    ),
    "sample_left_out": ("weight", linear(weight=lambda g, u, y, x, *_: u[:-1].T @ x[:-1])),
    "sum_over_pixels_missing": ("bias", conv(bias=lambda g, u, *_: u[:, :, 0, 0].sum(axis=0))),
    "summed_over_wrong_axis": (
        "bias", (spoiled(F.linear, bias=lambda g, u, *_: u.sum(axis=1)), (SQUARE, SQUARE, normal(4))),
    ),
    "overwritten": ("x", conv(x=overlapping_overwritten)),
    "x_in_place_of_y": ("x", elementwise(F.tanh, lambda g, u, y, x: u * (1 - x**2))),
    "taken_at_y": ("x", elementwise(sine, lambda g, u, y, x: u * np.cos(y))),
    "weight_decay": ("weight", linear(weight=lambda g, u, y, x, w, b: g[1] + 0.1 * w)),
    "shortcut_missing": ("x", elementwise(lambda x: (x + np.tanh(x), lambda g: g * (2 - np.tanh(x) ** 2)),
                                          lambda g, u, y, x: u * (1 - np.tanh(x) ** 2))),
    "constant_added": ("weight", linear(weight=lambda g, *_: g[1] + 0.3)),
    "absolute": ("weight", linear(weight=lambda g, *_: np.abs(g[1]))),
    "clipped": ("weight", linear(weight=lambda g, *_: np.clip(g[1], -0.5, 0.5))),
    "one_slice, the last row of the batch": ("x", linear(x=lambda g, *_: with_part(g[0], -1, 0.0))),
    "one_slice, one channel": ("x", norm(lambda g, *_: with_part(g[0], (slice(None), 1), -g[0][:, 1]))),
    "one_slice, a border": ("x", conv(x=lambda g, *_: with_part(g[0], (..., -1), 0.0))),
    "one_slice, one element": ("weight", linear(weight=lambda g, *_: with_part(g[1], (1, 2), 9.0))),
    "zero_in_places": ("x", linear(x=lambda g, *_: with_part(g[0], ([0, 1, 2], [0, 1, 2]), 0.0))),
}  # fmt: skip

# Gradients that have not the shape of their array.
SHAPES = {
    "sum_over_batch_missing": ("bias", linear(bias=lambda g, u, *_: u)),
    "sum_over_batch_missing and over pixels": ("bias", conv(bias=lambda g, u, *_: u)),
    "transposed": ("weight", linear(weight=lambda g, *_: g[1].T)),
    "shape": ("bias", linear(bias=lambda g, *_: g[2][np.newaxis])),
    "anothers": ("weight", linear(weight=lambda g, *_: g[0])),
}
