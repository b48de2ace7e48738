"""Losses: what training makes small.

``loss, backward = criterion.forward(x, target)``, then ``grad_x = backward()``; ``criterion(x, target)`` is
the value alone.
"""

from __future__ import annotations

from typing import Literal

from numpy import ndarray

from npnet import functional as F
from npnet.functional._types import LossBackward

Reduction = Literal["none", "mean", "sum"]


class Loss:
    """A loss; one of your own implements `forward`.

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
        How the losses of single samples are put together.
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction: Reduction = reduction

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Return the loss and ``grad_x = backward(grad_loss=1)``."""
        raise NotImplementedError(f"{type(self).__name__} does not implement forward")

    def __call__(self, x: ndarray, target: ndarray) -> ndarray:
        """Return the loss alone."""
        return self.forward(x, target)[0]

    def __repr__(self) -> str:
        settings = {
            name: value for name, value in vars(self).items() if value is not None and value is not False
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in settings.items())})"


class CrossEntropyLoss(Loss):
    """Log-softmax and negative log-likelihood in one; see `npnet.functional.cross_entropy`.

    Parameters
    ----------
    weight, ignore_index, reduction, label_smoothing
        As in `npnet.functional.cross_entropy`.

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
        super().__init__(reduction)
        self.weight, self.ignore_index, self.label_smoothing = weight, ignore_index, label_smoothing

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.cross_entropy` to logits x."""
        return F.cross_entropy(
            x, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(Loss):
    """Negative log-likelihood of log-probabilities; see `npnet.functional.nll_loss`.

    Parameters
    ----------
    weight, ignore_index, reduction
        As in `npnet.functional.nll_loss`.
    """

    def __init__(
        self, weight: ndarray | None = None, ignore_index: int = -100, reduction: Reduction = "mean"
    ) -> None:
        super().__init__(reduction)
        self.weight, self.ignore_index = weight, ignore_index

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.nll_loss` to log-probabilities x."""
        return F.nll_loss(x, target, self.weight, self.ignore_index, self.reduction)


class MSELoss(Loss):
    """Squared difference; see `npnet.functional.mse_loss`.

    Parameters
    ----------
    reduction
        As in `npnet.functional.mse_loss`.
    """

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.mse_loss`."""
        return F.mse_loss(x, target, self.reduction)


class BCELoss(Loss):
    """Cross-entropy of probabilities of two classes; see `npnet.functional.binary_cross_entropy`.

    Parameters
    ----------
    weight, reduction
        As in `npnet.functional.binary_cross_entropy`.
    """

    def __init__(self, weight: ndarray | None = None, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.weight = weight

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.binary_cross_entropy` to probabilities x."""
        return F.binary_cross_entropy(x, target, self.weight, self.reduction)


class BCEWithLogitsLoss(Loss):
    """The same from logits; see `npnet.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight, reduction, pos_weight
        As in `npnet.functional.binary_cross_entropy_with_logits`.
    """

    def __init__(
        self,
        weight: ndarray | None = None,
        reduction: Reduction = "mean",
        pos_weight: ndarray | None = None,
    ) -> None:
        super().__init__(reduction)
        self.weight, self.pos_weight = weight, pos_weight

    def forward(self, x: ndarray, target: ndarray) -> tuple[ndarray, LossBackward]:
        """Apply `npnet.functional.binary_cross_entropy_with_logits` to logits x."""
        return F.binary_cross_entropy_with_logits(x, target, self.weight, self.reduction, self.pos_weight)
