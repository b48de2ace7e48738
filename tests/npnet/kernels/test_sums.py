"""Long sums in float32 lose no more than PyTorch's, or a few units in the last place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import functional as F
from npnet.kernels import thresholds
from npnet.kernels.matmul import matmul
from npnet.kernels.sums import sum_first_axis, sum_rows
from npnet.parallel import Step

FEW_ULP = 4 * np.finfo(np.float32).eps
N = 400_000

KINDS = {
    "constant": lambda rng, shape: np.full(shape, 0.1, np.float32),
    "offset": lambda rng, shape: np.asarray(rng.standard_normal(shape) + 3, np.float32),
    "random": lambda rng, shape: np.asarray(rng.standard_normal(shape), np.float32),
}
CASES = {
    "linear, many rows": ("linear", {"x": (N, 3), "weight": (2, 3), "bias": (2,)}, {}),
    "linear, one number a row": ("linear", {"x": (N, 1), "weight": (1, 1), "bias": (1,)}, {}),
    "linear, many inputs": ("linear", {"x": (3, N), "weight": (2, N), "bias": (2,)}, {}),
    "conv2d, large image": ("conv2d", {"x": (1, 2, 600, 600), "weight": (3, 2, 3, 3), "bias": (3,)}, {}),
    "conv2d, many images": ("conv2d", {"x": (40_000, 1, 3, 3), "weight": (3, 1, 2, 2), "bias": (3,)}, {}),
    "conv2d, stride": (
        "conv2d",
        {"x": (40_000, 1, 4, 4), "weight": (3, 1, 2, 2), "bias": (3,)},
        {"stride": 2},
    ),
    "conv2d, tall": ("conv2d", {"x": (1, 1, 50_000, 2), "weight": (1, 1, 2, 2), "bias": (1,)}, {}),
    "batch_norm, many rows": ("batch_norm", {"x": (N, 2), "weight": (2,), "bias": (2,)}, {"training": True}),
    "batch_norm, large image": (
        "batch_norm",
        {"x": (1, 2, 600, 600), "weight": (2,), "bias": (2,)},
        {"training": True},
    ),
    "batch_norm, images": (
        "batch_norm",
        {"x": (300, 2, 30, 30), "weight": (2,), "bias": (2,)},
        {"training": True},
    ),
    "avg_pool2d, all": ("avg_pool2d", {"x": (1, 1, 600, 600)}, {"kernel_size": 600}),
    "avg_pool2d, overlapping": ("avg_pool2d", {"x": (1, 1, 150, 150)}, {"kernel_size": 70, "stride": 1}),
    "adaptive_avg_pool2d, square": ("adaptive_avg_pool2d", {"x": (1, 1, 600, 600)}, {"output_size": 1}),
    "adaptive_avg_pool2d, tall": ("adaptive_avg_pool2d", {"x": (1, 1, 50_000, 3)}, {"output_size": 1}),
    "adaptive_avg_pool2d, wide": ("adaptive_avg_pool2d", {"x": (1, 1, 3, 50_000)}, {"output_size": 1}),
    "softmax, down": ("softmax", {"x": (N, 2)}, {"dim": 0}),
    "softmax, across": ("softmax", {"x": (2, N)}, {"dim": 1}),
    "log_softmax, down": ("log_softmax", {"x": (N, 2)}, {"dim": 0}),
    "mse_loss": ("mse_loss", {"x": (N, 2)}, {"target": np.full((N, 2), -0.2, np.float32)}),
    "nll_loss": ("nll_loss", {"x": (N, 3)}, {"target": np.ones(N, int)}),
    "nll_loss, weights": (
        "nll_loss",
        {"x": (N, 3)},
        {"target": np.ones(N, int), "weight": np.full(3, 0.3, np.float32), "reduction": "sum"},
    ),
    "cross_entropy": ("cross_entropy", {"x": (N, 3)}, {"target": np.ones(N, int)}),
    "binary_cross_entropy_with_logits": (
        "binary_cross_entropy_with_logits",
        {"x": (N,)},
        {"target": np.ones(N, np.float32), "reduction": "sum"},
    ),
}


def ours(operation, arrays, settings, grad_y):
    more = {"running_mean": None, "running_var": None} if operation == "batch_norm" else {}
    y, backward = getattr(F, operation)(**arrays, **more, **settings)
    grads = backward(grad_y(y.shape))
    return [y, *(grads if isinstance(grads, tuple) else (grads,))]


def torchs(operation, arrays, settings, grad_y, dtype):
    torch = pytest.importorskip("torch")

    def tensor(value):
        if not isinstance(value, np.ndarray):
            return value
        return torch.from_numpy(value.astype(dtype) if value.dtype.kind == "f" else value)

    given = {name: tensor(array).requires_grad_() for name, array in arrays.items()}
    renamed = {"input" if name == "x" else name: value for name, value in given.items()}
    more = {"running_mean": None, "running_var": None} if operation == "batch_norm" else {}
    settings = {name: tensor(value) for name, value in settings.items()}
    y = getattr(torch.nn.functional, operation)(**renamed, **more, **settings)
    y.backward(tensor(grad_y(tuple(y.shape))))
    return [y.detach().numpy(), *(value.grad.numpy() for value in given.values())]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_long_sums_lose_no_more_than_torchs(case, kind):
    operation, shapes, settings = CASES[case]
    rng = np.random.default_rng(0)
    arrays = {name: KINDS[kind](rng, shape) for name, shape in shapes.items()}

    def grad_y(shape):
        return KINDS[kind](np.random.default_rng(1), shape)

    truths = torchs(operation, arrays, settings, grad_y, np.float64)
    theirs = torchs(operation, arrays, settings, grad_y, np.float32)
    for i, (own, their, truth) in enumerate(
        zip(ours(operation, arrays, settings, grad_y), theirs, truths, strict=True)
    ):
        scale = max(abs(truth).max(), 1e-30)
        error, allowed = abs(own - truth).max() / scale, abs(their - truth).max() / scale
        # Where all but nothing is left of what was added up, both have its rounding errors.
        assert error <= max(1.5 * allowed, FEW_ULP), f"output {i}: {error:.1e}, PyTorch {allowed:.1e}"


@given(st.integers(0, 200), st.integers(0, 5))
def test_totals_are_sums(n, k):
    rows = np.random.default_rng(n).standard_normal((n, k)).astype(np.float32)
    for sums in (sum_rows(rows), sum_first_axis(rows)):
        assert sums.dtype == np.float32
        np.testing.assert_allclose(sums, rows.sum(axis=0, dtype=np.float64), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("m", "n"), [(2, 3), (300, 3), (3, 300)])
def test_a_long_product_is_the_product(change_thresholds, m, n):
    change_thresholds(matmul_piece=1000)  # of 300 rows or columns several pieces are made
    rng = np.random.default_rng(0)
    k = thresholds.current.matmul_long_sum + 77
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    exact = a.astype(float) @ b.astype(float)
    alone = matmul(a, b)
    np.testing.assert_allclose(alone, exact, rtol=1e-6, atol=5e-6 * k**0.5)
    assert alone.dtype == np.float32
    with Step(2):
        np.testing.assert_array_equal(matmul(a, b), alone)
