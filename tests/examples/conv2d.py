"""`conv2d` and its layer: examples for all tests, and wrong values."""

import numpy as np

from npnet import nn
from tests.examples.case import Arguments, Case, N, images
from tests.wrong_values.table import (
    DRAWN,
    FLAG,
    PADDING,
    POSITIVE,
    REQUIRED,
    SIZES,
    STRIDE,
    WEIGHT,
    drawn,
)

CONV = {"x": (N, 4, 6, 5), "weight": (6, 4, 3, 2), "bias": (6,)}


CASES = [
    Case("conv2d", "plain", CONV),
    Case("conv2d", "no bias", {"x": (N, 4, 6, 5), "weight": (6, 4, 3, 2)}),
    Case("conv2d", "stride and padding", CONV, {"stride": (2, 1), "padding": (1, 2)}),
    Case("conv2d", "stride that leaves rows over", CONV, {"stride": 2}),
    Case("conv2d", "dilation", CONV, {"dilation": (2, 3), "padding": 1}),
    Case("conv2d", "groups", CONV | {"weight": (6, 2, 3, 2)}, {"groups": 2, "stride": 2, "padding": 1}),
    Case("conv2d", "depthwise", CONV | {"weight": (4, 1, 3, 2), "bias": (4,)}, {"groups": 4}),
    Case("conv2d", "padding same", CONV | {"weight": (6, 4, 3, 4)}, {"padding": "same"}),
    Case("conv2d", "padding same, dilated", CONV, {"padding": "same", "dilation": (1, 3)}),
    Case("conv2d", "padding valid", CONV, {"padding": "valid"}),
    Case("conv2d", "1 × 1", CONV | {"weight": (6, 4, 1, 1)}),
    Case("conv2d", "one image", CONV | {"x": (4, 6, 5)}, {"padding": 1}),
]
ARGUMENTS = {
    "conv2d": Arguments(
        lambda: {
            "x": images(),
            "weight": np.ones((2, 3, 2, 2)),
            "bias": np.ones(2),
            "stride": 1,
            "padding": 1,
            "dilation": 1,
            "groups": 1,
        },
        {
            "x": [*REQUIRED, images()[:, :2], images().astype(np.float32)],
            "weight": [*REQUIRED, np.ones((2, 3, 0, 2))],
            "bias": WEIGHT,
            "stride": [*STRIDE, None, ()],
            "padding": [*PADDING, "full"],
            "dilation": [*STRIDE, None, ()],
            "groups": [*POSITIVE, 2],
        },
    ),
}
LAYERS = {
    "conv": (nn.Conv2d, (4, 6, 3), {}, (2, 4, 7, 8)),
    "conv_options": (
        nn.Conv2d,
        (4, 6, (3, 2)),
        {"stride": (2, 1), "padding": (1, 2), "dilation": 2, "groups": 2, "bias": False},
        (2, 4, 9, 8),
    ),
    "conv_same": (nn.Conv2d, (2, 3, 4), {"padding": "same", "dilation": 2}, (2, 2, 7, 8)),
    "conv_valid": (nn.Conv2d, (2, 3, 4), {"padding": "valid"}, (2, 2, 7, 8)),
}
CONSTRUCTORS = {
    nn.Conv2d: Arguments(
        drawn(
            in_channels=4, out_channels=2, kernel_size=3, stride=1, padding=0, dilation=1, groups=1, bias=True
        ),
        {
            "in_channels": POSITIVE,
            "out_channels": POSITIVE,
            **SIZES,
            "stride": [*STRIDE, None, ()],
            "padding": [*PADDING, "full"],
            "groups": [*POSITIVE, 4],
            "bias": FLAG,
            **DRAWN,
        },
    ),
}
