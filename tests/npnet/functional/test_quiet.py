"""No operation warns or raises of what its numbers become, whatever NumPy is told to do about it."""

import numpy as np
import pytest

from npnet import functional as F
from npnet import nn

HARD = np.array(
    [0.0, 1e-38, 1e-30, -1e-20, 1.0, -1.0, 30.0, -100.0, 1e4, -1e4, 3e38, -3e38, np.inf, -np.inf, np.nan]
)


def values(shape, dtype, seed):
    picked = np.random.default_rng(seed).choice(HARD, shape)
    if dtype == np.float64:
        picked = np.where(abs(picked) > 1e38, np.sign(picked) * 1e308, picked)
        picked = np.where(abs(picked) == 1e-38, 1e-308, picked)
    return np.asarray(picked, dtype)


SETTINGS = {
    "linear": {"x": (40, 5), "weight": (4, 5), "bias": (4,)},
    "conv2d": {"x": (3, 2, 6, 6), "weight": (4, 2, 3, 3), "bias": (4,)},
    "conv2d strided": {"x": (3, 2, 6, 6), "weight": (4, 2, 3, 3), "bias": (4,), "stride": 2},
    "batch_norm": {"x": (4, 2, 3), "weight": (2,), "bias": (2,), "training": True},
    "batch_norm of many": {"x": (4, 2, 80, 80), "weight": (2,), "bias": (2,), "training": True},
    "max_pool2d": {"x": (2, 2, 6, 6), "kernel_size": 2},
    "max_pool2d overlapping": {"x": (2, 2, 6, 6), "kernel_size": 3, "stride": 1, "padding": 1},
    "avg_pool2d": {"x": (2, 2, 6, 6), "kernel_size": 3, "stride": 1},
    "adaptive_avg_pool2d": {"x": (2, 2, 20, 20), "output_size": 2},
    "relu": {"x": (50,)},
    "leaky_relu": {"x": (50,), "negative_slope": 1e-30},
    "leaky_relu steep": {"x": (50,), "negative_slope": 1e30},
    "tanh": {"x": (50,)},
    "sigmoid": {"x": (50,)},
    "softmax": {"x": (20, 3)},
    "log_softmax": {"x": (20, 3)},
    "dropout": {"x": (50,), "p": 0.5},
    "flatten": {"x": (5, 5)},
    "cross_entropy": {"x": (20, 3)},
    "cross_entropy weighted": {"x": (20, 3), "weight": (3,), "label_smoothing": 0.1},
    "nll_loss": {"x": (20, 3), "weight": (3,)},
    "mse_loss": {"x": (20, 3)},
    "binary_cross_entropy": {"x": (20,)},
    "binary_cross_entropy_with_logits": {"x": (20,), "weight": (20,)},
}


def arguments(name, dtype, seed):
    given = {}
    for i, (key, value) in enumerate(SETTINGS[name].items()):
        is_shape = key in ("x", "weight", "bias")
        given[key] = values(value, dtype, seed + i) if is_shape else value
    operation = name.partition(" ")[0]
    n = SETTINGS[name]["x"]
    if operation in ("cross_entropy", "nll_loss"):
        given["target"] = np.arange(n[0]) % 3
    if operation == "mse_loss":
        given["target"] = values(n, dtype, seed + 9)
    if operation.startswith("binary"):
        given["target"] = np.linspace(0, 1, n[0]).astype(dtype)
    if operation == "binary_cross_entropy":
        given["x"] = np.array([0, 1e-38, 1e-30, 0.5, 1] * 4).astype(dtype)
    if operation == "dropout":
        given["generator"] = np.random.default_rng(0)
    if operation == "batch_norm":
        given |= {"running_mean": values((2,), dtype, 1), "running_var": values((2,), dtype, 2)}
    return operation, given


def test_every_operation_is_asked():
    assert {name.partition(" ")[0] for name in SETTINGS} == set(F.__all__)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SETTINGS)
def test_forward_and_backward_are_quiet(name, dtype):
    for seed in range(8):
        with np.errstate(all="ignore"):  # what makes the arguments is another matter
            operation, given = arguments(name, dtype, seed)
        with np.errstate(all="raise"):
            y, backward = getattr(F, operation)(**given)
        with np.errstate(all="ignore"):
            grad_y = values(y.shape, dtype, seed + 20)
        with np.errstate(all="raise"):
            backward(grad_y)


def test_a_residual_is_quiet():
    huge = np.full((2, 3), 3e38, np.float32)
    with np.errstate(all="raise"):
        y, backward = nn.Residual(nn.Identity()).forward(huge)
        assert np.isinf(y).all()
        assert np.isinf(backward(huge)[0]).all()


def test_a_state_too_large_for_its_dtype_becomes_infinite():
    layer = nn.Linear(2, 1, generator=np.random.default_rng(0))
    with np.errstate(all="raise"):
        layer.load_state_dict({"weight": np.full((1, 2), 1e300), "bias": np.zeros(1)})
    assert np.isinf(layer.weight).all()
