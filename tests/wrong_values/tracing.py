"""Rows for `npnet.trace`."""

import numpy as np

import npnet
from npnet import nn, optim
from tests.wrong_values.table import ARRAY, FLAG, FUNCTION, GENERATOR, Row


def model():
    return nn.Linear(2, 2, generator=np.random.default_rng(0), dtype=np.float64)


def step():
    made = model()
    return {
        "model": made,
        "loss": nn.CrossEntropyLoss(),
        "x": np.array([[1.0, 2.0]]),
        "target": np.array([1]),
        "optimizer": optim.SGD(made.parameters),
        "training": True,
        "generator": np.random.default_rng(0),
        "reference": None,
    }


def ask(operation, name, index):
    return npnet.trace(model(), nn.MSELoss(), np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]])).sum(
        operation, name, index
    )


def ask_update(name, index):
    given = step()
    return npnet.trace(**given).update(name, index)


def write(path):
    recorded = npnet.trace(model(), nn.MSELoss(), np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]]))
    return recorded.save(path)


ROWS = [
    Row(
        "trace",
        npnet.trace,
        step,
        {
            "model": [None, "model", nn.Linear, nn.MSELoss()],
            "loss": [None, "loss", nn.CrossEntropyLoss, nn.CrossEntropyLoss(reduction="none"), model()],
            "x": ARRAY,
            "target": ARRAY,
            "optimizer": ["SGD", 0.1, optim.SGD],
            "training": FLAG,
            "generator": GENERATOR,
            "reference": FUNCTION,
        },
    ),
    Row(
        "Trace.sum",
        ask,
        lambda: {"operation": "model", "name": "y", "index": (0, 1)},
        {
            "operation": ["0", "", None, 3, ("model",)],
            "name": ["grad_z", "x", "weight", None, 3, ["y"]],
            "index": [None, "01", (0,), (0, 2), (0, -3), (0.5, 1), (0, 1, 0), [[0]], {}],
        },
    ),
    Row(
        "Trace.update",
        ask_update,
        lambda: {"name": "model.weight", "index": (0, 1)},
        {
            "name": ["model", "weight", "0.weight", "", None, 3, ("model", "weight")],
            "index": [None, "01", (0,), (0, 2), (0, -3), (0.5, 1), (0, 1, 0), [[0]], {}],
        },
    ),
    Row("Trace.save", write, lambda: {"path": "/dev/null"}, {"path": [None, 3, [], b"a\0b", ""]}),
    Row(
        "statistics",
        npnet.tracing.statistics,
        lambda: {"array": np.array([1.0, np.nan])},
        {"array": ARRAY},
    ),
]
