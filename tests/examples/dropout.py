"""`dropout` and its layer: examples for all tests, and wrong values."""

import numpy as np

from npnet import nn
from tests.examples.case import IMAGES, Arguments, Case, images
from tests.wrong_values.table import (
    FLAG,
    FLOAT_ARRAY,
    GENERATOR,
    PROBABILITY,
)

CASES = [
    Case("dropout", "training", IMAGES, {"p": 0.3, "generator": lambda: np.random.default_rng(1)}),
    Case("dropout", "evaluation", IMAGES, {"training": False}),
]
ARGUMENTS = {
    "dropout": Arguments(
        lambda: {"x": images(), "p": 0.5, "training": True, "generator": np.random.default_rng(0)},
        {"x": FLOAT_ARRAY, "p": PROBABILITY, "training": FLAG, "generator": [None, *GENERATOR]},
    ),
}
LAYERS = {
    "dropout": (nn.Dropout, (0.0,), {}, (4, 5)),
}
CONSTRUCTORS = {
    nn.Dropout: Arguments(lambda: {"p": 0.5}, {"p": PROBABILITY}),
}
