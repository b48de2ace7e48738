import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

INF, NAN = np.inf, np.nan
REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(4,), (5, 4), (1, 4), (0, 4), (2, 1), (2, 4, 3), (2, 4, 3, 2), (2, 4, 0)]


def labels_for(shape, rng):
    return np.asarray(
        rng.integers(shape[min(1, len(shape) - 1)], size=shape[:1][: len(shape) - 1] + shape[2:])
    )


@pytest.mark.parametrize(
    ("settings", "loss", "grad"),
    [
        ({}, np.log(4 / 3 * 2) / 2, [[0.125, -0.125], [-0.25, 0.25]]),
        ({"reduction": "none"}, np.log([4 / 3, 2]), [[0.25, -0.25], [-0.5, 0.5]]),
        (
            {"reduction": "sum", "weight": np.array([1.0, 2.0])},
            2 * np.log(4 / 3) + np.log(2),
            [[0.5, -0.5], [-0.5, 0.5]],
        ),
        (
            {"reduction": "none", "label_smoothing": 0.5},
            [np.log(4 / 3) * 0.75 + np.log(4) * 0.25, np.log(2)],
            [[0.0, 0.0], [-0.25, 0.25]],
        ),
    ],
)
def test_known_values(settings, loss, grad):
    x = np.log([[1.0, 3.0], [2.0, 2.0]])
    y, backward = F.cross_entropy(x, np.array([1, 0]), **settings)
    np.testing.assert_allclose(y, loss, rtol=1e-14)
    np.testing.assert_allclose(backward(), grad, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("target", ["labels", "probabilities"])
def test_torch(same_as_torch, target, shape, weighted, reduction, smoothing):
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape)
    weight = rng.uniform(0.5, 2, shape[min(1, len(shape) - 1)]) if weighted else None
    target = labels_for(shape, rng) if target == "labels" else rng.random(shape)  # need not sum to 1
    settings = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
    same_as_torch("cross_entropy", x, target, **settings)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("target", "ignore_index"),
    [([0, -100, 2], -100), ([1, 1, 2], 1), ([0, 7, 2], 7), ([-1, 0, -1], -1), ([-100] * 3, -100)],
)
def test_torch_with_ignored_labels(same_as_torch, target, ignore_index, reduction, smoothing):
    x, weight = np.random.default_rng(1).standard_normal((3, 3)), np.array([0.5, 3.0, 2.0])
    settings = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": smoothing}
    same_as_torch("cross_entropy", x, np.array(target), **settings)
    same_as_torch("cross_entropy", x, np.array(target), weight=weight, **settings)


@pytest.mark.parametrize(
    ("logits", "label"),
    [
        ([1e4, -1e4, 0.0], 0),
        ([1e4, -1e4, 0.0], 1),
        ([-INF, 1.0, 2.0], 1),
        ([-INF, 1.0, 2.0], 0),
        ([NAN, 1.0, 2.0], 1),
        ([NAN, 1.0, 2.0], -100),
        ([INF, 1.0, 2.0], 0),
        ([-INF, -INF, -INF], 0),
    ],
)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_torch_with_extreme_logits(same_as_torch, logits, label, smoothing):
    x = np.array([logits, [0.0, 1.0, 2.0]])
    same_as_torch("cross_entropy", x, np.array([label, 2]), label_smoothing=smoothing)


def test_torch_with_weights_that_sum_to_zero(same_as_torch):
    x, weight = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([0.0, 1.0])
    same_as_torch("cross_entropy", x, np.array([0, 0]), weight=weight)
    same_as_torch("cross_entropy", x, np.array([0, -100]), weight=weight)


def test_torch_zero_probability_of_an_impossible_class(same_as_torch):
    same_as_torch("cross_entropy", np.array([-INF, 1.0, 2.0]), np.array([0.0, 0.4, 0.6]))


def test_is_nll_loss_of_log_softmax():
    rng = np.random.default_rng(1)
    x, target = rng.standard_normal((4, 3, 2)), np.array([[0, 2], [-100, 1], [1, 1], [2, 0]])
    loss, backward = F.cross_entropy(x, target)
    y, log_softmax_backward = F.log_softmax(x, 1)
    expected, nll_backward = F.nll_loss(y, target)
    np.testing.assert_allclose(loss, expected, rtol=1e-14)
    np.testing.assert_allclose(backward(), log_softmax_backward(nll_backward()), rtol=1e-13, atol=1e-16)


def test_float32_is_rounded_once():
    rng = np.random.default_rng(1)
    x, target = rng.standard_normal((50, 10)).astype(np.float32), rng.integers(10, size=50)
    loss, backward = F.cross_entropy(x, target, reduction="sum")
    truth, true_backward = F.cross_entropy(x.astype(np.float64), target, reduction="sum")
    np.testing.assert_array_equal(loss, np.asarray(truth, np.float32), strict=True)
    np.testing.assert_array_equal(backward(), true_backward().astype(np.float32), strict=True)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("shape", "target", "message"),
    [
        ((3, 4), [0, 4, 1], r"labels from 0 to 3 or ignore_index -100, got 4 at position \(1,\)"),
        ((3, 4), [0, 1, -1], r"got -1 at position \(2,\)"),
        ((3, 4), [0, 1], r"target must have shape \(3,\) for x of shape \(3, 4\), got \(2,\)"),
        ((), 0, r"x must have shape \(C,\), \(N, C\) or \(N, C, d1, ...\) with C > 0, got \(\)"),
        ((0, 0), [], r"with C > 0, got \(0, 0\)"),
    ],
)
def test_targets_that_do_not_fit_are_refused(shape, target, message):
    with pytest.raises(InputError, match=message):
        F.cross_entropy(np.zeros(shape), np.array(target))


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": np.ones(2)}, r"weight must have shape \(3,\) .* got \(2,\)"),
        ({"reduction": "avg"}, "reduction must be one of mean, sum, none, got 'avg'"),
        (
            {"label_smoothing": 1.5},
            "label_smoothing must be a finite number of at least 0 and at most 1, got 1.5",
        ),
        ({"label_smoothing": NAN}, "label_smoothing must be a finite number .*, got nan"),
        ({"ignore_index": 1}, "ignore_index must be negative with probabilities as target, got 1"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        F.cross_entropy(np.zeros((2, 3)), np.ones((2, 3)) / 3, **settings)


@pytest.mark.usefixtures("bare")
def test_bad_dtypes_are_refused():
    x = np.zeros((2, 3))
    with pytest.raises(DTypeError, match="target must hold integer labels, got bool"):
        F.cross_entropy(x, np.array([True, False]))
    for labels in (np.array([0.0, 1.0]), np.array([0, 1], np.float32), np.zeros((2, 1))):
        message = rf"target must hold integer class labels, .* got {labels.dtype} of shape \({len(labels)},"
        with pytest.raises(DTypeError, match=message):
            F.cross_entropy(x, labels)
    with pytest.raises(DTypeError, match="target must have the dtype of x, float64, got float32"):
        F.cross_entropy(x, np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(DTypeError, match="target must be a NumPy array, got list"):
        F.cross_entropy(x, [0, 1])
    with pytest.raises(DTypeError, match="weight must have the dtype of x, float64, got float32"):
        F.cross_entropy(x, np.array([0, 1]), np.ones(3, dtype=np.float32))
