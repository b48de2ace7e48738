"""The convolution kernel agrees with the plain form, for every shape, layout and size of the pieces."""

import importlib
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import functional as F
from npnet.kernels import conv2d as kernel
from npnet.kernels import thresholds
from npnet.kernels.window import place_window

plain = importlib.import_module("npnet.functional.conv2d")


@st.composite
def cases(draw):
    """Draw x, weight, bias, an upstream gradient and the window."""
    kh, kw = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    border = [(draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in (kh, kw)]
    h, w = (draw(st.integers(max(1, k - sum(p)), 9)) for k, p in zip((kh, kw), border, strict=True))
    n, c, o = draw(st.integers(1, 5)), draw(st.integers(1, 7)), draw(st.integers(1, 7))
    before, after = zip(*border, strict=True)
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    window = place_window("conv2d", (h, w), (kh, kw), stride, (before, after), (1, 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = laid_out(rng.standard_normal((n, c, h, w)), draw(st.sampled_from(LAYOUTS)))
    grad_y = laid_out(rng.standard_normal((n, o, *window.out)), draw(st.sampled_from(LAYOUTS)))
    bias = rng.standard_normal(o) if draw(st.booleans()) else None
    return x, rng.standard_normal((o, c, kh, kw)), bias, grad_y, window


LAYOUTS = ("batch first", "batch last", "with gaps", "reversed")


def laid_out(array, layout):
    """Return the same numbers in another memory layout."""
    if layout == "batch last":
        return kernel.as_images(kernel.batch_last(array).copy())
    if layout == "with gaps":
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan)
        wide[..., ::2] = array
        return wide[..., ::2]
    return array[:, ::-1].copy()[:, ::-1] if layout == "reversed" else array


def assert_forms_agree(case):
    x, weight, bias, grad_y, window = case
    assert kernel.suits(x, window, 1)
    y, backward = kernel.conv2d(x, weight, bias, window)
    expected_y, expected_backward = plain._convolve(x, weight, bias, window, 1)
    np.testing.assert_allclose(y, expected_y, rtol=0, atol=1e-12)
    for grad, expected in zip(backward(grad_y), expected_backward(grad_y), strict=True):
        assert (grad is None) == (expected is None)
        if expected is not None:
            assert grad.shape == expected.shape
            np.testing.assert_allclose(grad, expected, rtol=0, atol=1e-12)


@given(cases())
def test_the_kernel_agrees_with_the_plain_form(case):
    assert_forms_agree(case)


@pytest.mark.parametrize("few_weights", [0, 10**9], ids=["one product each column", "one product"])
@pytest.mark.parametrize("product", [1, 300], ids=["single positions", "short runs"])
@pytest.mark.parametrize("results", [1, 6], ids=["single channels", "a few channels"])
def test_they_agree_whatever_the_thresholds(few_weights, product, results):
    @given(cases())
    def check(case):
        assert_forms_agree(case)

    with thresholds.using(
        conv_few_weights=few_weights,
        conv_product=product,
        conv_results=results,
        cache_bytes=2000,
    ):
        check()


def test_they_agree_on_many_channels():
    rng = np.random.default_rng(0)
    window = place_window("conv2d", (6, 7), (3, 3), (1, 1), (1, 1), (1, 1))
    x, weight = rng.standard_normal((9, 66, 6, 7)), rng.standard_normal((44, 66, 3, 3))
    assert weight.size > thresholds.current.conv_few_weights
    assert_forms_agree((x, weight, rng.standard_normal(44), rng.standard_normal((9, 44, 6, 7)), window))


def test_which_form_is_taken(monkeypatch):
    taken = []
    for module, name in ((kernel, "conv2d"), (plain, "_convolve")):
        form = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, form=form, name=name: (taken.append(name), form(*args))[1]
        )
    x, weight = np.ones((2, 4, 8, 8)), np.ones((4, 4, 3, 3))
    F.conv2d(x, weight, padding=1)
    F.conv2d(x[0], weight, padding="same")
    F.conv2d(x, weight, stride=2)
    F.conv2d(x, weight[..., :1, :1], stride=2)
    F.conv2d(laid_out(x, "batch last"), weight[..., :1, :1])
    F.conv2d(x, weight[..., :1, :1])
    assert taken == ["conv2d"] * 6
    taken.clear()
    F.conv2d(x, weight, dilation=2)
    F.conv2d(x, np.ones((4, 2, 3, 3)), groups=2)
    F.conv2d(x, weight, padding=3)  # at some positions the kernel covers nothing but border
    F.conv2d(x[:0], weight)
    assert taken == ["_convolve"] * 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept_and_the_batch_is_innermost(dtype):
    x, weight = np.ones((3, 2, 6, 5), dtype), np.ones((4, 2, 3, 2), dtype)
    y, backward = F.conv2d(x, weight, np.ones(4, dtype), padding=1)
    grads = backward(np.ones_like(y))
    assert {y.dtype, *(grad.dtype for grad in grads)} == {np.dtype(dtype)}
    for images in (y, grads[0]):
        assert images.transpose(2, 1, 3, 0).flags.c_contiguous


def test_a_batch_that_is_innermost_already_is_not_copied():
    rows = np.ones((6, 2, 5, 3))
    assert np.shares_memory(kernel.batch_last(kernel.as_images(rows)), rows)


def test_float32_is_as_accurate_as_in_the_plain_form():
    rng = np.random.default_rng(0)
    window = place_window("conv2d", (16, 16), (3, 3), (1, 1), (1, 1), (1, 1))
    x, weight = rng.standard_normal((8, 24, 16, 16)), rng.standard_normal((24, 24, 3, 3))
    grad_y = rng.standard_normal((8, 24, 16, 16))

    def results(form, dtype, *more):
        y, backward = form(x.astype(dtype), weight.astype(dtype), None, window, *more)
        return [y, *backward(grad_y.astype(dtype))[:2]]

    truth = results(plain._convolve, np.float64, 1)
    by_plain_form = results(plain._convolve, np.float32, 1)
    by_kernel = results(kernel.conv2d, np.float32)
    for exact, one, other in zip(truth, by_plain_form, by_kernel, strict=True):
        assert np.abs(other - exact).max() < 2 * np.abs(one - exact).max()


def test_threads_do_not_share_their_workspace():
    rng = np.random.default_rng(0)
    inputs, weight = rng.standard_normal((4, 8, 8, 24, 24)), rng.standard_normal((8, 8, 3, 3))
    expected = [F.conv2d(x, weight)[0] for x in inputs]
    wrong = []

    def work(x, y):
        wrong.extend(i for i in range(20) if not np.array_equal(F.conv2d(x, weight)[0], y))

    threads = [threading.Thread(target=work, args=case) for case in zip(inputs, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
