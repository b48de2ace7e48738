"""The elementwise operations (see `ptref.elementwise`), softmax and log_softmax, and their layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch.nn.functional as T
from torch import Tensor

from npnet import functional as F
from ptref import bounds
from ptref.bounds import Rule
from ptref.cases import Case, Row
from ptref.draw import Choose, Shape, array, axes
from ptref.elementwise import ELEMENTWISE, Elementwise
from ptref.operations._rows import ANY, Options, layer_row

__all__ = ["LAYERS", "OPERATIONS"]


def _elementwise(op: Elementwise) -> Row:
    def draw(choose: Choose, dtype: np.dtype) -> Case:
        x = array(choose, axes(choose, most=4), dtype, ANY)
        subject, options = getattr(F, op.name), op.options(choose)
        return Case(op.name, subject, op.reference, (x,), options, op.rule, seed=choose.seed())

    return Row("operation", op.name, draw)


def _along(name: str, reference: Callable[..., Tensor], rule: Rule) -> Row:
    def draw(choose: Choose, dtype: np.dtype) -> Case:
        shape = axes(choose, most=3, size=6)
        dim = choose.integer(-max(len(shape), 1), max(len(shape), 1) - 1)
        x = array(choose, shape, dtype, ANY)
        return Case(name, getattr(F, name), reference, (x,), {"dim": dim}, rule, seed=choose.seed())

    return Row("operation", name, draw)


def _elementwise_layer(op: Elementwise, choose: Choose) -> tuple[Options, Shape]:
    return op.options(choose), axes(choose)


def _layer_along(choose: Choose) -> tuple[Options, Shape]:
    shape = axes(choose, least=1)
    return {"dim": choose.integer(-len(shape), len(shape) - 1)}, shape


OPERATIONS = (
    *(_elementwise(op) for op in ELEMENTWISE),
    _along("softmax", T.softmax, bounds.softmax),
    _along("log_softmax", T.log_softmax, bounds.log_softmax),
)
LAYERS = (
    *(layer_row(op.layer, partial(_elementwise_layer, op)) for op in ELEMENTWISE),
    layer_row("Identity", lambda choose: ({}, axes(choose))),
    layer_row("Softmax", _layer_along),
    layer_row("LogSoftmax", _layer_along),
)
