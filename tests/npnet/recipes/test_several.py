import numpy as np
import pytest
from PIL import Image

from npnet import recipes
from npnet.recipes import NetworkRecipe, Options
from npnet.recipes import _several as several
from npnet.recipes._several import train
from npnet.run import RunFolder
from npnet.train import History

NETWORK = recipes.get("gmm-deep").networks[2]


def trained(tmp_path, pauses, **options):
    with RunFolder(tmp_path, "x") as folder:
        return train(NETWORK, Options(epochs=20, **options), folder, pauses), folder


def test_pauses_change_nothing(tmp_path):
    straight, _ = trained(tmp_path, ())
    paused, _ = trained(tmp_path, (0, 3, 20))
    assert straight.losses == pytest.approx(paused.losses, rel=1e-12)
    assert [epoch.epoch for epoch in paused.history.epochs] == list(range(1, 21))
    assert list(paused.looks) == [0, 3, 20]
    np.testing.assert_array_equal(paused.looks[20]["fc1.weight"], paused.model.parameters["fc1.weight"])
    assert (paused.looks[0]["fc1.weight"] != paused.looks[3]["fc1.weight"]).any()


def test_the_weights_are_those_a_recipe_of_its_own_would_begin_with(tmp_path):
    ours, _ = trained(tmp_path, (0,), seed=3)
    weights_seed, _ = np.random.SeedSequence(3).spawn(2)
    model = NETWORK.model(np.random.default_rng(weights_seed))
    np.testing.assert_array_equal(ours.looks[0]["fc1.weight"], model.parameters["fc1.weight"])


def test_of_many_steps_few_are_noted_and_each_once(tmp_path):
    with RunFolder(tmp_path, "x") as folder:
        train(NETWORK, Options(epochs=200), folder, (0, 137, 160))
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 101  # the first step and every other


@pytest.mark.parametrize("name", ["linreg", "gmm-logreg", "gmm-fcann2", "gmm-deep", "gmm-ksvm"])
def test_an_interrupt_is_a_result_too(tmp_path, monkeypatch, name):
    monkeypatch.setattr(NetworkRecipe, "train", lambda *a, **k: History(interrupted=True))
    lines = []
    result = recipes.get(name).run(Options(quick=True), tmp_path, lines.append)
    assert result.status == "interrupted"
    assert any("interrupted before the first step" in line for line in lines)


def test_the_summary_lists_every_network():
    recipe = recipes.get("gmm-deep")
    assert all(network.name in recipe.summary() for network in recipe.networks)
    assert issubclass(type(recipe), several.SeveralNetworks)


@pytest.mark.parametrize("name", ["linreg", "gmm-fcann2"])
def test_both_engines_stay_together(tmp_path, name):
    pytest.importorskip("torch")
    recipe = recipes.get(name)
    result = recipe.run(Options(epochs=100, engine="both"), tmp_path, lambda line: None)
    apart = result.values["largest_loss_difference"]
    assert set(apart) == {network.name for network in recipe.networks}
    assert max(apart.values()) < 1e-9
    assert result.figures[-1].name == "engines.png"
    lines = (result.folder / "metrics.jsonl").read_text()
    assert '"npnet"' in lines
    assert '"PyTorch"' in lines


def test_the_film_is_made_on_pytorch_too(tmp_path):
    pytest.importorskip("torch")
    result = recipes.get("gmm-deep").run(Options(epochs=40, engine="torch"), tmp_path, lambda line: None)
    assert result.figures[-1].name == "learning.gif"
    with Image.open(result.figures[-1]) as gif:
        assert gif.n_frames > 2
