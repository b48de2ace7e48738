"""Losses: what training makes small.

``loss, backward = criterion.forward(x, target)``, then ``grad_x = backward()``; ``criterion(x, target)`` is
the value alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn

import numpy as np
from numpy import ndarray

from npnet import check
from npnet import functional as F
from npnet._from_pytorch import LOSS, missing
from npnet._types import LossBackward
from npnet.errors import InputError

Reduction = Literal["none", "mean", "sum"]
REDUCTIONS = ("none", "mean", "sum")


class Loss:
    """A loss; one of your own implements `forward`.

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
        How the losses of single samples are put together.

    Raises
    ------
    InputError
        If there is no such reduction.

    Examples
    --------
    One that averages over all elements says so, and means over minibatches become the mean over all data:

    >>> class Absolute(Loss):
    ...     def forward(self, x, target):
    ...         return np.asarray(np.abs(x - target).mean()), lambda: np.sign(x - target) / x.size
    ...
    ...     def divisor(self, x, target):
    ...         return float(x.size)
    >>> Absolute()(np.array([[1.0, -2.0]]), np.zeros((1, 2)))
    array(1.5)
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        check.choice(type(self).__name__, "reduction", reduction, REDUCTIONS)
        self.reduction: Reduction = reduction

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Return the loss and ``grad_x = backward(grad_loss=1)``."""
        raise NotImplementedError(f"{type(self).__name__} does not implement forward")

    def divisor(self, x: ndarray, target: ndarray) -> float:
        """Return what ``reduction="mean"`` divides the sum of all losses by.

        By it the means of several minibatches are put together: Σ meanᵢ · divisorᵢ / Σ divisorᵢ is the mean
        over all data, however it is cut. 0 says that nothing counts in this minibatch. Here it is the number
        of samples; a loss of your own that divides by something else says so by a method of its own.

        Parameters
        ----------
        x, target : array
            As for `forward`.

        Raises
        ------
        InputError
            If they are no arrays, or there is no axis of samples.
        """
        owner = type(self).__name__
        if check.array(owner, "target", target).ndim == 0:
            raise InputError(f"{owner}: target must have a sample on each place of axis 0, got one number")
        return float(len(target))

    if not TYPE_CHECKING:  # a type checker is to find what is missing

        def __getattr__(self, name: str) -> NoReturn:
            """Say of what PyTorch's losses have and these have not how it is done here."""
            missing(self, name, LOSS)

    def __call__(self, x: ndarray, target: ndarray) -> ndarray:
        """Return the loss alone."""
        return self.forward(x, target)[0]

    def __repr__(self) -> str:
        settings = {
            name: value for name, value in vars(self).items() if value is not None and value is not False
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in settings.items())})"


class _LabelLoss(Loss):
    """What the losses of class labels share: weights of classes, and a label that does not count."""

    def __init__(self, weight: ndarray | None, ignore_index: int, reduction: Reduction) -> None:
        super().__init__(reduction)
        owner = type(self).__name__
        check.float_arrays(owner, weight=weight, optional=("weight",))
        if weight is not None:
            check.axes(owner, "weight", weight, (1,), "(C,), one number for each class")
        self.weight = weight
        self.ignore_index = check.integer(owner, "ignore_index", ignore_index)

    def divisor(self, x: ndarray, target: ndarray) -> float:
        """Return Σ w[t] over the labels t that count; with probabilities the number of positions."""
        check.array(type(self).__name__, "x", x, "f")
        check.array(type(self).__name__, "target", target, "iuf")
        if target.dtype.kind not in "iu":
            return float(x.size / x.shape[min(x.ndim, 2) - 1])
        counts = target != self.ignore_index
        if self.weight is None:
            return float(np.count_nonzero(counts))
        return float(self.weight[target[counts]].sum(dtype=np.float64))


class _ElementLoss(Loss):
    """What the losses of numbers in the shape of the outputs share: the mean is over all elements."""

    def divisor(self, x: ndarray, target: ndarray) -> float:
        """Return the number of elements."""
        check.array(type(self).__name__, "x", x, "f")
        return float(x.size)


class CrossEntropyLoss(_LabelLoss):
    """Log-softmax and negative log-likelihood in one; see `npnet.functional.cross_entropy`.

    Parameters
    ----------
    weight, ignore_index, reduction, label_smoothing
        As in `npnet.functional.cross_entropy`.

    Raises
    ------
    InputError
        If a setting is out of its range.
    DTypeError
        If weight is no array of float32 or float64.

    Examples
    --------
    >>> import numpy as np
    >>> loss, backward = CrossEntropyLoss().forward(np.zeros((1, 2)), np.array([1]))
    >>> round(float(loss), 4), backward()
    (0.6931, array([[ 0.5, -0.5]]))
    """

    def __init__(
        self,
        weight: ndarray | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index, reduction)
        self.label_smoothing = check.number(
            "CrossEntropyLoss", "label_smoothing", label_smoothing, least=0.0, most=1.0
        )

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.cross_entropy` to logits x."""
        return F.cross_entropy(
            x, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(_LabelLoss):
    """Negative log-likelihood of log-probabilities; see `npnet.functional.nll_loss`.

    Parameters
    ----------
    weight, ignore_index, reduction
        As in `npnet.functional.nll_loss`.

    Raises
    ------
    InputError
        If a setting is out of its range.
    DTypeError
        If weight is no array of float32 or float64.
    """

    def __init__(
        self, weight: ndarray | None = None, ignore_index: int = -100, reduction: Reduction = "mean"
    ) -> None:
        super().__init__(weight, ignore_index, reduction)

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.nll_loss` to log-probabilities x."""
        return F.nll_loss(x, target, self.weight, self.ignore_index, self.reduction)


class MSELoss(_ElementLoss):
    """Squared difference; see `npnet.functional.mse_loss`.

    Parameters
    ----------
    reduction
        As in `npnet.functional.mse_loss`.

    Raises
    ------
    InputError
        If there is no such reduction.
    """

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.mse_loss`."""
        return F.mse_loss(x, target, self.reduction)


class BCELoss(_ElementLoss):
    """Cross-entropy of probabilities of two classes; see `npnet.functional.binary_cross_entropy`.

    Parameters
    ----------
    weight, reduction
        As in `npnet.functional.binary_cross_entropy`.

    Raises
    ------
    InputError
        If there is no such reduction.
    DTypeError
        If weight is no array of float32 or float64.
    """

    def __init__(self, weight: ndarray | None = None, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        check.float_arrays("BCELoss", weight=weight, optional=("weight",))
        self.weight = weight

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.binary_cross_entropy` to probabilities x."""
        return F.binary_cross_entropy(x, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_ElementLoss):
    """The same from logits; see `npnet.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight, reduction, pos_weight
        As in `npnet.functional.binary_cross_entropy_with_logits`.

    Raises
    ------
    InputError
        If there is no such reduction.
    DTypeError
        If a weight is no array of float32 or float64.
    """

    def __init__(
        self,
        weight: ndarray | None = None,
        reduction: Reduction = "mean",
        pos_weight: ndarray | None = None,
    ) -> None:
        super().__init__(reduction)
        optional = ("weight", "pos_weight")
        check.float_arrays("BCEWithLogitsLoss", weight=weight, pos_weight=pos_weight, optional=optional)
        self.weight, self.pos_weight = weight, pos_weight

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.binary_cross_entropy_with_logits` to logits x."""
        return F.binary_cross_entropy_with_logits(x, target, self.weight, self.reduction, self.pos_weight)
