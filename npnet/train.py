"""The training loop: one for everything that learns.

`fit` trains a model of npnet. What it does is `run`, which knows nothing of models: it asks an `Engine`
to learn from a minibatch and to judge one, and does everything around that, the same way for every
engine: shuffling, counting, early stopping, keeping the best weights, ending cleanly when interrupted.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet._progress import Bar
from npnet.data import ArrayDataset, Dataset, Splits, minibatches
from npnet.errors import InputError
from npnet.nn import Gradients, Layer, Loss
from npnet.optim import Optimizer, Schedule

# Forward and backward for one minibatch, without the update: the model, the loss, x, target and a source of
# noise go in; the loss, the model's outputs and the gradients by parameter name come out.
Step = Callable[[Layer, Loss, ndarray, ndarray, Generator], tuple[float, ndarray, Gradients]]

Data = Splits[Any] | tuple[Dataset, Dataset] | Dataset


# ---- what is learnt from, and how ----------------------------------------------------------------------


@runtime_checkable
class Engine(Protocol):
    """What the loop asks of whatever learns, be it NumPy's work or another library's."""

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""

    @property
    def ignore_index(self) -> int | None:
        """The label that marks what does not count, or None if targets are not class labels."""

    def learn(
        self, x: ndarray, target: ndarray, generator: Generator
    ) -> tuple[float, ndarray, Callable[[], None]]:
        """Return a minibatch's loss per sample and outputs, and the function that learns from it."""

    def predict(self, x: ndarray) -> ndarray:
        """Return the outputs for a minibatch, in evaluation mode."""

    def judge(self, x: ndarray, target: ndarray) -> tuple[float, ndarray]:
        """Return a minibatch's loss per sample and outputs, in evaluation mode."""

    def end_epoch(self) -> None:
        """Do what is due after an epoch, such as changing the learning rate."""

    def weights(self) -> dict[str, Any]:
        """Return copies of all that was learnt."""

    def load(self, weights: dict[str, Any]) -> None:
        """Put weights back that `weights` returned."""


def plain_step(
    model: Layer, loss: Loss, x: ndarray, target: ndarray, generator: Generator
) -> tuple[float, ndarray, Gradients]:
    """Run the whole minibatch forward and backward at once: backpropagation in four lines.

    Examples
    --------
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Linear(3, 2, generator=rng, dtype=np.float64)
    >>> x, target = np.zeros((4, 3)), np.array([0, 1, 0, 1])
    >>> value, y, grads = plain_step(model, nn.CrossEntropyLoss(), x, target, rng)
    >>> y.shape, list(grads)
    ((4, 2), ['weight', 'bias'])
    """
    y, model_backward = model.forward(x, training=True, generator=generator)
    value, loss_backward = loss.forward(y, target)
    _, grads = model_backward(loss_backward(), needs_grad_x=False)
    return float(value), y, grads


class NumPyEngine:
    """The engine of npnet: a model, what it is judged by, and what moves its parameters.

    Parameters
    ----------
    model : Layer
    loss : Loss
        Averages over the minibatch (``reduction="mean"``) or sums.
    optimizer : npnet.optim.Optimizer
        Made with this model's parameters.
    schedule : npnet.optim.Schedule, optional
        Steps after each epoch.
    step : Step
        How a minibatch goes forward and backward.

    Raises
    ------
    InputError
        If the loss gives one value for each sample instead of a number.
    """

    def __init__(
        self,
        model: Layer,
        loss: Loss,
        optimizer: Optimizer,
        schedule: Schedule | None = None,
        step: Step = plain_step,
    ) -> None:
        if getattr(loss, "reduction", "mean") == "none":
            raise InputError("fit: loss must be one number for a minibatch, got reduction='none'")
        self.model, self.loss, self.optimizer, self.schedule = model, loss, optimizer, schedule
        self.step = step

    @property
    def lr(self) -> float:
        """The optimizer's learning rate."""
        return self.optimizer.lr

    @property
    def ignore_index(self) -> int | None:
        """The loss's."""
        return getattr(self.loss, "ignore_index", None)

    def learn(
        self, x: ndarray, target: ndarray, generator: Generator
    ) -> tuple[float, ndarray, Callable[[], None]]:
        """Run forward and backward; the function returned updates the parameters."""
        value, y, grads = self.step(self.model, self.loss, x, target, generator)
        return _per_sample(self.loss, value, target), y, lambda: self.optimizer.step(grads)

    def predict(self, x: ndarray) -> ndarray:
        """Run the model in evaluation mode, over threads where the step has a way to."""
        predict = getattr(self.step, "predict", None)
        y: ndarray = self.model(x) if predict is None else predict(self.model, x)
        return y

    def judge(self, x: ndarray, target: ndarray) -> tuple[float, ndarray]:
        """Run model and loss forward in evaluation mode."""
        y = self.predict(x)
        return _per_sample(self.loss, float(self.loss(y, target)), target), y

    def end_epoch(self) -> None:
        """Step the schedule."""
        if self.schedule is not None:
            self.schedule.step()

    def weights(self) -> dict[str, ndarray]:
        """Return copies of parameters and buffers."""
        return self.model.state_dict()

    def load(self, weights: dict[str, Any]) -> None:
        """Put parameters and buffers back."""
        self.model.load_state_dict(weights)


