"""`dropout` and its layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from npnet import functional as F
from ptref import bounds
from ptref.cases import Case, Row
from ptref.draw import Choose, Shape, array, axes
from ptref.operations._rows import ANY, Options, layer_row

__all__ = ["LAYERS", "OPERATIONS"]


def _dropout(choose: Choose, dtype: np.dtype) -> Case:
    """Compare with a product by npnet's own dropout mask, as the two libraries draw different masks."""
    x = array(choose, axes(choose), dtype, ANY)
    options = {"p": choose.choice([0.0, 0.25, 0.5, 0.9, 1.0]), "training": choose.choice([True, False])}
    seed = choose.seed()

    def subject(x: ndarray, p: float, training: bool) -> Any:
        return F.dropout(x, p, training, generator=np.random.default_rng(seed))

    def reference(x: Tensor, p: float, training: bool) -> Tensor:
        kept = subject(np.ones(tuple(x.shape)), p, training)[0] != 0
        return (
            x * torch.from_numpy(np.asarray(kept)).to(x.device) * (1 / (1 - p) if training and p < 1 else 1)
        )

    return Case("dropout", subject, reference, (x,), options, bounds.relative(4.0), seed=choose.seed())


def _layer(choose: Choose) -> tuple[Options, Shape]:
    """Choose only p = 0 and p = 1, whose results are not random."""
    return {"p": choose.choice([0.0, 1.0])}, axes(choose)


OPERATIONS = (Row("operation", "dropout", _dropout),)
LAYERS = (layer_row("Dropout", _layer),)
