"""The three networks for signed letters, on small files in the published format."""

import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from npnet import nn, recipes
from npnet.data import ArrayDataset, Splits
from npnet.data.signs import LETTERS, read_signs
from npnet.errors import MissingError
from npnet.experiments import Options, Run
from npnet.recipes.common import layer_outputs
from npnet.recipes.common.signs import guessing, layers
from npnet.recipes.signs_logreg import pixels_times_weights
from npnet.train import History

NAMES = ("signs-logreg", "signs-minimal", "signs-conv")
EACH = pytest.mark.parametrize("name", NAMES)
COUNTS = {"sign_mnist_train.csv": 960, "sign_mnist_test.csv": 240}
PUBLISHED = [label for label in range(25) if label != 9]
COMMON = {"class_histogram.png", "learning_curves.png", "confusion_matrix.png", "misclassified.png"}


def write_csv(path, labels, rng):
    """Write a coarse pattern for each letter, moved by up to two pixels, with noise."""
    patterns = np.random.default_rng(5).integers(30, 226, size=(25, 8, 8))
    pictures = np.kron(patterns[labels], np.ones((4, 4), int))
    moved = [
        p[a : a + 28, b : b + 28]
        for p, (a, b) in zip(pictures, rng.integers(5, size=(len(labels), 2)), strict=True)
    ]
    noisy = (np.stack(moved) + rng.integers(-20, 21, size=(len(labels), 28, 28))).clip(0, 255)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["label", *(f"pixel{i}" for i in range(1, 785))])
        rows.writerows(np.column_stack([labels, noisy.reshape(len(labels), 784)]).tolist())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data")
    (place / "sign_mnist").mkdir()
    rng = np.random.default_rng(0)
    for file, n in COUNTS.items():
        write_csv(place / "sign_mnist" / file, rng.permutation(np.resize(PUBLISHED, n)), rng)
    return place


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(sys.modules["npnet.data.signs"], "ROWS", COUNTS)


def ours(name):
    return recipes.get(name).setups[1]


def untrained(name):
    """Return our setting before it has learnt anything."""
    setup, nothing = ours(name), ArrayDataset(np.zeros((1, 1, 28, 28), np.float32), np.array([0]))
    model = setup.model(np.random.default_rng(0))
    return Run(setup, "npnet", Splits(nothing, classes=tuple(LETTERS)), model, History(), 0.0, 0.0, 0.0)


@EACH
def test_a_quick_run_learns_and_draws_everything(folder, tmp_path, name):
    result = recipes.get(name).run(Options(quick=True, data=folder, threads=1), tmp_path, lambda line: None)
    own = {"signs-logreg": {"templates.png"}}.get(name, {"filters.png"})
    assert {path.name for path in result.figures} == COMMON | own | {"layer_by_layer.png"}
    assert all(path.stat().st_size > 10_000 for path in result.figures)
    assert result.values["accuracy"] > 5 / 24
    settings = json.loads((result.folder / "settings.json").read_text())["networks"]
    for each in settings.values():
        assert each["data"] == {"name": "signs", "train": 864, "validation": 96, "test": 240}


@EACH
def test_both_engines_come_to_the_same(folder, tmp_path, name):
    pytest.importorskip("torch")
    options = Options(epochs=1, data=folder, engine="both", threads=1)
    result = recipes.get(name).run(options, tmp_path, lambda line: None)
    assert max(result.values["largest_loss_difference"].values()) < 1e-4


@EACH
def test_the_same_photographs_are_held_out_for_every_seed_and_standardised(folder, name):
    one, other = (ours(name).data(Options(seed=seed, data=folder)) for seed in (0, 1))
    np.testing.assert_array_equal(one.validation.x, other.validation.x)
    assert abs(one.train.x.mean()) < 1e-4
    assert abs(one.train.x.std() - 1) < 1e-4
    assert "".join(one.classes) == LETTERS


@EACH
def test_without_the_files_it_says_where_they_are_to_be_had(tmp_path, name):
    with pytest.raises(
        MissingError, match=r"sign_mnist_train\.csv is missing; get .* from https://www\.kaggle"
    ):
        recipes.get(name).run(Options(data=tmp_path / "data"), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_the_baseline_shows_what_a_logit_is_the_sum_of():
    run = untrained("signs-logreg")
    x = np.random.default_rng(1).normal(size=(1, 28, 28)).astype(np.float32)
    shown = pixels_times_weights(run, x)
    scores = shown.pop("scores")
    chosen = scores.argmax()
    (name,) = shown
    assert name == f"pixel × weight for {LETTERS[chosen]}"
    np.testing.assert_allclose(
        shown[name].sum() + run.model.parameters["linear.bias"][chosen], scores[chosen], rtol=1e-4
    )


def test_features_are_those_the_network_computes_on_its_way():
    run = untrained("signs-conv")
    x = np.random.default_rng(1).normal(size=(1, 28, 28)).astype(np.float32)
    shown = layers(run, x)
    np.testing.assert_array_equal(shown["scores"], run.model(x[None])[0])
    assert list(shown) == [
        *(f"{kind}{i}" for i in (1, 2, 3) for kind in ("conv", "relu", "pool")),
        "fc1",
        "relu4",
        "scores",
    ]
    assert shown["pool3"].shape == (64, 3, 3)
    assert (shown["relu2"] >= 0).all()
    assert (shown["conv2"] < 0).any()


def test_the_outputs_of_layers_follow_one_another():
    chain = nn.Sequential({"relu": nn.ReLU(), "flatten": nn.Flatten()})
    outputs = layer_outputs(chain, np.array([[[-1.0, 2.0], [3.0, -4.0]]]))
    np.testing.assert_array_equal(outputs["flatten"], [[0, 2, 3, 0]])


def test_what_guessing_gives_is_judged_on_the_last_part():
    labels = {"training": np.array([0, 2, 2]), "validation": np.array([2]), "test": np.array([0, 2, 1, 0, 0])}
    assert "always guess C is right on 20.0 % of the test part" in guessing(labels, ("A", "B", "C"))


def test_published_rows_can_be_learnt(real_data, tmp_path):
    path = real_data / "sign_mnist" / "sign_mnist_train_first188rows.csv"
    if not path.exists():
        pytest.skip("the data folder has no rows of the Sign Language MNIST")
    pixels, labels = read_signs(path)
    labels -= labels > 9
    part = ArrayDataset((pixels[:, None] / np.float32(255)).astype(np.float32), labels)
    splits = Splits(part, None, part, classes=tuple(LETTERS), name="signs").standardized()
    for name in ("signs-logreg", "signs-minimal"):
        setup = replace(ours(name), data=lambda options: splits, batch_size=32)
        recipe = replace(recipes.get(name), setups=(setup,))
        result = recipe.run(Options(epochs=30, threads=1), tmp_path, lambda line: None)
        assert result.values["accuracy"] > 0.9  # of the very rows it has learnt
