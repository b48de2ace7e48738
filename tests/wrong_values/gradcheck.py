"""Rows for `npnet.gradcheck`."""

import numpy as np

from npnet import nn
from npnet.gradcheck import gradcheck
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


def check_operation(f, x, generator, training, eps, rtol, atol, directions, max_elements, raise_error):
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
    }


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
        },
    ),
    Row("npnet.gradcheck of a layer", check_layer, lambda: {"x": np.ones(2)}, {"x": NOT_FOR_X}),
]
