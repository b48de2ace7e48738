import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

INF, NAN = np.inf, np.nan
REDUCTIONS = ["mean", "sum", "none"]
# x of shape (C,), (N, C) and (N, C, d1, ...) with the shape of the labels
SHAPES = [((4,), ()), ((5, 4), (5,)), ((1, 4), (1,)), ((0, 4), (0,)), ((2, 1), (2,))]
SHAPES += [((2, 4, 3), (2, 3)), ((2, 4, 3, 2), (2, 3, 2)), ((2, 4, 0), (2, 0))]


@pytest.mark.parametrize(
    ("reduction", "loss", "grad"),
    [
        ("mean", 5.0, [[-0.25, 0.0], [0.0, -0.75]]),
        ("sum", 20.0, [[-1.0, 0.0], [0.0, -3.0]]),
        ("none", [2.0, 18.0], [[-1.0, 0.0], [0.0, -3.0]]),
    ],
)
def test_known_values(reduction, loss, grad):
    x, weight = np.array([[-2.0, -4.0], [-5.0, -6.0]]), np.array([1.0, 3.0])
    y, backward = F.nll_loss(x, np.array([0, 1]), weight, reduction=reduction)
    np.testing.assert_array_equal(y, loss)
    np.testing.assert_array_equal(backward(), grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("shape", "target_shape"), SHAPES)
def test_torch(same_as_torch, shape, target_shape, weighted, reduction):
    rng = np.random.default_rng(1)
    classes = shape[min(1, len(shape) - 1)]
    x, target = rng.standard_normal(shape), np.asarray(rng.integers(classes, size=target_shape))
    weight = rng.uniform(0.5, 2, classes) if weighted else None
    same_as_torch("nll_loss", x, target, weight=weight, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("target", "ignore_index"),
    [([0, -100, 2], -100), ([1, 1, 2], 1), ([0, 7, 2], 7), ([-1, 0, -1], -1), ([-100] * 3, -100)],
)
def test_torch_with_ignored_labels(same_as_torch, target, ignore_index, reduction):
    x, weight = np.random.default_rng(1).standard_normal((3, 3)), np.array([0.5, 3.0, 2.0])
    x[np.array(target) == ignore_index] = NAN
    settings = {"ignore_index": ignore_index, "reduction": reduction}
    same_as_torch("nll_loss", x, np.array(target), **settings)
    same_as_torch("nll_loss", x, np.array(target), weight=weight, **settings)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("target", [[0, 0], [0, 1], [1, 1]])
def test_torch_with_weight_zero_and_infinite_logits(same_as_torch, target, reduction):
    x, weight = np.array([[-INF, -2.0], [-3.0, INF]]), np.array([0.0, 1.0])
    same_as_torch("nll_loss", x, np.array(target), weight=weight, reduction=reduction)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_labels_of_any_integer_dtype(dtype):
    loss, _ = F.nll_loss(np.array([[-1.0, -2.0]]), np.array([1], dtype=dtype))
    assert loss == 2.0


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("shape", "target", "message"),
    [
        ((3, 4), [0, 4, 1], r"labels from 0 to 3 or ignore_index -100, got 4 at position \(1,\)"),
        ((3, 4), [0, 1, -1], r"got -1 at position \(2,\)"),
        ((4,), 9, r"got 9 at position \(\)"),
        ((1, 4, 2), [[0, 5]], r"got 5 at position \(0, 1\)"),
        ((3, 4), [0, 1], r"nll_loss: target must have shape \(3,\) for x of shape \(3, 4\), got \(2,\)"),
        ((3, 4), [[0], [1], [2]], r"target must have shape \(3,\)"),
        ((4,), [1], r"target must have shape \(\)"),
        ((), 0, r"x must have shape \(C,\), \(N, C\) or \(N, C, d1, ...\) with C > 0, got \(\)"),
        ((2, 0), [0, 0], r"with C > 0, got \(2, 0\)"),
    ],
)
def test_bad_labels_are_refused(shape, target, message):
    with pytest.raises(InputError, match=message):
        F.nll_loss(np.zeros(shape), np.array(target))


@pytest.mark.usefixtures("bare")
def test_bad_input_is_refused():
    x, target = np.zeros((2, 3)), np.array([0, 1])
    with pytest.raises(InputError, match=r"weight must have shape \(3,\) .* got \(1,\)"):
        F.nll_loss(x, target, np.ones(1))
    with pytest.raises(InputError, match="reduction must be one of mean, sum, none, got 'avg'"):
        F.nll_loss(x, target, reduction="avg")
    for labels in (np.array([0.0, 1.0]), np.array([False, True])):
        with pytest.raises(DTypeError, match=f"target must hold integer labels, got {labels.dtype}"):
            F.nll_loss(x, labels)
    with pytest.raises(DTypeError, match="target must be a NumPy array, got list"):
        F.nll_loss(x, [0, 1])
    _, backward = F.nll_loss(x, target)
    with pytest.raises(InputError, match=r"nll_loss: grad_loss must have shape \(\) .* got \(1,\)"):
        backward(np.ones(1))
