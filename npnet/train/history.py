"""What training remembers: of a pass, of an epoch, of all epochs, and of the run under way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.errors import InputError
from npnet.table import html_table, table


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
    samples_per_second : float

    Raises
    ------
    InputError
        If something else is given than these numbers.
    """

    epoch: int
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    lr: float
    seconds: float
    samples_per_second: float

    def __post_init__(self) -> None:
        self._put("epoch", check.integer("Epoch", "epoch", self.epoch, least=1))
        for name in ("train_loss", "lr", "seconds", "samples_per_second"):
            self._put(name, check.real("Epoch", name, getattr(self, name)))
        for name in ("train_accuracy", "validation_loss", "validation_accuracy"):
            if getattr(self, name) is not None:
                self._put(name, check.real("Epoch", name, getattr(self, name)))

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def line(self, epochs: int) -> str:
        """Return the epoch as a line for people.

        Parameters
        ----------
        epochs : int
            How many there were to be.

        Raises
        ------
        InputError
            If that is no positive integer.
        """
        epochs = check.integer("Epoch", "epochs", epochs, least=1)

        def shown(loss: float, accuracy: float | None) -> str:
            return readable(loss) if accuracy is None else f"{readable(loss)} {100 * accuracy:6.2f} %"

        line = f"epoch {self.epoch:>{len(str(epochs))}}/{epochs}"
        line += f"  training {shown(self.train_loss, self.train_accuracy)}"
        if self.validation_loss is not None:
            line += f"  validation {shown(self.validation_loss, self.validation_accuracy)}"
        return f"{line}  {spaced(self.samples_per_second)} samples/s"


def readable(loss: float) -> str:
    """Write a loss with four decimals; a very large one in powers of ten."""
    return f"{loss:.4f}" if abs(loss) < LARGE else f"{loss:.4e}"


def spaced(number: float) -> str:
    """Write a number without decimals and with its thousands apart."""
    return f"{round(number):,}".replace(",", " ")


LARGE = 1e5  # losses from here on are written in powers of ten
COLUMNS = {
    "train_loss": "training loss",
    "train_accuracy": "accuracy",
    "validation_loss": "validation loss",
    "validation_accuracy": "accuracy",
    "lr": "learning rate",
    "seconds": "seconds",
}


