"""The losses, as functions: examples for all tests, and wrong values."""

import numpy as np

from npnet import definition
from tests.examples.case import IMAGES, SCORES, Arguments, Case, N, labels_of_rows, logits
from tests.wrong_values.table import (
    CHOICE,
    FLOAT32,
    FLOAT_ARRAY,
    INTEGER,
    LABELS,
    ONE_HOT,
    PROBABILITY,
    REQUIRED,
    WEIGHT,
)


def labels(shape=(), **more):
    """Return what draws class labels of shape (n, *shape) out of 4, and other arrays of given shapes."""

    def draw(rng, n):
        return {
            "target": rng.integers(4, size=(n, *shape)),
            **{name: rng.uniform(0.5, 2, size) for name, size in more.items()},
        }

    return draw


def targets(*shape, **more):
    """Return what draws targets in (0, 1) of shape (n, *shape), and other arrays of given shapes."""

    def draw(rng, n):
        return {
            "target": rng.uniform(0, 1, (n, *shape)),
            **{name: rng.uniform(0.5, 2, size) for name, size in more.items()},
        }

    return draw


def unit_interval(x):
    return 0.1 + 0.8 / (1 + np.exp(-x))


def labels_some_ignored(rng, n):
    return {"target": np.array([1, 3, 0, 2, 3])[np.arange(n) % 5], "weight": rng.uniform(0.5, 2, 4)}


def nll_of_log_softmax(x, target, **settings):
    return definition.nll_loss(definition.log_softmax(x, min(1, x.ndim - 1)), target, **settings)


CASES = [
    Case("nll_loss", "mean", SCORES, data=labels()),
    Case("nll_loss", "sum", SCORES, {"reduction": "sum"}, labels(weight=4)),
    Case("nll_loss", "none, spatial", {"x": (N, 4, 2, 3)}, {"reduction": "none"}, labels((2, 3), weight=4)),
    Case("nll_loss", "weighted mean, spatial", {"x": (N, 4, 2, 3)}, data=labels((2, 3), weight=4)),
    Case("nll_loss", "ignored labels", SCORES, {"ignore_index": 3}, labels_some_ignored),
    Case("cross_entropy", "mean", SCORES, data=labels(), expected=nll_of_log_softmax),
    Case(
        "cross_entropy",
        "none, spatial",
        {"x": (N, 4, 2, 3)},
        {"reduction": "none"},
        labels((2, 3), weight=4),
        expected=nll_of_log_softmax,
    ),
    Case(
        "cross_entropy",
        "ignored labels",
        SCORES,
        {"ignore_index": 3},
        labels_some_ignored,
        expected=nll_of_log_softmax,
    ),
    Case("cross_entropy", "smoothed", SCORES, {"label_smoothing": 0.2}, labels(weight=4)),
    Case("cross_entropy", "probabilities", SCORES, data=targets(4, weight=4)),
    Case("mse_loss", "mean", SCORES, data=targets(4)),
    Case("mse_loss", "none", IMAGES, {"reduction": "none"}, targets(2, 6, 5)),
    Case("binary_cross_entropy", "mean", SCORES, data=targets(4), range=unit_interval),
    Case(
        "binary_cross_entropy",
        "weighted sum",
        SCORES,
        {"reduction": "sum"},
        targets(4, weight=4),
        unit_interval,
    ),
    Case("binary_cross_entropy_with_logits", "mean", SCORES, data=targets(4)),
    Case(
        "binary_cross_entropy_with_logits",
        "weighted, none",
        SCORES,
        {"reduction": "none"},
        targets(4, weight=4, pos_weight=4),
    ),
]
ARGUMENTS = {
    "cross_entropy": Arguments(
        lambda: {
            "x": logits(),
            "target": labels_of_rows(),
            "weight": np.ones(3),
            "ignore_index": -100,
            "reduction": "mean",
            "label_smoothing": 0.1,
        },
        {
            "x": [*FLOAT_ARRAY, np.array(1.0)],
            "target": [*LABELS, np.array([0, 3]), np.array([-1, 0]), ONE_HOT, np.array([[0], [1]])],
            "weight": WEIGHT,
            "ignore_index": INTEGER,
            "reduction": CHOICE,
            "label_smoothing": PROBABILITY,
        },
    ),
    "nll_loss": Arguments(
        lambda: {
            "x": logits(),
            "target": labels_of_rows(),
            "weight": np.ones(3),
            "ignore_index": -100,
            "reduction": "mean",
        },
        {
            "x": [*FLOAT_ARRAY, np.array(1.0)],
            "target": [*LABELS, np.array([0, 3]), ONE_HOT, ONE_HOT.astype(float)],
            "weight": WEIGHT,
            "ignore_index": INTEGER,
            "reduction": CHOICE,
        },
    ),
    "mse_loss": Arguments(
        lambda: {"x": logits(), "target": logits(), "reduction": "mean"},
        {"x": FLOAT_ARRAY, "target": [*REQUIRED, np.ones((2, 1)), FLOAT32], "reduction": CHOICE},
    ),
    "binary_cross_entropy": Arguments(
        lambda: {
            "x": np.full((2, 3), 0.5),
            "target": np.full((2, 3), 0.5),
            "weight": np.ones(3),
            "reduction": "mean",
        },
        {
            "x": [*FLOAT_ARRAY, np.full((2, 3), 1.5), np.full((2, 3), np.nan)],
            "target": [*REQUIRED, FLOAT32, np.full((2, 3), -1.0)],
            "weight": WEIGHT,
            "reduction": CHOICE,
        },
    ),
    "binary_cross_entropy_with_logits": Arguments(
        lambda: {
            "x": logits(),
            "target": np.full((2, 3), 0.5),
            "weight": np.ones(3),
            "reduction": "mean",
            "pos_weight": np.ones(3),
        },
        {
            "x": FLOAT_ARRAY,
            "target": [*REQUIRED, FLOAT32],
            "weight": WEIGHT,
            "reduction": CHOICE,
            "pos_weight": WEIGHT,
        },
    ),
}
LAYERS = {}
CONSTRUCTORS = {}