def _per_sample(loss: Loss, value: float, target: ndarray) -> float:
    """Return an average, of which those of several minibatches can be averaged again."""
    return value / len(target) if getattr(loss, "reduction", "mean") == "sum" else value


# ---- what is remembered --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave. Accuracies are in 0…1, and None where targets are not class labels.

    Loss and accuracy in training are measured while the weights still move, with dropout in place, over
    all minibatches of the epoch; in validation afterwards, in evaluation mode.
    """

    epoch: int  # counted from 1
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    lr: float
    seconds: float  # of training, validation apart
    images_per_second: float


@dataclass
class History:
    """What training gave, epoch by epoch, and how it ended."""

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int | None = None  # whose weights the model has now; None: those of the last step
    interrupted: bool = False
    stopped_early: bool = False


@dataclass
class Tally:
    """Sums over the minibatches of one pass through the data."""

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
    """

    generator: Generator  # shuffles
    noise: Generator  # is what layers draw from: apart, so that the order of the data depends on no layer
    epoch: int = 0  # finished ones
    step: int = 0  # minibatches done in the epoch under way
    tally: Tally = field(default_factory=Tally)
    best_loss: float = math.inf
    best_weights: dict[str, Any] | None = None
    history: History = field(default_factory=History)

    @property
    def epochs_since_best(self) -> int:
        """How many epochs have finished without a better validation loss."""
        return self.epoch - (self.history.best_epoch or 0)


# ---- the loop ------------------------------------------------------------------------------------------


def fit(
    model: Layer,
    loss: Loss,
    optimizer: Optimizer,
    data: Data,
    *,
    epochs: int,
    batch_size: int,
    generator: Generator,
    schedule: Schedule | None = None,
    patience: int | None = None,
    step: Step = plain_step,
    progress: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[State], None] | None = None,
) -> History:
    """Train a model: for each minibatch, forward, loss, backward, update.

    After each epoch the validation part is judged, and in the end the model has the weights of the epoch
    with the lowest validation loss; without validation data it keeps those of the last step.

    Ctrl-C ends training after the step under way, and the history says `interrupted`; a second Ctrl-C
    does not wait for the step. Either way the model keeps what it learnt.

    Parameters
    ----------
    model : Layer
    loss : Loss
    optimizer : optimizer of `npnet.optim`
        Made with ``model.parameters``.
    data : Splits, or (training, validation), or one data set
        A data set is anything with ``__len__`` and ``__getitem__`` that gives pairs (x, target).
    epochs, batch_size : int
    generator : numpy.random.Generator
        Shuffles the training data anew for each epoch, and seeds the noise of dropout. The same seed
        gives the same bits.
    schedule : schedule of `npnet.optim`, optional
        Steps after each epoch.
    patience : int, optional
        Stop early after so many epochs without a lower validation loss.
    step : Step
        How a minibatch goes forward and backward; `plain_step` takes it whole.
    progress : bool
        Whether to show a bar, which needs standard error to be a terminal.
    on_epoch : callable, optional
        Called with each `Epoch` as it is finished.
    on_step : callable, optional
        Called with the `State` after each update.

    Returns
    -------
    history : History

    Raises
    ------
    InputError
        Before training begins, if the data is empty, or the samples do not fit the model or the labels
        its outputs. During training, if the loss is no longer a number; the model then has its best
        weights so far.

    Examples
    --------
    A line through noisy points:

    >>> from npnet import nn, optim
    >>> from npnet.data import ArrayDataset
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(100, 1))
    >>> points = ArrayDataset(x, 2 * x + 1 + rng.normal(scale=0.01, size=x.shape))
    >>> model = nn.Linear(1, 1, generator=rng, dtype=np.float64)
    >>> sgd = optim.SGD(model.parameters, lr=0.1)
    >>> history = fit(model, nn.MSELoss(), sgd, points, epochs=20, batch_size=10, generator=rng)
    >>> float(model.weight[0, 0].round(1)), float(model.bias[0].round(1)), len(history.epochs)
    (2.0, 1.0, 20)
    """
    return run(
        NumPyEngine(model, loss, optimizer, schedule, step),
        data,
        epochs=epochs,
        batch_size=batch_size,
        generator=generator,
        patience=patience,
        progress=progress,
        on_epoch=on_epoch,
        on_step=on_step,
    )


