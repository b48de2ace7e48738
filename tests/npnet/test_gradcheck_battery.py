"""The gradient checker wherever it may be asked: right gradients pass, planted mistakes do not.

Each function stands with its right backward and with the mistakes made in it, at inputs from 1e-8 to 1e8, far
from 0 with little variation or of that size themselves, and near the edges of its domain.
"""

import math

import numpy as np
import pytest

from npnet import functional as F
from npnet import nn
from npnet.gradcheck import GradcheckError, gradcheck

SIZES = [1e-8, 1e-5, 1e-3, 1.0, 1e2, 1e4, 1e6, 1e8]
SHAPES = [(5,), (4, 3), (2, 3, 4)]


# ---- functions and where to look at them -----------------------------------------------------------


def around(rng, size, shape):
    """Values of a size that vary by 1 around it."""
    return size + rng.standard_normal(shape)


def as_large(rng, size, shape):
    """Positive values as large as `size`."""
    return size * rng.uniform(0.3, 1.7, shape)


def either_sign(rng, size, shape):
    return as_large(rng, size, shape) * rng.choice((-1, 1), shape)


def below_one(rng, size, shape):
    """Values that come near 1 as far as an edge can be told from it, or near 0."""
    edge = min(size, 1 / size) / 4
    return np.where(rng.random(shape) < 0.5, edge * rng.uniform(0.5, 1, shape), 1 - edge)


def elementwise(value, slope):
    return lambda x: (value(x), lambda g: g * slope(x))


def softplus(x):
    return np.logaddexp(0, x)


def logistic(x):
    return F.sigmoid(x)[0]


def over_last_axis(operation):
    return lambda x: operation(x, -1)


def normalised(x, axis, eps=1e-5):
    centred = x - x.mean(axis=axis, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=axis, keepdims=True) + eps)
    return centred / deviation, deviation


def norm(axis):
    def f(x):
        y, s = normalised(x, axis)

        def backward(g):
            return (g - g.mean(axis=axis, keepdims=True) - y * (g * y).mean(axis=axis, keepdims=True)) / s

        return y, backward

    return f


def spread(x):
    d = x - x.mean()
    return np.mean(d**2), lambda g: g * 2 * d / x.size


def length(x):
    size = np.linalg.norm(x)
    return size, lambda g: g * x / size


def strict_entropy(p):
    """Refuse what is no probability, as npnet's losses do."""
    if np.any(p < 0) or np.any(p > 1):
        raise ValueError("p must be from 0 to 1")
    return -p * np.log(p) - (1 - p) * np.log1p(-p), lambda g: g * (np.log1p(-p) - np.log(p))


def bce(p):
    target = np.where(np.arange(p.size).reshape(p.shape) % 2, 0.25, 0.75)
    return F.binary_cross_entropy(p, target)


def square_loss(x):
    return F.mse_loss(x, np.full(x.shape, 10.0 ** np.round(np.log10(np.abs(x).max()))))


def product(x):
    weight = np.linspace(-1, 1, 2 * x.shape[-1]).reshape(2, -1)
    return x @ weight.T, lambda g: g @ weight


RIGHT = {
    "exp": (elementwise(np.exp, np.exp), lambda r, s, n: np.minimum(as_large(r, s, n), 300)),
    "log": (elementwise(np.log, lambda x: 1 / x), as_large),
    "sqrt": (elementwise(np.sqrt, lambda x: 0.5 / np.sqrt(x)), as_large),
    "reciprocal": (elementwise(lambda x: 1 / x, lambda x: -1 / x**2), either_sign),
    "square": (elementwise(lambda x: x**2, lambda x: 2 * x), either_sign),
    "power": (elementwise(lambda x: x**1.5, lambda x: 1.5 * np.sqrt(x)), as_large),
    "log1p": (elementwise(np.log1p, lambda x: 1 / (1 + x)), as_large),
    "arcsin": (elementwise(np.arcsin, lambda x: 1 / np.sqrt((1 - x) * (1 + x))), below_one),
    "arctanh": (elementwise(np.arctanh, lambda x: 1 / ((1 - x) * (1 + x))), below_one),
    "entropy": (strict_entropy, below_one),
    "bce": (bce, below_one),
    "sin": (elementwise(np.sin, np.cos), around),
    "sin of large": (elementwise(np.sin, np.cos), either_sign),
    "tanh": (elementwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2), lambda r, s, n: either_sign(r, min(s, 3), n)),
    "softplus": (elementwise(softplus, logistic), either_sign),
    "sigmoid": (F.sigmoid, lambda r, s, n: either_sign(r, min(s, 20), n)),
    "abs": (elementwise(np.abs, np.sign), either_sign),
    "relu": (F.relu, either_sign),
    "leaky relu": (lambda x: F.leaky_relu(x, 0.1), around),
    "softmax": (over_last_axis(F.softmax), around),
    "log_softmax": (over_last_axis(F.log_softmax), around),
    "batch norm": (norm(0), around),
    "layer norm": (norm(-1), around),
    "variance": (spread, around),
    "variance of large": (spread, either_sign),
    "length": (length, either_sign),
    "mse": (square_loss, around),
    "linear": (product, around),
    "linear of large": (product, either_sign),
    "shifted": (elementwise(lambda x: x + 1e6, np.ones_like), either_sign),
    "cancelling": (elementwise(lambda x: np.sin((x + 1e4) - 1e4), np.cos), lambda r, s, n: r.standard_normal(n)),
}


def inputs():
    for name, (f, draw) in RIGHT.items():
        for i, size in enumerate(SIZES):
            for shape in SHAPES:
                rng = np.random.default_rng([i, len(shape), len(name)])
                yield name, f, draw(rng, size, shape), f"{name}, {size:g}, {shape}"


def counted(f):
    def g(x):
        g.calls += 1
        return f(x)

    g.calls = 0
    return g


def test_right_gradients_raise_no_alarm_anywhere():
    alarms, calls, derivatives, checks = [], 0, 0, 0
    for _, f, x, place in inputs():
        counting = counted(f)
        report = gradcheck(counting, x, raise_error=False)
        checks += 1
        calls += counting.calls
        derivatives += sum(part.elements + part.directions for part in report.inputs)
        if not report.passed or report.kinks:
            alarms.append(f"{place}: {report}")
    assert not alarms, f"{len(alarms)} of {checks}\n" + "\n".join(alarms)
    assert checks >= 700
    assert calls < 20 * derivatives, calls / derivatives  # two where the first step decides
