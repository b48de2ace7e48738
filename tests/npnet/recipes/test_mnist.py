"""The experiments on MNIST, on real digits that need no download and, where they are, on MNIST's own."""

import json
from dataclasses import replace
from math import log

import numpy as np
import pytest

from npnet import data, nn, optim, recipes
from npnet._kept_run import KeptRun
from npnet.checkpoint import load
from npnet.data import ArrayDataset
from npnet.errors import InputError
from npnet.experiments import Options, Run, Runner, runner
from npnet.recipes.mnist_deep import ADAM, FALLING_ADAM, FULL_BATCH, OURS, SHALLOW, STEPS
from npnet.recipes.mnist_svm import MACHINES
from npnet.run import RunFolder
from npnet.train import Epoch, History, predict

MNIST = ["mnist-softmax", "mnist-deep", "mnist-lenet", "mnist-fast", "mnist-svm"]
CONFUSION, MISCLASSIFIED = "confusion_matrix", "misclassified"


@pytest.fixture(scope="module")
def enlarged():
    """Return scikit-learn's 8×8 digits enlarged to 28×28."""
    splits = data.digits(np.random.default_rng(0), standardized=False)

    def enlarge(part):
        x = np.kron(part.x, np.ones((3, 3), np.float32))
        return ArrayDataset(np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2))), part.y)

    parts = {name: enlarge(part) for name, part in splits.parts().items()}
    return replace(splits, format=None, **parts)


@pytest.fixture
def enlarged_digits(enlarged, monkeypatch):
    """Put the enlarged digits in the place of MNIST."""
    monkeypatch.setattr("npnet.data.mnist", lambda folder, **settings: enlarged)


def run(recipe, out, report=lambda line: None, **options):
    recipe = recipes.get(recipe) if isinstance(recipe, str) else recipe
    return recipe.run(Options(quick=True, **options), out, report)


def names(result):
    return [path.stem for path in result.figures]


def settings(result):
    return json.loads((result.folder / "settings.json").read_text())


def metrics(result, network):
    lines = (result.folder / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["network"] == network]


# ---- mnist-softmax -------------------------------------------------------------------------------------


def test_a_stronger_penalty_gives_smaller_weights(enlarged_digits, tmp_path):
    result = run("mnist-softmax", tmp_path)
    found = list(result.values["weight_norm"].values())
    for norms, times in ((found[:4], 1.05), (found[4:], 1.1)):  # as in the source, by short steps, and ours
        assert norms == sorted(norms, reverse=True)
        assert norms[0] > times * norms[-1]
    assert names(result) == ["weights", "learning_curves", CONFUSION, MISCLASSIFIED]
    assert result.values["networks"]["npnet"]["our setting, λ = 0"]["accuracy"] > 0.7


@pytest.mark.usefixtures("blank_pictures")
def test_the_best_by_validation_is_kept_and_is_the_headline(enlarged_digits, tmp_path):
    result = run("mnist-softmax", tmp_path)
    chosen = result.values["best"]
    losses = {
        name: min(epoch["validation_loss"] for epoch in metrics(result, name))
        for name in result.values["weight_norm"]
    }
    assert losses[chosen] == min(losses.values())
    recipe = recipes.get("mnist-softmax")
    model = recipe.setups[0].model(np.random.default_rng(1))
    model.load_state_dict(load(result.folder / "model.safetensors")[0])
    test = recipe.setups[0].splits(Options(quick=True)).test
    accuracy = float((predict(model, test).argmax(axis=1) == test.y).mean())
    assert accuracy == result.values["networks"]["npnet"][chosen]["accuracy"]
    assert chosen.startswith("our setting, ")
    assert result.headline.endswith(f", {100 * accuracy:.2f} % our setting ({chosen[13:]})")
    assert " % as in the source (λ = " in result.headline
    assert result.values["reached"]["npnet"]["headline"] == result.headline


# ---- mnist-deep ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep(enlarged, tmp_path_factory):
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npnet.data.mnist", lambda folder, **settings: enlarged)
        result = run("mnist-deep", tmp_path_factory.mktemp("deep"), lines.append, batch_size=50)
    return result, lines


