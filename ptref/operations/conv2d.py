"""`conv2d` and its layer."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch.nn.functional as T

from npnet import functional as F
from ptref import bounds
from ptref.cases import Case, Row
from ptref.draw import FINITE, Choose, Shape, array, as_pair, batch, image_size, one_or_pair, optional
from ptref.operations._rows import Options, layer_row

__all__ = ["LAYERS", "OPERATIONS"]


def convolution(choose: Choose) -> tuple[Shape, Shape, dict[str, Any]]:
    """Choose the shape of x, a shape of the weight that fits it, and all options of a convolution."""
    leading, groups = batch(choose), choose.choice([1, 1, 2, 3])
    c, o = groups * choose.integer(1, 2), groups * choose.integer(1, 2)
    kernel = choose.integer(1, 3), choose.integer(1, 3)
    padding: Any = choose.choice(["numbers", "same", "valid"])
    options: dict[str, Any] = {"groups": groups, "dilation": one_or_pair(choose, 1, 3)}
    options["padding"] = one_or_pair(choose, 0, 2) if padding == "numbers" else padding
    options["stride"] = 1 if padding == "same" else one_or_pair(choose, 1, 3)
    if padding == "same":  # an image of any size fits
        image = choose.integer(1, 5), choose.integer(1, 5)
    else:
        border = options["padding"] if padding == "numbers" else 0
        image = image_size(choose, kernel, options["dilation"], border)
    return (*leading, c, *image), (o, c // groups, *kernel), options


def _conv2d(choose: Choose, dtype: np.dtype) -> Case:
    x_shape, weight_shape, options = convolution(choose)
    make = partial(array, choose, dtype=dtype, values=FINITE)
    inputs = make(x_shape), make(weight_shape), optional(choose, lambda: make(weight_shape[:1]))
    return Case("conv2d", F.conv2d, T.conv2d, inputs, options, bounds.sums(), seed=choose.seed())


def _layer(choose: Choose) -> tuple[Options, Shape]:
    groups = choose.choice([1, 2])
    c, kernel = groups * choose.integer(1, 2), one_or_pair(choose, 1, 3)
    options = {
        "in_channels": c,
        "out_channels": groups * choose.integer(1, 2),
        "kernel_size": kernel,
        "stride": one_or_pair(choose, 1, 2),
        "padding": one_or_pair(choose, 0, 2),
        "dilation": one_or_pair(choose, 1, 2),
        "groups": groups,
        "bias": choose.choice([True, False]),
    }
    return options, (
        *batch(choose),
        c,
        *image_size(choose, as_pair(kernel), options["dilation"], options["padding"]),
    )


OPERATIONS = (Row("operation", "conv2d", _conv2d),)
LAYERS = (layer_row("Conv2d", _layer, ("generator", "dtype")),)
