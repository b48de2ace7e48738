"""Two engines, or a model and the gradients it should have: the first operation at which they part."""

from typing import ClassVar

import numpy as np
import pytest

import npnet
from npnet import nn
from npnet.errors import InputError
from npnet.plot import gradient_errors, wrong_gradient

X = np.random.default_rng(0).standard_normal((6, 1, 8, 8))
DOUBLE = {"dtype": np.float64}
TARGET = np.array([0, 1, 2, 0, 1, 2])


class Spoiled(nn.Conv2d):
    """A convolution with a mistake in its output or in one of its gradients."""

    output = staticmethod(lambda y: y)
    mistakes: ClassVar = {}

    def apply(self, x, *, training, generator):
        y, backward = super().apply(x, training=training, generator=generator)

        def wrong(grad_y, needs):
            grads = zip(("x", "weight", "bias"), backward(grad_y, needs), strict=True)
            return tuple(self.mistakes.get(name, lambda grad, _: grad)(grad, grad_y) for name, grad in grads)

        return self.output(y), wrong


def spoiled(output=None, **mistakes):
    return type(
        "Spoiled", (Spoiled,), {"output": staticmethod(output or (lambda y: y)), "mistakes": mistakes}
    )


def network(conv=nn.Conv2d, dtype=np.float64, activation=nn.ReLU, seed=1):
    rng = np.random.default_rng(seed)
    make = {"generator": rng, "dtype": dtype}
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, **make), activation(), conv(2, 3, 3, **make), nn.Tanh(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 3, **make),
    )  # fmt: skip


