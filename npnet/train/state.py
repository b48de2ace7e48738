"""What training keeps from one minibatch to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.errors import InputError
from npnet.train.history import History


@dataclass
class RunningMetrics:
    """Loss and accuracy of one pass through the data, summed over its minibatches.

    Attributes
    ----------
    seen : int
        Number of samples.
    loss_sum : float
        Sum of the losses of all positions that count.
    divisor : float
        What divides it to give the mean; see `npnet.nn.Loss.divisor`.
    labelled, correct : int
        Number of labels, and how many of them were predicted.
    """

    seen: int = 0
    loss_sum: float = 0.0
    divisor: float = 0.0
    labelled: int = 0
    correct: int = 0

    def add(
        self, loss: float, divisor: float, y: ndarray, target: ndarray, ignore_index: int | None = None
    ) -> None:
        """Add a minibatch.

        Parameters
        ----------
        loss, divisor : float
            The minibatch's mean loss, and what it was divided by. With divisor 0 nothing in the minibatch
            counts, and the mean, 0/0, is left out.
        y, target : array
            Outputs and targets.
        ignore_index : int, optional
            The label that does not count.

        Raises
        ------
        InputError
            If an argument is of another kind, or outputs and targets differ in their number of samples.
        """
        loss = check.real("RunningMetrics", "loss", loss)
        divisor = check.real("RunningMetrics", "divisor", divisor)
        for name, array in (("y", y), ("target", target)):
            check.array("RunningMetrics", name, array)
        if y.ndim == 0 or target.ndim == 0 or len(y) != len(target):
            shapes = f"{y.shape} and {target.shape}"
            raise InputError(f"RunningMetrics: y and target must be of as many samples, got shapes {shapes}")
        if ignore_index is not None:
            ignore_index = check.integer("RunningMetrics", "ignore_index", ignore_index)
        self.seen += len(target)
        if divisor:
            self.loss_sum += loss * divisor
            self.divisor += divisor
        if target.dtype.kind in "iu" and y.ndim == target.ndim + 1:
            counted = np.ones(target.shape, bool) if ignore_index is None else target != ignore_index
            self.labelled += int(counted.sum())
            self.correct += int(((y.argmax(axis=1) == target) & counted).sum())

    @property
    def loss(self) -> float:
        """The mean loss, which does not depend on the batch size; NaN where nothing counts."""
        return self.loss_sum / self.divisor if self.divisor else math.nan

    @property
    def accuracy(self) -> float | None:
        """The share of labels predicted, or None without labels."""
        return self.correct / self.labelled if self.labelled else None


@dataclass
class Fallback:
    """The weights to return to if training diverges and no validation loss says which were best.

    Weights after an epoch are scored by the epoch's training loss, or by the loss of the next minibatch if
    that is larger: the last steps of an epoch may have spoilt them. The initial weights are scored by the
    loss of the first minibatch.

    Attributes
    ----------
    epoch : int
        The epoch after which the model had these weights; 0 for the initial ones.
    loss : float
        Their score.
    weights : dict or None
    proposed : tuple of epoch, loss and weights, or None
        Weights that wait for the loss of the next minibatch.
    """

    epoch: int = 0
    loss: float = math.inf
    weights: dict[str, Any] | None = field(default=None, repr=False)
    proposed: tuple[int, float, dict[str, Any]] | None = field(default=None, repr=False)

    def propose(self, epoch: int, loss: float, weights: dict[str, Any]) -> None:
        """Propose the weights of an epoch; `confirm` decides."""
        self.proposed = (epoch, loss, weights)
        if self.weights is None:
            self.weights = weights

    def confirm(self, loss: float) -> None:
        """Keep the proposed weights if their score, given the next minibatch's loss, is the lowest."""
        if self.proposed is not None:
            epoch, epoch_loss, weights = self.proposed
            if max(loss, epoch_loss) < self.loss:
                self.epoch, self.loss, self.weights = epoch, max(loss, epoch_loss), weights
            self.proposed = None


@dataclass
class State:
    """The state of the training loop.

    Together with the engine's state (weights, optimizer, schedule) it determines the rest of a run, so these
    two are what a checkpoint holds.

    Attributes
    ----------
    generator : numpy.random.Generator
        Shuffles the training data.
    noise : numpy.random.Generator
        The generator that layers such as dropout draw from. It is separate, so that the order of the data
        does not depend on the layers.
    epoch : int
        Number of finished epochs.
    step : int
        Number of finished steps in the current epoch.
    loss : float
        Mean loss of the last minibatch.
    grads : dict
        Gradients of the last minibatch by parameter name. `on_backward` may change them.
    metrics : RunningMetrics
        Training loss and accuracy of the current epoch so far.
    lr : float
        The learning rate at the start of the current epoch.
    seconds : float
        Training time of the current epoch so far.
    epoch_start : dict or None
        The state of `generator` from which the current epoch's order was drawn; None between epochs.
    reported : int
        Number of epochs that `on_epoch` has been called with and has let pass.
    best_loss : float
        The lowest validation loss so far.
    best_weights : dict or None
        The weights that had it.
    fallback : Fallback
        The weights to return to without validation data.
    history : History
    """

    generator: Generator
    noise: Generator
    epoch: int = 0
    step: int = 0
    loss: float = math.nan
    grads: dict[str, Any] = field(default_factory=dict, repr=False)
    metrics: RunningMetrics = field(default_factory=RunningMetrics)
    lr: float = math.nan
    seconds: float = 0.0
    epoch_start: Any = field(default=None, repr=False)
    reported: int = 0
    best_loss: float = math.inf
    best_weights: dict[str, Any] | None = field(default=None, repr=False)
    fallback: Fallback = field(default_factory=Fallback)
    history: History = field(default_factory=History)

    @property
    def epochs_since_best(self) -> int:
        """Number of epochs since the lowest validation loss."""
        return self.epoch - (self.history.best_epoch or 0)
