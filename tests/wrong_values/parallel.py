"""Rows for `npnet.parallel`."""

import numpy as np

from npnet import nn, parallel
from tests.wrong_values.table import ARRAY, FLAG, GENERATOR, POSITIVE, Row, without


def a_model():
    return nn.Linear(3, 2, generator=np.random.default_rng(0), dtype=np.float64)


def call_step(model, loss, x, target, generator):
    return parallel.Step(2)(model, loss, x, target, generator)


def predict(model, x):
    return parallel.Step(2).predict(model, x)


MODEL = [None, "model", nn.Linear, [a_model()], {}, a_model().parameters, lambda x: x]
LOSS = [None, "mse", nn.MSELoss, lambda y, target: 0.0, a_model(), nn.MSELoss(reduction="none")]
X = [*ARRAY, np.array(1.0)]

ROWS = [
    Row(
        "npnet.parallel.Step",
        parallel.Step,
        lambda: {"threads": np.int8(2)},
        {"threads": without(POSITIVE, None)},
    ),
    Row(
        "a step",
        call_step,
        lambda: {
            "model": a_model(),
            "loss": nn.MSELoss(),
            "x": np.ones((4, 3)),
            "target": np.ones((4, 2)),
            "generator": np.random.default_rng(0),
        },
        {
            "model": MODEL,
            "loss": LOSS,
            "x": [*X, np.ones((4, 5)), np.ones((4, 3), int), np.ones((4, 3), np.float32)],
            "target": [None, "x", {}, np.ones((4, 5)), np.array(["a", "b"])],
            "generator": [None, *GENERATOR],
        },
    ),
    Row(
        "Step.predict", predict, lambda: {"model": a_model(), "x": np.ones((4, 3))}, {"model": MODEL, "x": X}
    ),
    Row(
        "npnet.parallel.plan",
        parallel.plan,
        lambda: {"model": a_model(), "x": np.ones((4, 3)), "training": np.True_},
        {"model": MODEL, "x": X, "training": FLAG},
    ),
    Row(
        "npnet.parallel.shards",
        parallel.shards,
        lambda: {"model": a_model(), "x": np.ones((4, 3))},
        {"model": MODEL, "x": X, "training": FLAG},
    ),
    Row(
        "npnet.parallel.generators_for",
        parallel.generators_for,
        lambda: {"generator": np.random.default_rng(0), "count": np.int8(3)},
        {"generator": [None, *GENERATOR], "count": POSITIVE},
    ),
    Row("npnet.parallel.cores", parallel.cores, dict, {}),
    Row(
        "npnet.parallel.Plan",
        parallel.Plan,
        lambda: {"trunk": a_model(), "head": nn.Identity(), "shards": [slice(0, 4)]},
        {},
        dict.fromkeys(("trunk", "head", "shards"), "a tuple with names, which only carries what plan found"),
    ),
]
