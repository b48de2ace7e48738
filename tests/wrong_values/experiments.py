"""Rows for what the experiments offer to be called by name."""

import numpy as np

from npnet.recipes.gmm_fcann2 import fcann2_classify, fcann2_train
from npnet.recipes.gmm_ksvm import KSVMWrap
from npnet.recipes.linreg import written_gradients
from tests.wrong_values.table import ARRAY, COUNT, LABELS, NOT_NEGATIVE, NUMBER, POSITIVE, Row, without

X, Y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
WEIGHTS = {"W1": np.ones((3, 2)), "b1": np.ones(3), "W2": np.ones((2, 3)), "b2": np.ones(2)}
SAMPLES = [*ARRAY, np.ones(4), np.ones((2, 2, 2)), np.array([[1, 2]])]
CLASSES = [*LABELS, np.array([0, 1]), np.array([0, -1, 1, 0]), np.array([[0, 1, 1, 0]])]
NO_WEIGHTS = [
    3,
    "W1",
    [1],
    {},
    {"W1": np.ones((3, 2))},
    WEIGHTS | {"b1": [1.0]},
    WEIGHTS | {"W2": np.ones((3, 2))},
]
COLUMN = np.array([[1.0], [2.0]])
COLUMNS = [*ARRAY, np.ones(2), np.array([[1], [2]])]
POSITIVE_NUMBER = [*NOT_NEGATIVE, 0.0]


def train(X, Y, hidden, steps, lr, decay, start, seed):
    return fcann2_train(X, Y, hidden=hidden, steps=steps, lr=lr, decay=decay, start=start, seed=seed)


def machine():
    return KSVMWrap(X, Y)


def predict(X):
    return machine().predict(X)


def get_scores(X):
    return machine().get_scores(X)


ROWS = [
    Row(
        "fcann2_train",
        train,
        lambda: {
            "X": X, "Y": Y, "hidden": 3, "steps": 1, "lr": 0.1, "decay": 0.0, "start": WEIGHTS, "seed": 0,
        },
        {
            "X": SAMPLES,
            "Y": CLASSES,
            "hidden": POSITIVE,
            "steps": COUNT,
            "lr": NOT_NEGATIVE,
            "decay": NOT_NEGATIVE,
            "start": NO_WEIGHTS,
            "seed": COUNT,
        },
    ),
    Row(
        "fcann2_classify",
        fcann2_classify,
        lambda: {"X": X, "parameters": WEIGHTS},
        {"X": SAMPLES, "parameters": NO_WEIGHTS},
    ),
    Row(
        "KSVMWrap",
        KSVMWrap,
        lambda: {"X": X, "Y": Y, "c": 1.0, "gamma": "auto"},
        {
            "X": SAMPLES,
            "Y": CLASSES,
            "c": POSITIVE_NUMBER,
            "gamma": [*without(POSITIVE_NUMBER, "0.1"), "automatic"],
        },
    ),
    Row("KSVMWrap.predict", predict, lambda: {"X": X}, {"X": [*SAMPLES, np.ones((2, 3))]}),
    Row("KSVMWrap.get_scores", get_scores, lambda: {"X": X}, {"X": [*SAMPLES, np.ones((2, 3))]}),
    Row(
        "written_gradients",
        written_gradients,
        lambda: {"a": 1.0, "b": 0.0, "x": COLUMN, "y": COLUMN},
        {"a": NUMBER, "b": NUMBER, "x": COLUMNS, "y": [*COLUMNS, np.ones((3, 1))]},
    ),
]  # fmt: skip
