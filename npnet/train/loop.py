"""The loop: shuffling, counting, early stopping, keeping the best weights, ending cleanly."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.check import flag
from npnet.data import Dataset, minibatches
from npnet.nn import Layer, Loss
from npnet.optim import Optimizer, Schedule
from npnet.train._checks import Data, check_finite, check_fits, check_settings, parts
from npnet.train._interrupt import interrupts_wait
from npnet.train._progress import Bar
from npnet.train.engine import Engine, NumPyEngine, Step, per_sample, plain_step
from npnet.train.history import Epoch, History, State, Tally


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
    keep_best: bool = True,
    step: Step = plain_step,
    progress: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[State], None] | None = None,
) -> History:
    """Train a model: for each minibatch, forward, loss, backward, update.

    After each epoch the validation part is judged, and in the end the model has the weights of the epoch
    with the lowest validation loss; without validation data, or with ``keep_best=False``, it keeps those of
    the last step.

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
    keep_best : bool
        Whether the model ends with the weights of its best epoch; if not, with those of the last one.
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
        keep_best=keep_best,
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
    keep_best: bool = True,
    progress: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[State], None] | None = None,
) -> History:
    """Train by means of any engine; everything else is as in `fit`.

    Two engines run with equal arguments and generators of equal seeds see the same minibatches.

    Parameters
    ----------
    engine : Engine
    data, epochs, batch_size, generator, patience, keep_best, progress, on_epoch, on_step
        As in `fit`.

    Returns
    -------
    history : History

    Raises
    ------
    InputError
        As in `fit`.
    """
    keep_best = flag("fit", "keep_best", keep_best)
    training, validation = parts(data)
    check_settings(training, validation, epochs, batch_size, generator, patience)
    for name, part in (("training", training), ("validation", validation)):
        if part is not None:
            check_fits(engine, name, part, batch_size)

    noise = np.random.default_rng(generator.integers(0, 2**63, size=4))
    state = State(generator, noise)
    history = state.history
    bar = Bar(epochs, len(training), enabled=progress)
    # A number too large is met by the check of the loss, not by a warning of NumPy's.
    with interrupts_wait() as stop_if_asked, np.errstate(over="ignore", invalid="ignore"):
        try:
            while state.epoch < epochs and not history.stopped_early:
                lr = engine.lr
                seconds = _learn_epoch(engine, training, batch_size, state, bar, stop_if_asked, on_step)
                judged = Tally()
                if validation is not None:
                    judged = judge(engine, validation, batch_size, stop_if_asked)
                    check_finite(judged.loss, engine, state, "validation loss")
                finished = _finish_epoch(engine, state, judged, lr, seconds)
                history.stopped_early = patience is not None and state.epochs_since_best >= patience
                if on_epoch is not None:
                    bar.clear()
                    on_epoch(finished)
                stop_if_asked()
        except KeyboardInterrupt:
            history.interrupted = True
        except Exception:
            keep_best = True  # the last weights are those that failed
            raise
        finally:
            bar.clear()
            if not keep_best:
                history.best_epoch = None
            elif state.best_weights is not None:
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
        check_finite(loss, engine, state, "loss")
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
        value = per_sample(loss, float(loss(y, target)), target)
        tally.add(value, y, target, getattr(loss, "ignore_index", None))
    return tally.loss, tally.accuracy


def predict(model: Layer, dataset: Dataset, batch_size: int = 256) -> ndarray:
    """Return the model's outputs for every sample of a data set, in evaluation mode and in order.

    Parameters
    ----------
    model : Layer
    dataset : data set
    batch_size : int
        Bears on memory and speed alone.

    Returns
    -------
    y : array, shape (n, *outputs)

    Raises
    ------
    InputError
        If the data set is empty or does not fit the model.
    """
    return np.concatenate([model(x) for x, _ in minibatches(dataset, batch_size)])
