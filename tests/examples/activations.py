"""The activations and their layers: examples for all tests, and wrong values."""

from npnet import nn
from tests.examples.case import IMAGES, SCORES, Arguments, Case, images
from tests.examples.elementwise import ELEMENTWISE
from tests.wrong_values.table import FLOAT_ARRAY, INTEGER

CASES = [
    *(Case(op.operation, "by default", IMAGES) for op in ELEMENTWISE),
    *(Case(op.operation, str(op.example), IMAGES, op.example) for op in ELEMENTWISE if op.settings),
    Case("softmax", "last axis", SCORES),
    Case("softmax", "axis 1 of 4", IMAGES, {"dim": 1}),
    Case("log_softmax", "last axis", SCORES),
    Case("log_softmax", "axis 1 of 4", IMAGES, {"dim": 1}),
]
ARGUMENTS = {
    **{
        op.operation: Arguments(
            lambda op=op: {"x": images(), **op.example}, {"x": FLOAT_ARRAY, **op.wrong_in_operation}
        )
        for op in ELEMENTWISE
    },
    "softmax": Arguments(lambda: {"x": images()}, {"x": FLOAT_ARRAY, "dim": [*INTEGER, 4, -5]}),
    "log_softmax": Arguments(lambda: {"x": images()}, {"x": FLOAT_ARRAY, "dim": [*INTEGER, 4, -5]}),
}
LAYERS = {
    **{op.operation: (type(op.make()), (), op.example, (4, 5)) for op in ELEMENTWISE},
    "softmax": (nn.Softmax, (1,), {}, (4, 5, 2)),
    "log_softmax": (nn.LogSoftmax, (-2,), {}, (4, 5, 2)),
    "identity": (nn.Identity, (), {}, (4, 5)),
}
CONSTRUCTORS = {
    **{
        getattr(nn, op.layer): Arguments(lambda op=op: dict(op.example), op.wrong)
        for op in ELEMENTWISE
        if op.settings
    },
    nn.Softmax: Arguments(lambda: {"dim": 1}, {"dim": INTEGER}),
    nn.LogSoftmax: Arguments(lambda: {"dim": 1}, {"dim": INTEGER}),
}
