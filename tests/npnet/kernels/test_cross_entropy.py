"""The label kernel and both layouts of the exponentials agree with the plain forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import functional as F
from npnet.kernels import cross_entropy as kernel
from npnet.kernels import thresholds
from npnet.kernels.softmax import exponentials, has_wide_rows


@st.composite
def cases(draw):
    """Draw logits, labels and settings."""
    n, c = draw(st.integers(0, 6)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = np.asarray(rng.standard_normal((n, c)) * draw(st.sampled_from([1e-3, 1, 1e3])), dtype)
    settings = {
        "ignore_index": draw(st.integers(-1, c)),
        "reduction": draw(st.sampled_from(["mean", "sum", "none"])),
    }
    return x, rng.integers(c, size=n), settings


@given(cases())
def test_the_kernel_agrees_with_the_plain_form(case):
    x, target, settings = case
    assert kernel.suits(x, target, None, 0.0)
    # Weights of 1 take the plain form.
    forms = [
        F.cross_entropy(x, target, weight, **settings) for weight in (None, np.ones(x.shape[1], x.dtype))
    ]
    (loss, backward), (expected, expected_backward) = forms
    np.testing.assert_allclose(loss, expected, rtol=1e-6, atol=1e-12, strict=True)
    grad_loss = np.asarray(np.random.default_rng(0).standard_normal(loss.shape), x.dtype)
    np.testing.assert_allclose(
        backward(grad_loss), expected_backward(grad_loss), rtol=1e-6, atol=1e-7, strict=True
    )


def test_which_form_is_taken(monkeypatch):
    taken = []
    form = kernel.label_losses
    monkeypatch.setattr(kernel, "label_losses", lambda *args: taken.append(1) or form(*args))
    x, labels = np.zeros((4, 3)), np.array([0, 1, 2, 0])
    F.cross_entropy(x, labels)
    F.cross_entropy(x, labels, ignore_index=1, reduction="none")
    assert len(taken) == 2
    F.cross_entropy(x, labels, np.ones(3))
    F.cross_entropy(x, labels, label_smoothing=0.1)
    F.cross_entropy(x, x)
    F.cross_entropy(x[0], labels[0:1].reshape(()))
    F.cross_entropy(np.zeros((4, 3, 2)), np.zeros((4, 2), int))
    assert len(taken) == 2


@pytest.mark.parametrize("shape", [(5,), (4, 7), (2, 3, 4), (0, 3), (3, 0)])
def test_exponentials_in_both_layouts(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for axis in range(len(shape)):
        results = []
        for short in (0, 100):
            with thresholds.using(softmax_short=short):
                results.append(exponentials(x, axis))
        for one, other in zip(*results, strict=True):
            assert one.dtype == np.float64
            np.testing.assert_allclose(one, other, rtol=1e-15, strict=True)
        shifted, powers, total = results[0]
        np.testing.assert_array_equal(shifted, x.astype(float) - x.max(axis, keepdims=True, initial=-np.inf))
        np.testing.assert_array_equal(powers, np.exp(shifted))
        np.testing.assert_allclose(total, powers.sum(axis, keepdims=True), rtol=1e-15)


@pytest.mark.parametrize("operation", [F.softmax, F.log_softmax])
def test_wide_rows_are_as_accurate_as_float64_and_single_logits_are_none(operation):
    rng = np.random.default_rng(0)
    x, grad_y = rng.standard_normal((2, 300, 200)).astype(np.float32) * 3
    assert has_wide_rows(x, 1)
    assert not has_wide_rows(x[0, 0:1].reshape(()), 0)
    results = []
    for dtype in (np.float32, np.float64):
        y, backward = operation(x.astype(dtype), 1)
        results.append((y, backward(grad_y.astype(dtype))))
    for own, exact in zip(*results, strict=True):
        assert own.dtype == np.float32
        assert abs(own - exact).max() <= 4 * np.finfo(np.float32).eps * abs(exact).max()
    assert operation(np.array(2.0, np.float32), 0)[0].shape == ()