FLIPPED = spoiled(weight=lambda grad, grad_y: grad[:, :, ::-1, ::-1])
AVERAGED = spoiled(bias=lambda grad, grad_y: grad / len(grad_y))
SHIFTED = spoiled(x=lambda grad, grad_y: np.roll(grad, 1, axis=2))
DOUBLED = spoiled(output=lambda y: 2 * y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", [None, nn.CrossEntropyLoss()])
@pytest.mark.parametrize(
    ("conv", "sentence"),
    [
        (FLIPPED, "gradient of weight: the kernel is flipped: kernel row and kernel column run backwards"),
        (AVERAGED, "gradient of bias: it is divided by 6, the number of samples, once too often"),
        (SHIFTED, "gradient of x: it is shifted by 1 pixel, down"),
    ],
)
def test_the_first_wrong_backward_is_named_and_explained(conv, sentence, loss, dtype):
    batch = (X.astype(dtype), TARGET) if loss else (X.astype(dtype),)
    comparison = npnet.compare(network(conv, dtype), network(dtype=dtype, seed=2), *batch, loss=loss)
    assert comparison.divergence.direction == "backward"
    assert comparison.reason == f"they part backward at '2' Spoiled: {sentence}"
    assert comparison.reason in str(comparison)
    assert comparison.reason in repr(comparison)
    assert "<table>" in comparison._repr_html_()


def test_a_wrong_forward_is_named():
    comparison = npnet.compare(network(DOUBLED), network(), X)
    assert (comparison.divergence.operation, comparison.divergence.direction) == ("'2' Spoiled", "forward")
    assert "y differs: 648 of 648 elements wrong" in comparison.reason
    with pytest.raises(InputError, match="wrong_gradient: report must have a wrong gradient"):
        wrong_gradient(comparison)


def test_where_a_wrong_forward_differs_is_told_by_axis():
    x = np.array([[1.0, -2.0, -3.0], [4.0, -5.0, 6.0]])
    comparison = npnet.compare(nn.ReLU(), nn.LeakyReLU(0.1), x)
    assert comparison.reason.endswith("y differs: 3 of 6 elements wrong (50 %): axis-1 positions 1, 2 of 0…2")


def test_the_same_model_agrees_with_itself_whatever_its_weights():
    comparison = npnet.compare(network(), network(seed=5), X, TARGET, loss=nn.CrossEntropyLoss())
    assert comparison.agrees
    assert comparison.reason == ""
    assert comparison.losses[0] == comparison.losses[1]
    assert str(comparison).startswith("Sequential agrees with Sequential (npnet)")
    assert len(comparison.rows) == 7


def test_layers_of_other_names_are_paired_by_their_place():
    rng = np.random.default_rng(0)
    model = nn.Sequential({"a": nn.Tanh(), "b": nn.Sigmoid()})
    reference = nn.Sequential({"c": nn.Tanh(), "d": nn.ReLU()})
    comparison = npnet.compare(model, reference, rng.standard_normal((2, 3)))
    assert comparison.divergence.operation == "'b' Sigmoid"


def test_the_models_stay_as_they_are():
    make = {"generator": np.random.default_rng(1), "dtype": np.float64}
    model, reference = (nn.Sequential(nn.Linear(3, 2, **make), nn.BatchNorm1d(2, **DOUBLE)) for _ in "ab")
    before = [
        {name: array.copy() for name, array in each.state_dict().items()} for each in (model, reference)
    ]
    npnet.compare(model, reference, np.random.default_rng(0).standard_normal((5, 3)))
    for each, old in zip((model, reference), before, strict=True):
        assert all(np.array_equal(array, old[name]) for name, array in each.state_dict().items())
        assert all("forward" not in vars(layer) for _, layer in each.named_layers())


# ---- gradients alone -------------------------------------------------------------------------------------


def right_gradients(model):
    y, backward = model.forward(X, training=True)
    _, loss_backward = nn.CrossEntropyLoss().forward(y, TARGET)
    grad_x, grads = backward(loss_backward())
    return {"x": grad_x, **grads}


def against_gradients(conv, *, drop=()):
    model, right = network(conv), right_gradients(network())
    reference = {name: grad for name, grad in right.items() if name not in drop}
    return npnet.compare(model, reference, X, TARGET, loss=nn.CrossEntropyLoss())


def test_against_gradients_an_operation_wrong_by_itself_is_named():
    comparison = against_gradients(AVERAGED)
    assert comparison.reason == (
        "they part backward at '2' Spoiled: gradient of 2.bias: it is divided by 6, the number of samples, "
        "once too often"
    )
    assert against_gradients(FLIPPED, drop=["x"]).divergence.explanations[0].kind == "flipped"


def test_against_gradients_the_operations_that_may_be_wrong_are_named():
    """Weights tell of what is above them: nothing has any between the two convolutions."""
    comparison = against_gradients(SHIFTED)
    assert comparison.divergence.operation == "'0' Conv2d or '1' ReLU or '2' Spoiled"


def test_against_gradients_that_are_right():
    assert against_gradients(nn.Conv2d).agrees


def test_two_dicts_of_gradients():
    rng = np.random.default_rng(3)
    right = {"a": rng.standard_normal((3, 3)), "b": rng.standard_normal((3, 3)), "c": rng.standard_normal(3)}
    assert npnet.compare(right, dict(right)).agrees
    assert str(npnet.compare(right, dict(right))) == "the dict of gradients agrees with the gradients given"
    comparison = npnet.compare({"a": right["b"], "b": right["a"], "c": 2 * right["c"]}, right)
    assert comparison.reason == (
        "gradient of c: it is twice the right gradient: added up over two calls or steps, or a factor of 1/2 "
        "is missing; "
        "gradient of b: the gradients of b and a are exchanged; "
        "gradient of a: the gradients of a and b are exchanged"
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="reference must have parameters of the same names as the model"):
        npnet.compare(network(), nn.Linear(3, 2, generator=np.random.default_rng(0)), X)
    with pytest.raises(InputError, match="it lacks a, and has b besides"):
        npnet.compare({"a": X}, {"b": X})
    with pytest.raises(InputError, match="target must come with a loss"):
        npnet.compare(network(), network(), X, TARGET)


# ---- the figure ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 3, 4), (3, 2, 5, 6), (300, 700), (64, 64, 8, 8)])
def test_a_figure_of_any_gradient(shape):
    expected = np.random.default_rng(1).standard_normal(shape)
    figure = wrong_gradient(npnet.explain(np.asarray(-expected), np.asarray(expected)))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["right", "given", "error: given − right"]
    assert figure.get_suptitle() == "gradient of x: it has the wrong sign"


def test_the_figure_shows_the_numbers():
    expected = np.random.default_rng(2).standard_normal((3, 4))
    got = expected.copy()
    got[2, 1], expected[0, 0] = 0, np.nan
    right, given, error, *_ = wrong_gradient(npnet.explain(got, expected)).axes
    assert np.array_equal(given.images[0].get_array(), got)
    assert np.ma.allequal(np.ma.masked_invalid(expected), right.images[0].get_array())
    drawn = np.ma.filled(error.images[0].get_array(), 0.0)
    assert np.flatnonzero(drawn).tolist() == [9]
    assert np.ma.count(right.images[1].get_array()) == 1  # the cell that is not known is grey


def test_many_gradients_on_one_page():
    expected = np.random.default_rng(2).standard_normal((3, 4))
    errors = {"sign": (-expected, expected), "none": (expected, expected), "$ zero": (0 * expected, expected)}
    figure = gradient_errors(errors, columns=2)
    assert [panel.get_suptitle() for panel in figure.subfigs] == ["sign", "none", r"\$ zero", ""]
    drawn = [axes.images[0].get_array() for axes in figure.subfigs[2].axes]
    assert np.array_equal(drawn[0], expected)
    assert not drawn[1].any()
    assert np.array_equal(drawn[2], -expected)


def test_every_report_draws_its_first_wrong_gradient():
    comparison = npnet.compare(network(FLIPPED), network(), X)
    assert "the kernel is flipped" in wrong_gradient(comparison).get_suptitle()
    model = nn.Sequential(nn.Tanh(), Halved())
    report = npnet.gradcheck(model, X[:, 0, 0], raise_error=False)
    assert "it is half the right gradient" in wrong_gradient(report).get_suptitle()
    with pytest.raises(InputError, match="wrong_gradient: report must have a wrong gradient"):
        wrong_gradient(npnet.gradcheck(nn.Tanh(), X))


class Halved(nn.Tanh):
    def apply(self, x, *, training, generator):
        y, backward = super().apply(x, training=training, generator=generator)
        return y, lambda grad_y: backward(grad_y) / 2
