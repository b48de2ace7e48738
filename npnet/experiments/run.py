"""A run: a setup that an engine has trained, and how it was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy import ndarray

from npnet import check, nn
from npnet._words import counted
from npnet.data import Dataset, Splits
from npnet.errors import InputError
from npnet.experiments.setup import Setup
from npnet.train import Epoch, History, Symptom


@dataclass(frozen=True, eq=False)
class Run:
    """A setup that an engine has trained and judged.

    Parameters
    ----------
    setup : Setup
        With the options it was trained with.
    engine : str
        As people read it.
    splits : Splits
        What it learnt from.
    model : Layer
        With the weights that were kept.
    history : History
    seconds : float
        Of training.
    loss : float
        On the part it is judged by, like the accuracy.
    accuracy : float or None
        In 0…1; None where targets are not class labels.
    snapshots : mapping from epochs to state dicts
        Its weights after the epochs that the setup names.
    symptoms : tuple of Symptom, optional
        What is wrong with it, of a run that was diagnosed.
    """

    setup: Setup
    engine: str
    splits: Splits[Any]
    model: nn.Layer
    history: History
    seconds: float
    loss: float
    accuracy: float | None
    snapshots: Mapping[int, dict[str, ndarray]] = field(default_factory=dict)
    symptoms: tuple[Symptom, ...] | None = None

    @property
    def name(self) -> str:
        """The setup's name."""
        return self.setup.name

    @property
    def judged_on(self) -> str:
        """The name of the part it is judged by: the test part, of data that has one."""
        return "training" if self.splits.test is None else "test"

    @property
    def test(self) -> Any:
        """The part it is judged by."""
        return judged_part(self.splits)

    @property
    def measure(self) -> str:
        """What it is judged by."""
        return "loss" if self.accuracy is None else "accuracy"

    @property
    def shown(self) -> str:
        """The measure as people read it."""
        return f"{self.loss:.4g}" if self.accuracy is None else f"{100 * self.accuracy:.2f} %"

    @property
    def losses(self) -> list[float]:
        """The training loss of each epoch."""
        return [epoch.train_loss for epoch in self.history.epochs]

    @property
    def kept(self) -> Epoch | None:
        """The epoch whose weights it has; None if no epoch was finished."""
        epochs, best = self.history.epochs, self.history.best_epoch
        return (epochs[-1] if best is None else epochs[best - 1]) if epochs else None

    @property
    def validation_loss(self) -> float:
        """That of the weights it has; infinite where there is none."""
        loss = None if self.kept is None else self.kept.validation_loss
        return float("inf") if loss is None else loss

    @property
    def samples_per_second(self) -> float:
        """How many were learnt from in a second, over all finished epochs."""
        epochs = self.history.epochs
        samples = sum(epoch.samples_per_second * epoch.seconds for epoch in epochs)
        return samples / sum(epoch.seconds for epoch in epochs) if epochs else 0.0

    def values(self) -> dict[str, Any]:
        """Return what ``result.json`` keeps of it."""
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "epochs": len(self.history.epochs),
            "best_epoch": self.history.best_epoch,
            "stopped_early": self.history.stopped_early,
            "seconds": round(self.seconds, 3),
            "samples_per_second": round(self.samples_per_second, 1),
            **({} if self.symptoms is None else {"warnings": [str(symptom) for symptom in self.symptoms]}),
        }

    def line(self) -> str:
        """Say in a line how training went."""
        history = self.history
        who = f"{self.engine}, {self.name}" if self.name else self.engine
        if not history.epochs:
            return f"{who}: interrupted before the first epoch was finished"
        kept = f"; weights of epoch {history.best_epoch} kept" if history.best_epoch is not None else ""
        ran = f"{len(history.epochs)} of {counted(self.setup.epochs, 'epoch')} in {self.seconds:.1f} s"
        return f"{who}: {history.ending} {ran}{kept}; {self.judged_on} {self.measure} {self.shown}"


def judged_part(splits: Splits[Any]) -> Dataset:
    """Return the part that a trained model is judged by: the test part, or without one the training part."""
    part: Dataset = splits.train if splits.test is None else splits.test
    return part


def largest_difference(histories: Sequence[History]) -> tuple[float, int]:
    """Return by how much the loss curves of several runs differ at most, and in which epoch.

    Parameters
    ----------
    histories : sequence of History

    Returns
    -------
    difference : float
    epoch : int
        0 if they have no epoch in common.

    Raises
    ------
    InputError
        If they are none.
    """
    if not isinstance(histories, Sequence) or not all(isinstance(each, History) for each in histories):
        raise InputError(
            f"largest_difference: histories must be a list of History, got {check.described(histories)}"
        )
    worst = (0.0, 0)
    for epochs in zip(*(history.epochs for history in histories), strict=False):
        for name in ("train_loss", "validation_loss"):
            losses = [getattr(epoch, name) for epoch in epochs if getattr(epoch, name) is not None]
            if losses and max(losses) - min(losses) >= worst[0]:
                worst = (max(losses) - min(losses), epochs[0].epoch)
    return worst
