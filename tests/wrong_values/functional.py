"""Rows for `npnet.functional`."""

import numpy as np

from npnet import functional as F
from tests.wrong_values.table import (
    CHOICE,
    FLAG,
    FLOAT_ARRAY,
    GENERATOR,
    INTEGER,
    LABELS,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    PROBABILITY,
    SIZE,
    Row,
    without,
)

FLOAT32 = np.ones((2, 3), np.float32)
WEIGHT = [*without(FLOAT_ARRAY, None), np.ones(7), np.ones((7, 7))]  # an array that may be absent
REQUIRED = [*FLOAT_ARRAY, np.ones(7)]
STRIDE = [*SIZE, 0, -1, (0, 1)]
KERNEL = [*STRIDE, None, ()]
PADDING = [*SIZE, None, -1, (), (0, -1)]
NEEDS = [None, True, (True,), (True, True, 3), [True, True, True], "yes"]
GRAD = [*FLOAT_ARRAY, FLOAT32]
ONE_HOT = np.eye(3, dtype=int)[:2]


def images():
    return np.random.default_rng(0).standard_normal((2, 3, 4, 4))


def logits():
    return np.random.default_rng(0).standard_normal((2, 3))


def labels():
    return np.array([0, 2])


def row(name, good, wrong, free=None):
    return Row(f"npnet.functional.{name}", getattr(F, name), good, wrong, free or {})


def backward_of(name, good):
    """Return a row for the backward of an operation on one array."""

    def call(grad_y):
        return getattr(F, name)(**good())[1](grad_y)

    return Row(
        f"backward of {name}",
        call,
        lambda: {"grad_y": np.ones_like(getattr(F, name)(**good())[0])},
        {"grad_y": GRAD},
    )


def backward_of_several(name, good):
    """Return a row for the backward of an operation with parameters."""

    def call(grad_y, needs):
        return getattr(F, name)(**good())[1](grad_y, needs)

    return Row(
        f"backward of {name}",
        call,
        lambda: {"grad_y": np.ones_like(getattr(F, name)(**good())[0]), "needs": (True, True, True)},
        {"grad_y": GRAD, "needs": NEEDS},
    )


def backward_of_loss(name, good):
    """Return a row for the backward of a loss, whose upstream gradient may be left out."""

    def call(grad_loss):
        return getattr(F, name)(**good())[1](grad_loss)

    return Row(
        f"backward of {name}",
        call,
        lambda: {"grad_loss": np.ones(())},
        {"grad_loss": [*without(FLOAT_ARRAY, None), np.ones(1), np.float32(1.0)]},
    )


ELEMENTWISE = {
    name: lambda: {"x": images()}
    for name in ("relu", "sigmoid", "tanh", "leaky_relu", "softmax", "log_softmax")
}
GOOD = {
    **ELEMENTWISE,
    "flatten": lambda: {"x": images(), "start_dim": 1, "end_dim": -1},
    "dropout": lambda: {"x": images(), "p": 0.5, "training": True, "generator": np.random.default_rng(0)},
    "max_pool2d": lambda: {
        "x": images(),
        "kernel_size": 2,
        "stride": 2,
        "padding": 1,
        "dilation": 1,
        "ceil_mode": False,
    },
    "avg_pool2d": lambda: {
        "x": images(),
        "kernel_size": 2,
        "stride": 2,
        "padding": 1,
        "ceil_mode": False,
        "count_include_pad": True,
        "divisor_override": 3,
    },
    "adaptive_avg_pool2d": lambda: {"x": images(), "output_size": 2},
    "linear": lambda: {"x": logits(), "weight": np.ones((5, 3)), "bias": np.ones(5)},
    "conv2d": lambda: {
        "x": images(),
        "weight": np.ones((2, 3, 2, 2)),
        "bias": np.ones(2),
        "stride": 1,
        "padding": 1,
        "dilation": 1,
        "groups": 1,
    },
    "batch_norm": lambda: {
        "x": images(),
        "running_mean": np.zeros(3),
        "running_var": np.ones(3),
        "weight": np.ones(3),
        "bias": np.ones(3),
        "training": False,
        "momentum": 0.1,
        "eps": 1e-5,
    },
    "cross_entropy": lambda: {
        "x": logits(),
        "target": labels(),
        "weight": np.ones(3),
        "ignore_index": -100,
        "reduction": "mean",
        "label_smoothing": 0.1,
    },
    "nll_loss": lambda: {
        "x": logits(),
        "target": labels(),
        "weight": np.ones(3),
        "ignore_index": -100,
        "reduction": "mean",
    },
    "mse_loss": lambda: {"x": logits(), "target": logits(), "reduction": "mean"},
    "binary_cross_entropy": lambda: {
        "x": np.full((2, 3), 0.5),
        "target": np.full((2, 3), 0.5),
        "weight": np.ones(3),
        "reduction": "mean",
    },
    "binary_cross_entropy_with_logits": lambda: {
        "x": logits(),
        "target": np.full((2, 3), 0.5),
        "weight": np.ones(3),
        "reduction": "mean",
        "pos_weight": np.ones(3),
    },
}
LOSSES = [name for name in GOOD if "loss" in name or "entropy" in name]
SEVERAL = ["linear", "conv2d", "batch_norm"]

