"""`flatten` and its layer."""

from __future__ import annotations

import numpy as np
import torch

from npnet import functional as F
from ptref import bounds
from ptref.cases import Case, Row
from ptref.draw import Choose, Shape, array, axes
from ptref.operations._rows import ANY, Options, layer_row

__all__ = ["LAYERS", "OPERATIONS"]


def _flatten(choose: Choose, dtype: np.dtype) -> Case:
    shape = axes(choose, most=4)
    last = max(len(shape), 1) - 1
    start = choose.integer(0, last)
    end = choose.integer(start, last)
    options = {
        "start_dim": choose.choice([start, start - last - 1]),
        "end_dim": choose.choice([end, end - last - 1]),
    }
    x = array(choose, shape, dtype, ANY)
    return Case("flatten", F.flatten, torch.flatten, (x,), options, bounds.exact, seed=choose.seed())


def _layer(choose: Choose) -> tuple[Options, Shape]:
    start = choose.integer(0, 2)
    return {"start_dim": start, "end_dim": choose.choice([-1, start])}, axes(choose, least=3, most=4)


OPERATIONS = (Row("operation", "flatten", _flatten),)
LAYERS = (layer_row("Flatten", _layer),)
