"""The losses, as functions and as classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np
import torch.nn.functional as T
from numpy import ndarray
from torch import Tensor

from npnet import functional as F
from ptref import bounds
from ptref.cases import Case, Row
from ptref.draw import FINITE, Choose, Shape, array, axes, batch, optional
from ptref.operations._rows import ANY, REDUCTIONS, VALUES, Options, loss_row

__all__ = ["LAYERS", "OPERATIONS"]


def _classes(choose: Choose) -> tuple[Shape, int, Shape]:
    """Choose a shape of logits: the batch, the number of classes, and the positions in each sample."""
    leading = batch(choose)
    return leading, choose.integer(1, 5), axes(choose, most=2, size=3) if leading else ()


def _labels(choose: Choose, shape: Shape, classes: int, ignore_index: int) -> ndarray:
    kind = choose.choice([np.int64, np.int32] if ignore_index < 0 else [np.int64, np.int32, np.uint8])
    rng = np.random.default_rng(choose.seed())
    labels = np.asarray(rng.integers(0, classes, shape))
    ignored = choose.choice([0.0, 0.3, 1.0])
    return np.where(rng.random(shape) < ignored, ignore_index, labels).astype(kind)


def _class_weight(choose: Choose, classes: int, dtype: np.dtype) -> ndarray | None:
    return optional(choose, lambda: array(choose, (classes,), dtype, ("positive",)))


def _alike_on_cuda(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Give a sample without a batch axis one on CUDA: if its label is ignored, the mean is 0 / 0 then too.

    Without that axis PyTorch's mean is 0 / 0 on the CPU alone, and 0 on CUDA.
    """

    @wraps(loss)
    def applied(x: Tensor, target: Tensor, weight: Tensor | None, **options: Any) -> Tensor:
        if x.is_cuda and x.ndim == 1 and options["reduction"] == "mean":
            x, target = x[None], target[None]
        return loss(x, target, weight, **options)

    return applied


def _nll_loss(choose: Choose, dtype: np.dtype) -> Case:
    leading, classes, positions = _classes(choose)
    options: dict[str, Any] = {
        "ignore_index": choose.choice([-100, 0, -1]),
        "reduction": choose.choice(REDUCTIONS),
    }
    x = array(choose, (*leading, classes, *positions), dtype, ANY)
    target = _labels(choose, (*leading, *positions), classes, options["ignore_index"])
    inputs = (x, target, _class_weight(choose, classes, dtype))
    rule = bounds.sums(bounds.target_length)
    return Case("nll_loss", F.nll_loss, _alike_on_cuda(T.nll_loss), inputs, options, rule, seed=choose.seed())


def _cross_entropy(choose: Choose, dtype: np.dtype) -> Case:
    leading, classes, positions = _classes(choose)
    shape = (*leading, classes, *positions)
    options: dict[str, Any] = {
        "ignore_index": choose.choice([-100, 0, -1]),
        "reduction": choose.choice(REDUCTIONS),
        "label_smoothing": choose.choice([0.0, 0.1, 1.0]),
    }
    # With a smoothing of 1 the label has weight 0, and for a label of probability 0 PyTorch adds 0 · ∞, which
    # is NaN. npnet leaves this term out; the loss is the ∞ of the uniform part of the target.
    x = array(choose, shape, dtype, FINITE if options["label_smoothing"] == 1 else ANY)
    if choose.choice([False, True]):
        target = array(choose, shape, dtype, ("probability",))
        options["ignore_index"] = -100
    else:
        target = _labels(choose, (*leading, *positions), classes, options["ignore_index"])
    inputs = (x, target, _class_weight(choose, classes, dtype))
    rule = bounds.cross_entropy
    theirs = _alike_on_cuda(T.cross_entropy)
    return Case("cross_entropy", F.cross_entropy, theirs, inputs, options, rule, seed=choose.seed())


def _mse_loss(choose: Choose, dtype: np.dtype) -> Case:
    shape = axes(choose)
    inputs = array(choose, shape, dtype, ANY), array(choose, shape, dtype, FINITE)
    options = {"reduction": choose.choice(REDUCTIONS)}
    return Case("mse_loss", F.mse_loss, T.mse_loss, inputs, options, bounds.mse, seed=choose.seed())


