"""What the losses share: reduction, checks of class labels, checks of broadcast weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._types import LossBackward
from npnet.errors import DTypeError, InputError
from npnet.functional.arguments import class_axis

# Unsigned integers by their size in bytes, as which signed ones are read.
UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}
REDUCTIONS = ("mean", "sum", "none")

Numbers = ndarray | np.floating[Any]  # arithmetic on arrays without axes gives scalars


def check_reduction(operation: str, reduction: str) -> None:
    """Require one of the three reductions."""
    check.choice(operation, "reduction", reduction, REDUCTIONS)


def reduce_losses(
    operation: str,
    losses: Numbers,
    reduction: str,
    dtype: np.dtype[Any],
    total: float | None = None,
) -> tuple[ndarray, LossBackward]:
    """Reduce the losses of all positions: an operation of its own, with a backward. Run both inside `quiet`.

    "none" returns the losses, "sum" their sum: ∂loss/∂Lᵢ = 1. "mean" divides the sum by `total`, by default
    the number of positions: ∂loss/∂Lᵢ = 1/total. The mean of no losses is 0/0, NaN, as in PyTorch.

    Returns the loss in `dtype`, and ``grad_losses = backward(grad_loss=None)``, where the upstream gradient
    defaults to 1. grad_losses has the shape of the losses, or () if it is the same for all of them.
    """
    total = np.float64(losses.size if total is None else total)  # divides by 0 without an exception
    loss = losses if reduction == "none" else losses.sum(dtype=np.float64)
    if reduction == "mean":
        loss = loss / total
    loss = np.asarray(loss, dtype)

    def backward(grad_loss: Any = None) -> ndarray:
        if isinstance(grad_loss, np.floating) and not loss.ndim:
            grad_loss = np.asarray(grad_loss)  # arithmetic on a 0-d loss gives scalars
        if grad_loss is not None:
            check.float_arrays(operation, loss=loss, grad_loss=grad_loss)
            check.shape(operation, "grad_loss", grad_loss, loss.shape, "like the loss")
        if reduction == "mean":
            return np.asarray((1 if grad_loss is None else grad_loss) / total, dtype)
        return np.ones(loss.shape, dtype) if grad_loss is None else grad_loss

    return loss, backward


def along_classes(per_class: ndarray, x: ndarray) -> ndarray:
    """Reshape an array with one number for each class so that it broadcasts along the class axis of x."""
    shape = (per_class.size,) + (1,) * (x.ndim - 2)
    return per_class.reshape(shape)


def check_labels(
    operation: str, x: ndarray, target: Any, ignore_index: int
) -> tuple[ndarray, ndarray | None]:
    """Require a class label for every position of x.

    Returns the labels, with 0 for ignored ones, and a mask of the positions that count, or None if all do.
    """
    ignore_index = check.integer(operation, "ignore_index", ignore_index)
    axis = class_axis(operation, x)
    classes = x.shape[axis]
    positions = x.shape[:axis] + x.shape[axis + 1 :]
    if type(target) is not ndarray or target.dtype.kind not in "iu" or target.shape != positions:
        _refuse_target(operation, x, target, axis, positions)

    # Read as unsigned integers, negative labels are large: one comparison instead of two.
    unsigned = UNSIGNED[target.itemsize]
    if ignore_index < 0 and target.size and target.dtype.isnative and target.view(unsigned).max() < classes:
        return target, None  # the usual case
    counts = np.asarray(target != ignore_index)
    wrong = counts & ((target < 0) | (target >= classes))
    if wrong.any():
        raise InputError(
            f"{operation}: target must hold labels from 0 to {classes - 1} or ignore_index {ignore_index}, "
            f"got {first_marked(wrong, target)}"
        )
    return np.where(counts, target, 0).astype(np.intp), counts


def _refuse_target(operation: str, x: ndarray, target: Any, axis: int, positions: tuple[int, ...]) -> None:
    """Raise the error for a target that does not hold labels for x, with a hint on how to fix it."""
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


def zero_ignored(values: Numbers, counts: ndarray | None) -> ndarray:
    """Return the values with 0 at positions that do not count, by the mask from `check_labels`."""
    return np.asarray(values) if counts is None else np.where(counts, values, 0)


def one_hot(x: ndarray, axis: int, labels: ndarray, counts: ndarray) -> ndarray:
    """Return the one-hot mask of the labels in the shape of x; ignored labels have none."""
    classes = along_classes(np.arange(x.shape[axis]), x)
    mask: ndarray = (classes == np.expand_dims(labels, axis)) & np.expand_dims(counts, axis)
    return mask


def check_broadcast(operation: str, name: str, weight: ndarray | None, x: ndarray) -> None:
    """Require a weight that broadcasts to the shape of x, or None."""
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


def first_marked(wrong: ndarray, array: ndarray) -> str:
    """Describe the first element marked as wrong and its position, for a message."""
    position = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{array[position]} at position {position}"
