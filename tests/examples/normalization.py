"""`batch_norm` and its layers: examples for all tests, and wrong values."""

import numpy as np

from npnet import nn
from tests.examples.case import Arguments, Case, N, images
from tests.wrong_values.table import (
    DTYPE,
    FLAG,
    FLOAT32,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    REQUIRED,
    WEIGHT,
    without,
)

NORM = {"x": (N, 2, 3, 2), "weight": (2,), "bias": (2,)}


def statistics(rng, n):
    return {"running_mean": rng.standard_normal(2), "running_var": rng.uniform(0.5, 2, 2)}


def no_statistics(rng, n):
    return {}


CONSTRUCTOR = (
    lambda: {
        "num_features": 3,
        "eps": 1e-5,
        "momentum": 0.1,
        "affine": True,
        "track_running_stats": True,
        "bias": True,
        "dtype": np.float32,
    },
    {
        "num_features": POSITIVE,
        "eps": NOT_NEGATIVE,
        "momentum": without(NUMBER, None),
        "affine": FLAG,
        "track_running_stats": FLAG,
        "bias": FLAG,
        "dtype": DTYPE,
    },
)


CASES = [
    Case("batch_norm", "training", NORM, {"training": True}, statistics),
    Case("batch_norm", "evaluation", NORM, {"training": False, "eps": 1e-3}, statistics),
    Case("batch_norm", "features", NORM | {"x": (N, 2)}, {"training": True}, statistics, smallest=2),
    Case("batch_norm", "no scale and shift", {"x": (N, 2, 3, 2)}, {"training": True}, statistics),
    Case(
        "batch_norm",
        "no running statistics",
        NORM,
        {"training": True, "running_mean": None, "running_var": None},
        no_statistics,
    ),
]
ARGUMENTS = {
    "batch_norm": Arguments(
        lambda: {
            "x": images(),
            "running_mean": np.zeros(3),
            "running_var": np.ones(3),
            "weight": np.ones(3),
            "bias": np.ones(3),
            "training": False,
            "momentum": 0.1,
            "eps": 1e-5,
        },
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
}
LAYERS = {
    "norm1d": (nn.BatchNorm1d, (5,), {}, (4, 5)),
    "norm2d": (nn.BatchNorm2d, (3,), {"eps": 0.1, "momentum": None}, (4, 3, 2, 2)),
    "norm_plain": (nn.BatchNorm2d, (3,), {"affine": False, "momentum": 0.4}, (4, 3, 2, 2)),
    "norm_untracked": (nn.BatchNorm1d, (5,), {"track_running_stats": False}, (4, 5)),
    "norm_no_bias": (nn.BatchNorm1d, (5,), {"bias": False}, (4, 5)),
}
CONSTRUCTORS = {
    nn.BatchNorm1d: Arguments(*CONSTRUCTOR),
    nn.BatchNorm2d: Arguments(*CONSTRUCTOR),
}
