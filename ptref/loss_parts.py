"""A loss as a sum of parts, one for each of several processes.

A mean over samples is a sum divided by a number. The targets alone tell this number, and every process has
the targets of the whole minibatch. So each can go backward from its own samples' part of the loss at once,
and the gradients add up to those of the whole. This holds for class weights, ignored labels and parts of
unequal size too, where an average of averages would be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any, cast

import torch
import torch.distributed
from torch import Tensor, nn

LABEL_LOSSES = ("CrossEntropyLoss", "NLLLoss", "cross_entropy", "nll_loss")
# What these average over is elements, in the shape of the outputs.
ELEMENT_LOSSES = (
    "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss",
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)  # fmt: skip

Loss = Callable[[Tensor, Tensor], Tensor]
Part = Callable[[Tensor, Tensor, slice], Tensor]  # takes own outputs, all targets, and which rows are own


def in_parts(loss: Loss) -> Part | None:
    """Return a loss's part that some samples make up; the parts of all samples add up to the loss.

    Parameters
    ----------
    loss : callable

    Returns
    -------
    part : callable or None
        ``part(outputs, target, rows)`` takes the outputs of these rows and the whole minibatch's target. None
        if the loss is not PyTorch's own, or weighs each element of the outputs.

    Examples
    --------
    >>> part = in_parts(nn.MSELoss())
    >>> y, target = torch.tensor([1.0, 5.0]), torch.tensor([0.0, 2.0])
    >>> part(y[:1], target, slice(0, 1)), part(y[1:], target, slice(1, 2)), nn.MSELoss()(y, target)
    (tensor(0.5000), tensor(4.5000), tensor(5.))
    >>> in_parts(lambda y, target: (y - target).max()) is None
    True
    """
    name = getattr(loss, "__name__", type(loss).__name__)
    own = getattr(loss, "__module__", "") in {"torch.nn.modules.loss", "torch.nn.functional"}
    weighed = name in ELEMENT_LOSSES and getattr(loss, "weight", None) is not None
    if not own or weighed or name not in (*LABEL_LOSSES, *ELEMENT_LOSSES):
        return None
    adds = _adding(loss)
    is_mean = getattr(loss, "reduction", "mean") == "mean"

    def part(own: Tensor, target: Tensor, rows: slice) -> Tensor:
        total = adds(own, target[rows])
        return total / divisor(loss, target).to(total) if is_mean else total

    return part


def _adding(loss: Any) -> Loss:
    """Return the loss with a sum in place of a mean."""
    if not isinstance(loss, nn.Module):
        return partial(loss, reduction="sum")
    adds: Any = copy(loss)
    adds.reduction = "sum"
    return cast("Loss", adds)


def divisor(loss: Loss, target: Tensor) -> Tensor:
    """Return what the mean of a loss of PyTorch's divides the sum over samples by, in float64.

    Parameters
    ----------
    loss : callable
        One that `in_parts` takes.
    target : Tensor
        Of the whole minibatch: class labels, or as many numbers as there are outputs.

    Returns
    -------
    divisor : Tensor

    Examples
    --------
    >>> divisor(nn.CrossEntropyLoss(ignore_index=0), torch.tensor([0, 2, 1])).item()
    2.0
    """
    if is_one_of(ELEMENT_LOSSES, loss):
        return torch.tensor(target.numel(), dtype=torch.float64)
    if target.is_floating_point():  # probabilities: the classes are the second axis, or the only one
        return torch.tensor(target.numel() / target.shape[min(target.ndim, 2) - 1], dtype=torch.float64)
    labels = target[target != getattr(loss, "ignore_index", -100)]
    weight = getattr(loss, "weight", None)
    if weight is None:
        return torch.tensor(labels.numel(), dtype=torch.float64)
    return weight.double()[labels].sum()  # type: ignore[no-any-return]


def has_parts(own: Tensor, target: Tensor) -> bool:
    """Tell whether rows of the outputs have a target of their own.

    Parameters
    ----------
    own : Tensor, shape (rows, ...)
    target : Tensor, shape (n, ...)
        Numbers may have been given in another shape, for PyTorch to repeat.

    Returns
    -------
    has_parts : bool
    """
    return not target.is_floating_point() or target.shape[1:] == own.shape[1:]


def is_one_of(names: tuple[str, ...], loss: object) -> bool:
    """Tell whether a loss is one of PyTorch's, or made of one: a class or a function of a name.

    Parameters
    ----------
    names : tuple of str
    loss : callable

    Returns
    -------
    is_one_of : bool
    """
    own = {getattr(loss, "__name__", "")} | {kind.__name__ for kind in type(loss).__mro__}
    return not own.isdisjoint(names)


class Sent:
    """A part of the loss and of the outputs, on their way to all processes.

    Parameters
    ----------
    part : Tensor, shape ()
    own : Tensor, shape (rows, ...)
    rows : slice
        Where these outputs stand among all.
    n : int
        How many there are in all.
    """

    def __init__(self, part: Tensor, own: Tensor, rows: slice, n: int) -> None:
        self._shape = (n, *own.shape[1:])
        self._all = own.new_zeros(math.prod(self._shape) + 1)
        self._all[-1] = part
        self._all[:-1].view(self._shape)[rows] = own
        self._work = torch.distributed.all_reduce(self._all, async_op=True)

    def received(self) -> tuple[Tensor, Tensor]:
        """Wait for those of the others; return the loss and the outputs for all rows.

        Returns
        -------
        loss : Tensor, shape ()
        outputs : Tensor, shape (n, ...)
        """
        self._work.wait()
        return self._all[-1], self._all[:-1].view(self._shape)
