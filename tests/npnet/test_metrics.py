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
        (lambda: metrics.average_precision(np.array([1, 2]), np.array([1, 0])), DTypeError, "floating-point"),
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
