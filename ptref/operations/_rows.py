"""What rows of all kinds of operations are made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from npnet import nn
from ptref.cases import Case, Row
from ptref.draw import FINITE, Choose, Shape, array

ANY = (*FINITE, "infinite", "nan")
MODERATE = ("ordinary", "repeated", "zeros", "offset", "tiny")
REDUCTIONS = ("mean", "sum", "none")
VALUES = ("ordinary", "repeated", "offset")
Options = dict[str, Any]


def _randomized(layer: nn.Layer, seed: int) -> nn.Layer:
    """Move parameters and buffers away from their initial values, of which some are 0 or 1."""
    rng = np.random.default_rng(seed)
    for values in (*layer.parameters.values(), *layer.buffers.values()):
        if values.dtype.kind == "f":
            values += rng.uniform(0.1, 0.9, values.shape)
    return layer


def layer_row(
    name: str, draw_options: Callable[[Choose], tuple[Options, Shape]], made: tuple[str, ...] = ()
) -> Row:
    """Compare ``npnet.nn.<name>`` with ``torch.nn.<name>``; `made` lists arguments that only npnet has."""

    def draw(choose: Choose, dtype: np.dtype) -> Case:
        options, shape = draw_options(choose)
        seed, training = choose.seed(), choose.choice([True, False])
        own: Options = {"generator": np.random.default_rng(seed), "dtype": dtype}
        layer = getattr(nn, name)(**options, **{key: own[key] for key in made})
        module = getattr(torch.nn, name)(**options)
        x = array(choose, shape, dtype, VALUES)
        return Case(name, _randomized(layer, seed), module, (x,), training=training, seed=choose.seed())

    return Row("layer", name, draw)


def loss_row(name: str, draw_inputs: Callable[[Choose, np.dtype], tuple[Options, ndarray, ndarray]]) -> Row:
    """Compare a loss; options that are arrays become tensors for PyTorch."""

    def draw(choose: Choose, dtype: np.dtype) -> Case:
        options, x, target = draw_inputs(choose, dtype)
        options["reduction"] = choose.choice(["mean", "sum", "none"])
        tensors = {key: _tensor(value) for key, value in options.items()}
        loss, module = getattr(nn, name)(**options), getattr(torch.nn, name)(**tensors)
        return Case(name, loss, module, (x, target), seed=choose.seed())

    return Row("layer", name, draw)


def _tensor(value: Any) -> Any:
    return torch.tensor(value.tolist(), dtype=torch.float64) if isinstance(value, ndarray) else value