def run(
    engine: Engine,
    data: Data,
    *,
    epochs: int,
    batch_size: int,
    generator: Generator,
    patience: int | None = None,
    progress: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[State], None] | None = None,
) -> History:
    """Train by means of any engine; everything else is as in `fit`.

    Two engines run with equal arguments and generators of equal seeds see the same minibatches.
    """
    training, validation = _parts(data)
    _check_settings(training, validation, epochs, batch_size, generator, patience)
    for name, part in (("training", training), ("validation", validation)):
        if part is not None:
            _check_fits(engine, name, part, batch_size)

    noise = np.random.default_rng(generator.integers(0, 2**63, size=4))
    state = State(generator, noise)
    history = state.history
    bar = Bar(epochs, len(training), enabled=progress)
    # A number too large is met by the check of the loss, not by a warning of NumPy's.
    with _interrupts_wait() as stop_if_asked, np.errstate(over="ignore", invalid="ignore"):
        try:
            while state.epoch < epochs and not history.stopped_early:
                lr = engine.lr
                seconds = _learn_epoch(engine, training, batch_size, state, bar, stop_if_asked, on_step)
                judged = Tally()
                if validation is not None:
                    judged = judge(engine, validation, batch_size, stop_if_asked)
                    _check_finite(judged.loss, engine, state, "validation loss")
                finished = _finish_epoch(engine, state, judged, lr, seconds)
                history.stopped_early = patience is not None and state.epochs_since_best >= patience
                if on_epoch is not None:
                    bar.clear()
                    on_epoch(finished)
                stop_if_asked()
        except KeyboardInterrupt:
            history.interrupted = True
        finally:
            bar.clear()
            if state.best_weights is not None:
                engine.load(state.best_weights)
    return history


def _learn_epoch(
    engine: Engine,
    training: Dataset,
    batch_size: int,
    state: State,
    bar: Bar,
    stop_if_asked: Callable[[], None],
    on_step: Callable[[State], None] | None,
) -> float:
    """Learn from each minibatch once and return how many seconds it took."""
    began = time.perf_counter()
    state.step, state.tally = 0, Tally()
    tally = state.tally
    for x, target in minibatches(training, batch_size, state.generator):
        loss, y, update = engine.learn(x, target, state.noise)
        _check_finite(loss, engine, state, "loss")
        update()
        state.step += 1
        tally.add(loss, y, target, engine.ignore_index)
        if on_step is not None:
            on_step(state)
        per_second = tally.seen / (time.perf_counter() - began)
        bar.show(state.epoch + 1, tally.seen, per_second, tally.loss, tally.accuracy)
        stop_if_asked()
    return time.perf_counter() - began


def judge(
    engine: Engine,
    dataset: Dataset,
    batch_size: int = 256,
    stop_if_asked: Callable[[], None] = lambda: None,
) -> Tally:
    """Pass once through a data set in evaluation mode, by means of any engine.

    Parameters
    ----------
    engine : Engine
    dataset : data set
    batch_size : int
        Bears on memory and speed alone.
    stop_if_asked : callable
        Called after each minibatch; it may raise.

    Returns
    -------
    tally : Tally
        With loss and accuracy.

    Raises
    ------
    InputError
        If the data set is empty or does not fit.
    """
    tally = Tally()
    for x, target in minibatches(dataset, batch_size):
        loss, y = engine.judge(x, target)
        tally.add(loss, y, target, engine.ignore_index)
        stop_if_asked()
    return tally


def _finish_epoch(engine: Engine, state: State, judged: Tally, lr: float, seconds: float) -> Epoch:
    """Write the epoch into the history, keep its weights if they are the best, step the schedule."""
    state.epoch += 1
    epoch = Epoch(
        epoch=state.epoch,
        train_loss=state.tally.loss,
        train_accuracy=state.tally.accuracy,
        validation_loss=judged.loss if judged.seen else None,
        validation_accuracy=judged.accuracy,
        lr=lr,
        seconds=seconds,
        images_per_second=state.tally.seen / seconds,
    )
    state.history.epochs.append(epoch)
    if epoch.validation_loss is not None and epoch.validation_loss < state.best_loss:
        state.best_loss, state.best_weights = epoch.validation_loss, engine.weights()
        state.history.best_epoch = state.epoch
    engine.end_epoch()
    return epoch


