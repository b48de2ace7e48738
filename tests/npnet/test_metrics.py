import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from npnet import metrics
from npnet.errors import DTypeError, InputError

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(labels, st.sampled_from([np.int64, np.uint8, np.int32]))
def test_accuracy_and_confusion_are_those_of_scikit_learn(pairs, dtype):
    predicted, target = np.array(pairs).astype(dtype).T
    assert metrics.accuracy(predicted, target) == reference.accuracy_score(target, predicted)
    expected = reference.confusion_matrix(target, predicted, labels=range(5))
    np.testing.assert_array_equal(metrics.confusion_matrix(predicted, target, 5), expected)


@given(labels)
def test_precision_and_recall_are_those_of_scikit_learn(pairs):
    predicted, target = np.array(pairs).T
    ours = metrics.precision_recall(metrics.confusion_matrix(predicted, target, 5))
    theirs = reference.precision_recall_fscore_support(
        target, predicted, labels=range(5), zero_division=np.nan
    )
    np.testing.assert_allclose(ours[0], theirs[0])
    np.testing.assert_allclose(ours[1], theirs[1])


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40))
def test_average_precision_is_that_of_scikit_learn_ties_included(pairs):
    scores = np.array([score for score, _ in pairs], dtype=float)
    target = np.array([label for _, label in pairs])
    target[0] = True
    ours = metrics.average_precision(scores, target)
    assert ours == pytest.approx(reference.average_precision_score(target, scores))


FORMS = {
    "list": lambda labels: labels.tolist(),
    "tuple": lambda labels: tuple(labels.tolist()),
    "int8": lambda labels: labels.astype(np.int8),
    "uint8": lambda labels: labels.astype(np.uint8),
    "uint64": lambda labels: labels.astype(np.uint64),
    "text": lambda labels: np.array(NAMES)[labels],
    "objects": lambda labels: np.array(NAMES, dtype=object)[labels],
    "list of text": lambda labels: np.array(NAMES)[labels].tolist(),
}
NAMES = [f"class {i}" for i in range(200)]


@pytest.mark.parametrize("form", FORMS)
def test_labels_come_in_any_usual_form(form):
    """Of 200 classes: small integers would wrap around when multiplied by the number of classes."""
    rng = np.random.default_rng(0)
    predicted, target = rng.integers(120, size=(2, 500))
    expected = reference.confusion_matrix(target, predicted, labels=range(200))
    given = FORMS[form](predicted), FORMS[form](target)
    assert metrics.accuracy(*given) == reference.accuracy_score(target, predicted)
    for classes in (NAMES, np.array(NAMES)) if "text" in form or form == "objects" else (200, np.uint8(200)):
        np.testing.assert_array_equal(metrics.confusion_matrix(*given, classes), expected)


def test_series_and_booleans_are_labels():
    class Series:
        def to_numpy(self):
            return np.array([1, 0, 1])

    assert metrics.accuracy(Series(), [1, 1, 1]) == 2 / 3
    assert metrics.accuracy([True, False], np.array([True, True])) == 0.5
    assert metrics.accuracy([], []) != metrics.accuracy([0], [0])


@given(labels)
def test_a_report_is_that_of_scikit_learn(pairs):
    predicted, target = np.array(pairs).T
    ours = metrics.report(predicted, target, classes=list("abcde"))
    theirs = reference.classification_report(
        target, predicted, labels=range(5), target_names=list("abcde"), output_dict=True, zero_division=np.nan
    )
    for i, name in enumerate(ours.classes):
        got = ours.precision[i], ours.recall[i], ours.f1[i], ours.support[i]
        np.testing.assert_allclose(got, list(theirs[name].values()))
    means, weighted = ours.averages().values()
    np.testing.assert_allclose(means, list(theirs["macro avg"].values())[:3])
    np.testing.assert_allclose(weighted, list(theirs["weighted avg"].values())[:3])
    assert ours.accuracy == reference.accuracy_score(target, predicted)


