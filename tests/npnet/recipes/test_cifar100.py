from dataclasses import replace

import numpy as np
import pytest

from npnet import engines, recipes
from npnet.data import cifar
from npnet.errors import MissingError
from npnet.experiments import AS_IN_SOURCE, OURS, Options, Run, Runner
from npnet.run import RunFolder
from npnet.train import History

NAMES = ("cifar100-logreg", "cifar100-mlp", "cifar100-lenet")
EACH = pytest.mark.parametrize("name", NAMES)


@EACH
def test_both_settings_are_trained_and_judged_on_every_part(small_cifar, tmp_path, name):
    options = Options(quick=True, data=small_cifar("cifar100", 5))
    lines = []
    result = recipes.get(name).run(options, tmp_path / "runs", lines.append)
    drawn = {"learning_curves.png", "confusion_matrix.png", "misclassified.png", "accuracy_by_class.png"}
    assert drawn <= {path.name for path in result.figures}
    assert all(path.stat().st_size > 10_000 for path in result.figures)
    accuracies = result.values["accuracies"]
    assert list(accuracies) == [AS_IN_SOURCE, OURS]
    for shares in accuracies.values():
        assert list(shares) == ["train", "validation", "test"]
        assert all(0 <= share <= 1 for share in shares.values())
    shown = 100 * accuracies[AS_IN_SOURCE]["test"]
    assert result.headline.startswith(f"test accuracy: {shown:.2f} % {AS_IN_SOURCE}, ")
    assert any(line.startswith("setting") for line in lines)


def runner_of(name, folder, tmp_path, engine="numpy", **options):
    options = Options(data=folder, engine=engine, progress=False, **options)
    return Runner(recipes.get(name), options, engine, RunFolder(tmp_path / "runs", name), lambda line: None)


def trained(name, folder, tmp_path, **options):
    """Train both settings without drawing anything."""
    return runner_of(name, folder, tmp_path, **options).train_all().values()


def test_the_classes_are_told_far_better_than_by_guessing(small_cifar, tmp_path):
    _, ours = trained("cifar100-mlp", small_cifar("cifar100", 10), tmp_path, epochs=4)
    assert ours.accuracy > 0.2


def test_in_few_steps_plain_descent_teaches_lenet_nothing_and_our_setting_does(small_cifar, tmp_path):
    as_in_source, ours = trained("cifar100-lenet", small_cifar("cifar100", 20), tmp_path, epochs=6)
    assert as_in_source.accuracy < 0.05
    assert abs(as_in_source.loss - np.log(100)) < 0.05
    assert ours.accuracy > 0.1


@EACH
def test_our_rate_is_drawn_down_to_the_end(name):
    _, ours = recipes.get(name).setups
    assert ours.schedule(ours.epochs).settings == {"T_max": ours.epochs}


@EACH
def test_in_our_setting_a_fifth_of_each_class_is_held_out_whatever_the_seed(small_cifar, name):
    folder = small_cifar("cifar100", 10)
    one, other = (recipes.get(name).setups[1].data(Options(seed=seed, data=folder)) for seed in (0, 1))
    assert [len(part) for part in one.parts().values()] == [800, 200, 1000]
    assert (np.bincount(one.validation.y, minlength=100) == 2).all()
    np.testing.assert_array_equal(one.validation.x, other.validation.x)
    np.testing.assert_allclose(one.train.x.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(one.train.x.std(axis=(0, 2, 3)), 1, atol=1e-4)


@EACH
def test_where_the_data_cannot_be_had_it_says_so_and_leaves_nothing(small_cifar, monkeypatch, tmp_path, name):
    folder = small_cifar("cifar100", 1)
    for file in (folder / "cifar-100-python").iterdir():
        file.unlink()
    nowhere = replace(cifar.CIFAR100, url="http://127.0.0.1:9/cifar-100-python.tar.gz")
    monkeypatch.setattr(cifar, "CIFAR100", nowhere)
    with pytest.raises(MissingError, match=r"cifar-100-python\.tar\.gz is missing"):
        recipes.get(name).run(Options(quick=True, data=folder), tmp_path / "runs", lambda line: None)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("engine", engines.names())
def test_parts_are_judged_by_the_weights_that_were_kept(small_cifar, tmp_path, engine):
    runner = runner_of("cifar100-logreg", small_cifar("cifar100", 10), tmp_path, engine)
    setup = runner.setups[0]
    splits, model = runner.splits(setup), setup.model(np.random.default_rng(0))
    judged = runner.judge_parts(Run(setup, engine, splits, model, History(), 0.0, 0.0, 0.0))
    for title, part in splits.parts().items():
        assert judged[title] == (model(part.x).argmax(axis=1) == part.y).mean()


def test_both_engines_stay_together(small_cifar, tmp_path):
    pytest.importorskip("torch")
    folder = small_cifar("cifar100", 5)
    ours, theirs = (
        trained("cifar100-lenet", folder, tmp_path, epochs=2, engine=engine) for engine in ("numpy", "torch")
    )
    for one, other, tolerance in zip(
        ours, theirs, (1e-6, 1e-2), strict=True
    ):  # Adam divides by small numbers
        losses = [[epoch.train_loss for epoch in each.history.epochs] for each in (one, other)]
        assert len(losses[0]) == 2
        np.testing.assert_allclose(*losses, atol=tolerance)
