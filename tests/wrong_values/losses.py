"""Rows for the losses of `npnet.nn`."""

import numpy as np

from npnet import nn
from tests.wrong_values.table import (
    ARRAY,
    CHOICE,
    FLOAT_ARRAY,
    INTEGER,
    LABELS,
    PROBABILITY,
    Row,
    without,
)

CLASS_WEIGHT = [*without(FLOAT_ARRAY, None), np.ones((2, 2)), np.float64(1.0)]
ELEMENT_WEIGHT = without(FLOAT_ARRAY, None)

SETTINGS = {
    nn.Loss: {"reduction": CHOICE},
    nn.CrossEntropyLoss: {
        "weight": CLASS_WEIGHT,
        "ignore_index": INTEGER,
        "reduction": CHOICE,
        "label_smoothing": PROBABILITY,
    },
    nn.NLLLoss: {"weight": CLASS_WEIGHT, "ignore_index": INTEGER, "reduction": CHOICE},
    nn.MSELoss: {"reduction": CHOICE},
    nn.BCELoss: {"weight": ELEMENT_WEIGHT, "reduction": CHOICE},
    nn.BCEWithLogitsLoss: {"weight": ELEMENT_WEIGHT, "reduction": CHOICE, "pos_weight": ELEMENT_WEIGHT},
}
GOOD = {"weight": None, "pos_weight": None, "ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}
X, LABEL = np.full((2, 3), 0.5), np.array([0, 2])
LABELLED = (nn.CrossEntropyLoss, nn.NLLLoss)


def made(kind):
    wrong = SETTINGS[kind]
    return Row(f"npnet.nn.{kind.__name__}", kind, lambda: {name: GOOD[name] for name in wrong}, wrong)


def called(kind, method):
    def call(x, target):
        return getattr(kind(), method)(x, target)

    labelled = kind in LABELLED
    good = {"x": X, "target": LABEL if labelled else X}
    # A target of floats in the shape of x is one of probabilities.
    target = LABELS if labelled else FLOAT_ARRAY
    return Row(f"{kind.__name__}.{method}", call, lambda: dict(good), {"x": FLOAT_ARRAY, "target": target})


def divided(kind):
    def call(x, target):
        return kind().divisor(x, target)

    numbers = [value for value in FLOAT_ARRAY if getattr(getattr(value, "dtype", None), "kind", "O") != "f"]
    free = {} if kind in LABELLED else {"target": "the number of elements is that of x"}
    wrong = {"x": numbers} | ({"target": [*ARRAY, np.array([True])]} if kind in LABELLED else {})
    return Row(f"{kind.__name__}.divisor", call, lambda: {"x": X, "target": LABEL}, wrong, free)


def divisor_of_loss(x, target):
    return nn.Loss().divisor(x, target)


def backward_of(kind):
    def call(grad_loss):
        return kind().forward(X, LABEL if kind in LABELLED else X)[1](grad_loss)

    wrong = [*without(FLOAT_ARRAY, None), np.ones(3)]
    return Row(
        f"backward of {kind.__name__}", call, lambda: {"grad_loss": np.asarray(1.0)}, {"grad_loss": wrong}
    )


KINDS = [kind for kind in SETTINGS if kind is not nn.Loss]

ROWS = [
    *map(made, SETTINGS),
    *(called(kind, method) for kind in KINDS for method in ("forward", "__call__")),
    *map(divided, KINDS),
    *map(backward_of, KINDS),
    Row(
        "Loss.divisor",
        divisor_of_loss,
        lambda: {"x": X, "target": LABEL},
        {"target": [*ARRAY, np.array(1.0)]},
        {"x": "the number of samples is that of the targets"},
    ),
]
