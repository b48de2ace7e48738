import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from npnet import functional as F
from npnet import recipes
from npnet.errors import MissingError
from npnet.experiments import Options
from npnet.recipes import gmm_fcann2
from npnet.recipes.gmm_fcann2 import fcann2_classify, fcann2_train

SAMPLES = recipes.get("gmm-fcann2").setups[0].data(Options()).train


def test_a_quick_run_ends_alike_and_beats_a_line(tmp_path):
    result = recipes.get("gmm-fcann2").run(Options(quick=True), tmp_path, lambda line: None)
    assert result.values["probabilities_differ_by"] < 1e-9
    line = LogisticRegression(C=1e3).fit(SAMPLES.x, SAMPLES.y).score(SAMPLES.x, SAMPLES.y)
    assert result.values["layers"]["training"]["accuracy"] > line + 0.05
    assert result.values["plain functions"] == result.values["layers"]
    assert [path.name for path in result.figures] == ["decision_surfaces.png"]


def test_other_learning_rates_reach_the_plain_functions_too(tmp_path):
    result = recipes.get("gmm-fcann2").run(Options(epochs=50, lr=0.01), tmp_path, lambda line: None)
    assert result.values["probabilities_differ_by"] < 1e-12


def start(hidden=5, seed=0):
    random = np.random.default_rng(seed)
    shapes = {"W1": (hidden, 2), "b1": (hidden,), "W2": (2, hidden), "b2": (2,)}
    return {name: random.standard_normal(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_one_step_goes_against_the_numerical_gradient(name):
    def loss(parameters):
        hidden = np.maximum(0, SAMPLES.x @ parameters["W1"].T + parameters["b1"])
        value, _ = F.cross_entropy(hidden @ parameters["W2"].T + parameters["b2"], SAMPLES.y)
        return value + 0.05 * sum((p**2).sum() for p in parameters.values())

    before = start()
    after = fcann2_train(SAMPLES.x, SAMPLES.y, steps=1, lr=1.0, decay=0.1, start=before)
    numerical = np.empty_like(before[name])
    for place in np.ndindex(numerical.shape):
        changed = {key: value.copy() for key, value in before.items()}
        changed[name][place] += 1e-6
        up = loss(changed)
        changed[name][place] -= 2e-6
        numerical[place] = (up - loss(changed)) / 2e-6
    np.testing.assert_allclose(before[name] - after[name], numerical, rtol=1e-5, atol=1e-7)


def test_the_given_start_is_not_changed():
    before, copy = start(), start()
    fcann2_train(SAMPLES.x, SAMPLES.y, steps=3, start=before)
    assert all((before[name] == copy[name]).all() for name in copy)


def test_probabilities_sum_to_one_and_large_scores_are_safe():
    p = fcann2_classify(1e6 * SAMPLES.x, start())
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_classify_takes_what_was_trained_last():
    trained = fcann2_train(SAMPLES.x, SAMPLES.y, steps=10)
    np.testing.assert_array_equal(fcann2_classify(SAMPLES.x), fcann2_classify(SAMPLES.x, trained))


def test_classify_before_training_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(gmm_fcann2, "_last_trained", {})
    with pytest.raises(MissingError, match="must be given or trained before"):
        fcann2_classify(SAMPLES.x)
