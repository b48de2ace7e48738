import numpy as np
import pytest

from npnet import functional as F


def test_known_values():
    y, backward = F.avg_pool2d(np.array([[[[1.0, 3.0, 9.0], [5.0, 7.0, 9.0]]]]), 2)
    np.testing.assert_array_equal(y, [[[[4.0]]]])
    np.testing.assert_array_equal(backward(np.array([[[[8.0]]]])), [[[[2.0, 2.0, 0.0], [2.0, 2.0, 0.0]]]])


def test_padding_counts_unless_told_otherwise():
    x = np.full((1, 1, 2, 2), 4.0)
    np.testing.assert_array_equal(F.avg_pool2d(x, 2, 2, 1)[0], np.ones((1, 1, 2, 2)))
    np.testing.assert_array_equal(F.avg_pool2d(x, 2, 2, 1, count_include_pad=False)[0], x)


@pytest.mark.parametrize("divisor", [None, 3])
@pytest.mark.parametrize("count_include_pad", [True, False])
def test_torch(same_as_torch, count_include_pad, divisor):
    x = np.random.default_rng(1).standard_normal((2, 3, 7, 6))
    settings = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
    same_as_torch("avg_pool2d", x, **settings, count_include_pad=count_include_pad, divisor_override=divisor)