def test_the_deep_networks_say_what_was_asked(deep):
    result, lines = deep
    assert names(result) == [
        "untrained", "learning_curves", "standings", "hardest_training", "hardest_test", CONFUSION,
        MISCLASSIFIED,
    ]  # fmt: skip
    assert result.values["untrained_loss"] == pytest.approx(log(10), abs=0.1)
    assert any(line.startswith("untrained loss: 2.") and "log 10 = 2.3026" in line for line in lines)
    reached = {name: each["accuracy"] for name, each in result.values["networks"]["npnet"].items()}
    assert reached[SHALLOW] > reached[FULL_BATCH] + 0.1
    assert reached[OURS] > 0.8


def test_all_digits_are_one_minibatch_whatever_is_asked_for(deep):
    networks = settings(deep[0])["networks"]
    assert networks[FULL_BATCH]["batch_size"] == 48_000
    assert {each["batch_size"] for name, each in networks.items() if name != FULL_BATCH} == {50}


def test_the_falling_rate_is_one_factor_for_each_of_an_epochs_steps(deep):
    rates = [epoch["lr"] for epoch in metrics(deep[0], FALLING_ADAM)]
    assert STEPS == 480
    assert rates == pytest.approx([1e-4 * (1 - 1e-4) ** (480 * epoch) for epoch in range(len(rates))])
    assert {epoch["lr"] for epoch in metrics(deep[0], ADAM)} == {1e-4}


@pytest.mark.usefixtures("blank_pictures")
def test_training_stops_early_and_keeps_the_best_epoch(enlarged_digits, tmp_path):
    recipe = recipes.get("mnist-deep").only(OURS)
    result = run(recipe, tmp_path, epochs=20)
    losses = [epoch["validation_loss"] for epoch in metrics(result, OURS)]
    best_epoch = result.values["networks"]["npnet"][OURS]["best_epoch"]
    assert best_epoch == 1 + int(np.argmin(losses))
    assert len(losses) in (best_epoch + 5, 20)


# ---- mnist-lenet ---------------------------------------------------------------------------------------


def test_lenet_learns(enlarged_digits, tmp_path):
    result = run("mnist-lenet", tmp_path)
    assert names(result) == ["learning_curves", CONFUSION, MISCLASSIFIED, "filters"]
    assert settings(result)["parameters"] == 61_706
    assert result.values["accuracy"] > 0.8


# ---- mnist-fast ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("blank_pictures")
def test_the_fast_network_learns_in_one_epoch(enlarged_digits, tmp_path):
    result = run("mnist-fast", tmp_path, batch_size=64)
    assert settings(result)["parameters"] == 25_222
    assert settings(result)["schedule_every"] == "step"
    assert result.values["accuracy"] > 0.8


def test_the_rates_are_those_that_the_published_figures_were_measured_with():
    """As float32, in which the weights are, all of the 313 are the same numbers."""
    (setup,) = recipes.get("mnist-fast").setups
    optimizer = setup.optimizer.make(optim, {"weight": np.zeros(1)})
    steps, rise, rates = 313, 0.4 * 313, []
    schedule = setup.schedule(steps).make(optim, optimizer)
    for _ in range(steps):
        rates.append(optimizer.lr)
        schedule.step()
    up = [0.5 * (0.1 + 0.9 * step / rise) for step in range(126)]
    down = [0.5 * (steps - step) / (steps - rise) for step in range(126, steps)]
    np.testing.assert_array_equal(np.float32(rates), np.float32([*up, *down]))
    assert optimizer.lr == 0
    assert optimizer.momentum == 0.85


def test_the_rate_that_is_asked_for_is_the_highest(enlarged):
    (setup,) = recipes.get("mnist-fast").setups
    asked = setup.with_options(Options(lr=0.2))
    planned = asked.planned(enlarged).settings
    assert (planned["max_lr"], asked.optimizer.settings["lr"]) == (0.2, 0.2)
    assert planned == setup.planned(enlarged).settings | {"max_lr": 0.2}


# ---- mnist-svm -----------------------------------------------------------------------------------------


