import numpy as np
import pytest

from npnet import recipes
from npnet.checkpoint import load
from npnet.experiments import AS_IN_SOURCE, OURS, Options
from npnet.recipes.cifar10_lenet import LAYERS, network
from npnet.train import predict

FIGURES = [
    "learning_curves",
    "confusion_matrix",
    "misclassified",
    "filters",
    "accuracy_by_class",
    "predictions",
    "feature_maps",
]


SETTINGS = (AS_IN_SOURCE, OURS)


def run(folder, out, report=lambda line: None, **options):
    return recipes.get("cifar10-lenet").run(Options(quick=True, data=folder, **options), out, report)


def test_a_quick_run_is_saved_loaded_and_looked_into(small_cifar, tmp_path):
    lines = []
    result = run(small_cifar("cifar10", 40), tmp_path / "runs", lines.append)
    assert [path.stem for path in result.figures] == FIGURES
    assert result.values["same_after_loading"]
    assert any("the same predictions" in line for line in lines)
    assert result.values["accuracy"] > 0.5
    by_class = result.values["accuracy_by_class"]
    assert list(by_class)[:2] == ["airplane", "automobile"]
    assert np.mean(list(by_class.values())) == pytest.approx(
        result.values["accuracy"]
    )  # classes are of one size


def test_what_was_saved_is_what_was_judged(small_cifar, tmp_path):
    folder = small_cifar("cifar10", 20)
    result = run(folder, tmp_path / "runs", epochs=2)
    model = network(np.random.default_rng(0))
    model.load_state_dict(load(result.folder / "model.safetensors")[0])
    network_run = recipes.get("cifar10-lenet").setups[SETTINGS.index(result.values["best"])]
    test = network_run.splits(Options(quick=True, data=folder)).test
    assert (predict(model, test).argmax(axis=1) == test.y).mean() == result.values["accuracy"]


def test_weights_that_are_not_the_judged_ones_are_noticed(small_cifar, tmp_path, monkeypatch):
    monkeypatch.setattr("npnet.recipes.cifar10_lenet.load_weights", lambda path, model: None)
    lines = []
    result = run(small_cifar("cifar10", 10), tmp_path / "runs", lines.append, epochs=1)
    assert not result.values["same_after_loading"]
    assert any("OTHER predictions" in line for line in lines)


def test_the_maps_are_those_after_convolution_relu_and_pooling():
    layers = network(np.random.default_rng(0)).children
    kinds = [type(layers[name]).__name__ for name in LAYERS]
    assert kinds == [*["Conv2d", "ReLU", "MaxPool2d"] * 2, "Linear"]


def test_momentum_is_used():
    assert all(each.optimizer.settings["momentum"] == 0.9 for each in recipes.get("cifar10-lenet").setups)


def test_real_photographs(real_data, tmp_path):
    result = run(real_data, tmp_path)
    assert result.values["accuracy"] > 0.2
    assert result.values["same_after_loading"]
