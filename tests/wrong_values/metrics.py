"""Rows for `npnet.metrics`."""

import numpy as np

from npnet import metrics
from tests.wrong_values.table import INTEGER, Row, masked

MATRIX = np.ones((1, 1)).view(np.matrix)
LABELS = [
    None,
    3.0,
    1,
    "x",
    {},
    masked(),
    MATRIX,
    [0.5, 1.0],
    [[0], [0, 1]],
    ["a", 1],
    [None, 0],
    [1j, 2],
    np.array([0.0, 1.0]),
    np.array([None, 1]),
    np.array([2**63, 0], np.uint64),
]
CLASSES = ["ab", *INTEGER, 0, -1, np.int8(-3), 10**9, [], ["a", "a"], [0.5, 1.5], {}, ("a",)]
OUTSIDE = [[0, -1], [0, 2], np.array([0, 300]), ["a", "b"]]
CONFUSION = [
    None,
    3,
    "x",
    {},
    MATRIX,
    masked(),
    [],
    [[1, 2]],
    np.ones((2, 3), int),
    np.eye(2),
    np.eye(2, dtype=bool),
    [[1, -1], [0, 2]],
    np.zeros((0, 0), int),
    np.ones((2, 2, 2), int),
    [["a", "b"], ["c", "d"]],
]


def counted():
    return {"predicted": [0, 1], "target": np.array([0, 0]), "classes": 2}


def ranked():
    return {"scores": [0.5, 0.1], "target": [1, 0]}


NOT_SCORES = [
    None,
    3.0,
    "x",
    {},
    masked(),
    MATRIX,
    ["a", "b"],
    [True, False],
    [0.5],
    [[0.5, 0.1]],
    [0.5, np.nan],
]
NOT_MEMBERS = [None, 1, "x", {}, masked(), [0.5, 1.0], [0, 0], [1, 2], [1], [-1, 1], ["a", "b"]]
PAIR = {"predicted": [*LABELS, [0]], "target": [*LABELS, [0]]}
WRONG = {name: [*values, *OUTSIDE, [[0, 1]]] for name, values in PAIR.items()} | {"classes": CLASSES}
ROWS = [
    Row("metrics.accuracy", metrics.accuracy, lambda: {"predicted": [0, 1], "target": [0, 0]}, PAIR),
    Row("metrics.confusion_matrix", metrics.confusion_matrix, counted, WRONG),
    Row("metrics.report", metrics.report, counted, WRONG),
    Row(
        "metrics.precision_recall",
        metrics.precision_recall,
        lambda: {"confusion": [[1, 0], [0, 2]]},
        {"confusion": CONFUSION},
    ),
    Row("metrics.f1", metrics.f1, lambda: {"confusion": np.eye(2, dtype=np.uint8)}, {"confusion": CONFUSION}),
    Row(
        "metrics.average_precision",
        metrics.average_precision,
        ranked,
        {"scores": NOT_SCORES, "target": NOT_MEMBERS},
    ),
]
