"""One product for all images agrees with the plain form, for every window and memory layout."""

import importlib

import numpy as np
from hypothesis import given, reject
from hypothesis import strategies as st

from npnet import functional as F
from npnet.errors import InputError
from npnet.kernels import conv_joined, thresholds
from npnet.kernels.window import place_window

plain = importlib.import_module("npnet.functional.conv2d")


@st.composite
def windows(draw):
    """Draw a window of any stride, dilation and padding that fits its image."""
    pairs = [
        draw(st.tuples(st.integers(least, most), st.integers(least, most)))
        for least, most in ((1, 6), (1, 3), (1, 3), (0, 4), (1, 3))
    ]
    try:
        return place_window("conv2d", *pairs)
    except InputError:
        reject()  # the kernel does not fit


@given(windows(), st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_it_agrees_with_the_plain_form(window, n, c, batch_last, with_bias):
    rng = np.random.default_rng(n + 4 * c)
    x, weight = rng.standard_normal((n, c, *window.image)), rng.standard_normal((2, c, *window.kernel))
    grad_y, bias = rng.standard_normal((n, 2, *window.out)), rng.standard_normal(2) if with_bias else None
    if batch_last:
        x = x.transpose(2, 1, 3, 0).copy().transpose(3, 1, 0, 2)
    y, backward = conv_joined.conv2d(x, weight, bias, window)
    y_plain, backward_plain = plain._convolve(x, weight, bias, window, 1)
    for one, other in zip((y, *backward(grad_y)), (y_plain, *backward_plain(grad_y)), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_it_is_taken_where_weights_outweigh_pixels(monkeypatch):
    taken = []
    form = conv_joined.conv2d
    monkeypatch.setattr(conv_joined, "conv2d", lambda *args: taken.append(args) or form(*args))
    x, weight = np.ones((4, 16, 4, 4)), np.ones((32, 16, 3, 3))
    for weights_for_each, expected in ((72, 1), (73, 0)):  # 4608 weights, 64 positions
        taken.clear()
        with thresholds.using(conv_joined=weights_for_each):
            F.conv2d(x, weight, padding=1)
            F.conv2d(x, np.ones((32, 8, 3, 3)), padding=1, groups=2)
            F.conv2d(x[:0], weight, padding=1)
        assert len(taken) == expected


def test_float32_stays_float32():
    x, weight = np.ones((2, 8, 3, 3), np.float32), np.ones((64, 8, 3, 3), np.float32)
    y, backward = F.conv2d(x, weight, np.ones(64, np.float32), padding=1)
    assert [array.dtype for array in (y, *backward(y))] == [np.float32] * 4
