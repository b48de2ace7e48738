"""The max-pooling kernel gives the bits of the plain form, with ties, NaN and the −∞ of the border too."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet import functional as F
from npnet.functional.arguments import pooling_window
from npnet.kernels import max_pool2d as kernel
from npnet.kernels import thresholds

plain = importlib.import_module("npnet.functional.max_pool2d")

# Few values, so that nearly every window has its maximum twice.
VALUES = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf])
FINITE = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0])
VALUES_AND_NAN = st.sampled_from([-np.inf, 0.0, 1.0, np.nan])


def images(draw, values, least):
    """Draw images at least so high and wide, their axes in memory in any order."""
    shape = draw(st.integers(0, 3)), draw(st.integers(1, 3)), *(draw(st.integers(k, k + 6)) for k in least)
    x = draw(hnp.arrays(draw(st.sampled_from([np.float32, np.float64])), shape, elements=values))
    order = draw(st.permutations(range(4)))
    return x.transpose(order).copy().transpose(np.argsort(order))


@st.composite
def windows_side_by_side(draw, values):
    """Draw images and a window that does not overlap with the next one."""
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x = images(draw, values, kernel)
    return x, pooling_window("max_pool2d", x, kernel, None, 0, 1, ceil_mode=False)


@st.composite
def windows_of_every_kind(draw, values):
    """Draw images and a window with all options."""
    kernel, stride, dilation = (
        (draw(st.integers(1, most)), draw(st.integers(1, most))) for most in (4, 4, 3)
    )
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    x = images(draw, values, least)
    ceil_mode = draw(st.booleans())
    return x, pooling_window("max_pool2d", x, kernel, stride, padding, dilation, ceil_mode)


def assert_forms_agree(form, case, block=1 << 20):
    x, window = case
    assert kernel.suits(window)
    with thresholds.using(block_elements=block):
        y, backward = form(x, window, plain._max_pool)
        expected_y, expected_backward = plain._max_pool(x, window)
        np.testing.assert_array_equal(y, expected_y, strict=True)
        # Whole numbers, whose sums do not depend on their order; in the usual layout and in that of y.
        grad_y = np.random.default_rng(0).integers(-99, 99, y.shape).astype(x.dtype)
        grad_y.reshape(-1)[:1], grad_y.reshape(-1)[1:2] = np.inf, np.nan
        same = np.empty_like(y)
        same[...] = grad_y
        expected = expected_backward(grad_y)
        for upstream in (grad_y, same):
            np.testing.assert_array_equal(backward(upstream), expected, strict=True)


@given(windows_side_by_side(VALUES), st.integers(1, 200))
def test_windows_side_by_side_agree_with_the_plain_form_at_ties(case, block):
    assert_forms_agree(kernel.pool_side_by_side, case, block)


@given(windows_side_by_side(VALUES_AND_NAN))
def test_windows_side_by_side_agree_with_the_plain_form_at_nan(case):
    assert_forms_agree(kernel.pool_side_by_side, case)


@given(windows_of_every_kind(FINITE), st.integers(1, 200))
def test_windows_of_every_kind_agree_with_the_plain_form_at_ties(case, block):
    assert_forms_agree(kernel.pool_overlapping, case, block)


@given(windows_of_every_kind(VALUES))
def test_windows_of_every_kind_agree_with_the_plain_form_at_infinities(case):
    assert_forms_agree(kernel.pool_overlapping, case)


@given(windows_of_every_kind(VALUES_AND_NAN))
def test_windows_of_every_kind_agree_with_the_plain_form_at_nan(case):
    assert_forms_agree(kernel.pool_overlapping, case)


def test_which_form_is_taken(monkeypatch):
    taken = []
    names = ((kernel, "pool_side_by_side"), (kernel, "pool_overlapping"), (plain, "_max_pool"))
    for module, name in names:
        form = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, name=name, form=form: taken.append(name) or form(*a))
    x = np.ones((1, 1, 7, 300))
    F.max_pool2d(x, 2)
    F.max_pool2d(x, (1, 300))
    F.max_pool2d(x, 3, stride=2)
    F.max_pool2d(x, 2, stride=3)
    F.max_pool2d(x, 2, padding=1)
    F.max_pool2d(x, 2, dilation=2)
    F.max_pool2d(x, 2, ceil_mode=True)
    F.max_pool2d(x, (1, 256), stride=1)
    assert taken == ["pool_side_by_side"] * 2 + ["pool_overlapping"] * 6
    F.max_pool2d(x, (1, 257), stride=1)
    assert taken[8:] == ["_max_pool"]
    F.max_pool2d(np.full_like(x, np.nan), 3, stride=2)
    F.max_pool2d(np.full_like(x, -np.inf), 3, stride=2, padding=1)
    assert taken[9:] == ["pool_overlapping", "_max_pool"] * 2


def test_the_last_of_as_many_columns_as_a_byte_numbers_is_found():
    x = np.zeros((1, 1, 1, 257))
    x[..., 255:] = 1, 2
    y, backward = F.max_pool2d(x, (1, 256), stride=1)
    assert y.tolist() == [[[[1, 2]]]]
    assert backward(np.array([[[[3.0, 4.0]]]]))[0, 0, 0, 254:].tolist() == [0, 3, 4]


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1}])
def test_the_memory_layout_is_kept(settings):
    x = np.ones((32, 6, 9, 64)).transpose(3, 1, 0, 2)
    y, backward = F.max_pool2d(x, 3, **settings)
    assert np.argsort(y.strides).tolist() == np.argsort(x.strides).tolist()
    assert backward(np.ones(y.shape)).strides == x.strides


def test_pixels_that_no_window_covers_have_no_gradient():
    y, backward = F.max_pool2d(np.ones((1, 1, 3, 3)), 2)
    assert backward(np.ones_like(y)).tolist() == [[[[1, 0, 0], [0, 0, 0], [0, 0, 0]]]]
