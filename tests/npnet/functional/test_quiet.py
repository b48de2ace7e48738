"""No operation warns or raises of what its numbers become, whatever NumPy is told to do about it."""

from functools import partial

import numpy as np
import pytest

from npnet import functional as F
from npnet import nn
from tests.examples.elementwise import ELEMENTWISE
from tests.examples.operations import CASES

HARD = np.array(
    [0.0, 1e-38, 1e-30, -1e-20, 1.0, -1.0, 30.0, -100.0, 1e4, -1e4, 3e38, -3e38, np.inf, -np.inf, np.nan]
)


def values(shape, dtype, seed):
    picked = np.random.default_rng(seed).choice(HARD, shape)
    if dtype == np.float64:
        picked = np.where(abs(picked) > 1e38, np.sign(picked) * 1e308, picked)
        picked = np.where(abs(picked) == 1e-38, 1e-308, picked)
    return np.asarray(picked, dtype)


SETTINGS = {  # beside the cases of the table: of other sizes, or with hard values in the data
    "batch_norm": {"x": (4, 2, 3), "weight": (2,), "bias": (2,), "training": True},
    "batch_norm of many": {"x": (4, 2, 80, 80), "weight": (2,), "bias": (2,), "training": True},
    "adaptive_avg_pool2d": {"x": (2, 2, 20, 20), "output_size": 2},
    **{
        f"{op.operation} {settings}": {"x": (50,), **settings}
        for op in ELEMENTWISE
        for settings in ({}, *op.settings)
    },
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
    if operation == "batch_norm":
        given |= {"running_mean": values((2,), dtype, 1), "running_var": values((2,), dtype, 2)}
    return operation, given


def check_quiet(call, dtype, seed):
    with np.errstate(all="raise"):
        y, backward = call()
    with np.errstate(all="ignore"):
        grad_y = values(y.shape, dtype, seed + 20)
    with np.errstate(all="raise"):
        backward(grad_y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SETTINGS)
def test_forward_and_backward_are_quiet(name, dtype):
    for seed in range(8):
        with np.errstate(all="ignore"):  # what makes the arguments is another matter
            operation, given = arguments(name, dtype, seed)
        check_quiet(partial(getattr(F, operation), **given), dtype, seed)


# Of binary_cross_entropy x has to be a probability: it is in the list above.
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.operation != "binary_cross_entropy"], ids=str
)
def test_every_operation_of_the_table_is_quiet(case, dtype):
    for seed in range(8):
        arrays, data = case.arrays(dtype=dtype, seed=seed)
        with np.errstate(all="ignore"):
            hard = {name: values(a.shape, dtype, seed + i) for i, (name, a) in enumerate(arrays.items())}
        check_quiet(partial(case.run, hard, data), dtype, seed)


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
