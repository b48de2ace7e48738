import numpy as np
import pytest

from npnet import functional as F


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kinks_infinities_and_nan(dtype):
    x = np.array([-np.inf, -1, -0.0, 0.0, 1e-45, 2, np.inf, np.nan], dtype)
    y, backward = F.relu(x)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    grad_y = np.array([np.inf, np.nan, 3, 4, 5, -np.inf, -6, 7], dtype)
    expected = np.array([0, 0, 0, 0, 5 if x[4] else 0, -np.inf, -6, 7], dtype)
    np.testing.assert_array_equal(backward(grad_y), expected)


def test_the_memory_layout_is_kept():
    x = np.ones((4, 3, 2, 5)).transpose(3, 1, 0, 2)
    y, backward = F.relu(x)
    assert y.strides == backward(np.ones(x.shape)).strides == x.strides
