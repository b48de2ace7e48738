"""A trained network, and how training is told to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from npnet import nn
from npnet.train import Epoch, History


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that one engine has trained and judged."""

    engine: str  # as people read it
    model: nn.Layer
    history: History
    seconds: float  # of training
    loss: float  # on the part it is judged by, like the accuracy
    accuracy: float | None  # in 0…1; None where targets are not class labels

    @property
    def status(self) -> str:
        """How training ended."""
        return "interrupted" if self.history.interrupted else "finished"

    @property
    def measure(self) -> str:
        """What it is judged by."""
        return "loss" if self.accuracy is None else "accuracy"

    @property
    def shown(self) -> str:
        """The measure as people read it."""
        return f"{self.loss:.4g}" if self.accuracy is None else f"{100 * self.accuracy:.2f} %"

    @property
    def images_per_second(self) -> float:
        """How many were learnt from in a second, over all finished epochs."""
        epochs = self.history.epochs
        images = sum(epoch.images_per_second * epoch.seconds for epoch in epochs)
        return images / sum(epoch.seconds for epoch in epochs) if epochs else 0.0

    def values(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "epochs": len(self.history.epochs),
            "best_epoch": self.history.best_epoch,
            "stopped_early": self.history.stopped_early,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
        }

    def reached(self, part: str) -> dict[str, Any]:
        """Return what the list of recipes shows of it."""
        shown = {"headline": f"{part} {self.measure}: {self.shown}", "seconds": round(self.seconds, 3)}
        return {self.engine: shown}


def largest_difference(histories: Sequence[History]) -> tuple[float, int]:
    """Return by how much the losses of several runs differ at most, and in which epoch."""
    worst = (0.0, 0)
    for epochs in zip(*(history.epochs for history in histories), strict=False):
        for name in ("train_loss", "validation_loss"):
            losses = [getattr(epoch, name) for epoch in epochs if getattr(epoch, name) is not None]
            if losses and max(losses) - min(losses) >= worst[0]:
                worst = (max(losses) - min(losses), epochs[0].epoch)
    return worst


def spaced(number: int) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,}".replace(",", " ")


def line_of(epoch: Epoch, epochs: int) -> str:
    """Return an epoch as a line."""
    return epoch.line(epochs)


def ending(trained: TrainedNetwork, epochs: int) -> str:
    """Say in a line how training ended."""
    history = trained.history
    how = "trained"
    if history.interrupted:
        how = "interrupted after"
    elif history.stopped_early:
        how = "stopped early after"
    kept = f"; weights of epoch {history.best_epoch} kept" if history.best_epoch is not None else ""
    ran = f"{len(history.epochs)} of {epochs} epochs in {trained.seconds:.1f} s"
    return f"{trained.engine}: {how} {ran}{kept}"