def test_machines_and_networks_learn_from_the_same_digits(enlarged_digits, tmp_path):
    result = run("mnist-svm", tmp_path)
    rows = result.values["rows"]
    assert names(result) == ["accuracy_and_time"]
    classifiers = ["linear SVM", "Gaussian SVM", "softmax", "784-100-10", "LeNet-5"]
    assert [(row["digits"], row["classifier"]) for row in rows] == [
        (size, name) for size in (200, 400) for name in classifiers
    ]
    assert all(row["accuracy"] > 0.5 and row["seconds_to_learn"] > 0 for row in rows)
    few, many = rows[1], rows[6]
    assert few["accuracy"] < many["accuracy"]
    assert 0 < few["support_vectors"] <= 200 < many["support_vectors"] <= 400
    assert len((result.folder / "metrics.jsonl").read_text().splitlines()) > len(rows)
    kept = KeptRun.open(result.folder)
    (name,) = kept.networks()
    assert (result.values["setup"], result.values["best"]) == (name, f"{name}, 400 digits")
    setup, model = kept.network()
    assert setup.name == name
    measured = next(row for row in rows if (row["digits"], row["classifier"]) == (400, name))
    test = setup.splits(Options()).test
    assert (predict(model, test).argmax(axis=1) == test.y).mean() == pytest.approx(measured["accuracy"])


def test_more_digits_than_there_are_cannot_be_asked_for(enlarged_digits, tmp_path):
    with pytest.raises(InputError, match=r"sizes must be 10…\d+ digits, got 50000"):
        recipes.get("mnist-svm").with_sizes(50_000).run(Options(), tmp_path, lambda line: None)
    assert not any(tmp_path.iterdir())


# ---- all of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist-softmax", "mnist-deep", "mnist-svm"])
def test_an_interrupt_is_a_result_too(enlarged_digits, tmp_path, monkeypatch, name):
    monkeypatch.setattr(runner, "run", lambda *a, **k: History(interrupted=True))
    result = run(name, tmp_path)
    assert result.status == "interrupted"


def test_an_interrupt_of_the_second_network_leaves_what_the_first_reached(
    enlarged_digits, tmp_path, monkeypatch
):
    train, calls = runner.run, []

    def interrupted(*arguments, **settings):
        calls.append(train(*arguments, **settings))
        calls[-1].interrupted = len(calls) == 2
        return calls[-1]

    monkeypatch.setattr(runner, "run", interrupted)
    result = run("mnist-softmax", tmp_path)
    assert result.status == "interrupted"
    assert list(result.values["weight_norm"]) == ["as in the source, λ = 0", "as in the source, λ = 0.001"]
    assert "weights" in names(result)


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.parametrize("name", ["mnist-softmax", "mnist-deep"])
def test_some_of_the_networks_can_be_chosen(enlarged_digits, tmp_path, name):
    recipe = recipes.get(name)
    chosen = recipe.only(recipe.setups[1].name)
    result = run(chosen, tmp_path, epochs=1)
    assert list(result.values["networks"]["npnet"]) == [recipe.setups[1].name]
    for unknown in (("no such",), ()):
        with pytest.raises(InputError, match="networks must be among"):
            recipe.only(*unknown)


@pytest.mark.parametrize("name", ["mnist-softmax", "mnist-deep", "mnist-svm"])
def test_the_summary_lists_every_network(name):
    recipe = recipes.get(name)
    assert all(network.name in recipe.summary() for network in recipe.setups)


def test_the_lowest_validation_loss_wins_and_no_epoch_loses(tmp_path):
    folder = RunFolder(tmp_path, "x")
    recipe = recipes.get("mnist-softmax")
    part = ArrayDataset(np.zeros((2, 1), np.float32), np.array([0, 1]))
    splits = data.Splits(part, part, part)

    def learnt(*losses):
        epochs = [Epoch(i, 1.0, 0.5, loss, 0.5, 0.1, 1.0, 1.0) for i, loss in enumerate(losses, start=1)]
        lowest = 1 + losses.index(min(losses)) if losses else None
        history = History(epochs, lowest)
        return Run(recipe.setups[0], "npnet", splits, nn.Identity(), history, 1.0, 1.0, 0.5)

    def best(*runs):
        own = Runner(recipe, Options(), "numpy", folder, print)
        own.runs = dict(enumerate(runs))
        return own.best

    good, bad, none = learnt(0.3, 0.2, 0.4), learnt(0.25), learnt()
    assert best(none, bad, good) is good
    assert best(none, bad) is bad
    last = replace(good, setup=replace(good.setup, keep_best=False))
    assert best(last, bad) is bad  # nothing was chosen by the validation part of the other
    assert best(last) is last
    assert none.kept is None


