"""`batch_norm` and its layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as T
from numpy import ndarray
from torch import Tensor

from npnet import functional as F
from ptref import bounds
from ptref.cases import Case, Row
from ptref.draw import Choose, Shape, array, axes, optional
from ptref.operations._rows import MODERATE, Options, layer_row

__all__ = ["LAYERS", "OPERATIONS"]


def _np_batch_norm(
    x: ndarray,
    weight: ndarray | None,
    bias: ndarray | None,
    running_mean: ndarray | None,
    running_var: ndarray | None,
    **options: Any,
) -> Any:
    return F.batch_norm(x, running_mean, running_var, weight, bias, **options)


def _torch_batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    **options: Any,
) -> Tensor:
    if x.is_cuda:  # where PyTorch's backward needs both weight and bias, or neither
        if weight is not None and bias is None:
            bias = torch.zeros_like(weight)
        elif bias is not None and weight is None:
            weight = torch.ones_like(bias)
    return T.batch_norm(x, running_mean, running_var, weight, bias, **options)


def _batch_norm(choose: Choose, dtype: np.dtype) -> Case:
    training = choose.choice([True, False])
    n, c = choose.integer(0, 4), choose.integer(1, 3)
    positions = axes(choose, most=2, size=4, least=1 if training and n == 1 else 0)
    if training and n == 1:  # PyTorch refuses a single value per channel, which has no variance
        positions = (positions[0] + 2, *(size + 1 for size in positions[1:]))
    make = partial(array, choose, dtype=dtype)
    tracked = not training or choose.choice([True, False])
    inputs = (
        make((n, c, *positions), values=MODERATE),
        optional(choose, lambda: make((c,), values=MODERATE)),
        optional(choose, lambda: make((c,), values=MODERATE)),
        make((c,), values=MODERATE) if tracked else None,
        make((c,), values=("positive",)) if tracked else None,
    )
    options = {
        "training": training,
        "momentum": choose.choice([0.1, 0.0, 0.5, 1.0]),
        "eps": choose.choice([1e-5, 1e-3, 1.0]),
    }
    return Case(
        "batch_norm",
        _np_batch_norm,
        _torch_batch_norm,
        inputs,
        options,
        bounds.batch_norm,
        state=(3, 4),
        seed=choose.seed(),
    )


def _layer(choose: Choose, positions: Callable[[], Shape]) -> tuple[Options, Shape]:
    c = choose.integer(1, 3)
    options = {
        "num_features": c,
        "eps": choose.choice([1e-5, 0.1]),
        "momentum": choose.choice([0.1, 0.5, None]),
        "affine": choose.choice([True, False]),
        "track_running_stats": choose.choice([True, False]),
    }
    return options, (choose.integer(2, 4), c, *positions())


OPERATIONS = (Row("operation", "batch_norm", _batch_norm),)
LAYERS = (
    layer_row("BatchNorm1d", lambda choose: _layer(choose, lambda: axes(choose, most=1)), ("dtype",)),
    layer_row(
        "BatchNorm2d", lambda choose: _layer(choose, lambda: axes(choose, least=2, most=2)), ("dtype",)
    ),
)
