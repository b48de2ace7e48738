import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from npnet import recipes
from npnet.experiments import Options, runner
from npnet.recipes.common import gmm
from npnet.recipes.gmm_deep import KINDS, MIXTURES, frames, network


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return recipes.get("gmm-deep").run(Options(quick=True), out, lambda line: None)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_hidden_layers_see_what_no_line_can(result, mixture):
    line, *deep = [result.values["judged"][network(mixture, *kind).name]["training"] for kind in KINDS]
    assert max(judged["accuracy"] for judged in deep) > line["accuracy"] + 0.05
    assert all(0.5 < judged["average_precision"] <= 1 for judged in deep)


def test_there_is_a_surface_for_each_mixture_losses_and_a_film(result):
    names = ["decision_surfaces_4_2_40.png", "decision_surfaces_6_2_10.png", "losses.png", "learning.gif"]
    assert [path.name for path in result.figures] == names
    with Image.open(result.folder / "learning.gif") as gif:
        assert gif.n_frames == len(frames(200))
        first = np.asarray(gif.convert("RGB"), dtype=int)
        gif.seek(gif.n_frames - 1)
        last = np.asarray(gif.convert("RGB"), dtype=int)
    assert (abs(first - last).max(axis=2) > 30).mean() > 0.05  # the surface moved


def test_an_interrupt_before_the_deepest_ends_with_what_the_last_came_to(tmp_path, monkeypatch):
    train, calls = runner.run, []

    def interrupted(*arguments, **settings):
        calls.append(train(*arguments, **settings))
        calls[-1].interrupted = len(calls) == 2
        return calls[-1]

    monkeypatch.setattr(runner, "run", interrupted)
    ended = recipes.get("gmm-deep").run(Options(epochs=30), tmp_path, lambda line: None)
    judged = ended.values["judged"]["2-10-2 relu on (4, 2, 40)"]["training"]
    share = f"{100 * judged['accuracy']:.1f} %"
    assert ended.headline == f"training accuracy of 2-10-2 relu on (4, 2, 40): {share} after 30 of 30 steps"


def test_the_headline_is_of_the_deepest(result):
    shares = [result.values["judged"][f"2-10-10-2 relu on {mixture}"]["training"] for mixture in MIXTURES]
    one, other = (f"{100 * share['accuracy']:.1f} %" for share in shares)
    assert result.headline == f"training accuracy of 2-10-10-2 relu: (4, 2, 40) {one}, (6, 2, 10) {other}"


def test_frames_begin_untrained_and_end_trained():
    shown = frames(10_000)
    assert (shown[0], shown[1], shown[-1]) == (0, 1, 10_000)
    assert len(shown) > 40


def test_the_settings_are_those_of_the_source():
    recipe = recipes.get("gmm-deep")
    assert len(recipe.setups) == 10
    for each in recipe.setups:
        assert each.epochs == 10_000
        assert each.optimizer.settings == {"lr": 0.1, "weight_decay": 1e-4}
        assert each.batch_size == len(each.data(Options()).train) in (160, 60)


def test_judgements_are_scikit_learns():
    rng = np.random.default_rng(0)
    scores, target = rng.normal(size=(50, 2)), rng.integers(2, size=50)
    ours = gmm.judge(scores, target)
    precision, recall, _, _ = precision_recall_fscore_support(target, scores.argmax(axis=1))
    np.testing.assert_allclose(ours.precision, precision)
    np.testing.assert_allclose(ours.recall, recall)
    ap = average_precision_score(target, scores[:, 1] - scores[:, 0])
    assert ours.average_precision == pytest.approx(ap)
    assert ours.accuracy == (scores.argmax(axis=1) == target).mean()
