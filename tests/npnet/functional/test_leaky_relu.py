import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

INF, NAN = np.inf, np.nan


def test_known_values():
    y, backward = F.leaky_relu(np.array([[-4.0, 3.0]]), 0.25)
    np.testing.assert_array_equal(y, [[-1.0, 3.0]])
    np.testing.assert_array_equal(backward(np.array([[8.0, 8.0]])), [[2.0, 8.0]])


@pytest.mark.parametrize("slope", [0.01, 0.0, 0.3, 1.0, 2.5, -1.0])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 4)])
def test_torch(same_as_torch, shape, slope):
    x = np.asarray(np.random.default_rng(1).standard_normal(shape))
    same_as_torch("leaky_relu", x, negative_slope=slope)


@pytest.mark.parametrize("slope", [0.1, 0.0, -1.0])
def test_torch_at_the_kink_and_beyond_numbers(same_as_torch, slope):
    same_as_torch("leaky_relu", np.array([0.0, -0.0, NAN, INF, -INF, -1e308]), negative_slope=slope)


@pytest.mark.parametrize("slope", [0.1, np.float64(0.1)])
def test_float32_stays_float32(slope):
    y, backward = F.leaky_relu(np.array([-1.0, 1.0], dtype=np.float32), slope)
    assert y.dtype == backward(y).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("slope", [0.01, 0.0, 1e-46, 1e-320, 0.3, 1.0, 1.0 + 1e-9, 2.5, -1.0, -0.3, INF, NAN])
def test_the_definition_to_the_bit(slope, dtype):
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    values = np.array([0.0, tiny, 1e-3, 1.0, huge, INF, NAN, 0.7], dtype)
    x = np.concatenate([values, -values])
    grad_y = np.resize(x[::-1], (5, 16))
    x = np.broadcast_to(x, (5, 16)).T.copy().T
    y, backward = F.leaky_relu(x, slope)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        slope = dtype(slope)
        np.testing.assert_array_equal(y, np.where(x > 0, x, slope * x), strict=True)
        expected = np.where(x > 0, grad_y, slope * grad_y)
    np.testing.assert_array_equal(backward(grad_y), expected, strict=True)


@pytest.mark.usefixtures("bare")
def test_bad_input_is_refused():
    with pytest.raises(DTypeError, match="leaky_relu: x must be float32 or float64, got int64"):
        F.leaky_relu(np.arange(3))
    _, backward = F.leaky_relu(np.ones((2, 3)))
    with pytest.raises(InputError, match=r"grad_y must have shape \(2, 3\) .* got \(1, 3\)"):
        backward(np.ones((1, 3)))