def _broadcast(choose: Choose, shape: Shape) -> Shape:
    """Choose a shape that broadcasts to the given one: leading axes left out, others of size 1."""
    kept = shape[choose.integer(0, len(shape)) :]
    return tuple(choose.choice([size, 1]) for size in kept)


def _binary_cross_entropy(choose: Choose, dtype: np.dtype) -> Case:
    shape = axes(choose)
    make = partial(array, choose, dtype=dtype)
    inputs = (
        make(shape, values=("probability",)),
        make(shape, values=("probability",)),
        optional(choose, lambda: make(_broadcast(choose, shape), values=("positive",))),
    )
    options = {"reduction": choose.choice(REDUCTIONS)}
    rule = bounds.binary_cross_entropy
    name = "binary_cross_entropy"
    return Case(
        name, F.binary_cross_entropy, T.binary_cross_entropy, inputs, options, rule, seed=choose.seed()
    )


def _np_bce_with_logits(
    x: ndarray, target: ndarray, weight: ndarray | None, pos_weight: ndarray | None, reduction: str
) -> Any:
    return F.binary_cross_entropy_with_logits(x, target, weight, reduction, pos_weight)


def _torch_bce_with_logits(
    x: Tensor, target: Tensor, weight: Tensor | None, pos_weight: Tensor | None, reduction: str
) -> Tensor:
    return T.binary_cross_entropy_with_logits(x, target, weight, reduction=reduction, pos_weight=pos_weight)


def _bce_with_logits(choose: Choose, dtype: np.dtype) -> Case:
    shape = axes(choose)
    make = partial(array, choose, dtype=dtype)
    inputs = (
        make(shape, values=FINITE),
        make(shape, values=("probability",)),
        optional(choose, lambda: make(_broadcast(choose, shape), values=("positive",))),
        optional(choose, lambda: make(_broadcast(choose, shape), values=("positive",))),
    )
    return Case(
        "binary_cross_entropy_with_logits",
        _np_bce_with_logits,
        _torch_bce_with_logits,
        inputs,
        {"reduction": choose.choice(REDUCTIONS)},
        bounds.binary_cross_entropy_with_logits,
        seed=choose.seed(),
    )


def _weights(choose: Choose, shape: Shape, dtype: np.dtype) -> ndarray | None:
    return optional(choose, lambda: 0.1 + array(choose, shape, dtype, ("positive",)))


def _class_targets(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    n, classes = choose.integer(1, 4), choose.integer(2, 5)
    target = np.random.default_rng(choose.seed()).integers(0, classes, n)
    return {"weight": _weights(choose, (classes,), dtype)}, array(choose, (n, classes), dtype, VALUES), target


def _smoothed_targets(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    options, x, target = _class_targets(choose, dtype)
    return {**options, "label_smoothing": choose.choice([0.0, 0.2])}, x, target


def _number_targets(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    shape = axes(choose, least=1)
    return {}, array(choose, shape, dtype, VALUES), array(choose, shape, dtype, VALUES)


def _probabilities(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    shape = axes(choose, least=1)
    x, target = (array(choose, shape, dtype, ("probability",)) for _ in range(2))
    return {"weight": _weights(choose, shape[-1:], dtype)}, x, target


def _logits(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    shape = axes(choose, least=1)
    x, target = array(choose, shape, dtype, VALUES), array(choose, shape, dtype, ("probability",))
    options = {name: _weights(choose, shape[-1:], dtype) for name in ("weight", "pos_weight")}
    return options, x, target


OPERATIONS = (
    Row("operation", "nll_loss", _nll_loss),
    Row("operation", "cross_entropy", _cross_entropy),
    Row("operation", "mse_loss", _mse_loss),
    Row("operation", "binary_cross_entropy", _binary_cross_entropy),
    Row("operation", "binary_cross_entropy_with_logits", _bce_with_logits),
)
LAYERS = (
    loss_row("CrossEntropyLoss", _smoothed_targets),
    loss_row("NLLLoss", _class_targets),
    loss_row("MSELoss", _number_targets),
    loss_row("BCELoss", _probabilities),
    loss_row("BCEWithLogitsLoss", _logits),
)
