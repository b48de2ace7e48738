"""What training remembers: of a pass, of an epoch, of all epochs, and of the run under way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave. Accuracies are in 0…1, and None where targets are not class labels.

    Loss and accuracy in training are measured while the weights still move, with dropout in place, over
    all minibatches of the epoch; in validation afterwards, in evaluation mode.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    train_loss, train_accuracy : float
    validation_loss, validation_accuracy : float, or None without validation data
    lr : float
        The learning rate in this epoch.
    seconds : float
        Of training, validation apart.
    images_per_second : float
    """

    epoch: int
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    lr: float
    seconds: float
    images_per_second: float


@dataclass
class History:
    """What training gave, epoch by epoch, and how it ended.

    Attributes
    ----------
    epochs : list of Epoch
    best_epoch : int or None
        Whose weights the model has now; None: those of the last step.
    interrupted : bool
        Whether Ctrl-C ended it.
    stopped_early : bool
        Whether patience ended it.
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int | None = None
    interrupted: bool = False
    stopped_early: bool = False


@dataclass
class Tally:
    """Sums over the minibatches of one pass through the data.

    Attributes
    ----------
    seen : int
        How many samples.
    loss_sum : float
        Sum of their losses.
    labelled, correct : int
        How many labels there were, and how many of them the model met.
    """

    seen: int = 0
    loss_sum: float = 0.0
    labelled: int = 0
    correct: int = 0

    def add(self, loss: float, y: ndarray, target: ndarray, ignore_index: int | None) -> None:
        """Add a minibatch whose loss is an average over its samples."""
        self.seen += len(target)
        self.loss_sum += loss * len(target)
        if target.dtype.kind in "iu" and y.ndim == target.ndim + 1:
            counted = np.ones(target.shape, bool) if ignore_index is None else target != ignore_index
            self.labelled += int(counted.sum())
            self.correct += int(((y.argmax(axis=1) == target) & counted).sum())

    @property
    def loss(self) -> float:
        """The average over the samples seen."""
        return self.loss_sum / self.seen

    @property
    def accuracy(self) -> float | None:
        """The share of labels met, or None without labels."""
        return self.correct / self.labelled if self.labelled else None


@dataclass
class State:
    """Everything the loop itself remembers from one minibatch to the next.

    With the weights, the optimizer and the schedule this is the whole state of a run.

    Attributes
    ----------
    generator : numpy.random.Generator
        Shuffles.
    noise : numpy.random.Generator
        What layers draw from: apart, so that the order of the data depends on no layer.
    epoch : int
        Finished ones.
    step : int
        Minibatches done in the epoch under way.
    tally : Tally
        Of the epoch under way.
    best_loss : float
        The lowest validation loss so far.
    best_weights : dict or None
        The weights that had it.
    history : History
    """

    generator: Generator
    noise: Generator
    epoch: int = 0
    step: int = 0
    tally: Tally = field(default_factory=Tally)
    best_loss: float = math.inf
    best_weights: dict[str, Any] | None = None
    history: History = field(default_factory=History)

    @property
    def epochs_since_best(self) -> int:
        """How many epochs have finished without a better validation loss."""
        return self.epoch - (self.history.best_epoch or 0)
