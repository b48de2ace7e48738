"""The settings of a run, checked before it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet import check
from npnet.data import Dataset
from npnet.errors import InputError
from npnet.train._progress import ProgressMode
from npnet.train.recorder import Recorder
from npnet.train.state import RunningMetrics


@dataclass(frozen=True)
class Settings:
    """The numbers and callbacks of a run, as plain Python types."""

    epochs: int
    batch_size: int
    generator: Generator
    seed: int | None
    patience: int | None
    keep_best: bool
    drop_last: bool
    checkpoint: Path | None
    resume: bool
    checkpoint_seconds: float
    detect_anomaly: bool
    progress: ProgressMode
    on_epoch: Callable[..., Any] | None
    on_step: Callable[..., Any] | None
    on_backward: Callable[..., Any] | None
    recorder: Recorder | None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            self._put(name, check.integer("fit", name, getattr(self, name), least=1))
        if self.patience is not None:
            self._put("patience", check.integer("fit", "patience", self.patience, least=1))
        for name in ("keep_best", "drop_last", "resume", "detect_anomaly"):
            self._put(name, check.flag("fit", name, getattr(self, name)))
        seconds = check.number("fit", "checkpoint_seconds", self.checkpoint_seconds, above=0.0)
        self._put("checkpoint_seconds", seconds)
        if self.resume and self.checkpoint is None:
            raise InputError("fit: resume=True needs checkpoint, the folder to go on from, got none")
        if not (isinstance(self.progress, str) and self.progress == "bar"):
            self._put("progress", check.flag("fit", "progress", self.progress))
        for name in ("on_epoch", "on_step", "on_backward"):
            if getattr(self, name) is not None:
                check.function("fit", name, getattr(self, name))
        if self.recorder is not None:
            check.instance("fit", "recorder", self.recorder, Recorder, "a train.Recorder()")

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def description(self) -> dict[str, Any]:
        """Return the settings that must be the same for a run to be resumed."""
        seed = "in a Generator" if self.seed is None else self.seed
        names = ("batch_size", "patience", "keep_best", "drop_last")
        return {"seed": seed} | {name: getattr(self, name) for name in names}


def generator_of(generator: Any) -> Generator:
    """Return the generator given, or one of the seed given, which is 0 by default."""
    if isinstance(generator, Generator):
        return generator
    if generator is None:
        return np.random.default_rng(0)
    try:
        return np.random.default_rng(check.integer("fit", "generator", generator, least=0))
    except InputError:
        raise InputError(
            "fit: generator must be a numpy.random.Generator, such as np.random.default_rng(0), or a seed, "
            f"an integer of at least 0, got {check.described(generator)}"
        ) from None


def seed_of(generator: Any) -> int | None:
    """Return the seed that `generator_of` uses; None if it was given a generator."""
    return None if isinstance(generator, Generator) else int(generator or 0)


def check_patience(patience: int | None, validation: Dataset | None) -> None:
    """Require validation data for early stopping."""
    if patience is not None and validation is None:
        raise InputError("fit: patience needs validation data to judge by, got none")


def check_epochs_left(finished: int, epochs: int) -> None:
    """Require that a run to be resumed is not longer than asked for."""
    if finished > epochs:
        raise InputError(f"fit: epochs must be at least {finished}, which the checkpoint has, got {epochs}")


def check_counted(metrics: RunningMetrics, what: str) -> None:
    """Require that something in a pass through the data counted."""
    if not metrics.divisor:
        raise InputError(
            f"fit: the {what} data must hold a label that counts, got labels that are all ignored, or whose "
            "classes have the weight 0"
        )
