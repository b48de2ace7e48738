"""`linear` and its layer: examples for all tests, and wrong values."""

import numpy as np

from npnet import nn
from tests.examples.case import Arguments, Case, N, logits
from tests.wrong_values.table import (
    DRAWN,
    FLAG,
    FLOAT32,
    POSITIVE,
    REQUIRED,
    WEIGHT,
    drawn,
)

CASES = [
    Case("linear", "rows", {"x": (N, 3), "weight": (4, 3), "bias": (4,)}),
    Case("linear", "no bias", {"x": (N, 3), "weight": (4, 3)}),
    Case("linear", "more axes", {"x": (N, 2, 3), "weight": (4, 3), "bias": (4,)}),
    Case("linear", "one vector", {"x": (3,), "weight": (4, 3), "bias": (4,)}),
]
ARGUMENTS = {
    "linear": Arguments(
        lambda: {"x": logits(), "weight": np.ones((5, 3)), "bias": np.ones(5)},
        {"x": [*REQUIRED, FLOAT32], "weight": [*REQUIRED, np.ones((5, 4))], "bias": WEIGHT},
    ),
}
LAYERS = {
    "linear": (nn.Linear, (5, 3), {}, (4, 5)),
    "linear_no_bias": (nn.Linear, (5, 3), {"bias": False}, (2, 4, 5)),
}
CONSTRUCTORS = {
    nn.Linear: Arguments(
        drawn(in_features=3, out_features=2, bias=True),
        {"in_features": POSITIVE, "out_features": POSITIVE, "bias": FLAG, **DRAWN},
    ),
}
