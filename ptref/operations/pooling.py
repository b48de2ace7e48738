"""The pooling operations and their layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as T

from npnet import functional as F
from ptref import bounds
from ptref.cases import Case, Row
from ptref.draw import Choose, Shape, array, as_pair, batch, image_size, one_or_pair
from ptref.operations._rows import ANY, Options, layer_row

__all__ = ["LAYERS", "OPERATIONS"]


def pooling(choose: Choose, *, dilation: bool = True) -> tuple[Shape, dict[str, Any]]:
    """Choose the shape of x and the options that max- and average-pooling share."""
    leading = (*batch(choose), choose.integer(1, 3))
    kernel = one_or_pair(choose, 1, 4)
    options: dict[str, Any] = {"kernel_size": kernel, "ceil_mode": choose.choice([False, True])}
    if choose.choice([False, True]):
        options["stride"] = one_or_pair(choose, 1, 4)
    if dilation:
        options["dilation"] = one_or_pair(choose, 1, 3)
    dilations = as_pair(options.get("dilation", 1))
    options["padding"] = tuple(choose.integer(0, k // 2) for k in as_pair(kernel))
    # An image smaller than the dilation can lie between the positions of a window. PyTorch's max_pool2d then
    # writes the gradient to an index outside the image.
    h, w = image_size(choose, as_pair(kernel), dilations, options["padding"], least=dilations)
    return (*leading, h, w), options


def _max_pool2d(choose: Choose, dtype: np.dtype) -> Case:
    shape, options = pooling(choose, dilation=True)
    x = array(choose, shape, dtype, ("repeated", *ANY))
    return Case("max_pool2d", F.max_pool2d, T.max_pool2d, (x,), options, bounds.exact, seed=choose.seed())


def _avg_pool2d(choose: Choose, dtype: np.dtype) -> Case:
    shape, options = pooling(choose, dilation=False)
    options["count_include_pad"] = choose.choice([True, False])
    options["divisor_override"] = choose.choice([None, 1, 3, -2])
    rule = bounds.sums(bounds.window_length)
    x = array(choose, shape, dtype, ANY)
    return Case("avg_pool2d", F.avg_pool2d, T.avg_pool2d, (x,), options, rule, seed=choose.seed())


def _adaptive_avg_pool2d(choose: Choose, dtype: np.dtype) -> Case:
    shape = (*batch(choose), choose.integer(1, 3), choose.integer(1, 7), choose.integer(1, 7))
    sizes: list[Any] = [1, 2, 3, 5, 8, None]
    size = choose.choice([*sizes[:-1], "pair"])
    options = {"output_size": (choose.choice(sizes), choose.choice(sizes)) if size == "pair" else size}
    rule = bounds.sums(bounds.adaptive_window_length)
    x = array(choose, shape, dtype, ANY)
    return Case(
        "adaptive_avg_pool2d",
        F.adaptive_avg_pool2d,
        T.adaptive_avg_pool2d,
        (x,),
        options,
        rule,
        seed=choose.seed(),
    )


def _layer(choose: Choose) -> tuple[Options, Shape]:
    kernel = one_or_pair(choose, 1, 3)
    options = {
        "kernel_size": kernel,
        "stride": choose.choice([None, 1, 2]),
        "padding": tuple(choose.integer(0, k // 2) for k in as_pair(kernel)),
        "ceil_mode": choose.choice([False, True]),
    }
    return options, (*batch(choose), 2, *image_size(choose, as_pair(kernel)))


def _adaptive_layer(choose: Choose) -> tuple[Options, Shape]:
    shape = (*batch(choose), 2, choose.integer(1, 6), choose.integer(1, 6))
    return {"output_size": choose.choice([1, 2, (3, None), (2, 4)])}, shape


OPERATIONS = (
    Row("operation", "max_pool2d", _max_pool2d),
    Row("operation", "avg_pool2d", _avg_pool2d),
    Row("operation", "adaptive_avg_pool2d", _adaptive_avg_pool2d),
)
LAYERS = (
    layer_row("MaxPool2d", _layer),
    layer_row("AvgPool2d", _layer),
    layer_row("AdaptiveAvgPool2d", _adaptive_layer),
)
