"""Rows for `npnet.functional`, from the examples of each kind of operation."""

import inspect

import numpy as np

from npnet import functional as F
from tests.examples.operations import ARGUMENTS
from tests.wrong_values.table import FLOAT32, FLOAT_ARRAY, Row, without

NEEDS = [None, True, (True,), (True, True, 3), [True, True, True], "yes"]
GRAD = [*FLOAT_ARRAY, FLOAT32]


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


def backward_row(name, good):
    """Return the row for the backward of an operation, by what it takes."""
    (first, *others) = inspect.signature(getattr(F, name)(**good())[1]).parameters
    if first == "grad_loss":
        return backward_of_loss(name, good)
    return backward_of_several(name, good) if others else backward_of(name, good)


ROWS = [
    *(row(name, each.good, each.wrong) for name, each in ARGUMENTS.items()),
    *(backward_row(name, each.good) for name, each in ARGUMENTS.items()),
]
