"""`linear` and its layer."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch.nn.functional as T

from npnet import functional as F
from ptref import bounds
from ptref.cases import Case, Row
from ptref.draw import Choose, Shape, array, axes, optional
from ptref.operations._rows import ANY, Options, layer_row

__all__ = ["LAYERS", "OPERATIONS"]


def _linear(choose: Choose, dtype: np.dtype) -> Case:
    leading = axes(choose)
    in_features, out_features = choose.integer(0, 6), choose.integer(0, 5)
    make = partial(array, choose, dtype=dtype, values=ANY)
    inputs = (
        make((*leading, in_features)),
        make((out_features, in_features)),
        optional(choose, lambda: make((out_features,))),
    )
    return Case("linear", F.linear, T.linear, inputs, rule=bounds.sums(), seed=choose.seed())


def _layer(choose: Choose) -> tuple[Options, Shape]:
    in_features = choose.integer(1, 6)
    options = {
        "in_features": in_features,
        "out_features": choose.integer(1, 5),
        "bias": choose.choice([True, False]),
    }
    return options, (*axes(choose, most=2), in_features)


OPERATIONS = (Row("operation", "linear", _linear),)
LAYERS = (layer_row("Linear", _layer, ("generator", "dtype")),)