def evaluate(model: Layer, loss: Loss, dataset: Dataset, batch_size: int = 256) -> tuple[float, float | None]:
    """Return loss and accuracy of a model on a data set, in evaluation mode.

    Parameters
    ----------
    model : Layer
    loss : Loss
    dataset : data set
    batch_size : int
        Bears on memory and speed alone.

    Returns
    -------
    loss : float
    accuracy : float in 0…1, or None
        None where targets are not class labels.

    Raises
    ------
    InputError
        If the data set is empty or does not fit the model.
    """
    tally = Tally()
    for x, target in minibatches(dataset, batch_size):
        y = model(x)
        value = _per_sample(loss, float(loss(y, target)), target)
        tally.add(value, y, target, getattr(loss, "ignore_index", None))
    return tally.loss, tally.accuracy


def predict(model: Layer, dataset: Dataset, batch_size: int = 256) -> ndarray:
    """Return the model's outputs for every sample of a data set, in evaluation mode and in order.

    Raises
    ------
    InputError
        If the data set is empty or does not fit the model.
    """
    return np.concatenate([model(x) for x, _ in minibatches(dataset, batch_size)])


# ---- checks --------------------------------------------------------------------------------------------


def _parts(data: Data) -> tuple[Dataset, Dataset | None]:
    """Return the training part and, where there is one, the validation part."""
    if isinstance(data, Splits):
        validation = data.validation
        return data.train, validation if validation is not None and len(validation) else None
    if isinstance(data, tuple) and not hasattr(data, "_fields"):
        if len(data) != 2 or any(isinstance(part, ndarray) for part in data):
            raise InputError(
                "fit: data must be splits, a data set, or a pair (training, validation) of data sets; "
                "make one of arrays by npnet.data.ArrayDataset(x, y)"
            )
        return data
    return data, None


def _check_settings(
    training: Dataset,
    validation: Dataset | None,
    epochs: int,
    batch_size: int,
    generator: Generator,
    patience: int | None,
) -> None:
    for name, part in (("training", training), ("validation", validation)):
        if part is not None and not len(part):
            raise InputError(f"fit: the {name} data must not be empty, got 0 samples")
    for name, number in (("epochs", epochs), ("batch_size", batch_size), ("patience", patience)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise InputError(f"fit: {name} must be a positive integer, got {number!r}")
    if not isinstance(generator, Generator):
        raise InputError(f"fit: generator must be a numpy.random.Generator, got {type(generator).__name__}")
    if patience is not None and validation is None:
        raise InputError("fit: patience needs validation data to judge by, got none")


def _check_fits(engine: Engine, name: str, part: Dataset, batch_size: int) -> None:
    """Meet what does not fit before anything is learnt: try one minibatch, and look at all labels."""
    x, target = next(iter(minibatches(part, min(batch_size, len(part)))))
    labels = part.y if isinstance(part, ArrayDataset) else target
    y = engine.predict(x)
    if engine.ignore_index is not None and labels.dtype.kind in "iu" and y.ndim >= 2:
        # The loss would refuse them too, but later, and without saying where in the data set they stand.
        _check_labels(name, labels, y.shape[1], engine.ignore_index)
    engine.judge(x, target)


def _check_labels(name: str, labels: ndarray, outputs: int, ignore_index: int) -> None:
    signed = labels.astype(np.int64)
    wrong = np.argwhere(((signed < 0) | (signed >= outputs)) & (signed != ignore_index))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise InputError(
            f"fit: {name} labels must be in 0…{outputs - 1}, as the model has {outputs} outputs, "
            f"got {signed[place]} at index {place[0] if len(place) == 1 else place}"
        )


def _check_finite(loss: float, engine: Engine, state: State, what: str) -> None:
    if math.isfinite(loss):
        return
    kept = state.history.best_epoch
    raise InputError(
        f"fit: the {what} became {loss} in epoch {state.epoch + 1}, after step {state.step}; "
        f"try a smaller learning rate (it was {engine.lr:g}), and inputs of mean 0 and deviation 1"
        + (f". The model has the weights of epoch {kept}" if kept else "")
    )


# ---- Ctrl-C --------------------------------------------------------------------------------------------


@contextmanager
def _interrupts_wait() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C wait until the loop asks, so that no update is left half done.

    Yields the function by which the loop asks; it raises KeyboardInterrupt if Ctrl-C was pressed. A
    second Ctrl-C does not wait. Signals are left alone outside the main thread, where Python does not
    deliver them, and where the program has a handler of its own.
    """
    asked = threading.Event()

    def stop_if_asked() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    def remember(_signal: int, _frame: FrameType | None) -> None:
        stop_if_asked()
        asked.set()

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, remember)
    try:
        yield stop_if_asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
