"""Warnings in words: each planted fault has its own, and what goes well has none."""

from dataclasses import replace

import numpy as np
import pytest

from npnet import fit, nn, optim
from npnet.data import ArrayDataset, digits
from npnet.errors import InputError
from npnet.train import History, Recorder, diagnose
from npnet.train.diagnosis import LIMITS

DIGITS = digits(np.random.default_rng(0))


def mlp(depth=2, activation=nn.ReLU):
    rng, layers, width = np.random.default_rng(0), [nn.Flatten(1)], 64
    for _ in range(depth):
        layers += [nn.Linear(width, 64, generator=rng), activation()]
    return nn.Sequential(*layers, nn.Linear(64, 10, generator=rng))


def dead_bias():
    model = mlp()
    model.parameters["1.bias"][:] = -30.0
    return model


def shuffled_labels():
    labels = DIGITS.train.y.copy()
    np.random.default_rng(1).shuffle(labels)
    return replace(DIGITS, train=ArrayDataset(DIGITS.train.x, labels))


def ended(model, optimizer, data=DIGITS, epochs=2):
    """Train, to the end or to an error, and return what was found."""
    recorder = Recorder()
    try:
        history = fit(
            model, nn.CrossEntropyLoss(), optimizer(model.parameters), data, epochs=epochs, batch_size=32,
            recorder=recorder, progress=False,
        )  # fmt: skip
    except InputError as error:
        history = error.history
    return diagnose(recorder, history)


def sgd(lr):
    return lambda parameters: optim.SGD(parameters, lr=lr)


def adam(lr):
    return lambda parameters: optim.Adam(parameters, lr=lr)


FAULTS = {
    "a huge learning rate": (lambda: ended(mlp(), sgd(3.0)), {"exploding", "dead units", "not learning"}),
    "a learning rate that ends in NaN": (lambda: ended(mlp(), sgd(1e4)), {"exploding"}),
    "a huge learning rate of Adam's": (
        lambda: ended(mlp(), adam(1.0)), {"exploding", "dead units", "not learning"},
    ),
    "biases below 0": (lambda: ended(dead_bias(), sgd(0.1)), {"dead units", "not learning"}),
    "ten sigmoid layers": (
        lambda: ended(mlp(10, nn.Sigmoid), sgd(0.1)), {"vanishing", "not learning"},
    ),
    "ten sigmoid layers and Adam": (
        lambda: ended(mlp(10, nn.Sigmoid), adam(3e-3)), {"vanishing", "not learning"},
    ),
    "learning rate 0": (lambda: ended(mlp(), sgd(0.0)), {"not learning"}),
    "a tiny learning rate": (lambda: ended(mlp(), sgd(1e-9)), {"not learning"}),
    "labels that belong to other samples": (
        lambda: ended(mlp(), sgd(0.1), shuffled_labels()), {"not learning"},
    ),
    "labels of others, learnt by heart": (
        lambda: ended(mlp(), adam(3e-3), shuffled_labels(), 20), {"not learning"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_has_its_warning(name):
    make, expected = FAULTS[name]
    symptoms = make()
    assert {symptom.kind for symptom in symptoms} == expected
    for symptom in symptoms:
        words = str(symptom)
        assert words.startswith(f"{symptom.kind}: ")
        assert words.endswith(".")
        assert len(words) < 400


HEALTHY = {
    "two layers": lambda: ended(mlp(), sgd(0.1)),
    "two layers and Adam": lambda: ended(mlp(), adam(3e-3)),
    "four tanh layers": lambda: ended(mlp(4, nn.Tanh), sgd(0.1)),
    "two sigmoid layers": lambda: ended(mlp(2, nn.Sigmoid), adam(1e-2)),
    "logistic regression": lambda: ended(mlp(0), sgd(0.1)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_goes_well_has_no_warning(name):
    assert [str(symptom) for symptom in HEALTHY[name]()] == []


def test_words_name_the_layer_and_what_to_try():
    (vanishing, _) = ended(mlp(10, nn.Sigmoid), sgd(0.1))
    assert "'1.weight'" in vanishing.sentence
    assert "'21.weight'" in vanishing.sentence
    assert "ReLU" in vanishing.advice
    (dead, _) = ended(dead_bias(), sgd(0.1))
    assert "100 % in '2'" in dead.sentence
    (still,) = ended(mlp(), sgd(0.0))
    assert "larger learning rate" in still.advice


def test_gradients_that_explode_through_depth_are_told_from_large_steps():
    """The gradient of one layer has the weights of all others as factors."""
    model = mlp(4, nn.Identity)
    for name, array in model.parameters.items():
        array *= 1e-4 if name == "1.weight" else array.ndim > 1  # no biases
    (exploding,) = [s for s in ended(model, sgd(1e-9)) if s.kind == "exploding"]
    assert "initial weights" in exploding.advice
    assert "'1.weight'" in exploding.sentence


def test_dead_units_are_named_as_the_cause_and_not_what_they_cause():
    """Behind dead units no gradient arrives: that is no vanishing of its own."""
    kinds = [symptom.kind for symptom in ended(dead_bias(), sgd(0.1))]
    assert kinds == ["dead units", "not learning"]


def test_a_few_steps_are_not_judged_by_what_they_learnt():
    recorder, model = Recorder(), mlp()
    few = ArrayDataset(DIGITS.train.x[:64], DIGITS.train.y[:64])
    zero = optim.SGD(model.parameters, lr=0.0)
    history = fit(
        model, nn.CrossEntropyLoss(), zero, few, epochs=2, batch_size=32, recorder=recorder, progress=False
    )
    assert diagnose(recorder, history) == ()


def test_a_regression_is_compared_with_the_mean():
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    y = x[:, :1] * 2 + 50
    for lr, expected in ((0.1, []), (1e-7, ["not learning"])):
        model, recorder = nn.Linear(3, 1, generator=np.random.default_rng(0)), Recorder()
        history = fit(
            model, nn.MSELoss(), optim.SGD(model.parameters, lr=lr), (x, y), recorder=recorder, progress=False
        )
        assert [symptom.kind for symptom in diagnose(recorder, history)] == expected


def test_every_limit_has_a_reason_and_a_source():
    for name, limit in LIMITS.items():
        assert limit.value > 0, name
        assert limit.reason.endswith(".")
        assert limit.source


def test_what_recorded_nothing_is_refused():
    with pytest.raises(InputError, match="recorder must have recorded a step"):
        diagnose(Recorder(), History())
