import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

INF, NAN = np.inf, np.nan


def test_known_values():
    y, backward = F.tanh(np.array([-np.log(3.0), 0.0, np.log(3.0)]))
    np.testing.assert_allclose(y, [-0.8, 0.0, 0.8], rtol=1e-15)
    np.testing.assert_allclose(backward(np.full(3, 10.0)), [3.6, 10.0, 3.6], rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-5, 1.0, 10.0])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 4)])
def test_torch(same_as_torch, shape, scale):
    same_as_torch("tanh", np.asarray(scale * np.random.default_rng(1).standard_normal(shape)))


def test_torch_beyond_numbers(same_as_torch):
    same_as_torch("tanh", np.array([0.0, -0.0, NAN, INF, -INF, 1e308, -1e308, 750.0, -750.0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturates_without_overflow(dtype):
    y, backward = F.tanh(np.array([-INF, -1e30, 1e30, INF], dtype=dtype))
    np.testing.assert_array_equal(y, np.array([-1.0, -1.0, 1.0, 1.0], dtype=dtype), strict=True)
    np.testing.assert_array_equal(backward(np.ones(4, dtype=dtype)), np.zeros(4, dtype=dtype), strict=True)


@pytest.mark.usefixtures("bare")
def test_bad_input_is_refused():
    with pytest.raises(DTypeError, match="tanh: x must be a NumPy array, got list"):
        F.tanh([1.0])
    _, backward = F.tanh(np.ones((2, 3)))
    with pytest.raises(InputError, match=r"grad_y must have shape \(2, 3\) .* got \(2, 1\)"):
        backward(np.ones((2, 1)))


def test_float32_is_rounded_once_forward_and_a_few_times_backward():
    x = np.random.default_rng(1).uniform(-8, 8, 2000).astype(np.float32)
    y, backward = F.tanh(x)
    np.testing.assert_array_equal(y, np.tanh(x.astype(np.float64)).astype(np.float32))
    grad_y = np.random.default_rng(2).standard_normal(2000).astype(np.float32)
    exact = grad_y * (1 - np.square(y.astype(np.float64)))  # of the same y
    assert (np.abs(backward(grad_y) - exact) <= 2.01 * 2**-24 * np.abs(grad_y)).all()
