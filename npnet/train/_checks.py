"""What training asks of its settings before it begins, and of its loss while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet import check
from npnet.data import Dataset
from npnet.errors import InputError
from npnet.train._data import check_samples_finite
from npnet.train._progress import ProgressMode
from npnet.train.engine import Engine
from npnet.train.history import RunningMetrics, State


@dataclass(frozen=True)
class Settings:
    """The numbers and callbacks of a run, as plain Python has them."""

    epochs: int
    batch_size: int
    generator: Generator
    patience: int | None
    keep_best: bool
    drop_last: bool
    progress: ProgressMode
    on_epoch: Callable[..., Any] | None
    on_step: Callable[..., Any] | None
    on_backward: Callable[..., Any] | None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            self._put(name, check.integer("fit", name, getattr(self, name), least=1))
        if self.patience is not None:
            self._put("patience", check.integer("fit", "patience", self.patience, least=1))
        for name in ("keep_best", "drop_last"):
            self._put(name, check.flag("fit", name, getattr(self, name)))
        if not (isinstance(self.progress, str) and self.progress == "bar"):
            self._put("progress", check.flag("fit", "progress", self.progress))
        for name in ("on_epoch", "on_step", "on_backward"):
            if getattr(self, name) is not None:
                check.function("fit", name, getattr(self, name))

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


def generator_of(generator: Any) -> Generator:
    """Return a source of randomness: the one given, or one of the seed given, which is 0 by default."""
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


def check_patience(patience: int | None, validation: Dataset | None) -> None:
    """Require something to be patient by."""
    if patience is not None and validation is None:
        raise InputError("fit: patience needs validation data to judge by, got none")


def check_finite(loss: float, engine: Engine, state: State, what: str, part: Dataset) -> None:
    """Require a loss that is a number; training on would only lose what was learnt."""
    if math.isfinite(loss):
        return
    check_samples_finite("training" if what == "loss" else "validation", part)
    state.history.diverged = True
    kept = state.history.best_epoch or state.fallback.epoch
    raise InputError(
        f"fit: the {what} became {loss} in epoch {state.epoch + 1}, after step {state.step}; "
        f"try a smaller learning rate (it was {engine.lr:g}), and inputs of mean 0 and deviation 1. "
        f"The model has the weights {f'of epoch {kept}' if kept else 'it began with'}"
    )


def check_counted(tally: RunningMetrics, what: str) -> None:
    """Require that something in a pass through the data counted."""
    if not tally.divisor:
        raise InputError(
            f"fit: the {what} data must hold a label that counts, got labels that are all ignored, or whose "
            "classes have the weight 0"
        )
