import json

import pytest

from npnet import recipes
from npnet.experiments import Options
from npnet.recipes.gmm_logreg import MANY, ONCE, STRENGTHS, THREE, TWO, strength


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return recipes.get("gmm-logreg").run(Options(quick=True), out, lambda line: None)


def test_the_loss_does_not_depend_on_the_size_of_the_data(result):
    assert result.values["loss_changes_with_data_size_by"] < 1e-9
    assert result.values["test"][ONCE] == result.values["test"][MANY]


def test_stronger_penalties_make_smaller_weights(result):
    norms = [result.values["weight_norm"][strength(decay)] for decay in STRENGTHS]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < norms[0] / 3


def test_the_classes_are_told_apart_as_far_as_lines_can(result):
    assert result.values["test"][TWO]["accuracy"] > 0.95
    assert 0.8 < result.values["test"][THREE]["accuracy"] < 1
    assert len(result.values["test"][THREE]["recall"]) == 3


def test_there_are_figures_and_notes_of_each_network(result):
    names = {"decision_surfaces.png", "l2_strength.png", "loss_and_data_size.png"}
    assert {path.name for path in result.figures} == names
    assert all(path.stat().st_size > 10_000 for path in result.figures)
    lines = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    recipe = recipes.get("gmm-logreg")
    assert {line["network"] for line in lines} == {network.name for network in recipe.setups}
    assert max(line["epoch"] for line in lines) == 150
    settings = json.loads((result.folder / "settings.json").read_text())
    assert "weight_decay=10" in settings["networks"][strength(10.0)]["optimizer"]


def test_the_data_change_with_the_seed_and_test_samples_are_others():
    draw = recipes.get("gmm-logreg").setups[1].data
    one, other = draw(Options(seed=0)), draw(Options(seed=1))
    assert (one.train.x != other.train.x).all()
    assert (one.train.x != one.test.x).all()
    assert one.train.y.tolist() == one.test.y.tolist()