def test_a_report_is_a_table_as_text_and_in_a_notebook():
    made = metrics.report([0, 0, 1], [0, 1, 1], classes=["a<b", "$x$", "none"])
    lines = str(made).splitlines()
    assert lines[0] == "accuracy 0.667 of 3 samples"
    assert lines[3].split() == ["a<b", "0.500", "1.000", "0.667", "1"]
    assert lines[5].split() == ["none", "–", "–", "–", "0"]
    assert "a&lt;b" in made._repr_html_()
    assert repr(made) == "Report(3 classes, 3 samples, accuracy 0.6667)"


def test_scores_may_be_small_integers():
    """The negative of the lowest integer is itself: ranked by it, the worst would come first."""
    scores, target = np.array([-128, 127, 0], np.int8), [0, 1, 0]
    assert metrics.average_precision(scores, target) == 1
    assert metrics.average_precision(scores.astype(np.uint8), [1, 0, 0]) == 1


def test_accuracy_of_nothing_is_not_a_number():
    nothing = np.zeros(0, dtype=int)
    assert np.isnan(metrics.accuracy(nothing, nothing))


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: metrics.accuracy(np.array([1, 2]), np.array([[1, 2]])),
            InputError,
            r"predicted must have the shape of target, \(1, 2\), got \(2,\)",
        ),
        (
            lambda: metrics.accuracy(np.array([0.1, 0.9]), np.array([0, 1])),
            DTypeError,
            "predicted must be integer labels, got float64",
        ),
        (
            lambda: metrics.confusion_matrix(np.array([0, -1]), np.array([0, 1]), 2),
            InputError,
            "predicted must be in 0…1 for 2 classes, got -1",
        ),
        (
            lambda: metrics.confusion_matrix(np.array([[0]]), np.array([[1]]), 2),
            InputError,
            r"labels must have shape \(n,\)",
        ),
        (lambda: metrics.precision_recall(np.ones((2, 3), int)), InputError, r"got \(2, 3\)"),
        (lambda: metrics.precision_recall([[1, -1], [0, 1]]), InputError, "counts of 0 and more, got -1"),
        (lambda: metrics.f1(np.eye(2)), DTypeError, "confusion must hold integers, got float64"),
        (lambda: metrics.accuracy([1, "a"], [1, 0]), DTypeError, "integer labels or all text"),
        (lambda: metrics.accuracy(["a"], [0]), DTypeError, "labels of one kind, got text and integers"),
        (lambda: metrics.accuracy([[0], [0, 1]], [0]), InputError, "got a ragged list"),
        (
            lambda: metrics.confusion_matrix(["b"], ["a"], ["a"]),
            InputError,
            "name one of the classes, got 'b'",
        ),
        (lambda: metrics.report([0], [0], ["a", "a"]), InputError, "different names"),
        (lambda: metrics.report([0], [0], "ab"), InputError, "classes must be a positive integer|from 1 to"),
        (
            lambda: metrics.average_precision(np.array([0.5, 0.1]), np.array([0, 0])),
            InputError,
            "at least one 1",
        ),
        (
            lambda: metrics.average_precision(np.array([0.5, 0.1]), np.array([1, 2])),
            InputError,
            "must be 0 or 1, got 2",
        ),
        (
            lambda: metrics.average_precision(np.array([0.5, np.nan]), np.array([1, 0])),
            InputError,
            "got NaN",
        ),
        (
            lambda: metrics.average_precision(np.array(["a", "b"]), np.array([1, 0])),
            DTypeError,
            "scores must be numbers",
        ),
        (
            lambda: metrics.average_precision(np.array([0.5, 0.1]), np.array([1.0, 0.0])),
            DTypeError,
            "target must be integers",
        ),
        (lambda: metrics.average_precision(np.array([0.5]), np.array([1, 0])), InputError, "one shape"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
