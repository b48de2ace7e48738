"""What a row of the table is, and which values are wrong for which kind of argument."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def masked():
    return np.ma.masked_array([1.0, 2.0], mask=[True, False])


INTEGER = [None, "3", 1.5, np.float64(2.0), float("nan"), [1], True, 1j]
POSITIVE = [*INTEGER, 0, -1, np.int8(-3)]
COUNT = [*INTEGER, -1]
NUMBER = [None, "0.1", float("nan"), float("inf"), [0.1], True, 1j, np.array([1.0, 2.0])]
NOT_NEGATIVE = [*NUMBER, -1.0, np.float32(-1)]
PROBABILITY = [*NOT_NEGATIVE, 1.5]
FLAG = ["yes", 1, 0.0, [], np.array([True, False])]
TEXT = [3, 1.5, ["a"], {}]
CHOICE = [None, "nonsense", 3, ["mean"]]
GENERATOR = [0, "seed", np.random, np.random.RandomState(0)]
FUNCTION = [3, "relu", [1]]
ARRAY = [
    None,
    3.0,
    "x",
    [1.0],
    {},
    np.array(["a", "b"]),
    np.array([None, 1]),
    np.ones((1, 1)).view(np.matrix),
    masked(),
]
FLOAT_ARRAY = [*ARRAY, np.array([1, 2]), np.array([1.0], np.float16), np.array([1j]), np.array([1.0], ">f8")]
LABELS = [*ARRAY, np.array([0.0, 1.0]), np.array([True, False])]
SIZE = ["3", 1.5, [1, 2, 3], (1, "2"), {}, True, (1.0, 2.0)]
DTYPE = ["int64", np.float16, object, 3, "nonsense", None]


def without(values, *dropped):
    """Return the values but those that this argument takes, such as None for one that may be absent."""
    return [value for value in values if not any(value is other for other in dropped)]


FLOAT32 = np.ones((2, 3), np.float32)
WEIGHT = [*without(FLOAT_ARRAY, None), np.ones(7), np.ones((7, 7))]
REQUIRED = [*FLOAT_ARRAY, np.ones(7)]
STRIDE = [*SIZE, 0, -1, (0, 1)]
KERNEL = [*STRIDE, None, ()]
PADDING = [*SIZE, None, -1, (), (0, -1)]
ONE_HOT = np.eye(3, dtype=int)[:2]
SIZES = {"kernel_size": KERNEL, "stride": STRIDE, "padding": [*PADDING, 3], "dilation": [*STRIDE, None, ()]}
NO_GENERATOR = [None, *GENERATOR]
DRAWN = {"init": CHOICE, "generator": NO_GENERATOR, "dtype": DTYPE}


def drawn(**settings):
    """Return what makes the right arguments, with a source of randomness beside them."""
    return lambda: {
        **settings,
        "init": "default",
        "generator": np.random.default_rng(0),
        "dtype": np.float32,
    }


@dataclass(frozen=True)
class Row:
    """Something public that is called, right arguments for it, and wrong ones.

    `good` makes the right arguments anew for each call. `wrong` gives wrong values for arguments, one at a
    time; where a mistake only shows later (in the operation of a layer, say), `call` goes that far. `free`
    names the arguments that take anything, with the reason.
    """

    name: str
    call: Callable[..., Any]
    good: Callable[[], dict[str, Any]]
    wrong: dict[str, list[Any]]
    free: dict[str, str] = field(default_factory=dict)

    def __str__(self):
        return self.name
