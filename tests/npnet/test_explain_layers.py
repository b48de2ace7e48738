"""Right layers raise no alarm; of a wrong model, the layer whose own backward is wrong is named."""

import numpy as np
import pytest

from npnet import nn
from npnet.gradcheck import explain, gradcheck
from tests.npnet.planted_mistakes import PLANTED, X

# Without the checks of shapes, which would take most of the time of these many checks.
pytestmark = pytest.mark.usefixtures("bare")

# ---- random layers ----------------------------------------------------------------------------------------


def random_layer(rng):
    """Draw a layer of npnet with random settings, and a minibatch for it."""
    n, c, size = (int(rng.integers(low, high)) for low, high in ((2, 6), (1, 5), (4, 8)))
    make = {"generator": rng, "dtype": np.float64}
    rows, images = rng.standard_normal((n, c + 1)), rng.standard_normal((n, c, size, size))
    out, kernel = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    choices = [
        lambda: (nn.Linear(c + 1, out, bias=bool(rng.integers(2)), **make), rows),
        lambda: (
            nn.Conv2d(c, out, kernel, stride=int(rng.integers(1, 3)), padding=kernel // 2, **make),
            images,
        ),
        lambda: (nn.MaxPool2d(2, stride=int(rng.integers(1, 3))), images),
        lambda: (nn.AvgPool2d(2, stride=int(rng.integers(1, 3))), images),
        lambda: (nn.BatchNorm1d(c + 1, dtype=np.float64), np.vstack([rows, rows**2])),
        lambda: (nn.BatchNorm2d(c, dtype=np.float64), images),
        lambda: (nn.ReLU(), rows),
        lambda: (nn.LeakyReLU(0.1), images),
        lambda: (nn.Tanh(), rows),
        lambda: (nn.Sigmoid(), images),
        lambda: (nn.Softmax(1), rows),
        lambda: (nn.LogSoftmax(1), rows),
        lambda: (nn.Dropout(0.4), images),
        lambda: (nn.Sequential(nn.Linear(c + 1, 4, **make), nn.Tanh(), nn.Linear(4, out, **make)), rows),
        lambda: (nn.Residual(nn.Sequential(nn.Linear(c + 1, c + 1, **make), nn.ReLU())), rows),
    ]
    return choices[int(rng.integers(len(choices)))]()


def test_right_layers_raise_no_alarm():
    alarms = []
    for seed in range(120):
        rng = np.random.default_rng([7, seed])
        layer, x = random_layer(rng)
        report = gradcheck(layer, x, raise_error=False)
        if not report.passed or report.explanations or report.layers:
            alarms.append(str(report))
    assert not alarms, "\n".join(alarms)


def test_random_layers_with_a_mistake_are_explained():
    """Mistakes that any layer may have are found in layers and settings of all kinds."""
    mistakes = {
        "sign": lambda g: -g,
        "factor": lambda g: 0.37 * g,
        "zero": np.zeros_like,
        "twice": lambda g: 2 * g,
    }
    missed = []
    for seed in range(40):
        rng = np.random.default_rng([8, seed])
        layer, x = random_layer(rng)
        kind = sorted(mistakes)[seed % len(mistakes)]
        report = gradcheck(Spoiled(layer, mistakes[kind]), x, raise_error=False)
        inner = report.layers[0].report if report.layers else report
        kinds = {kind for explanation in inner.explanations for kind in explanation.kinds}
        if kind not in kinds:
            missed.append((kind, str(report)))
    assert not missed, "\n".join(map(str, missed))


class Spoiled(nn.Layer):
    """A container of its own kind whose backward spoils grad_x."""

    def __init__(self, inner, mistake):
        self.inner, self.mistake = inner, mistake

    @property
    def children(self):
        return {"inner": self.inner}

    def forward(self, x, *, training=True, generator=None):
        y, backward = self.inner.forward(x, training=training, generator=generator)

        def spoiled_backward(grad_y, *, needs_grad_x=True):
            grad_x, grads = backward(grad_y, needs_grad_x=needs_grad_x)
            named = {f"inner.{name}": grad for name, grad in grads.items()}
            return (None if grad_x is None else self.mistake(grad_x)), named

        return y, spoiled_backward


# ---- models -----------------------------------------------------------------------------------------------


class BadTanh(nn.Tanh):
    def apply(self, x, *, training, generator):
        y, _ = super().apply(x, training=training, generator=generator)
        return y, lambda grad_y: grad_y * (1 - x**2)


class BadReLU(nn.ReLU):
    def apply(self, x, *, training, generator):
        y, _ = super().apply(x, training=training, generator=generator)
        return y, lambda grad_y: grad_y.copy()


def model_of(*middle, features=5):
    rng = np.random.default_rng(6)
    make = {"generator": rng, "dtype": np.float64}
    return nn.Sequential(nn.Linear(4, features, **make), nn.ReLU(), nn.Linear(features, 3, **make), *middle)


def test_the_first_wrong_backward_of_a_model_is_named():
    model = model_of(BadTanh(), nn.Linear(3, 2, generator=np.random.default_rng(1), dtype=np.float64))
    report = gradcheck(model, X, raise_error=False)
    assert [(layer.name, layer.kind) for layer in report.layers] == [("3", "BadTanh")]
    assert (
        report.layers[0].sentence
        == "'3' BadTanh: gradient of x: x stands in the place of y in its factor 1 − y²"
    )
    assert f"first wrong backward: {report.layers[0].sentence}" in str(report)
    assert f"FAILED; {report.layers[0].sentence}"[:80] in repr(report)
    assert "forward" not in vars(model[3])  # the recording is gone


def test_of_several_wrong_layers_the_one_backward_meets_first_comes_first():
    model = nn.Sequential(model_of(BadReLU()), BadTanh())
    report = gradcheck(model, X, raise_error=False)
    assert [layer.name for layer in report.layers] == ["1", "0.3"]
    assert "wrong too: '0.3' BadReLU: gradient of x: it is not 0 where the input was negative" in str(report)


def test_a_wrong_container_of_right_layers_is_named():
    model = nn.Sequential(Spoiled(model_of(), lambda grad: -grad))
    report = gradcheck(model, X, raise_error=False)
    assert [layer.sentence for layer in report.layers] == [
        "'0' Spoiled: gradient of x: it has the wrong sign"
    ]


def test_a_wrong_layer_within_a_container_of_the_users_own_is_named():
    model = nn.Sequential(Spoiled(model_of(BadTanh()), lambda grad: grad))
    report = gradcheck(model, X, raise_error=False)
    assert [layer.name for layer in report.layers] == ["0.inner.3"]


def test_a_model_that_is_wrong_by_itself_is_explained_as_a_whole():
    report = gradcheck(Spoiled(model_of(), lambda grad: -grad), X, raise_error=False)
    assert not report.layers
    assert [(each.name, each.kind) for each in report.explanations] == [("x", "sign")]


def test_dropout_draws_in_a_layer_what_it_drew_in_the_model():
    model = model_of(nn.Dropout(0.5), BadTanh())
    report = gradcheck(model, X, raise_error=False)
    assert [layer.name for layer in report.layers] == ["4"]


def test_explanations_can_be_left_out():
    operation, inputs = PLANTED["sign"][1]
    report = gradcheck(operation, *inputs, raise_error=False, explain=False)
    assert not report.passed
    assert report.explanations == ()


def test_the_text_shows_a_heat_map():
    operation, inputs = PLANTED["sum_over_batch_missing"][1]
    (explanation,) = gradcheck(operation, *inputs, raise_error=False).explanations
    lines = str(explanation).splitlines()
    assert lines[0] == f"gradient of bias (3,): {explanation.sentence}"
    assert repr(explanation) == "<Explanation: gradient of bias: sum_over_batch_missing>"
    assert "<pre>" in explanation._repr_html_()
    large = explain(np.zeros((100, 200)), np.ones((100, 200)))
    assert len(large.heat_map().splitlines()) == 14
    assert "neighbours taken together" in large.heat_map()
    assert "\n  ████████████████████████████████████████████████\n" in large.heat_map()
