"""A trained network, and how training is told to people."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from npnet import nn
from npnet._words import counted
from npnet.data import Splits
from npnet.errors import InputError
from npnet.run import MODEL, RunFolder
from npnet.saved import save
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
    def samples_per_second(self) -> float:
        """How many were learnt from in a second, over all finished epochs."""
        epochs = self.history.epochs
        samples = sum(epoch.samples_per_second * epoch.seconds for epoch in epochs)
        return samples / sum(epoch.seconds for epoch in epochs) if epochs else 0.0

    def values(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "epochs": len(self.history.epochs),
            "best_epoch": self.history.best_epoch,
            "stopped_early": self.history.stopped_early,
            "seconds": round(self.seconds, 3),
            "samples_per_second": round(self.samples_per_second, 1),
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
    ran = f"{len(history.epochs)} of {counted(epochs, 'epoch')} in {trained.seconds:.1f} s"
    return f"{trained.engine}: {how} {ran}{kept}"


class Due:
    """Which epochs are told to people: of very many not all, but one in ten seconds at least.

    Examples
    --------
    >>> due = Due(1000)
    >>> [epoch for epoch in range(1, 41) if due.now(epoch)]
    [1, 10, 20, 30, 40]
    """

    SECONDS = 10.0

    def __init__(self, epochs: int) -> None:
        self.epochs, self.every = epochs, max(1, epochs // 100)
        self._last = time.perf_counter()

    def now(self, epoch: int) -> bool:
        """Tell whether an epoch is told."""
        long_ago = time.perf_counter() - self._last >= self.SECONDS
        if epoch % self.every and epoch not in (1, self.epochs) and not long_ago:
            return False
        self._last = time.perf_counter()
        return True


@contextmanager
def weights_kept(
    model: nn.Layer, splits: Splits[Any], folder: RunFolder, file: str = MODEL
) -> Iterator[None]:
    """Write what a model has learnt if training it ends in an error after an epoch or more.

    Training has put the best weights so far back into the model by then. Weights of another network that the
    file holds already stay.
    """
    before = folder.noted
    try:
        yield
    except BaseException:
        if folder.noted > before:
            with suppress(InputError):  # the error under way may be that nothing can be written
                if not (folder.path / file).exists():
                    save(folder.path / file, model, splits)
        raise
