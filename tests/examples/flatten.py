"""`flatten` and its layer: examples for all tests, and wrong values."""

from npnet import nn
from tests.examples.case import IMAGES, Arguments, Case, images
from tests.wrong_values.table import (
    FLOAT_ARRAY,
    INTEGER,
)

CASES = [
    Case("flatten", "all axes", IMAGES),
    Case("flatten", "images", IMAGES, {"start_dim": 1}),
    Case("flatten", "two axes of four", IMAGES, {"start_dim": -3, "end_dim": 2}),
]
ARGUMENTS = {
    "flatten": Arguments(
        lambda: {"x": images(), "start_dim": 1, "end_dim": -1},
        {"x": FLOAT_ARRAY, "start_dim": [*INTEGER, 4], "end_dim": [*INTEGER, 4, 0]},
    ),
}
LAYERS = {
    "flatten": (nn.Flatten, (), {}, (4, 5, 2)),
    "flatten_options": (nn.Flatten, (0, 1), {}, (4, 5, 2)),
}
CONSTRUCTORS = {
    nn.Flatten: Arguments(
        lambda: {"start_dim": 1, "end_dim": -1}, {"start_dim": INTEGER, "end_dim": INTEGER}
    ),
}