ROWS = [
    row("relu", GOOD["relu"], {"x": FLOAT_ARRAY}),
    row("sigmoid", GOOD["sigmoid"], {"x": FLOAT_ARRAY}),
    row("tanh", GOOD["tanh"], {"x": FLOAT_ARRAY}),
    row(
        "leaky_relu",
        GOOD["leaky_relu"],
        {"x": FLOAT_ARRAY, "negative_slope": [v for v in NUMBER if not isinstance(v, float)]},
    ),
    row("softmax", GOOD["softmax"], {"x": FLOAT_ARRAY, "dim": [*INTEGER, 4, -5]}),
    row("log_softmax", GOOD["log_softmax"], {"x": FLOAT_ARRAY, "dim": [*INTEGER, 4, -5]}),
    row(
        "flatten",
        GOOD["flatten"],
        {"x": FLOAT_ARRAY, "start_dim": [*INTEGER, 4], "end_dim": [*INTEGER, 4, 0]},
    ),
    row(
        "dropout",
        GOOD["dropout"],
        {"x": FLOAT_ARRAY, "p": PROBABILITY, "training": FLAG, "generator": [None, *GENERATOR]},
    ),
    row(
        "max_pool2d",
        GOOD["max_pool2d"],
        {
            "x": [*FLOAT_ARRAY, np.ones((2, 2)), np.ones((1, 0, 4, 4))],
            "kernel_size": KERNEL,
            "stride": STRIDE,
            "padding": [*PADDING, 2],
            "dilation": [*STRIDE, None, ()],
            "ceil_mode": FLAG,
        },
    ),
    row(
        "avg_pool2d",
        GOOD["avg_pool2d"],
        {
            "x": [*FLOAT_ARRAY, np.ones((2, 2))],
            "kernel_size": KERNEL,
            "stride": STRIDE,
            "padding": [*PADDING, 2],
            "ceil_mode": FLAG,
            "count_include_pad": FLAG,
            "divisor_override": [*without(INTEGER, None), 0],
        },
    ),
    row(
        "adaptive_avg_pool2d",
        GOOD["adaptive_avg_pool2d"],
        {"x": FLOAT_ARRAY, "output_size": [*STRIDE, (), (1,), (None, "2")]},
    ),
    row(
        "linear",
        GOOD["linear"],
        {"x": [*REQUIRED, FLOAT32], "weight": [*REQUIRED, np.ones((5, 4))], "bias": WEIGHT},
    ),
    row(
        "conv2d",
        GOOD["conv2d"],
        {
            "x": [*REQUIRED, images()[:, :2], images().astype(np.float32)],
            "weight": [*REQUIRED, np.ones((2, 3, 0, 2))],
            "bias": WEIGHT,
            "stride": [*STRIDE, None, ()],
            "padding": [*PADDING, "full"],
            "dilation": [*STRIDE, None, ()],
            "groups": [*POSITIVE, 2],
        },
    ),
    row(
        "batch_norm",
        GOOD["batch_norm"],
        {
            "x": [*REQUIRED, FLOAT32],
            "running_mean": [*WEIGHT, None],
            "running_var": [*WEIGHT, None],
            "weight": WEIGHT,
            "bias": WEIGHT,
            "training": FLAG,
            "momentum": NUMBER,
            "eps": NOT_NEGATIVE,
        },
    ),
    row(
        "cross_entropy",
        GOOD["cross_entropy"],
        {
            "x": [*FLOAT_ARRAY, np.array(1.0)],
            "target": [*LABELS, np.array([0, 3]), np.array([-1, 0]), ONE_HOT, np.array([[0], [1]])],
            "weight": WEIGHT,
            "ignore_index": INTEGER,
            "reduction": CHOICE,
            "label_smoothing": PROBABILITY,
        },
    ),
    row(
        "nll_loss",
        GOOD["nll_loss"],
        {
            "x": [*FLOAT_ARRAY, np.array(1.0)],
            "target": [*LABELS, np.array([0, 3]), ONE_HOT, ONE_HOT.astype(float)],
            "weight": WEIGHT,
            "ignore_index": INTEGER,
            "reduction": CHOICE,
        },
    ),
    row(
        "mse_loss",
        GOOD["mse_loss"],
        {"x": FLOAT_ARRAY, "target": [*REQUIRED, np.ones((2, 1)), FLOAT32], "reduction": CHOICE},
    ),
    row(
        "binary_cross_entropy",
        GOOD["binary_cross_entropy"],
        {
            "x": [*FLOAT_ARRAY, np.full((2, 3), 1.5), np.full((2, 3), np.nan)],
            "target": [*REQUIRED, FLOAT32, np.full((2, 3), -1.0)],
            "weight": WEIGHT,
            "reduction": CHOICE,
        },
    ),
    row(
        "binary_cross_entropy_with_logits",
        GOOD["binary_cross_entropy_with_logits"],
        {
            "x": FLOAT_ARRAY,
            "target": [*REQUIRED, FLOAT32],
            "weight": WEIGHT,
            "reduction": CHOICE,
            "pos_weight": WEIGHT,
        },
    ),
    *(backward_of(name, GOOD[name]) for name in GOOD if name not in (*LOSSES, *SEVERAL)),
    *(backward_of_several(name, GOOD[name]) for name in SEVERAL),
    *(backward_of_loss(name, GOOD[name]) for name in LOSSES),
]
