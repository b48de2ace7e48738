import numpy as np
import pytest

from npnet import functional as F

INF, NAN = np.inf, np.nan


def test_known_values():
    y, backward = F.softplus(np.log([[1.0, 3.0, 15.0]]))
    np.testing.assert_allclose(y, np.log([[2.0, 4.0, 16.0]]), rtol=1e-15)
    np.testing.assert_allclose(backward(np.full((1, 3), 16.0)), [[8.0, 12.0, 15.0]], rtol=1e-15)


@pytest.mark.parametrize(
    "settings", [{}, {"beta": 3.0}, {"beta": 0.2, "threshold": 1.0}, {"threshold": -2.0}]
)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 4)])
def test_torch(same_as_torch, shape, settings):
    x = np.asarray(5 * np.random.default_rng(1).standard_normal(shape))
    same_as_torch("softplus", x, **settings)


def test_torch_at_the_threshold_and_beyond_numbers(same_as_torch):
    at = np.array([20.0, np.nextafter(20.0, 21.0), 0.0, -0.0, NAN, INF, -INF, 1e308, -1e308, -745.0])
    same_as_torch("softplus", at)
    same_as_torch("softplus", at, beta=0.5, threshold=10.0)


def test_above_the_threshold_it_is_the_identity():
    x = np.array([3.0, 1.0, 0.5])
    y, backward = F.softplus(x, beta=2.0, threshold=1.5)
    np.testing.assert_array_equal(y[:2], x[:2])
    np.testing.assert_array_equal(backward(np.ones(3))[:2], [1.0, 1.0])
    assert y[2] == np.log1p(np.e) / 2


def test_no_threshold_makes_it_overflow():
    y, backward = F.softplus(np.array([1e4, -1e4]), threshold=1e300)
    np.testing.assert_array_equal(y, [1e4, 0.0])
    np.testing.assert_array_equal(backward(np.ones(2)), [1.0, 0.0])


@pytest.mark.parametrize("beta", [1.0, 7.0])
def test_gradients_of_very_negative_values_do_not_cancel(beta):
    x = -np.linspace(10, 300, 50) / beta
    _, backward = F.softplus(x, beta)
    np.testing.assert_allclose(backward(np.ones(50)), np.exp(beta * x) / (1 + np.exp(beta * x)), rtol=1e-14)


def test_float32_is_rounded_once_forward_and_a_few_times_backward():
    x = np.random.default_rng(1).uniform(-30, 30, 2000).astype(np.float32)
    y, backward = F.softplus(x)
    exact, exact_backward = F.softplus(x.astype(np.float64))
    np.testing.assert_array_equal(y, exact.astype(np.float32))
    slope = exact_backward(np.ones(2000))
    assert (np.abs(backward(np.ones(2000, np.float32)) - slope) <= 5 * 2**-24 * slope).all()