@dataclass(repr=False)
class History:
    """What training gave, epoch by epoch, and how it ended.

    Each number of an epoch is there for all of them as an array: `train_loss`, `train_accuracy`,
    `validation_loss`, `validation_accuracy`, `lr`, `seconds`, `samples_per_second`, and NaN stands for what
    there was none of. Printed, and in a notebook, a history is a table.

    Attributes
    ----------
    epochs : list of Epoch
    best_epoch : int or None
        Whose weights the model has now, 0 being those it began with; None: those of the last step.
    interrupted : bool
        Whether Ctrl-C ended it.
    stopped_early : bool
        Whether patience ended it.
    stopped_by_callback : bool
        Whether a callback ended it by returning True.
    diverged : bool
        Whether a loss that was no longer a number ended it.
    notes : list of str
        What was converted before training, a line for each thing.

    Raises
    ------
    InputError
        If an attribute is of another kind.

    Examples
    --------
    >>> history = History([Epoch(1, 0.5, 0.75, None, None, 0.1, 2.0, 1000.0)])
    >>> history
    History(1 epoch, training loss 0.5000)
    >>> history.train_loss, history.validation_loss
    (array([0.5]), array([nan]))
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int | None = None
    interrupted: bool = False
    stopped_early: bool = False
    stopped_by_callback: bool = False
    diverged: bool = False
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check.instance("History", "epochs", self.epochs, list, "a list of Epoch")
        for epoch in self.epochs:
            check.instance("History", "epochs", epoch, Epoch, "a list of Epoch")
        if self.best_epoch is not None:
            self.best_epoch = check.integer("History", "best_epoch", self.best_epoch, least=0)
        for name in ("interrupted", "stopped_early", "stopped_by_callback", "diverged"):
            setattr(self, name, check.flag("History", name, getattr(self, name)))
        check.instance("History", "notes", self.notes, list, "a list of lines")
        for line in self.notes:
            check.instance("History", "notes", line, str, "a list of lines")

    @property
    def train_loss(self) -> ndarray:
        """The training loss of each epoch."""
        return self._all("train_loss")

    @property
    def train_accuracy(self) -> ndarray:
        """The accuracy in training of each epoch, in 0…1."""
        return self._all("train_accuracy")

    @property
    def validation_loss(self) -> ndarray:
        """The validation loss of each epoch."""
        return self._all("validation_loss")

    @property
    def validation_accuracy(self) -> ndarray:
        """The accuracy on the validation part after each epoch, in 0…1."""
        return self._all("validation_accuracy")

    @property
    def lr(self) -> ndarray:
        """The learning rate in each epoch."""
        return self._all("lr")

    @property
    def seconds(self) -> ndarray:
        """How long each epoch took, validation apart."""
        return self._all("seconds")

    @property
    def samples_per_second(self) -> ndarray:
        """How many samples were learnt from in a second, in each epoch."""
        return self._all("samples_per_second")

    @property
    def ending(self) -> str:
        """How training ended, in words."""
        if self.diverged:
            return "diverged after"
        if self.interrupted:
            return "interrupted after"
        if self.stopped_early:
            return "stopped early after"
        return "stopped by a callback after" if self.stopped_by_callback else "trained"

    @property
    def kept(self) -> str:
        """Whose weights the model has now, in words."""
        if self.best_epoch is None:
            return "weights of the last step kept"
        return (
            "weights of the beginning kept"
            if self.best_epoch == 0
            else f"weights of epoch {self.best_epoch} kept"
        )

    def __repr__(self) -> str:
        number = len(self.epochs)
        parts = [f"{number} epoch{'' if number == 1 else 's'}"]
        if self.best_epoch:
            parts.append(f"best {self.best_epoch}")
        if self.epochs:
            shown = self.epochs[(self.best_epoch or number) - 1]
            parts.append(f"training loss {readable(shown.train_loss)}")
            if shown.validation_loss is not None:
                parts.append(f"validation loss {readable(shown.validation_loss)}")
        ended = {"stopped early": self.stopped_early, "interrupted": self.interrupted}
        ended |= {"stopped by a callback": self.stopped_by_callback, "diverged": self.diverged}
        return f"History({', '.join([*parts, *(words for words, is_so in ended.items() if is_so)])})"

    def __str__(self) -> str:
        return "\n".join([table(*self._table()), f"{self.ending} {self._number}; {self.kept}"])

    def _repr_html_(self) -> str:
        return f"{html_table(*self._table())}\n<p>{self.ending} {self._number}; {self.kept}</p>"

    @property
    def _number(self) -> str:
        return f"{len(self.epochs)} epoch{'' if len(self.epochs) == 1 else 's'}"

    def _all(self, name: str) -> ndarray:
        values = [getattr(epoch, name) for epoch in self.epochs]
        return np.array([math.nan if value is None else value for value in values], dtype=np.float64)

    def _table(self) -> tuple[list[str], list[list[object]]]:
        """Return columns and rows; what no epoch has is left out, the best epoch is marked."""
        there = [name for name in COLUMNS if not np.isnan(self._all(name)).all()]
        rows: list[list[object]] = []
        for epoch in self.epochs:
            marked = f"{epoch.epoch} *" if epoch.epoch == self.best_epoch else f"{epoch.epoch}"
            rows.append([marked, *(_cell(name, getattr(epoch, name)) for name in there)])
        return ["epoch", *(COLUMNS[name] for name in there)], rows


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    return {"lr": f"{value:.4g}", "seconds": f"{value:.2f}"}.get(name, readable(value))


@dataclass
class RunningMetrics:
    """Sums over the minibatches of one pass through the data.

    Attributes
    ----------
    seen : int
        How many samples.
    loss_sum : float
        Sum of the losses of all positions that count, in float64.
    divisor : float
        What divides it to give the mean, see `npnet.nn.Loss.divisor`.
    labelled, correct : int
        How many labels there were, and how many of them the model met.
    """

    seen: int = 0
    loss_sum: float = 0.0
    divisor: float = 0.0
    labelled: int = 0
    correct: int = 0

    def add(
        self, loss: float, divisor: float, y: ndarray, target: ndarray, ignore_index: int | None = None
    ) -> None:
        """Add a minibatch, whose loss is a mean.

        Parameters
        ----------
        loss, divisor : float
            The mean, and what it was divided by. With 0 nothing counts, and the mean, 0/0, is left out.
        y, target : array
            Outputs, and what they should have been.
        ignore_index : int, optional
            The label that does not count.

        Raises
        ------
        InputError
            If something is of another kind, or outputs and targets are not of as many samples.
        """
        loss, divisor = (
            check.real("RunningMetrics", "loss", loss),
            check.real("RunningMetrics", "divisor", divisor),
        )
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
        """The mean over all minibatches, the same however the data is cut; NaN where nothing counts."""
        return self.loss_sum / self.divisor if self.divisor else math.nan

    @property
    def accuracy(self) -> float | None:
        """The share of labels met, or None without labels."""
        return self.correct / self.labelled if self.labelled else None


@dataclass
class Fallback:
    """The weights to go back to if training fails and no validation loss says which were best.

    The weights after an epoch are worth its training loss, or the loss of the next minibatch if that is
    larger: the last steps of an epoch may have spoilt them. Those at the beginning are worth the loss of the
    first minibatch.

    Attributes
    ----------
    epoch : int
        After which the weights were such; 0 at the beginning.
    loss : float
        What they are worth.
    weights : dict or None
    """

    epoch: int = 0
    loss: float = math.inf
    weights: dict[str, Any] | None = field(default=None, repr=False)
    _offered: tuple[int, float, dict[str, Any]] | None = field(default=None, repr=False)

    def offer(self, epoch: int, loss: float, weights: dict[str, Any]) -> None:
        """Propose weights, which count once the next minibatch has shown what they are worth."""
        self._offered = (epoch, loss, weights)
        if self.weights is None:
            self.weights = weights

    def confirm(self, loss: float) -> None:
        """Take the weights proposed, given the loss of the next minibatch, if none were better."""
        if self._offered is not None:
            epoch, epoch_loss, weights = self._offered
            if max(loss, epoch_loss) < self.loss:
                self.epoch, self.loss, self.weights = epoch, max(loss, epoch_loss), weights
            self._offered = None


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
    loss : float
        Of the last minibatch: the mean over what counts in it.
    grads : dict
        Its gradients by parameter name. What `on_backward` writes there is what the optimizer gets.
    tally : RunningMetrics
        Of the epoch under way.
    best_loss : float
        The lowest validation loss so far.
    best_weights : dict or None
        The weights that had it.
    fallback : Fallback
        What to go back to without them.
    history : History
    """

    generator: Generator
    noise: Generator
    epoch: int = 0
    step: int = 0
    loss: float = math.nan
    grads: dict[str, Any] = field(default_factory=dict, repr=False)
    tally: RunningMetrics = field(default_factory=RunningMetrics)
    best_loss: float = math.inf
    best_weights: dict[str, Any] | None = field(default=None, repr=False)
    fallback: Fallback = field(default_factory=Fallback)
    history: History = field(default_factory=History)

    @property
    def epochs_since_best(self) -> int:
        """How many epochs have finished without a better validation loss."""
        return self.epoch - (self.history.best_epoch or 0)
