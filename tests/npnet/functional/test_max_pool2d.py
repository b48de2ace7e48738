"""Max-pooling by windows side by side is the plain form, to the bit, ties and NaN included."""

import importlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet import functional as F

max_pool2d = importlib.import_module("npnet.functional.max_pool2d")

# Few values, so that nearly every window has its maximum twice.
VALUES = st.sampled_from([-np.inf, -1.0, 0.0, 1.0, np.inf])
VALUES_AND_NAN = st.sampled_from([-np.inf, 0.0, 1.0, np.nan])


@st.composite
def cases(draw, values):
    """Draw images and a window that lies apart from the next one."""
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = draw(st.integers(0, 3)), draw(st.integers(1, 2)), *(draw(st.integers(k, 7)) for k in kernel)
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = draw(hnp.arrays(dtype, shape, elements=values))
    place = max_pool2d.pooling_window("max_pool2d", x, kernel, None, 0, 1, ceil_mode=False)
    return (np.asarray(x, order=draw(st.sampled_from("CF"))), place)


def assert_forms_agree(case):
    x, place = case
    y, backward = max_pool2d._pool_apart(x, place)
    expected_y, expected_backward = max_pool2d._pool_plainly(x, place)
    np.testing.assert_array_equal(y, expected_y)
    grad_y = np.random.default_rng(0).standard_normal(y.shape).astype(x.dtype)
    grad_y.reshape(-1)[:1], grad_y.reshape(-1)[1:2] = np.inf, np.nan
    np.testing.assert_array_equal(backward(grad_y), expected_backward(grad_y))
    assert y.dtype == backward(grad_y).dtype == x.dtype


@given(cases(VALUES))
def test_the_fast_form_agrees_with_the_plain_one_at_ties(case):
    assert_forms_agree(case)


@given(cases(VALUES_AND_NAN))
def test_and_at_nan(case):
    assert_forms_agree(case)


def test_windows_of_every_other_kind_take_the_plain_form(monkeypatch):
    monkeypatch.setattr(max_pool2d, "_pool_apart", None)  # calling it would fail
    x = np.ones((1, 1, 7, 7))
    F.max_pool2d(x, 3, stride=2)
    F.max_pool2d(x, 2, stride=3)
    F.max_pool2d(x, 2, padding=1)
    F.max_pool2d(x, 2, dilation=2)
    F.max_pool2d(x, 2, ceil_mode=True)


def test_pixels_that_no_window_covers_have_no_gradient():
    y, backward = F.max_pool2d(np.ones((1, 1, 3, 3)), 2)
    assert backward(np.ones_like(y)).tolist() == [[[[1, 0, 0], [0, 0, 0], [0, 0, 0]]]]
