"""The pooling operations and their layers: examples for all tests, and wrong values."""

import numpy as np

from npnet import nn
from tests.examples.case import IMAGES, Arguments, Case, images
from tests.wrong_values.table import (
    FLAG,
    FLOAT_ARRAY,
    INTEGER,
    KERNEL,
    PADDING,
    SIZES,
    STRIDE,
    without,
)

CASES = [
    Case("max_pool2d", "plain", IMAGES, {"kernel_size": 2}),
    Case("max_pool2d", "overlapping", IMAGES, {"kernel_size": (3, 2), "stride": 1, "padding": 1}),
    Case("max_pool2d", "dilation", IMAGES, {"kernel_size": 2, "stride": (2, 1), "dilation": (3, 2)}),
    Case("max_pool2d", "ceil_mode", IMAGES, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    Case("max_pool2d", "window beyond the end", IMAGES, {"kernel_size": 1, "stride": 4, "ceil_mode": True}),
    Case("max_pool2d", "one image", {"x": (2, 6, 5)}, {"kernel_size": 2}),
    Case("avg_pool2d", "plain", IMAGES, {"kernel_size": 2}),
    Case("avg_pool2d", "overlapping", IMAGES, {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1}),
    Case("avg_pool2d", "ceil_mode", IMAGES, {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True}),
    Case(
        "avg_pool2d",
        "padding not counted",
        IMAGES,
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    ),
    Case("avg_pool2d", "divisor_override", IMAGES, {"kernel_size": 3, "padding": 1, "divisor_override": 5}),
    Case("avg_pool2d", "one image", {"x": (2, 6, 5)}, {"kernel_size": 2}),
    Case("adaptive_avg_pool2d", "to one", IMAGES, {"output_size": 1}),
    Case("adaptive_avg_pool2d", "uneven", IMAGES, {"output_size": (4, 3)}),
    Case("adaptive_avg_pool2d", "one image", {"x": (2, 6, 5)}, {"output_size": (3, 2)}),
]
ARGUMENTS = {
    "max_pool2d": Arguments(
        lambda: {
            "x": images(),
            "kernel_size": 2,
            "stride": 2,
            "padding": 1,
            "dilation": 1,
            "ceil_mode": False,
        },
        {
            "x": [*FLOAT_ARRAY, np.ones((2, 2)), np.ones((1, 0, 4, 4))],
            "kernel_size": KERNEL,
            "stride": STRIDE,
            "padding": [*PADDING, 2],
            "dilation": [*STRIDE, None, ()],
            "ceil_mode": FLAG,
        },
    ),
    "avg_pool2d": Arguments(
        lambda: {
            "x": images(),
            "kernel_size": 2,
            "stride": 2,
            "padding": 1,
            "ceil_mode": False,
            "count_include_pad": True,
            "divisor_override": 3,
        },
        {
            "x": [*FLOAT_ARRAY, np.ones((2, 2))],
            "kernel_size": KERNEL,
            "stride": STRIDE,
            "padding": [*PADDING, 2],
            "ceil_mode": FLAG,
            "count_include_pad": FLAG,
            "divisor_override": [*without(INTEGER, None), 0],
        },
    ),
    "adaptive_avg_pool2d": Arguments(
        lambda: {"x": images(), "output_size": 2},
        {"x": FLOAT_ARRAY, "output_size": [*STRIDE, (), (1,), (None, "2")]},
    ),
}
LAYERS = {
    "max_pool": (nn.MaxPool2d, (2,), {}, (2, 3, 6, 6)),
    "max_pool_options": (
        nn.MaxPool2d,
        ((3, 2),),
        {"stride": (2, 1), "padding": 1, "dilation": (1, 2), "ceil_mode": True},
        (2, 3, 8, 7),
    ),
    "avg_pool": (nn.AvgPool2d, (2,), {}, (2, 3, 6, 6)),
    "avg_pool_options": (
        nn.AvgPool2d,
        ((3, 2),),
        {"stride": (2, 1), "padding": 1, "ceil_mode": True, "count_include_pad": False},
        (2, 3, 8, 7),
    ),
    "avg_pool_divisor": (nn.AvgPool2d, (2,), {"divisor_override": 3}, (2, 3, 6, 6)),
    "adaptive": (nn.AdaptiveAvgPool2d, ((2, 3),), {}, (2, 3, 7, 8)),
    "adaptive_none": (nn.AdaptiveAvgPool2d, ((None, 2),), {}, (2, 3, 7, 8)),
}
CONSTRUCTORS = {
    nn.MaxPool2d: Arguments(
        lambda: {"kernel_size": 2, "stride": 2, "padding": 0, "dilation": 1, "ceil_mode": False},
        {**SIZES, "ceil_mode": FLAG},
    ),
    nn.AvgPool2d: Arguments(
        lambda: {
            "kernel_size": 2,
            "stride": 2,
            "padding": 0,
            "ceil_mode": False,
            "count_include_pad": True,
            "divisor_override": None,
        },
        {
            "kernel_size": KERNEL,
            "stride": STRIDE,
            "padding": [*PADDING, 3],
            "ceil_mode": FLAG,
            "count_include_pad": FLAG,
            "divisor_override": [*without(INTEGER, None), 0],
        },
    ),
    nn.AdaptiveAvgPool2d: Arguments(
        lambda: {"output_size": 2}, {"output_size": [*STRIDE, (), (1,), (None, "2")]}
    ),
}
