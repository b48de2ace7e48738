import numpy as np
import pytest
from matplotlib.collections import PathCollection
from sklearn.svm import SVC

from npnet import plot, recipes
from npnet.experiments import Options
from npnet.recipes.gmm_ksvm import KSVMWrap, seeds, two_scores

SPLITS = recipes.get("gmm-ksvm").setups[0].data(Options())


def test_a_quick_run_judges_both_on_the_same_mixtures(tmp_path):
    result = recipes.get("gmm-ksvm").run(Options(quick=True), tmp_path, lambda line: None)
    assert [path.name for path in result.figures] == ["decision_surfaces.png", "comparison.png"]
    assert result.values["data_sets"] == 3
    for measure in ("accuracy", "AP"):
        for who in ("SVM", "network"):
            judged = result.values[measure][who]
            assert len(set(judged["all"])) > 1  # other mixtures, other shares
            assert 0.6 < judged["mean"] <= 1
            assert judged["std"] == pytest.approx(np.std(judged["all"], ddof=1))
    difference = result.values["accuracy"]["SVM"]["mean"] - result.values["accuracy"]["network"]["mean"]
    assert abs(difference) < 0.1


def test_runs_of_different_seeds_share_no_mixture(tmp_path):
    one, other = (
        recipes.get("gmm-ksvm").run(Options(quick=True, epochs=5, seed=seed), tmp_path, lambda line: None)
        for seed in (0, 1)
    )
    shares = [result.values["AP"]["SVM"]["all"] for result in (one, other)]
    assert not set(shares[0]) & set(shares[1])
    drawn = [set(seeds(seed, 40)) for seed in range(5)]
    assert len(set().union(*drawn)) == 200
    assert seeds(0, 3) == seeds(0, 40)[:3]


def test_the_wrapper_is_scikit_learns_svc():
    svm, svc = KSVMWrap(SPLITS.train.x, SPLITS.train.y), SVC(C=1, gamma="auto")
    svc.fit(SPLITS.train.x, SPLITS.train.y)
    np.testing.assert_array_equal(svm.predict(SPLITS.test.x), svc.predict(SPLITS.test.x))
    np.testing.assert_array_equal(svm.get_scores(SPLITS.test.x), svc.decision_function(SPLITS.test.x))
    np.testing.assert_array_equal(svm.support, svc.support_)


def test_two_scores_predict_what_the_svm_predicts():
    svm = KSVMWrap(SPLITS.train.x, SPLITS.train.y)
    scores = two_scores(svm, SPLITS.test.x)
    np.testing.assert_array_equal(scores.argmax(axis=1), svm.predict(SPLITS.test.x))


def test_support_vectors_are_drawn_double_size():
    part = SPLITS.train
    svm = KSVMWrap(part.x, part.y)
    surface = plot.Surface("svm", part.x, part.y, lambda x: np.eye(2)[svm.predict(x)], svm.support)
    figure = plot.surfaces([surface], SPLITS.classes)
    sizes = np.concatenate([points.get_sizes() for points in figure.axes[0].collections
                            if type(points) is PathCollection])  # fmt: skip
    small, large = np.unique(sizes)
    assert large == 2 * small
    assert (sizes == large).sum() == len(svm.support) < len(part)
