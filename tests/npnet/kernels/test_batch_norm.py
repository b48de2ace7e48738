"""The batch-norm kernel agrees with the plain form, in every layout; threads change no bit."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import functional as F
from npnet import parallel
from npnet.kernels import batch_norm as kernel
from npnet.kernels import thresholds

plain = importlib.import_module("npnet.functional.batch_norm")


@st.composite
def cases(draw):
    """Draw images and what else there is, and blocks of any size."""
    n, c, spatial = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.sampled_from([(9,), (5, 4)]))
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    x = rng.standard_normal((n, c, *spatial)) * draw(st.sampled_from([1e-3, 1, 100]))
    x += draw(st.sampled_from([0, 10])) * rng.standard_normal((c, *[1] * len(spatial)))
    order = draw(st.permutations(range(x.ndim)))
    x = x.transpose(order).copy().transpose(np.argsort(order))
    if draw(st.booleans()):  # the same image over and over
        x = np.broadcast_to(x[:1], x.shape)
    given = (rng.standard_normal(c), rng.uniform(0.5, 2, c)) if draw(st.booleans()) else None
    weight, bias = (rng.standard_normal(c) if draw(st.booleans()) else None for _ in range(2))
    needs = draw(st.tuples(*[st.booleans()] * 3))
    return x, given, weight, bias, needs, draw(st.integers(1, 100))


@given(cases())
def test_the_kernel_agrees_with_the_plain_form(case):
    x, given, weight, bias, needs, block = case
    with thresholds.using(block_elements=block, batch_norm_part=block):
        results = []
        for form in (plain._normalize, kernel.batch_norm):
            y, backward, statistics = form(x, given, weight, bias, 1e-5)
            grad_y = np.random.default_rng(1).standard_normal(y.shape)
            grads = [backward(layout, needs) for layout in (grad_y, np.asfortranarray(grad_y))]
            results.append([y, *statistics, *grads[0], *grads[1]])
    for expected, actual in zip(*results, strict=True):
        assert (expected is None) == (actual is None)
        if expected is not None:
            scale = max(1.0, np.abs(expected).max())
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9 * scale)


def test_the_memory_layout_is_kept():
    x = np.ones((32, 6, 5, 64)).transpose(3, 1, 0, 2)
    y, backward = F.batch_norm(x, None, None, training=True)
    assert y.strides == backward(np.ones(x.shape))[0].strides == x.strides


def test_which_form_is_taken(monkeypatch):
    taken = []
    for module, name in ((plain, "_normalize"), (kernel, "batch_norm")):
        form = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, name=name, form=form: taken.append(name) or form(*a))
    large = (40, 8, 16, 16)
    for x in (
        np.zeros(large),
        np.zeros(large).transpose(2, 1, 3, 0).copy().transpose(3, 1, 0, 2),  # batch innermost
        np.zeros((4, 8, 16, 16)),
        np.zeros((400, 256)),
        np.zeros((40, 16, 16, 8)).transpose(0, 3, 1, 2),  # channels innermost
    ):
        F.batch_norm(x, None, None, training=True)
    assert taken == ["batch_norm"] * 2 + ["_normalize"] * 3


@pytest.mark.parametrize("offset", [0, 100])
def test_float32_is_about_as_accurate_as_in_the_plain_form(offset):
    rng = np.random.default_rng(0)
    x, grad_y = rng.standard_normal((2, 16, 3, 20, 20)).astype(np.float32)
    x += np.float32(offset)

    def results(form, dtype):
        y, backward, (mean, var) = form(x.astype(dtype), None, np.ones(3, dtype), np.ones(3, dtype), 1e-5)
        return y, mean, var, *backward(grad_y.astype(dtype))

    truth = results(plain._normalize, np.float64)
    by_plain_form = results(plain._normalize, np.float32)
    by_kernel = results(kernel.batch_norm, np.float32)
    for exact, one, other in zip(truth, by_plain_form, by_kernel, strict=True):
        assert other.dtype == one.dtype
        rounding = np.abs(exact).max() * 2**-23
        assert np.abs(other - exact).max() <= 3 * np.abs(one - exact).max() + 4 * rounding


def test_the_same_bits_for_any_number_of_threads():
    x, grad_y = np.random.default_rng(0).standard_normal((2, 40, 8, 16, 16), dtype=np.float32)

    def results(threads):
        with thresholds.using(block_elements=4096), parallel.Step(threads):
            y, backward = F.batch_norm(x, None, None, np.ones(8, np.float32), training=True)
            return y, *backward(grad_y)

    for one, other in zip(results(1), results(3), strict=True):
        np.testing.assert_equal(one, other)
