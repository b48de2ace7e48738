import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

INF, NAN = np.inf, np.nan


def test_known_values():
    y, backward = F.sigmoid(np.array([-np.log(3.0), 0.0, np.log(3.0)]))
    np.testing.assert_allclose(y, [0.25, 0.5, 0.75], rtol=1e-15)
    np.testing.assert_allclose(backward(np.full(3, 10.0)), [1.875, 2.5, 1.875], rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-5, 1.0, 10.0])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 4)])
def test_torch(same_as_torch, shape, scale):
    same_as_torch("sigmoid", np.asarray(scale * np.random.default_rng(1).standard_normal(shape)))


def test_torch_beyond_numbers(same_as_torch):
    same_as_torch("sigmoid", np.array([0.0, -0.0, NAN, INF, -INF, 1e308, -1e308, 750.0, -750.0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturates_without_overflow(dtype):
    y, backward = F.sigmoid(np.array([-INF, -1e30, 1e30, INF], dtype=dtype))
    np.testing.assert_array_equal(y, np.array([0.0, 0.0, 1.0, 1.0], dtype=dtype), strict=True)
    np.testing.assert_array_equal(backward(np.ones(4, dtype=dtype)), np.zeros(4, dtype=dtype), strict=True)


@pytest.mark.usefixtures("bare")
def test_bad_input_is_refused():
    with pytest.raises(DTypeError, match="sigmoid: x must be a NumPy array, got list"):
        F.sigmoid([1.0])
    _, backward = F.sigmoid(np.ones((2, 3)))
    with pytest.raises(InputError, match=r"grad_y must have shape \(2, 3\) .* got \(2, 1\)"):
        backward(np.ones((2, 1)))


def test_float32_is_rounded_twice():
    x = np.random.default_rng(1).uniform(-87, 20, 20000).astype(np.float32)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(F.sigmoid(x)[0], exact, rtol=2.01 * 2**-24, atol=0)


def test_small_probabilities_keep_their_digits():
    y, backward = F.sigmoid(np.array([-50.0, -700.0]))
    expected = np.exp([-50.0, -700.0])
    np.testing.assert_allclose(y, expected, rtol=1e-14)
    np.testing.assert_allclose(backward(np.ones(2)), expected, rtol=1e-14)
