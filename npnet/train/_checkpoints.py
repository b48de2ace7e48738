"""Saving and restoring the state of a run."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.random import Generator

from npnet.errors import InputError
from npnet.train.checkpoint import CheckpointFolder, history_from
from npnet.train.description import differences
from npnet.train.engine import Engine, ResumableEngine
from npnet.train.state import Fallback, RunningMetrics, State

SHARE = 0.02  # of the time of a run that checkpoints after epochs may take


class Checkpoints:
    """The checkpoints of a run: none without a folder.

    Within a ``with`` block the folder is locked against other runs.

    Parameters
    ----------
    folder : path or None
    engine : Engine
        Is saved and restored with its own state.
    state : State
        The loop's, likewise.
    description : dict
        What must be the same for a run to be resumed.
    seconds : float
        Time from one checkpoint to the next within an epoch.
    steps : int
        Steps of an epoch.
    """

    def __init__(
        self,
        folder: Path | None,
        engine: Engine,
        state: State,
        description: Mapping[str, Any],
        seconds: float,
        steps: int,
    ) -> None:
        self.folder = None if folder is None else CheckpointFolder(folder)
        self.engine, self.state, self.steps, self.seconds = engine, state, steps, seconds
        self.description = dict(description)
        self._saved: tuple[int, int, int] | None = None  # epoch, step, and epochs reported
        self._path: Path | None = None
        self._due = time.monotonic() + seconds  # within an epoch
        self._affordable = 0.0  # after one
        self._writes = self.folder is not None and getattr(engine, "rank", 0) == 0

    def __enter__(self) -> Checkpoints:  # noqa: PYI034 - the run-time shape checks cannot resolve Self
        if self.folder is not None and self._writes:
            self.folder.open()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.folder is not None:
            self.folder.close()

    # ---- saving ------------------------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint within an epoch."""
        return self._writes and time.monotonic() >= self._due

    @property
    def affordable(self) -> bool:
        """Whether a checkpoint after an epoch would take no more than a small share of the time."""
        return time.monotonic() >= self._affordable

    def save(self) -> None:
        """Write a checkpoint, unless the last one is of this very state.

        Raises
        ------
        InputError
            If it cannot be written; the message says what is on disk.
        """
        state = self.state
        position = (state.epoch, state.step, state.reported)
        if self.folder is None or not self._writes or position == self._saved:
            return
        began = time.monotonic()
        try:
            self._path = self.folder.write(self._tree(), state.epoch * self.steps + state.step)
        except InputError as error:
            reason = str(error).removeprefix("save: ")
            raise InputError(
                f"fit: the checkpoint after {_place(*position[:2])}: {reason}. {self.safe}"
            ) from None
        ended = time.monotonic()
        self._saved, self._due = position, ended + self.seconds
        self._affordable = ended + (ended - began) / SHARE

    @property
    def safe(self) -> str:
        """What is on disk, in words; empty if there are to be no checkpoints.

        The checkpoint of the beginning does not count: it holds nothing that was learnt, and who keeps the
        folder may remove it with that.
        """
        if self.folder is None:
            return ""
        if self._path is None or self._saved is None or self._saved[:2] == (0, 0):
            return "Nothing that was learnt is on disk"
        return f"The checkpoint after {_place(*self._saved[:2])} is safe in {self._path}"

    def _tree(self) -> dict[str, Any]:
        """Return the state of the whole run."""
        state, engine = self.state, self.engine
        assert isinstance(engine, ResumableEngine)
        return {
            "description": self.description,
            "optimizer": engine.description().get("optimizer"),  # schedules and callbacks change its settings
            "engine": engine.state_dict(),
            "generator": state.generator.bit_generator.state,
            "noise": state.noise.bit_generator.state,
            "epoch_start": state.epoch_start,
            "epoch": state.epoch,
            "step": state.step,
            "reported": state.reported,
            "lr": state.lr,
            "seconds": state.seconds,
            "metrics": asdict(state.metrics),
            "best_loss": state.best_loss,
            "best_weights": state.best_weights,
            "fallback": vars(state.fallback),
            "history": asdict(state.history),
        }

    # ---- restoring ---------------------------------------------------------------------------------

    def restore(self) -> list[str]:
        """Restore the newest checkpoint, if there is one, and return lines about it.

        Raises
        ------
        InputError
            If all checkpoints are damaged, or the newest is of another run; the model is left as it was.
        """
        found = None if self.folder is None else self.folder.newest()
        if self.folder is None or found is None:
            return []
        tree, path = found
        self._require_same_run(tree, path)
        weights = self.engine.weights()
        try:
            self._restore(tree)
        except (InputError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            self.engine.load_weights(weights)
            raise InputError(f"fit: checkpoint {path} does not fit this run: {error}") from None
        self._path, self._saved = path, (self.state.epoch, self.state.step, self.state.reported)
        lines = [f"resumed after {_place(self.state.epoch, self.state.step)} from {path}"]
        if self._writes:
            lines += [f"damaged, kept as {aside}" for aside in self.folder.set_aside_after(path)]
        return lines

    def require_none(self) -> None:
        """Refuse to begin a run where another one has left its checkpoints."""
        if self.folder is not None and self._writes and self.folder.files():
            raise InputError(
                f"fit: checkpoint folder {self.folder.path} holds a run already; resume=True "
                "continues it, another folder begins a new run"
            )

    def _require_same_run(self, tree: dict[str, Any], path: Path) -> None:
        saved = tree.get("description")
        if not isinstance(saved, dict):
            raise InputError(f"fit: checkpoint {path} does not say of which run it is")
        now = self.description
        if now.get("optimizer") == tree.get("optimizer"):  # the very optimizer that was at work
            saved = {**saved, "optimizer": now.get("optimizer")}
        if different := differences(saved, now):
            raise InputError(
                f"fit: checkpoint {path} is of another run: {'; '.join(different)}. Resume with what it was "
                "made with, or begin a new run in another folder"
            )
        self.description = tree["description"]

    def _restore(self, tree: dict[str, Any]) -> None:
        """Take over a state; the engine, which may refuse it, comes first."""
        state, engine = self.state, self.engine
        assert isinstance(engine, ResumableEngine)
        generator, noise = _checked(state.generator, tree["generator"]), _checked(state.noise, tree["noise"])
        if tree["epoch_start"] is not None:
            _checked(state.generator, tree["epoch_start"])
        history, metrics = history_from(tree["history"]), RunningMetrics(**tree["metrics"])
        history.interrupted = history.stopped_by_callback = history.diverged = False
        fallback = Fallback(**tree["fallback"])
        engine.load_state_dict(tree["engine"])
        state.generator.bit_generator.state, state.noise.bit_generator.state = generator, noise
        state.history, state.metrics, state.fallback = history, metrics, fallback
        for name in (
            "epoch_start",
            "epoch",
            "step",
            "reported",
            "lr",
            "seconds",
            "best_loss",
            "best_weights",
        ):
            setattr(state, name, tree[name])


def _checked(generator: Generator, saved: Any) -> Any:
    """Return a saved state of a generator, having tried it on a copy."""
    copied = copy.deepcopy(generator.bit_generator)
    kind, was = copied.state["bit_generator"], saved.get("bit_generator")
    if kind != was:
        raise InputError(f"generator is a {kind}, was a {was}")
    copied.state = saved
    return saved


def _place(epoch: int, step: int) -> str:
    return f"epoch {epoch}, step {step}" if step else f"epoch {epoch}"
