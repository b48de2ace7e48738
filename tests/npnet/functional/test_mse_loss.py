import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("reduction", "loss", "grad"),
    [
        ("mean", 5.0, [[1.0, -3.0]]),
        ("sum", 10.0, [[2.0, -6.0]]),
        ("none", [[1.0, 9.0]], [[2.0, -6.0]]),
    ],
)
def test_known_values(reduction, loss, grad):
    y, backward = F.mse_loss(np.array([[1.0, 2.0]]), np.array([[0.0, 5.0]]), reduction)
    np.testing.assert_array_equal(y, loss)
    np.testing.assert_array_equal(backward(), grad)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (7,), (2, 3, 4)])
def test_torch(same_as_torch, shape, reduction):
    x, target = np.random.default_rng(1).standard_normal((2, *shape))
    same_as_torch("mse_loss", np.asarray(x), np.asarray(target), reduction=reduction)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_torch_beyond_numbers(same_as_torch, reduction):
    x, target = np.array([NAN, INF, -1e200, INF]), np.array([0.0, INF, 1e200, 1.0])
    same_as_torch("mse_loss", x, target, reduction=reduction)


def test_a_long_float32_sum_keeps_its_digits():
    x = np.full(1_000_000, 0.1, dtype=np.float32)
    loss, _ = F.mse_loss(x, np.zeros_like(x), "sum")
    # Summed pairwise, a million numbers are off by log₂ 10⁶ = 20 roundings at most; one by one, by far more.
    np.testing.assert_allclose(loss, 1e6 * np.float64(np.float32(0.1)) ** 2, rtol=20 * 2.0**-24)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("target", "reduction", "message"),
    [
        (np.ones(3), "mean", r"mse_loss: target must have shape \(3, 1\) like x, got \(3,\)"),
        (np.ones((1, 1)), "mean", r"target must have shape \(3, 1\)"),
        (np.ones((3, 1)), "max", "reduction must be one of mean, sum, none, got 'max'"),
    ],
)
def test_bad_input_is_refused(target, reduction, message):
    with pytest.raises(InputError, match=message):
        F.mse_loss(np.ones((3, 1)), target, reduction)


@pytest.mark.usefixtures("bare")
def test_bad_dtypes_are_refused():
    with pytest.raises(DTypeError, match="target must be float32 or float64, got int64"):
        F.mse_loss(np.ones(3), np.arange(3))
    with pytest.raises(DTypeError, match="target must have the dtype of x, float64, got float32"):
        F.mse_loss(np.ones(3), np.ones(3, dtype=np.float32))


@pytest.mark.usefixtures("bare")
def test_an_upstream_gradient_is_never_broadcast():
    _, backward = F.mse_loss(np.ones(3), np.ones(3), "none")
    with pytest.raises(InputError, match=r"grad_loss must have shape \(3,\) like the loss, got \(\)"):
        backward(np.array(1.0))
