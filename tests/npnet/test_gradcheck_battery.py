"""The gradient checker wherever it may be asked: right gradients pass, planted mistakes do not.

Each function stands with its right backward and with the mistakes made in it, at inputs from 1e-8 to 1e8, far
from 0 with little variation or of that size themselves, and near the edges of its domain.
"""

import numpy as np
import pytest

from npnet import functional as F
from npnet.gradcheck import GradcheckError, gradcheck

# Without the checks of shapes, which would take most of the time of these thousands of checks.
pytestmark = pytest.mark.usefixtures("bare")

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


def square_target(x):
    return np.full(x.shape, 10.0 ** np.round(np.log10(np.abs(x).max())))


def square_loss(x):
    return F.mse_loss(x, square_target(x))


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
    "tanh": (
        elementwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        lambda r, s, n: either_sign(r, min(s, 3), n),
    ),
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
    "cancelling": (
        elementwise(lambda x: np.sin((x + 1e4) - 1e4), np.cos),
        lambda r, s, n: r.standard_normal(n),
    ),
}


def inputs(name, shapes=tuple(SHAPES)):
    f, draw = RIGHT[name]
    for i, size in enumerate(SIZES):
        for shape in shapes:
            rng = np.random.default_rng([i, len(shape), len(name)])
            yield f, draw(rng, size, shape), f"{name} at {size:g}, {shape}"


def counted(f):
    def g(x):
        g.calls += 1
        return f(x)

    g.calls = 0
    return g


@pytest.mark.parametrize("name", RIGHT)
def test_right_gradients_raise_no_alarm_anywhere(name):
    alarms, calls, derivatives = [], 0, 0
    for f, x, place in inputs(name):
        counting = counted(f)
        report = gradcheck(counting, x, raise_error=False)
        calls += counting.calls
        derivatives += sum(part.elements + part.directions for part in report.inputs)
        if not report.passed or report.kinks:
            alarms.append(f"{place}: {report}")
    assert not alarms, "\n".join(alarms)
    assert calls <= 20 * derivatives  # two where the first step decides, some thirty where none does


# ---- mistakes --------------------------------------------------------------------------------------


def spoiled(f, spoil):
    """Return f with its gradient spoiled."""

    def wrong(x):
        y, backward = f(x)
        return y, lambda g: spoil(np.array(backward(g)))

    return wrong


def one_element(factor):
    def spoil(grad):
        grad.flat[np.abs(grad).argmax()] *= factor
        return grad

    return spoil


def one_missing(grad):
    grad.flat[np.abs(grad).argmax()] = 0
    return grad


ANYWHERE = {
    "1 % too large": lambda grad: 1.01 * grad,
    "1 ‰ too large": lambda grad: 1.001 * grad,
    "of the wrong sign": lambda grad: -grad,
    "twice as large": lambda grad: 2 * grad,
    "nothing": np.zeros_like,
    "1 % off in one element": one_element(0.99),
    "the wrong sign in one element": one_element(-1),
    "one element missing": one_missing,
    "in another order": lambda grad: np.roll(grad, 1),
}


def unshared(f, where):
    """Return f with a backward that forgets a part of the gradient: `where` says what is left."""
    return lambda x: (f(x)[0], lambda g: where(x, f(x)[0], g))


def scale_of_norm(x, axis):
    return normalised(x, axis)[1]


FORGETFUL = {
    "batch norm, mean held constant": (
        unshared(norm(0), lambda x, y, g: (g - y * (g * y).mean(axis=0)) / scale_of_norm(x, 0)),
        around,
    ),
    "batch norm, variance held constant": (
        unshared(norm(0), lambda x, y, g: (g - g.mean(axis=0)) / scale_of_norm(x, 0)),
        around,
    ),
    "layer norm, mean held constant": (
        unshared(
            norm(-1),
            lambda x, y, g: (g - y * (g * y).mean(axis=-1, keepdims=True)) / scale_of_norm(x, -1),
        ),
        around,
    ),
    "softmax, other classes forgotten": (
        unshared(over_last_axis(F.softmax), lambda x, y, g: g * y * (1 - y)),
        around,
    ),
    "log_softmax, sum forgotten": (
        unshared(over_last_axis(F.log_softmax), lambda x, y, g: g * (1 - np.exp(y))),
        around,
    ),
    "mse, mean forgotten": (unshared(square_loss, lambda x, y, g: g * 2 * (x - square_target(x))), around),
    "linear, transposed": (
        lambda x: (x.reshape(-1, 2) @ SKEW, lambda g: (g @ SKEW).reshape(x.shape)),
        lambda r, s, n: around(r, s, (4, 2)),
    ),
    "log, one too many": (elementwise(np.log, lambda x: 1 / x**2), as_large),
    "sqrt, factor forgotten": (elementwise(np.sqrt, lambda x: 1 / np.sqrt(x)), as_large),
    "reciprocal, sign forgotten": (elementwise(lambda x: 1 / x, lambda x: 1 / x**2), either_sign),
    "arcsin, root forgotten": (elementwise(np.arcsin, lambda x: 1 / ((1 - x) * (1 + x))), below_one),
    "entropy, one term forgotten": (
        unshared(strict_entropy, lambda p, y, g: -g * np.log(p)),
        below_one,
    ),
}
SKEW = np.array([[1.0, 2.0], [-3.0, 0.5]])


def missed(f, x):
    return gradcheck(f, x, raise_error=False, directions=1).passed


@pytest.mark.parametrize("name", RIGHT)
def test_mistakes_are_caught_anywhere(name):
    every = [(f, x, place, mistake) for f, x, place in inputs(name, shapes=[(2, 3)]) for mistake in ANYWHERE]
    which = list(RIGHT).index(name) % 8  # an eighth of all pairs of a mistake and a size
    assert not [
        f"{place}: {mistake}"
        for f, x, place, mistake in every[which::8]
        if missed(spoiled(f, ANYWHERE[mistake]), x)
    ]


@pytest.mark.parametrize("name", FORGETFUL)
def test_what_was_forgotten_is_noticed_anywhere(name):
    f, draw = FORGETFUL[name]
    for i, size in enumerate(SIZES):
        x = draw(np.random.default_rng(i), size, (4, 3))
        with pytest.raises(GradcheckError, match="wrong at"):
            gradcheck(f, x, directions=1)


def test_there_are_enough_of_both():
    assert len(RIGHT) * len(SIZES) * len(SHAPES) >= 700
    assert len(RIGHT) * len(SIZES) * len(ANYWHERE) / 8 + len(FORGETFUL) * len(SIZES) >= 350
