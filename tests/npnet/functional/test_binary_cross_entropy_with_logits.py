import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

INF, NAN = np.inf, np.nan


def test_known_values():
    x, target = np.log([3.0, 3.0]), np.array([1.0, 0.0])
    loss, backward = F.binary_cross_entropy_with_logits(
        x, target, np.array([1.0, 3.0]), "none", np.array(2.0)
    )
    np.testing.assert_allclose(loss, [2 * np.log(4 / 3), 3 * np.log(4)], rtol=1e-14)
    np.testing.assert_allclose(backward(), [-0.5, 2.25], rtol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("shape", "weight_shape", "pos_weight_shape"),
    [
        ((), None, ()),
        ((), (), None),
        ((0, 3), None, (3,)),
        ((5,), None, None),
        ((4, 3), (3,), (4, 1)),
        ((4, 3), (4, 1), (3,)),
        ((2, 3, 4), (2, 3, 4), ()),
    ],
)
def test_torch(same_as_torch, shape, weight_shape, pos_weight_shape, reduction):
    rng = np.random.default_rng(1)
    x, target = np.asarray(3 * rng.standard_normal(shape)), np.asarray(rng.random(shape))
    weight, pos_weight = (
        None if size is None else np.asarray(rng.uniform(0.5, 2, size))
        for size in (weight_shape, pos_weight_shape)
    )
    settings = {"weight": weight, "pos_weight": pos_weight, "reduction": reduction}
    same_as_torch("binary_cross_entropy_with_logits", x, target, **settings)


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0, 2.0])
def test_torch_with_extreme_logits(same_as_torch, target):
    x = np.array([0.0, 50.0, -50.0, 800.0, -800.0, 1e300, -1e300, NAN, INF])
    same_as_torch("binary_cross_entropy_with_logits", x, np.full_like(x, target), reduction="none")


def test_minus_infinity():
    x, target = np.full(3, -INF), np.array([0.0, 0.5, 1.0])
    loss, backward = F.binary_cross_entropy_with_logits(x, target, reduction="none")
    np.testing.assert_array_equal(loss, [NAN, INF, INF])
    np.testing.assert_array_equal(backward(), [0.0, -0.5, -1.0])


def test_a_right_answer_keeps_its_digits():
    x, target = np.array([-50.0, 50.0]), np.array([0.0, 1.0])
    loss, backward = F.binary_cross_entropy_with_logits(x, target, reduction="none")
    np.testing.assert_allclose(loss, np.exp([-50.0, -50.0]), rtol=1e-14)
    np.testing.assert_allclose(backward(), np.exp(-50.0) * np.array([1, -1]), rtol=1e-14)


def test_is_binary_cross_entropy_of_sigmoid():
    rng = np.random.default_rng(1)
    x, target, weight = rng.standard_normal(9), rng.random(9), rng.random(9)
    loss, backward = F.binary_cross_entropy_with_logits(x, target, weight)
    y, sigmoid_backward = F.sigmoid(x)
    expected, bce_backward = F.binary_cross_entropy(y, target, weight)
    np.testing.assert_allclose(loss, expected, rtol=1e-14)
    np.testing.assert_allclose(backward(), sigmoid_backward(bce_backward()), rtol=1e-13)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"target": np.ones(2)}, r"target must have shape \(1, 2\) like x, got \(2,\)"),
        ({"weight": np.ones((3, 2))}, r"weight must broadcast to the shape of x, \(1, 2\), got \(3, 2\)"),
        ({"pos_weight": np.ones(3)}, r"pos_weight must broadcast to the shape of x, \(1, 2\), got \(3,\)"),
        ({"reduction": "avg"}, "reduction must be one of mean, sum, none, got 'avg'"),
    ],
)
def test_bad_input_is_refused(changed, message):
    good = {"x": np.zeros((1, 2)), "target": np.ones((1, 2))}
    with pytest.raises(InputError, match=message):
        F.binary_cross_entropy_with_logits(**(good | changed))


@pytest.mark.usefixtures("bare")
def test_bad_dtypes_are_refused():
    x = np.zeros(2)
    with pytest.raises(DTypeError, match="pos_weight must have the dtype of x, float64, got float32"):
        F.binary_cross_entropy_with_logits(x, x, pos_weight=np.ones(2, dtype=np.float32))
    with pytest.raises(DTypeError, match="binary_cross_entropy_with_logits: x must be a NumPy array"):
        F.binary_cross_entropy_with_logits(0.5, x)
