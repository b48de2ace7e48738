import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from npnet import engines, recipes
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
    assert all(f'"{network.name}"' in recipe.summary() for network in recipe.networks)
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


def with_one_step_on_pytorch(monkeypatch):
    """Let each network of PyTorch take one step, in what it says are 2000 s, and each of npnet 1000 s."""

    def shorter(network, options, *others):
        torch = options.engine == "torch"
        trained = train(network, replace(options, epochs=1) if torch else options, *others)
        return replace(trained, seconds=2000.0 if torch else 1000.0)

    monkeypatch.setattr(several, "train", shorter)


def reached(result):
    return json.loads((result.folder / "result.json").read_text())["reached"]


@pytest.mark.parametrize("name", ["linreg", "gmm-logreg", "gmm-fcann2", "gmm-deep"])
def test_of_both_engines_each_has_what_its_own_networks_came_to(tmp_path, monkeypatch, name):
    pytest.importorskip("torch")
    with_one_step_on_pytorch(monkeypatch)
    recipe, both = recipes.get(name), Options(epochs=40, engine="both")
    found = reached(recipe.run(both, tmp_path, lambda line: None))
    assert list(found) == ["npnet", "PyTorch"]
    for kind in engines.names():
        engine = engines.get(kind).title
        alone = reached(recipe.run(replace(both, engine=kind), tmp_path, lambda line: None))
        assert {engine: found[engine]["headline"]} == {key: each["headline"] for key, each in alone.items()}
        trained = len(recipe.networks) * (2000 if kind == "torch" else 1000)
        assert trained < found[engine]["seconds"] < trained + 100
    assert found["npnet"]["headline"] != found["PyTorch"]["headline"]


def test_both_engines_are_compared_with_the_machine(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    trained = []

    def noted(network, options, *others):
        trained.append(options.engine)
        return train(network, options, *others)

    monkeypatch.setattr("npnet.recipes.gmm_ksvm.train", noted)
    options = Options(quick=True, epochs=20, engine="both")
    found = reached(recipes.get("gmm-ksvm").run(options, tmp_path, lambda line: None))
    assert trained == ["numpy"] * 3 + ["torch"] * 3
    assert all("over 3 mixtures: SVM " in each["headline"] for each in found.values())
    assert list(found) == ["npnet", "PyTorch"]


def test_an_interrupt_of_the_first_engine_ends_the_second_too(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    engines = []

    def interrupted(self, model, splits, generator, options, *others):
        engines.append(options.engine)
        return History(interrupted=True)

    monkeypatch.setattr(NetworkRecipe, "train", interrupted)
    result = recipes.get("linreg").run(Options(engine="both"), tmp_path, lambda line: None)
    assert engines == ["numpy"]
    assert result.status == "interrupted"
    assert list(reached(result)) == ["npnet"]


@pytest.mark.parametrize(
    ("name", "network", "drawn"),
    [
        ("linreg", "noisy points", ["lines", "losses"]),
        ("gmm-logreg", "2 classes", ["decision_surfaces"]),
        ("gmm-logreg", "3 classes, λ = 0.1, lr 0.02", ["l2_strength"]),
        ("gmm-logreg", "3 classes, 10 times over, lr 0.02", []),
        ("gmm-deep", "2-10-2 sigmoid on (6, 2, 10)", ["decision_surfaces_6_2_10", "losses"]),
    ],
)
def test_a_network_can_be_chosen(tmp_path, name, network, drawn):
    recipe = recipes.get(name).only(network)
    result = recipe.run(Options(quick=True, epochs=20), tmp_path, lambda line: None)
    assert [path.stem for path in result.figures] == drawn
    assert network in result.headline
    settings = json.loads((result.folder / "settings.json").read_text())
    assert [each["recipe"] for each in settings["networks"]] == [network]


@pytest.mark.parametrize("name", ["linreg", "mnist-softmax"])
def test_of_some_networks_there_is_no_whole_run(name):
    recipe = recipes.get(name)
    first, *others = (network.name for network in recipe.networks)
    assert recipe.whole
    assert recipe.only(*others, first) == recipe
    assert not recipe.only(first).whole
    assert not recipe.only(first).only(first).whole


def test_the_film_is_made_on_pytorch_too(tmp_path):
    pytest.importorskip("torch")
    result = recipes.get("gmm-deep").run(Options(epochs=40, engine="torch"), tmp_path, lambda line: None)
    assert result.figures[-1].name == "learning.gif"
    with Image.open(result.figures[-1]) as gif:
        assert gif.n_frames > 2
