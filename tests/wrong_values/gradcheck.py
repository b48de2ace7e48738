"""Rows for `npnet.gradcheck`."""

import numpy as np

from npnet import nn
from npnet.gradcheck import compare, explain, gradcheck
from npnet.plot import gradient_error, gradient_errors, wrong_gradient
from tests.wrong_values.table import (
    COUNT,
    FLAG,
    FUNCTION,
    GENERATOR,
    NOT_NEGATIVE,
    NUMBER,
    Row,
    masked,
)


def square(x):
    return x * x, lambda grad_y: 2 * x * grad_y


def check_operation(
    f, x, generator, training, eps, rtol, atol, directions, max_elements, raise_error, explain
):
    return gradcheck(
        f,
        x,
        generator=generator,
        training=training,
        eps=eps,
        rtol=rtol,
        atol=atol,
        directions=directions,
        max_elements=max_elements,
        raise_error=raise_error,
        explain=explain,
    )


def check_layer(x):
    return gradcheck(nn.Tanh(), x)


def settings():
    return {
        "f": square,
        "x": np.array([1.0, 2.0]),
        "generator": None,
        "training": True,
        "eps": 1e-6,
        "rtol": 1e-6,
        "atol": 0.0,
        "directions": 1,
        "max_elements": 2,
        "raise_error": False,
        "explain": True,
    }


def explain_gradient(got, expected, name, x, y, grad_y, parameters, rtol):
    return explain(got, expected, name=name, x=x, y=y, grad_y=grad_y, parameters=parameters, rtol=rtol)


def compared(model, reference, x, target, loss, training, seed, rtol):
    return compare(model, reference, x, target, loss=loss, training=training, seed=seed, rtol=rtol)


def two_models():
    make = {"generator": np.random.default_rng(0), "dtype": np.float64}
    return {
        "model": nn.Linear(2, 2, **make),
        "reference": nn.Linear(2, 2, **make),
        "x": np.ones((3, 2)),
        "target": np.array([0, 1, 1]),
        "loss": nn.CrossEntropyLoss(),
        "training": True,
        "seed": 0,
        "rtol": None,
    }


NO_ARRAY = [1.0, "x", [1.0], {}, np.ones((1, 1)).view(np.matrix), masked()]
NOT_FLOATS = [*NO_ARRAY, np.array([1]), np.array(["a"]), np.array([1j])]
TOLERANCE = ["1e-6", [1e-6], True, 0, -1e-6, 1.0, np.nan]
NOT_FOR_X = [
    np.array([1, 2]),
    np.array([1.0], np.float32),
    np.array([1j]),
    np.array([np.nan]),
    np.ones((1, 1)).view(np.matrix),
    masked(),
    [1.0, 2.0],
    2.0,
    None,
    "x",
]
ROWS = [
    Row(
        "npnet.gradcheck",
        check_operation,
        settings,
        {
            "f": [*FUNCTION, None, np.ones(2), {"weight": np.ones(2)}],
            "x": NOT_FOR_X,
            "generator": GENERATOR,
            "training": [*FLAG, None],
            "eps": [*NUMBER, 0, -1e-6, 2.0],
            "rtol": [*NOT_NEGATIVE, 1.0],
            "atol": NOT_NEGATIVE,
            "directions": COUNT,
            "max_elements": COUNT,
            "raise_error": [*FLAG, None],
            "explain": [*FLAG, None],
        },
    ),
    Row(
        "npnet.explain",
        explain_gradient,
        lambda: {
            "got": np.ones(2),
            "expected": np.ones(2),
            "name": "x",
            "x": None,
            "y": None,
            "grad_y": None,
            "parameters": None,
            "rtol": 1e-6,
        },
        {
            "got": [*NOT_FLOATS, None],
            "expected": [*NOT_FLOATS, None],
            "name": [None, 3, ["x"]],
            "x": NO_ARRAY,
            "y": NO_ARRAY,
            "grad_y": NO_ARRAY,
            "parameters": ["weight", 3, [1], {"weight": [1.0]}],
            "rtol": [*TOLERANCE, None],
        },
    ),
    Row(
        "npnet.compare",
        compared,
        two_models,
        {
            "model": [None, 3, "relu", nn.ReLU, np.ones(2), {}, {"weight": [1.0]}],
            "reference": [
                None,
                3,
                "relu",
                nn.ReLU,
                np.ones(2),
                {},
                {"weight": [1.0]},
                {"w": np.ones(2)},
                nn.ReLU(),
            ],
            "x": [*NOT_FLOATS, None],
            "target": [None, [0, 1, 1], "x", 3],
            "loss": [3, "mse", nn.MSELoss, nn.CrossEntropyLoss(reduction="none"), None],
            "training": [*FLAG, None],
            "seed": COUNT,
            "rtol": TOLERANCE,
        },
    ),
    Row(
        "npnet.plot.gradient_error",
        lambda got, expected, title: gradient_error(got, expected, title=title),
        lambda: {"got": np.ones(2), "expected": np.ones(2), "title": ""},
        {
            "got": [*NOT_FLOATS, None, np.ones(3)],
            "expected": [*NOT_FLOATS, None],
            "title": [None, 3, ["x"]],
        },
    ),
    Row(
        "npnet.plot.wrong_gradient",
        lambda report, title: wrong_gradient(report, title=title),
        lambda: {"report": explain(np.ones(2), np.zeros(2)), "title": ""},
        {"report": [None, 3, np.ones(2), {}, explain(np.ones(2), np.ones(2))], "title": [None, 3, ["x"]]},
    ),
    Row(
        "npnet.plot.gradient_errors",
        lambda errors, columns, title: gradient_errors(errors, columns=columns, title=title),
        lambda: {"errors": {"a": (np.ones(2), np.zeros(2))}, "columns": 1, "title": ""},
        {
            "errors": [None, 3, {}, [np.ones(2)], {"a": np.ones(2)}, {"a": (np.ones(2),)}],
            "columns": [*COUNT, 0, 100],
            "title": [None, 3, ["x"]],
        },
    ),
    Row("npnet.gradcheck of a layer", check_layer, lambda: {"x": np.ones(2)}, {"x": NOT_FOR_X}),
]
