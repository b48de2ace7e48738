"""The history of a training run: the metrics of each epoch, and how training ended."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.table import html_table, table


@dataclass(frozen=True)
class Epoch:
    """The metrics of one epoch. Accuracies are in 0…1, and None where targets are not class labels.

    Training loss and accuracy are averaged over the minibatches of the epoch while the weights change, in
    training mode. Validation loss and accuracy are computed after the epoch, in evaluation mode.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    train_loss, train_accuracy : float
    validation_loss, validation_accuracy : float, or None without validation data
    lr : float
        The learning rate in this epoch.
    seconds : float
        Training time, without validation.
    samples_per_second : float

    Raises
    ------
    InputError
        If an argument is not such a number.
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
        """Return the epoch as one line of text.

        Parameters
        ----------
        epochs : int
            Number of epochs of the whole run.

        Raises
        ------
        InputError
            If epochs is not a positive integer.
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
    """Format a loss with four decimals, a very large one in scientific notation."""
    return f"{loss:.4f}" if abs(loss) < LARGE else f"{loss:.4e}"


def spaced(number: float) -> str:
    """Format a number without decimals, its thousands separated by spaces."""
    return f"{round(number):,}".replace(",", " ")


LARGE = 1e5  # losses from here on are shown in scientific notation
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
    """The metrics of all epochs, and how training ended.

    Each metric is an array with one value per epoch: `train_loss`, `train_accuracy`, `validation_loss`,
    `validation_accuracy`, `lr`, `seconds`, `samples_per_second`. Missing values are NaN. Printed, and in a
    notebook, a history is a table.

    Attributes
    ----------
    epochs : list of Epoch
    best_epoch : int or None
        The epoch whose weights the model has now: 0 for the initial weights, None for those of the last
        step.
    interrupted : bool
        Whether Ctrl-C or a signal ended it.
    stopped_early : bool
        Whether early stopping ended it.
    stopped_by_callback : bool
        Whether a callback ended it by returning True.
    diverged : bool
        Whether NaN or ∞ in loss, gradients or weights ended it.
    notes : list of str
        One line for each conversion of the data before training.

    Raises
    ------
    InputError
        If an attribute has another type.

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
        """The training accuracy of each epoch, in 0…1."""
        return self._all("train_accuracy")

    @property
    def validation_loss(self) -> ndarray:
        """The validation loss of each epoch."""
        return self._all("validation_loss")

    @property
    def validation_accuracy(self) -> ndarray:
        """The validation accuracy of each epoch, in 0…1."""
        return self._all("validation_accuracy")

    @property
    def lr(self) -> ndarray:
        """The learning rate in each epoch."""
        return self._all("lr")

    @property
    def seconds(self) -> ndarray:
        """The training time of each epoch, without validation."""
        return self._all("seconds")

    @property
    def samples_per_second(self) -> ndarray:
        """Training samples per second of each epoch."""
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
        """Which weights the model has now, in words."""
        if self.best_epoch is None:
            return "weights of the last step kept"
        return "initial weights kept" if self.best_epoch == 0 else f"weights of epoch {self.best_epoch} kept"

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
        return "\n".join([table(*epochs_table(self)), f"{self.ending} {self._number}; {self.kept}"])

    def _repr_html_(self) -> str:
        return f"{html_table(*epochs_table(self))}\n<p>{self.ending} {self._number}; {self.kept}</p>"

    @property
    def _number(self) -> str:
        return f"{len(self.epochs)} epoch{'' if len(self.epochs) == 1 else 's'}"

    def _all(self, name: str) -> ndarray:
        values = [getattr(epoch, name) for epoch in self.epochs]
        return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def epochs_table(history: History, most: int | None = None) -> tuple[list[str], list[list[object]]]:
    """Return columns and rows; a metric that no epoch has is left out, the best epoch is marked.

    Parameters
    ----------
    history : History
    most : int, optional
        Of more epochs some are left out, evenly.

    Returns
    -------
    columns : list of str
    rows : list of lists
    """
    there = [name for name in COLUMNS if not np.isnan(getattr(history, name)).all()]
    count = len(history.epochs)
    places = np.linspace(0, count - 1, count if most is None else min(count, most)).round().astype(int)
    rows: list[list[object]] = []
    for epoch in (history.epochs[place] for place in places):
        marked = f"{epoch.epoch} *" if epoch.epoch == history.best_epoch else f"{epoch.epoch}"
        rows.append([marked, *(_cell(name, getattr(epoch, name)) for name in there)])
    return ["epoch", *(COLUMNS[name] for name in there)], rows


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    return {"lr": f"{value:.4g}", "seconds": f"{value:.2f}"}.get(name, readable(value))
