"""Losses: the functions that training minimises.

``loss, backward = criterion.forward(x, target)``, then ``grad_x = backward()``; ``criterion(x, target)`` is
the value alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NoReturn

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
    """A loss; one of your own implements `apply`, and `divisor` if its mean is not over samples.

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
        How the losses of single samples are combined.

    Raises
    ------
    InputError
        If there is no such reduction.

    Examples
    --------
    This loss averages over all elements. It says so in `divisor`, so that means over minibatches combine to
    the mean over all data:

    >>> class Absolute(Loss):
    ...     def apply(self, x, target):
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

    def apply(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Compute the loss and return what the operation returns, ``(loss, backward)``.

        A loss of your own implements this; ``backward(grad_loss=1)`` returns grad_x.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement apply")

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Return the loss with the function that runs it backward.

        Parameters
        ----------
        x : array
            Outputs of a model.
        target : array
            What they are compared with.

        Returns
        -------
        loss : array
            One number without axes, or with ``reduction="none"`` one for each sample or element.
        backward : callable
            ``grad_x = backward(grad_loss=1)``.

        Raises
        ------
        InputError
            If x and target do not fit, or `apply` returns no pair.
        DTypeError
            If x or target is not an array of a dtype that the loss takes.
        """
        applied: Any = self.apply(x, target)
        if not isinstance(applied, tuple) or len(applied) != 2:
            raise InputError(f"{type(self).__name__}.apply must return (loss, backward), got {applied!r:.60}")
        loss, backward = applied
        if not callable(backward):
            check.function(type(self).__name__, "the backward that apply returns", backward)
        return loss, backward

    def divisor(self, x: ndarray, target: ndarray) -> float:
        """Return the number by which ``reduction="mean"`` divides the sum of all losses.

        It combines the means of several minibatches: Σ meanᵢ · divisorᵢ / Σ divisorᵢ is the mean over all
        data, whatever the batch size. 0 means that nothing in this minibatch counts. Here it is the number
        of samples; a loss of your own that divides by another number overrides this method.

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
            raise InputError(f"{owner}: target must have an axis of samples, axis 0, got one number")
        return float(len(target))

    if not TYPE_CHECKING:  # a type checker must report unknown attributes itself

        def __getattr__(self, name: str) -> NoReturn:
            """Name the counterpart of an attribute that PyTorch's losses have and these do not."""
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
    """Common to losses of class labels: weights of classes, and a label that is ignored."""

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
    """Common to losses whose target has the shape of the outputs: the mean is over all elements."""

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

    def apply(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
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

    def apply(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
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

    def apply(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
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

    def apply(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
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

    def apply(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.binary_cross_entropy_with_logits` to logits x."""
        return F.binary_cross_entropy_with_logits(x, target, self.weight, self.reduction, self.pos_weight)
