"""What the losses share: reductions, class labels, and weights that may be broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import DTypeError, InputError
from npnet.functional._types import LossBackward

# The integers without a sign that read the bits of others, by their size.
UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}
REDUCTIONS = ("mean", "sum", "none")

Numbers = ndarray | np.floating[Any]  # arithmetic on arrays without axes gives scalars


def check_reduction(operation: str, reduction: str) -> None:
    """Require one of the three reductions."""
    check.choice(operation, "reduction", reduction, REDUCTIONS)


def reduced(
    operation: str,
    losses: Numbers,
    reduction: str,
    dtype: np.dtype[Any],
    total: float | None = None,
) -> tuple[ndarray, LossBackward]:
    """Reduce the losses of all positions; an operation of its own, with a backward. Both go inside `quiet`.

    "none" leaves them as they are, "sum" adds them up: Lᵢ has slope 1 in the result. "mean" divides the
    sum by `total`, by default the number of positions: Lᵢ has slope 1/total. A mean over nothing is 0/0,
    NaN, as in PyTorch.

    Returns the loss, converted to `dtype`, and ``grad_losses = backward(grad_loss=None)``. That has the
    shape of the losses or none, being then the same for all of them; by default the loss is what is
    minimised, and the upstream gradient is 1.
    """
    total = np.float64(losses.size if total is None else total)  # divides by 0 without an exception
    loss = losses if reduction == "none" else losses.sum(dtype=np.float64)
    if reduction == "mean":
        loss = loss / total
    loss = np.asarray(loss, dtype)

    def backward(grad_loss: Any = None) -> ndarray:
        if isinstance(grad_loss, np.floating) and not loss.ndim:
            grad_loss = np.asarray(grad_loss)  # what arithmetic on a loss gives
        if grad_loss is not None:
            check.float_arrays(operation, loss=loss, grad_loss=grad_loss)
            check.shape(operation, "grad_loss", grad_loss, loss.shape, "like the loss")
        if reduction == "mean":
            return np.asarray((1 if grad_loss is None else grad_loss) / total, dtype)
        return np.ones(loss.shape, dtype) if grad_loss is None else grad_loss

    return loss, backward


def class_axis(operation: str, x: ndarray) -> int:
    """Return the axis the classes are on: 1, or 0 if there is no batch."""
    axis = min(x.ndim, 2) - 1
    if x.ndim == 0 or x.shape[axis] == 0:
        raise InputError(
            f"{operation}: x must have shape (C,), (N, C) or (N, C, d1, ...) with C > 0, got {x.shape}"
        )
    return axis


def along_classes(per_class: ndarray, x: ndarray) -> ndarray:
    """Shape an array of one number for each class so that it meets the class axis of x."""
    shape = (per_class.size,) + (1,) * (x.ndim - 2)
    return per_class.reshape(shape)


def check_labels(
    operation: str, x: ndarray, target: Any, ignore_index: int
) -> tuple[ndarray, ndarray | None]:
    """Require a class label for every position of x.

    Returns the labels, 0 where ignored, and which positions count: None if all do.
    """
    ignore_index = check.integer(operation, "ignore_index", ignore_index)
    axis = class_axis(operation, x)
    classes = x.shape[axis]
    positions = x.shape[:axis] + x.shape[axis + 1 :]
    if type(target) is not ndarray or target.dtype.kind not in "iu" or target.shape != positions:
        _refuse_target(operation, x, target, axis, positions)

    # Negative labels, read as numbers without a sign, are large ones: one question instead of two.
    unsigned = UNSIGNED[target.itemsize]
    if ignore_index < 0 and target.size and target.dtype.isnative and target.view(unsigned).max() < classes:
        return target, None  # as nearly always
    counts = np.asarray(target != ignore_index)
    wrong = counts & ((target < 0) | (target >= classes))
    if wrong.any():
        raise InputError(
            f"{operation}: target must hold labels from 0 to {classes - 1} or ignore_index {ignore_index}, "
            f"got {first(wrong, target)}"
        )
    return np.where(counts, target, 0).astype(np.intp), counts


def _refuse_target(operation: str, x: ndarray, target: Any, axis: int, positions: tuple[int, ...]) -> None:
    """Say what is wrong with a target that is no array of labels for x, and what to write."""
    check.array(operation, "target", target)
    hint = ""
    if target.shape == x.shape:
        hint = f"; it looks one-hot: write target.argmax(axis={axis})"
    elif x.ndim == 2 and target.shape == (len(x), 1):
        hint = "; write target[:, 0]"
    elif target.dtype.kind not in "iu":
        hint = "; convert labels with target.astype(np.int64)"
    if target.dtype.kind not in "iu":
        raise DTypeError(f"{operation}: target must hold integer labels, got {target.dtype}{hint}")
    raise InputError(
        f"{operation}: target must have shape {positions} for x of shape {x.shape}, got {target.shape}{hint}"
    )


def if_counting(values: Numbers, counts: ndarray | None) -> ndarray:
    """Return the values of positions that count, 0 at the others, as `check_labels` tells them apart."""
    return np.asarray(values) if counts is None else np.where(counts, values, 0)


def one_hot(x: ndarray, axis: int, labels: ndarray, counts: ndarray) -> ndarray:
    """Mark, in the shape of x, the class that each label names; an ignored label marks none."""
    classes = along_classes(np.arange(x.shape[axis]), x)
    marks: ndarray = (classes == np.expand_dims(labels, axis)) & np.expand_dims(counts, axis)
    return marks


def check_broadcast(operation: str, name: str, weight: ndarray | None, x: ndarray) -> None:
    """Require a weight that broadcasts to the shape of x; None is absent and passes."""
    if weight is None:
        return
    try:
        fits = np.broadcast_shapes(weight.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            f"{operation}: {name} must broadcast to the shape of x, {x.shape}, got {weight.shape}"
        )


def first(wrong: ndarray, array: ndarray) -> str:
    """Name the first element that is marked as wrong, and where it stands."""
    position = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{array[position]} at position {position}"
