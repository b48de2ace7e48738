"""The function from points of the plane to class probabilities that a model stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet import functional as F
from npnet.errors import InputError
from npnet.nn import Layer, Sequential, Sigmoid
from npnet.plot._arguments import shares

POINTS_AT_A_TIME = 8192  # bounds the memory of wide models

Classifier = Callable[[ndarray], ndarray]  # points (n, 2) to probabilities (n, classes)


def predictor(owner: str, model: Any) -> Any:
    """Return what is called with points: a layer, a function, or the method of a scikit-learn classifier."""
    found = getattr(model, "predict_proba", model)
    return check.function(owner, "model", found, "a model, or a function of points")


def classifier(owner: str, model: Any, classes: int) -> Classifier:
    """Return the function from points to probabilities; `classes` is how many class labels may name."""
    predict = predictor(owner, model)
    is_layer = isinstance(model, Layer)
    arrays = list(model.parameters.values()) if is_layer else []
    logits = is_layer and not _ends_in_sigmoid(model)

    def probabilities(points: ndarray) -> ndarray:
        taken = points.astype(arrays[0].dtype) if arrays else points
        return _as_probabilities(owner, predict(taken), len(points), classes, logits=logits)

    def in_pieces(points: ndarray) -> ndarray:
        starts = range(0, len(points), POINTS_AT_A_TIME)
        return np.concatenate([probabilities(points[start : start + POINTS_AT_A_TIME]) for start in starts])

    return in_pieces


def _ends_in_sigmoid(layer: Layer) -> bool:
    while isinstance(layer, Sequential) and len(layer):
        layer = list(layer)[-1]
    return isinstance(layer, Sigmoid)


def _as_probabilities(owner: str, output: Any, n: int, classes: int, *, logits: bool) -> ndarray:
    """Return probabilities (n, classes), whether a model returns these, logits, one column, or labels."""
    y = np.asarray(output)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2) or len(y) != n or y.size == 0:
        raise InputError(
            f"{owner}: model must return numbers of shape ({n}, classes) or ({n},) for {n} points, "
            f"got {check.described(output)}"
        )
    check.finite(owner, "what model returns", y)
    if y.ndim == 1 and y.dtype.kind in "biu":
        if y.min() < 0 or y.max() >= classes:
            raise InputError(
                f"{owner}: model must return labels in 0…{classes - 1}, got {y.min()} to {y.max()}"
            )
        return np.eye(classes)[y.astype(np.int64)]
    y = y.astype(np.float64)
    if y.ndim == 1:
        y = F.sigmoid(y)[0] if logits else y
        shares(owner, "the probability that model returns", y, "(n,)")
        return np.stack([1 - y, y], axis=1)
    if y.min() >= 0 and np.allclose(y.sum(axis=1), 1, atol=1e-3):
        return y
    return F.softmax(y, dim=1)[0]
