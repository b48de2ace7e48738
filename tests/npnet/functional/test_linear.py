import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("x", "weight", "bias", "message"),
    [
        (np.ones((2, 3)), np.ones((4, 5)), None, r"x must have 5 features .* got shape \(2, 3\)"),
        (
            np.ones((2, 5)),
            np.ones(5),
            None,
            r"weight must have shape \(out_features, in_features\), got \(5,\)",
        ),
        (np.ones((2, 5)), np.ones((4, 5)), np.ones(1), r"bias must have shape \(4,\).* got \(1,\)"),
        (np.array(1.0), np.ones((4, 5)), None, "x must have 5 features"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(x, weight, bias, message):
    with pytest.raises(InputError, match=message):
        F.linear(x, weight, bias)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 5), dtype=int), "x must be float32 or float64, got int64"),
        ([[1.0] * 5], "x must be a NumPy array, got list"),
        (np.ones((2, 5), dtype=np.float32), "weight must have the dtype of x, float32, got float64"),
    ],
)
def test_dtypes_that_do_not_fit_are_refused(x, message):
    with pytest.raises(DTypeError, match=message):
        F.linear(x, np.ones((4, 5)))


@pytest.mark.usefixtures("bare")
def test_an_upstream_gradient_is_never_broadcast():
    _, backward = F.linear(np.ones((2, 5)), np.ones((4, 5)))
    with pytest.raises(InputError, match=r"grad_y must have shape \(2, 4\)"):
        backward(np.ones((1, 4)))


def test_unwanted_gradients_are_none():
    _, backward = F.linear(np.ones((2, 5)), np.ones((4, 5)), np.ones(4))
    assert [grad is not None for grad in backward(np.ones((2, 4)), needs=(False, True, False))] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("n", "inputs", "outputs"), [(1, 1, 1), (1, 1, 4), (3, 1, 1), (3, 1, 2), (1, 2, 2), (2, 2, 3)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity_are_not_lost_against_zero(n, inputs, outputs, dtype):
    zeros, ones = np.zeros((n, inputs), dtype), np.ones((n, inputs), dtype)
    for odd in (np.nan, np.inf):
        weight = np.full((outputs, inputs), odd, dtype)
        with np.errstate(invalid="ignore"):
            y, backward = F.linear(zeros, weight)
            assert np.isnan(y).all()
            grad_x, _, _ = backward(np.zeros_like(y))
            assert np.isnan(grad_x).all()
            _, backward = F.linear(odd * ones, np.zeros_like(weight), np.zeros(outputs, dtype))
            _, grad_weight, _ = backward(np.zeros_like(y))
            assert np.isnan(grad_weight).all()
            _, _, grad_bias = backward(np.full_like(y, odd))
            np.testing.assert_array_equal(grad_bias, np.full(outputs, odd, dtype))
