"""The elementwise operations with their layers, one row each, beside their PyTorch counterparts.

From a row come the operation's comparison and its layer's in the parity table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as T
from torch import Tensor

from ptref import bounds
from ptref.bounds import Rule
from ptref.draw import Choose

__all__ = ["ELEMENTWISE", "Elementwise"]


@dataclass(frozen=True)
class Elementwise:
    """An operation y = f(x), of the shape of x, with a layer that takes the same options.

    Attributes
    ----------
    name : str
        Of the operation in `npnet.functional`.
    layer : str
        Of the layer in `npnet.nn` and in ``torch.nn``.
    reference : callable
        The same function in PyTorch.
    rule : Rule
        How far from the truth a correctly rounded result may be; see `ptref.bounds`.
    options : callable
        ``options(choose)`` chooses options, by name.
    """

    name: str
    layer: str
    reference: Callable[..., Tensor]
    rule: Rule
    options: Callable[[Choose], dict[str, Any]] = lambda _: {}


def _negative_slope(choose: Choose) -> dict[str, Any]:
    return {"negative_slope": choose.choice([0.01, 0.0, 0.3, 1.0, -0.5])}


def _softplus(choose: Choose) -> dict[str, Any]:
    return {"beta": choose.choice([1.0, 0.3, 5.0]), "threshold": choose.choice([20.0, 1.0, -1.0])}


ELEMENTWISE = (
    Elementwise("relu", "ReLU", T.relu, bounds.exact),
    Elementwise("leaky_relu", "LeakyReLU", T.leaky_relu, bounds.relative(4.0), _negative_slope),
    Elementwise("tanh", "Tanh", torch.tanh, bounds.tanh),
    Elementwise("sigmoid", "Sigmoid", torch.sigmoid, bounds.sigmoid),
    Elementwise("softplus", "Softplus", T.softplus, bounds.relative(8.0), _softplus),
)
