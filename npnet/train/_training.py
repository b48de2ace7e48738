"""The training loop itself: epochs, steps, validation, early stopping, and what ends it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.data import Dataset, minibatches
from npnet.errors import InputError
from npnet.train._checkpoints import Checkpoints
from npnet.train._checks import Settings, check_counted
from npnet.train._data import check_samples_finite
from npnet.train._progress import Reporter
from npnet.train.anomaly import AnomalyError
from npnet.train.engine import CheckingEngine, Engine
from npnet.train.evaluation import evaluate_engine
from npnet.train.history import Epoch
from npnet.train.state import Fallback, RunningMetrics, State


class Stopped(Exception):  # noqa: N818 - not an error: a callback has asked for it
    """A callback has asked for the end of training."""


@dataclass
class Training:
    """One run: an engine, its data and settings, and the state that changes from step to step."""

    engine: Engine
    training: Dataset
    validation: Dataset | None
    settings: Settings
    state: State
    reporter: Reporter
    checkpoints: Checkpoints
    stop_if_asked: Callable[[], None]

    def run(self) -> None:
        """Train until all epochs are finished, or early stopping ends it."""
        state = self.state
        if state.fallback.weights is None and state.best_weights is None:
            state.fallback.propose(0, -np.inf, self.engine.weights())
        if state.reported < state.epoch:  # the callback had ended the run here
            self._report(state.history.epochs[-1])
        while state.epoch < self.settings.epochs and not state.history.stopped_early:
            self._train_epoch()
            self._report(self._finish_epoch(self._validate()))
            if self.checkpoints.affordable:
                self.save()
            self.stop_if_asked()
        self.save()

    # ---- an epoch ----------------------------------------------------------------------------------

    def _train_epoch(self) -> None:
        """Train on each minibatch once; after a resume, on those that are left."""
        state = self.state
        began = time.perf_counter() - state.seconds
        for x, target in self._minibatches():
            self._step(x, target)
            state.step += 1
            state.seconds = time.perf_counter() - began
            if self.settings.on_step is not None:
                _call(self.settings.on_step, state)
            self.reporter.step(state, state.seconds)
            self.stop_if_asked()
            if self.checkpoints.due:
                self.save()
        check_counted(state.metrics, "training")
        if found := self._bad_weight():
            raise self._diverged(f"the weight {found}")

    def _minibatches(self) -> Iterator[tuple[ndarray, ndarray]]:
        """Return the epoch's remaining minibatches.

        Their order is drawn from the generator at the start of the epoch. To go on within an epoch, the
        generator is set back to that state, draws the same order, and continues from where it was.
        """
        state, settings = self.state, self.settings
        bits = state.generator.bit_generator
        later = bits.state
        resumed = state.epoch_start is not None
        if not resumed:
            state.epoch_start, state.lr = bits.state, self.engine.lr
        bits.state = state.epoch_start
        left = minibatches(
            self.training, settings.batch_size, state.generator, settings.drop_last, start=state.step
        )
        if resumed:
            bits.state = later
        return left

    def _step(self, x: ndarray, target: ndarray) -> None:
        """Run a minibatch forward and backward, and update the parameters."""
        state, engine = self.state, self.engine
        noise = state.noise.bit_generator.state
        try:
            with self._anomalies(wanted=self.settings.detect_anomaly):
                loss, divisor, y, state.grads = engine.forward_backward(x, target, state.noise)
        except AnomalyError as error:
            raise self._diverged(str(error)) from None
        state.metrics.add(loss, divisor, y, target, engine.ignore_index)
        if not divisor:  # nothing in this minibatch counts, so there is nothing to learn from it
            return
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}", (x, target, noise))
        state.fallback.confirm(loss)
        state.loss = loss
        if self.settings.on_backward is not None:
            self.settings.on_backward(state)
        if found := self._not_finite(state.grads):
            raise self._diverged(f"the gradient of {found}", (x, target, noise))
        if self.settings.recorder is None:
            engine.update(state.grads)
        else:
            self.settings.recorder.update(engine, state, x, target)

    def _validate(self) -> RunningMetrics:
        """Evaluate the validation data, if there is any."""
        if self.validation is None:
            return RunningMetrics()
        metrics = evaluate_engine(self.engine, self.validation, self.settings.batch_size, self.stop_if_asked)
        check_counted(metrics, "validation")
        if not math.isfinite(metrics.loss):
            check_samples_finite("validation", self.validation)
            raise self._diverged(f"the validation loss became {metrics.loss}")
        return metrics

    def _finish_epoch(self, validation: RunningMetrics) -> Epoch:
        """Add the epoch to the history, keep its weights if they are the best, step the schedule."""
        state, history = self.state, self.state.history
        state.epoch += 1
        epoch = Epoch(
            epoch=state.epoch,
            train_loss=state.metrics.loss,
            train_accuracy=state.metrics.accuracy,
            validation_loss=validation.loss if validation.seen else None,
            validation_accuracy=validation.accuracy,
            lr=state.lr,
            seconds=state.seconds,
            samples_per_second=state.metrics.seen / state.seconds,
        )
        history.epochs.append(epoch)
        if epoch.validation_loss is None:
            if epoch.train_loss < state.fallback.loss:
                state.fallback.propose(state.epoch, epoch.train_loss, self.engine.weights())
        elif epoch.validation_loss < state.best_loss:
            state.best_loss, state.best_weights = epoch.validation_loss, self.engine.weights()
            state.fallback = Fallback()  # not needed any more
            history.best_epoch = state.epoch
        self.engine.end_epoch()
        state.step, state.metrics, state.seconds, state.epoch_start = 0, RunningMetrics(), 0.0, None
        patience = self.settings.patience
        history.stopped_early = patience is not None and state.epochs_since_best >= patience
        return epoch

    def _report(self, epoch: Epoch) -> None:
        """Show the epoch, and call `on_epoch`."""
        self.reporter.epoch(epoch)
        if self.settings.on_epoch is not None:
            self.reporter.clear()
            _call(self.settings.on_epoch, epoch)
        self.state.reported = epoch.epoch

    # ---- checkpoints, and the weights in the end -----------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint, unless a weight is NaN or ∞: then the last good one stays."""
        if not self._bad_weight():
            self.checkpoints.save()

    def load_best_weights(self) -> None:
        """Load the weights of the lowest validation loss; without one, after divergence, the fallback."""
        state, history = self.state, self.state.history
        if not self.settings.keep_best and not history.diverged:
            history.best_epoch = None
        elif state.best_weights is not None:
            self.engine.load_weights(state.best_weights)
        elif history.diverged and state.fallback.weights is not None:
            history.best_epoch = state.fallback.epoch
            self.engine.load_weights(state.fallback.weights)

    # ---- NaN and ∞ ---------------------------------------------------------------------------------

    def _anomalies(self, *, wanted: bool) -> Any:
        """Return a block in which operations are checked, if that is wanted and the engine can."""
        checks = wanted and isinstance(self.engine, CheckingEngine)
        return self.engine.detect_anomalies() if checks else nullcontext()  # type: ignore[attr-defined]

    def _not_finite(self, arrays: Any) -> str | None:
        """Say which value is the first that is NaN or ∞; None if none is, or the engine cannot tell."""
        return self.engine.first_not_finite(arrays) if isinstance(self.engine, CheckingEngine) else None

    def _bad_weight(self) -> str | None:
        """Say which of the weights that the last step updated is the first that holds NaN or ∞."""
        weights = self.engine.weights() if self.state.grads else {}
        return self._not_finite({name: weights[name] for name in self.state.grads if name in weights})

    def _diverged(self, what: str, minibatch: tuple[ndarray, ndarray, Any] | None = None) -> InputError:
        """Return the error that ends a run with NaN or ∞: where it arose, and which weights are left."""
        state = self.state
        if minibatch is not None:
            check_samples_finite("training", self.training)
        cause = "" if minibatch is None else self._cause(*minibatch)
        state.history.diverged = True
        kept = state.history.best_epoch or state.fallback.epoch
        weights = f"of epoch {kept}" if kept else "it began with"
        first = (
            f"fit: {what} in epoch {state.epoch + 1}, after step {state.step}; try a smaller learning rate "
            f"(it was {self.engine.lr:g}), and inputs of mean 0 and deviation 1"
        )
        sentences = (first, cause, f"The model has the weights {weights}", self.checkpoints.safe)
        return InputError(". ".join(sentence for sentence in sentences if sentence))

    def _cause(self, x: ndarray, target: ndarray, noise: Any) -> str:
        """Run the minibatch once more, with the same noise, and say which operation gave NaN or ∞."""
        self.state.noise.bit_generator.state = noise
        try:
            with self._anomalies(wanted=True):
                self.engine.forward_backward(x, target, self.state.noise)
        except AnomalyError as error:
            return f"It arose in the {error}"
        except Exception:  # noqa: BLE001 - this only adds to an error, and must not replace it
            return ""
        return ""


def _call(callback: Callable[[Any], Any], value: Any) -> None:
    answer = callback(value)
    if isinstance(answer, bool | np.bool_) and answer:
        raise Stopped
