"""What trains, judges and writes for every experiment: seeds, snapshots, notes, interrupts, engines."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from npnet import checkpoint, engines, recipes, saved
from npnet.checkpoint import load
from npnet.errors import InputError
from npnet.experiments import Options, Runner, runner
from npnet.experiments.runner import _Spaced
from npnet.run import RunFolder
from npnet.train import History

blank = pytest.mark.usefixtures("blank_pictures")
PLANE = ["linreg", "gmm-logreg", "gmm-fcann2", "gmm-deep"]
FILMED = recipes.get("gmm-deep").setups[2]


def trained(tmp_path, snapshots, **options):
    """Train one network of the plane, with snapshots after some epochs."""
    options = Options(progress=False, **{"epochs": 20, **options})
    experiment = recipes.get("gmm-deep")
    with RunFolder(tmp_path, "x") as folder:
        runner = Runner(experiment, options, "numpy", folder, lambda line: None)
        wanted = None if snapshots is None else lambda _: snapshots
        return runner.train(replace(runner.setups[2], snapshot_epochs=wanted)), folder


def test_snapshots_change_no_bit(tmp_path):
    straight, _ = trained(tmp_path, None)
    noted, _ = trained(tmp_path, (0, 3, 20))
    assert straight.losses == noted.losses
    assert list(noted.snapshots) == [0, 3, 20]
    np.testing.assert_array_equal(noted.snapshots[20]["fc1.weight"], noted.model.parameters["fc1.weight"])
    np.testing.assert_array_equal(straight.model.parameters["fc1.weight"], noted.snapshots[20]["fc1.weight"])
    assert (noted.snapshots[0]["fc1.weight"] != noted.snapshots[3]["fc1.weight"]).any()


def test_the_initial_weights_are_drawn_from_the_seed(tmp_path):
    run, _ = trained(tmp_path, (0,), seed=3)
    weights_seed, _ = np.random.SeedSequence(3).spawn(2)
    model = FILMED.model(np.random.default_rng(weights_seed))
    np.testing.assert_array_equal(run.snapshots[0]["fc1.weight"], model.parameters["fc1.weight"])


def test_of_many_epochs_few_are_noted_and_each_once(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "MOST_LINES", 100)
    _, folder = trained(tmp_path, None, epochs=200)
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 101  # the first epoch and every other


def test_very_many_epochs_are_told_now_and_then(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("npnet.experiments.runner.time.perf_counter", lambda: clock[0])
    spaced, told = _Spaced(10**9, most=100, seconds=10.0), []
    for epoch in range(1, 101):
        clock[0] += 1.0
        told += [epoch] if spaced.now(epoch) else []
    assert told == [1, *range(11, 101, 10)]


def interrupted_at(monkeypatch, number):
    """Let the training of one setup, counted from 1, end before its first epoch; count all of them."""
    train, calls = runner.run, []

    def run(engine, *arguments, **settings):
        calls.append(type(engine).__name__)
        return History(interrupted=True) if len(calls) == number else train(engine, *arguments, **settings)

    monkeypatch.setattr(runner, "run", run)
    return calls


@blank
@pytest.mark.parametrize("name", [*PLANE, "gmm-ksvm"])
def test_an_interrupt_is_a_result_too(tmp_path, monkeypatch, name):
    calls = interrupted_at(monkeypatch, 1)
    lines = []
    result = recipes.get(name).run(Options(quick=True), tmp_path, lines.append)
    assert result.status == "interrupted"
    assert len(calls) == 1
    assert any("interrupted before the first epoch" in line for line in lines)


@blank
def test_an_interrupt_of_the_first_engine_ends_the_second_too(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    calls = interrupted_at(monkeypatch, 1)
    result = recipes.get("linreg").run(Options(engine="both"), tmp_path, lambda line: None)
    assert calls == ["NumPyEngine"]
    assert result.status == "interrupted"
    assert list(reached(result)) == ["npnet"]


@blank
def test_an_interrupt_of_the_second_engine_leaves_the_first(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    calls = interrupted_at(monkeypatch, 5)
    result = recipes.get("linreg").run(Options(engine="both", epochs=10), tmp_path, lambda line: None)
    assert calls == ["NumPyEngine"] * 3 + ["TorchEngine"] * 2
    assert result.status == "interrupted"
    assert list(result.values["largest_loss_difference"]) == ["two points, as in the source", "two points"]
    assert list(reached(result)) == ["npnet", "PyTorch"]


def reached(result):
    return json.loads((result.folder / "result.json").read_text())["reached"]


@pytest.mark.parametrize("name", ["linreg", "gmm-fcann2"])
def test_both_engines_stay_together(tmp_path, name):
    pytest.importorskip("torch")
    recipe = recipes.get(name)
    lines = []
    result = recipe.run(Options(epochs=100, engine="both"), tmp_path, lines.append)
    apart = result.values["largest_loss_difference"]
    assert set(apart) == {setup.name for setup in recipe.setups}
    assert max(apart.values()) < 1e-9
    assert result.figures[-1].name == "engines.png"
    assert any("losses differ by" in line for line in lines)
    noted = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert {line["engine"] for line in noted} == {"npnet", "PyTorch"}


@blank
@pytest.mark.parametrize("name", PLANE)
def test_of_both_engines_each_has_what_its_own_networks_came_to(tmp_path, monkeypatch, name):
    pytest.importorskip("torch")
    train = runner.run

    def shorter(engine, *arguments, **settings):
        """Let each network of PyTorch take one step."""
        own = {"epochs": 1} if type(engine).__name__ == "TorchEngine" else {}
        return train(engine, *arguments, **{**settings, **own})

    monkeypatch.setattr(runner, "run", shorter)
    recipe = recipes.get(name)
    found = reached(recipe.run(Options(epochs=40, engine="both"), tmp_path, lambda line: None))
    assert list(found) == ["npnet", "PyTorch"]
    for kind in engines.names():
        title = engines.get(kind).title
        alone = reached(recipe.run(Options(epochs=40, engine=kind), tmp_path, lambda line: None))
        assert {title: found[title]["headline"]} == {key: each["headline"] for key, each in alone.items()}
    assert found["npnet"]["headline"] != found["PyTorch"]["headline"]


@blank
def test_both_engines_are_compared_with_the_machine(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    calls = interrupted_at(monkeypatch, None)
    options = Options(quick=True, epochs=20, engine="both")
    found = reached(recipes.get("gmm-ksvm").run(options, tmp_path, lambda line: None))
    assert calls == ["NumPyEngine"] * 4 + ["TorchEngine"] * 4  # one to look at, three to judge by
    assert all("over 3 mixtures: SVM " in each["headline"] for each in found.values())
    assert list(found) == ["npnet", "PyTorch"]


@blank
def test_each_engine_leaves_its_weights_and_judges_its_networks(tmp_path):
    pytest.importorskip("torch")
    options = Options(quick=True, epochs=1, engine="both", threads=1)
    result = recipes.get("digits").run(options, tmp_path, lambda line: None)
    files = {path.name for path in result.folder.glob("*.safetensors")}
    assert files == {"model.safetensors", "model-pytorch.safetensors"}
    assert list(result.values["networks"]) == ["npnet", "PyTorch"]


@blank
def test_a_network_is_judged_by_the_engine_that_trained_it(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    judged, evaluate = [], runner.evaluate_engine

    def noted(engine, part):
        judged.append(type(engine).__name__)
        return evaluate(engine, part)

    monkeypatch.setattr(runner, "evaluate_engine", noted)
    recipes.get("linreg").run(Options(epochs=2, engine="both"), tmp_path, lambda line: None)
    assert judged == ["NumPyEngine"] * 3 + ["TorchEngine"] * 3


def test_what_is_made_once_is_shared_by_engines(tmp_path):
    experiment, made = recipes.get("linreg"), []
    with RunFolder(tmp_path, "x") as folder:
        first = Runner(experiment, Options(), "numpy", folder, print)
        second = Runner(experiment, Options(), "numpy", folder, print, (first,))
        values = [each.once("key", lambda: made.append(1) or len(made)) for each in (first, second)]
    assert values == [1, 1]


def test_what_was_learnt_is_kept_when_judging_fails(tmp_path, monkeypatch):
    def interrupted(engine, part):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "evaluate_engine", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recipes.get("digits").run(Options(quick=True, epochs=1), tmp_path, lambda line: None)
    (folder,) = (tmp_path / "digits").iterdir()
    assert (folder / "model.safetensors").exists()
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"


def test_a_figure_that_fails_does_not_cost_the_run(tmp_path, monkeypatch):
    def fails(*_arguments, **_settings):
        raise ZeroDivisionError("no\nsuch luck")

    def is_full(*_arguments):
        raise InputError("no space left")

    monkeypatch.setattr("npnet.plot.learning_curves", fails)
    told = []
    result = recipes.get("digits").run(Options(quick=True, epochs=1), tmp_path / "a", told.append)
    assert result.status == "finished"
    assert "figure learning_curves.png is left out: no such luck" in told
    assert "confusion_matrix.png" in {path.name for path in result.figures}
    written = json.loads((result.folder / "result.json").read_text())
    assert written["figures_left_out"] == {"learning_curves.png": "no such luck"}

    monkeypatch.setattr(RunFolder, "figure", is_full)
    result = recipes.get("digits").run(Options(quick=True, epochs=1), tmp_path / "b", told.append)
    assert result.figures == ()
    assert (result.folder / "model.safetensors").exists()
    assert set(result.values["figures_left_out"].values()) == {"no such luck", "no space left"}


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize(("name", "writer"), [("digits", "save"), ("linreg", "checkpoint.save")])
def test_weights_that_cannot_be_written_are_safe_elsewhere(tmp_path, monkeypatch, name, writer, room):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    written = saved.save

    def is_full(path, *arguments):
        if room and temporary in Path(path).parents:
            return written(path, *arguments)
        if Path(path).name in {"model.safetensors", "weights.safetensors"}:
            raise InputError("no space left")
        return checkpoint.save(path, *arguments)

    monkeypatch.setattr(runner, "save", is_full)
    monkeypatch.setattr(runner, "checkpoint", SimpleNamespace(save=is_full, load=checkpoint.load))
    told = r"The weights are safe in (.*); copy" if room else "Nor can the weights be written to temporary"
    with pytest.raises(InputError, match=f"no space left. {told}") as error:
        recipes.get(name).run(Options(quick=True, epochs=2), tmp_path / "runs", lambda line: None)
    if room:
        (path,) = re.findall(told, str(error.value))
        assert saved.load(path).model.parameters


def test_the_weights_of_an_earlier_setup_stay_when_one_diverges(tmp_path):
    with RunFolder(tmp_path, "x") as folder:
        own = Runner(recipes.get("linreg"), Options(epochs=9), "numpy", folder, lambda line: None)
        own.keep(own.train(own.setups[0]))
        kept = load(folder.path / "model.safetensors")[0]["weight"]
        with pytest.raises(InputError, match="loss became"):
            own.train(replace(own.setups[1], optimizer=own.setups[1].optimizer.but(lr=1e100)))
    np.testing.assert_array_equal(load(folder.path / "model.safetensors")[0]["weight"], kept)


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
    assert list(settings["networks"]) == [network]


def test_the_film_is_made_on_pytorch_too(tmp_path):
    pytest.importorskip("torch")
    result = recipes.get("gmm-deep").run(Options(epochs=40, engine="torch"), tmp_path, lambda line: None)
    assert result.figures[-1].name == "learning.gif"
    with Image.open(result.figures[-1]) as gif:
        assert gif.n_frames > 2