def test_both_engines_stay_together(enlarged_digits, tmp_path):
    pytest.importorskip("torch")
    lines = []
    recipe = recipes.get("mnist-deep").only(SHALLOW, OURS)
    result = run(recipe, tmp_path, lines.append, engine="both")
    assert list(result.values["reached"]) == ["npnet", "PyTorch"]
    assert max(result.values["largest_loss_difference"].values()) < 1e-3
    assert names(result)[-1] == "engines"
    assert any(line.startswith("PyTorch, ") for line in lines)


def test_machines_stand_beside_networks_of_both_engines(enlarged_digits, tmp_path):
    pytest.importorskip("torch")
    result = run("mnist-svm", tmp_path, engine="both", epochs=1)
    found = [(row["classifier"], row["engine"]) for row in result.values["rows"] if row["digits"] == 400]
    networks = [each.name for each in recipes.get("mnist-svm").setups]
    assert found == [
        *((name, None) for name in MACHINES),
        *((name, engine) for engine in ("npnet", "PyTorch") for name in networks),
    ]
    assert result.status == "finished"
    rows = {(row["classifier"], row["engine"]): row for row in result.values["rows"] if row["digits"] == 400}
    assert list(result.values["reached"]) == ["npnet", "PyTorch"]
    for engine, each in result.values["reached"].items():
        own = {name: row["accuracy"] for (name, of), row in rows.items() if of == engine}
        shown = [(name, rows[name, None]["accuracy"]) for name in MACHINES]
        shown.append(max(own.items(), key=lambda named: named[1]))
        told = ", ".join(f"{name} {100 * share:.2f} %" for name, share in shown)
        assert each["headline"] == f"test accuracy with 400 digits: {told}"
        taken = (row["seconds_to_learn"] for row in result.values["rows"] if row["engine"] == engine)
        assert each["seconds"] > sum(taken)


def test_other_sizes_can_be_asked_for(enlarged_digits, tmp_path):
    recipe = recipes.get("mnist-svm").with_sizes(100, 300)
    result = run(recipe, tmp_path, epochs=1)
    assert [row["digits"] for row in result.values["rows"]] == [100] * 5 + [300] * 5
    assert not recipe.whole
    assert recipes.get("mnist-svm").with_sizes(1_000, 4_000, 12_000).whole


LEAST = {"mnist-softmax": 0.75, "mnist-deep": 0.8, "mnist-lenet": 0.8, "mnist-fast": 0.9}


@pytest.mark.parametrize("name", MNIST)
def test_real_digits(real_data, tmp_path, name):
    if not data.present("mnist", real_data):
        pytest.skip("the folder that NPNET_DATA names has no MNIST")
    result = run(name, tmp_path, data=real_data)
    assert result.status == "finished"
    if name == "mnist-svm":
        assert {row["classifier"]: row["accuracy"] for row in result.values["rows"]}["Gaussian SVM"] > 0.85
    else:
        networks = result.values["networks"]["npnet"]
        reached = networks[result.values.get("best", name)]["accuracy"]
        assert reached > LEAST[name]


def test_the_held_out_fifth_does_not_depend_on_the_seed(real_data):
    if not data.present("mnist", real_data):
        pytest.skip("the folder that NPNET_DATA names has no MNIST")
    one, other = (
        recipes.get("mnist-deep").setups[0].data(Options(seed=seed, data=real_data)) for seed in (0, 1)
    )
    assert [len(part) for part in one.parts().values()] == [48_000, 12_000, 10_000]
    np.testing.assert_array_equal(one.validation.y, other.validation.y)
