import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

NAN = np.nan


def test_known_values():
    x, target, weight = np.array([0.25, 0.5]), np.array([1.0, 0.0]), np.array([1.0, 3.0])
    loss, backward = F.binary_cross_entropy(x, target, weight)
    np.testing.assert_allclose(loss, (np.log(4) + 3 * np.log(2)) / 2, rtol=1e-15)
    np.testing.assert_allclose(backward(), [-2.0, 3.0], rtol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("shape", "weight_shape"),
    [
        ((), None),
        ((), ()),
        ((0, 3), None),
        ((5,), None),
        ((5,), ()),
        ((4, 3), (3,)),
        ((4, 3), (4, 1)),
        ((2, 3, 4), (2, 3, 4)),
    ],
)
def test_torch(same_as_torch, shape, weight_shape, reduction):
    rng = np.random.default_rng(1)
    x, target = np.asarray(rng.random(shape)), np.asarray(rng.random(shape))
    weight = None if weight_shape is None else np.asarray(rng.uniform(0.5, 2, weight_shape))
    same_as_torch("binary_cross_entropy", x, target, weight=weight, reduction=reduction)


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_torch_where_logarithm_and_denominator_are_clamped(same_as_torch, target):
    x = np.array([0.0, -0.0, 1.0, 1e-320, 1e-50, 1e-13, 1e-12, 1 - 1e-16, 1 - 1e-13])
    same_as_torch("binary_cross_entropy", x, np.full_like(x, target), reduction="none")


def test_float32_is_clamped_too():
    x = np.array([0.0, 1.0], dtype=np.float32)
    loss, backward = F.binary_cross_entropy(x, 1 - x, reduction="none")
    np.testing.assert_array_equal(loss, np.array([100, 100], dtype=np.float32), strict=True)
    np.testing.assert_array_equal(backward(), np.array([-1e12, 1e12], dtype=np.float32), strict=True)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": np.array([[0.5, 1.5]])}, r"x must be from 0 to 1, got 1.5 at position \(0, 1\)"),
        ({"x": np.array([[-0.1, 0.5]])}, r"x must be from 0 to 1, got -0.1 at position \(0, 0\)"),
        ({"x": np.array([[0.5, NAN]])}, "x must be from 0 to 1, got nan"),
        ({"target": np.array([[0.5, 2.0]])}, "target must be from 0 to 1, got 2.0"),
        ({"target": np.ones(2)}, r"target must have shape \(1, 2\) like x, got \(2,\)"),
        ({"weight": np.ones(3)}, r"weight must broadcast to the shape of x, \(1, 2\), got \(3,\)"),
        ({"weight": np.ones((3, 2))}, r"weight must broadcast .* got \(3, 2\)"),
        ({"reduction": "avg"}, "reduction must be one of mean, sum, none, got 'avg'"),
    ],
)
def test_bad_input_is_refused(changed, message):
    good = {"x": np.full((1, 2), 0.5), "target": np.ones((1, 2))}
    with pytest.raises(InputError, match=message):
        F.binary_cross_entropy(**(good | changed))


@pytest.mark.usefixtures("bare")
def test_bad_dtypes_are_refused():
    with pytest.raises(DTypeError, match="target must be float32 or float64, got int64"):
        F.binary_cross_entropy(np.full(2, 0.5), np.array([0, 1]))
