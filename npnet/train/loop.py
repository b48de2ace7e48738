"""The loop: shuffling, counting, early stopping, keeping the best weights, ending cleanly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._quiet import Silence
from npnet.data import Dataset, count_minibatches, minibatches
from npnet.data.convert import as_array, in_dtype, is_array
from npnet.errors import InputError
from npnet.nn import Layer, Loss
from npnet.nn.step import Step, check_loss, check_model
from npnet.optim import Optimizer, Schedule
from npnet.train._checks import Settings, check_counted, check_finite, check_patience, generator_of
from npnet.train._data import Data, check_no_text, check_targets, one_part, parts, prepared
from npnet.train._interrupt import deferred_interrupts
from npnet.train._progress import ProgressMode, Reporter
from npnet.train.engine import Engine, NumPyEngine, batch_result, check_engine, dtype_of, targets_of
from npnet.train.history import Epoch, History, RunningMetrics, State


def fit(
    model: Layer,
    loss: Loss,
    optimizer: Optimizer,
    data: Data,
    *,
    epochs: int = 10,
    batch_size: int = 64,
    generator: Generator | int | None = None,
    schedule: Schedule | None = None,
    patience: int | None = None,
    keep_best: bool = True,
    step: Step | None = None,
    drop_last: bool = False,
    progress: ProgressMode = True,
    on_epoch: Callable[[Epoch], Any] | None = None,
    on_step: Callable[[State], Any] | None = None,
    on_backward: Callable[[State], Any] | None = None,
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
    data : Splits, a data set, (x, y), or a pair (training, validation) of these
        x and y are arrays, frames and series, tensors, or lists of numbers; a bunch of scikit-learn's
        does too. A data set is anything with ``__len__`` and ``__getitem__`` that gives pairs (x, target).
        What is of another dtype than the model is converted, and said.
    epochs : int
        How often to go through the training data.
    batch_size : int
        Samples in a minibatch; the last one is smaller where their number is no multiple of it.
    generator : numpy.random.Generator or int, optional
        Shuffles the training data anew for each epoch, and seeds the noise of dropout. The same seed
        gives the same bits. An int is a seed; it is 0 by default.
    schedule : schedule of `npnet.optim`, optional
        Steps after each epoch.
    patience : int, optional
        Stop early after so many epochs without a lower validation loss.
    keep_best : bool
        Whether the model ends with the weights of its best epoch; if not, with those of the last one.
    step : Step, optional
        How a minibatch goes forward and backward: by default over all cores, as `npnet.parallel.Step` does;
        `npnet.train.plain_step` takes it whole.
    drop_last : bool
        Whether a last minibatch that is not full is left out of each epoch.
    progress : bool or "bar"
        Whether to tell on standard error how it goes: a bar in a terminal or in a notebook, elsewhere a line
        an epoch, and a line about the end. "bar" is the terminal's bar alone.
    on_epoch : callable, optional
        Called with each `Epoch` as it is finished; training ends if it returns True.
    on_step : callable, optional
        Called with the `State` after each update, with the minibatch's ``state.loss`` and ``state.grads``;
        training ends if it returns True, and the epoch under way does not count.
    on_backward : callable, optional
        Called with the `State` between backward and update. It may change the arrays in ``state.grads`` or
        put others there: so gradients are clipped.

    Returns
    -------
    history : History

    Raises
    ------
    InputError
        Before training begins, if the data is empty, holds NaN, or the samples do not fit the model or the
        labels its outputs. During training, if the loss is no longer a number. The model then has the
        weights of the epoch with the lowest validation loss; without validation data, of the epoch with
        the lowest training loss, or those it began with if no epoch made that lower.

    Notes
    -----
    A loss over all data is Σ losses / Σ divisors, whatever the minibatches; see `npnet.nn.Loss.divisor`. A
    minibatch in which nothing counts, such as one whose labels are all ignored, is passed over without
    an update.

    Whatever error ends training, a callback's too, has the history so far: ``error.history``.

    Examples
    --------
    A line through noisy points:

    >>> from npnet import nn, optim
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(100, 1))
    >>> y = 2 * x + 1 + rng.normal(scale=0.01, size=x.shape)
    >>> model = nn.Linear(1, 1, generator=rng, dtype=np.float64)
    >>> sgd = optim.SGD(model.parameters, lr=0.1)
    >>> history = fit(model, nn.MSELoss(), sgd, (x, y), epochs=20, batch_size=10, progress=False)
    >>> float(model.weight[0, 0].round(1)), float(model.bias[0].round(1)), len(history.epochs)
    (2.0, 1.0, 20)

    No gradient above 1, and an end as soon as the loss is low:

    >>> def clip(state):
    ...     for grad in state.grads.values():
    ...         np.clip(grad, -1, 1, out=grad)
    >>> def low_enough(epoch):
    ...     return epoch.train_loss < 0.01
    >>> fit(model, nn.MSELoss(), sgd, (x, y), on_backward=clip, on_epoch=low_enough, progress=False)
    History(1 epoch, training loss 0.0001, stopped by a callback)
    """
    with _over_threads(step) as chosen:
        return run(
            NumPyEngine(model, loss, optimizer, schedule, chosen),
            data,
            epochs=epochs,
            batch_size=batch_size,
            generator=generator,
            patience=patience,
            keep_best=keep_best,
            drop_last=drop_last,
            progress=progress,
            on_epoch=on_epoch,
            on_step=on_step,
            on_backward=on_backward,
        )


@contextmanager
def _over_threads(step: Step | None) -> Iterator[Any]:
    """Give a step, by default one over all cores, whose threads end with the block."""
    if step is not None:
        yield step
        return
    from npnet.parallel import Step as ThreadedStep  # noqa: PLC0415 - import npnet stays light

    with ThreadedStep() as threaded:
        yield threaded


def run(
    engine: Engine,
    data: Data,
    *,
    epochs: int = 10,
    batch_size: int = 64,
    generator: Generator | int | None = None,
    patience: int | None = None,
    keep_best: bool = True,
    drop_last: bool = False,
    progress: ProgressMode = True,
    on_epoch: Callable[[Epoch], Any] | None = None,
    on_step: Callable[[State], Any] | None = None,
    on_backward: Callable[[State], Any] | None = None,
) -> History:
    """Train by means of any engine; everything else is as in `fit`.

    Two engines run with equal arguments and generators of equal seeds see the same minibatches.

    Parameters
    ----------
    engine : Engine
    data, epochs, batch_size, generator, patience, keep_best, drop_last
        As in `fit`.
    progress, on_epoch, on_step, on_backward
        As in `fit`.

    Returns
    -------
    history : History

    Raises
    ------
    InputError
        As in `fit`.
    """
    check_engine("fit", engine)
    source = generator_of(generator)
    settings = Settings(
        epochs, batch_size, source, patience, keep_best, drop_last, progress, on_epoch, on_step, on_backward
    )
    training, validation = parts(data)
    check_patience(settings.patience, validation)
    training, validation, notes = _prepared(engine, training, validation, settings)
    noise = np.random.default_rng(settings.generator.integers(0, 2**63, size=4))
    state = State(settings.generator, noise, history=History(notes=notes))
    # A number too large is met by the check of the loss, not by a warning or an exception of NumPy's.
    with Silence(), deferred_interrupts() as stop_if_asked:
        steps = count_minibatches(training, settings.batch_size, settings.drop_last)
        reporter = Reporter(
            settings.progress, settings.epochs, min(len(training), steps * settings.batch_size)
        )
        reporter.notes(notes)
        try:
            _learn(engine, training, validation, settings, state, reporter, stop_if_asked)
        except KeyboardInterrupt:
            state.history.interrupted = True
        except _Stopped:
            state.history.stopped_by_callback = True
        except BaseException as error:
            vars(error)["history"] = state.history
            raise
        finally:
            reporter.clear()
            _keep_best(engine, state, wanted=settings.keep_best)
        reporter.close(state.history)
    return state.history


def _learn(
    engine: Engine,
    training: Dataset,
    validation: Dataset | None,
    settings: Settings,
    state: State,
    reporter: Reporter,
    stop_if_asked: Callable[[], None],
) -> None:
    """Epoch after epoch, learn from each minibatch, judge the validation part, and remember the best."""
    history = state.history
    state.fallback.offer(0, -np.inf, engine.weights())
    while state.epoch < settings.epochs and not history.stopped_early:
        lr = engine.lr
        seconds = _learn_epoch(engine, training, settings, state, reporter, stop_if_asked)
        judged = RunningMetrics()
        if validation is not None:
            judged = evaluate_engine(engine, validation, settings.batch_size, stop_if_asked)
            check_counted(judged, "validation")
            check_finite(judged.loss, engine, state, "validation loss", validation)
        finished = _finish_epoch(engine, state, judged, lr, seconds)
        history.stopped_early = settings.patience is not None and state.epochs_since_best >= settings.patience
        reporter.epoch(finished)
        if settings.on_epoch is not None:
            reporter.clear()
            _call(settings.on_epoch, finished)
        stop_if_asked()


def _learn_epoch(
    engine: Engine,
    training: Dataset,
    settings: Settings,
    state: State,
    reporter: Reporter,
    stop_if_asked: Callable[[], None],
) -> float:
    """Learn from each minibatch once and return how many seconds it took."""
    began = time.perf_counter()
    state.step, state.tally = 0, RunningMetrics()
    for x, target in minibatches(training, settings.batch_size, state.generator, settings.drop_last):
        loss, divisor, y, state.grads = engine.forward_backward(x, target, state.noise)
        state.tally.add(loss, divisor, y, target, engine.ignore_index)
        if divisor:  # otherwise nothing counts in this minibatch, and there is nothing to learn from it
            check_finite(loss, engine, state, "loss", training)
            state.fallback.confirm(loss)
            state.loss = loss
            if settings.on_backward is not None:
                settings.on_backward(state)
            engine.update(state.grads)
        state.step += 1
        if settings.on_step is not None:
            _call(settings.on_step, state)
        reporter.step(state, time.perf_counter() - began)
        stop_if_asked()
    check_counted(state.tally, "training")
    return time.perf_counter() - began


def _finish_epoch(engine: Engine, state: State, judged: RunningMetrics, lr: float, seconds: float) -> Epoch:
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
        samples_per_second=state.tally.seen / seconds,
    )
    state.history.epochs.append(epoch)
    if epoch.validation_loss is None:
        if epoch.train_loss < state.fallback.loss:
            state.fallback.offer(state.epoch, epoch.train_loss, engine.weights())
    elif epoch.validation_loss < state.best_loss:
        state.best_loss, state.best_weights = epoch.validation_loss, engine.weights()
        state.history.best_epoch = state.epoch
    engine.end_epoch()
    return epoch


def _keep_best(engine: Engine, state: State, *, wanted: bool) -> None:
    """Give the model the weights of the lowest validation loss; without one, after a failure, others."""
    if not wanted and not state.history.diverged:
        state.history.best_epoch = None
    elif state.best_weights is not None:
        engine.load_weights(state.best_weights)
    elif state.history.diverged and state.fallback.weights is not None:
        state.history.best_epoch = state.fallback.epoch
        engine.load_weights(state.fallback.weights)


class _Stopped(Exception):  # noqa: N818 - no error: a callback has asked for it
    """A callback has asked for the end of training."""


def _call(callback: Callable[[Any], Any], value: Any) -> None:
    answer = callback(value)
    if isinstance(answer, bool | np.bool_) and answer:
        raise _Stopped


def _prepared(
    engine: Engine, training: Dataset, validation: Dataset | None, settings: Settings
) -> tuple[Dataset, Dataset | None, list[str]]:
    """Return both parts in the model's dtype, with lines about what was converted."""
    size, drop_last = settings.batch_size, settings.drop_last
    with Silence():
        training, notes = prepared(engine, "training", training, size, drop_last=drop_last)
        if validation is not None:
            validation, more = prepared(engine, "validation", validation, size)
            notes += more
    return training, validation, notes


# ---- judging -------------------------------------------------------------------------------------------


def evaluate_engine(
    engine: Engine,
    dataset: Data,
    batch_size: int = 256,
    stop_if_asked: Callable[[], None] = lambda: None,
) -> RunningMetrics:
    """Pass once through a data set in evaluation mode, by means of any engine.

    Parameters
    ----------
    engine : Engine
    dataset : data set, (x, y), or a bunch
        As in `fit`.
    batch_size : int
        Bears on memory and speed alone.
    stop_if_asked : callable
        Called after each minibatch; it may raise.

    Returns
    -------
    tally : RunningMetrics
        With loss and accuracy.

    Raises
    ------
    InputError
        If the data set is empty or does not fit.
    """
    check_engine("evaluate_engine", engine)
    check.function("evaluate_engine", "stop_if_asked", stop_if_asked)
    batch_size = check.integer("evaluate_engine", "batch_size", batch_size, least=1)
    part, _ = in_dtype(_nonempty("evaluate_engine", dataset), engine.dtype, engine.targets)
    tally = RunningMetrics()
    with Silence():
        for x, target in minibatches(part, batch_size):
            loss, divisor, y, _ = engine.evaluate(x, target)
            tally.add(loss, divisor, y, target, engine.ignore_index)
            stop_if_asked()
    return tally


def evaluate(model: Layer, loss: Loss, dataset: Data, batch_size: int = 256) -> tuple[float, float | None]:
    """Return loss and accuracy of a model on a data set, in evaluation mode.

    Parameters
    ----------
    model : Layer
    loss : Loss
        Whether it averages or sums, its mean over all data is returned: Σ losses / Σ divisors, see
        `npnet.nn.Loss.divisor`.
    dataset : data set, (x, y), or a bunch
        As in `fit`.
    batch_size : int
        Bears on memory and speed alone.

    Returns
    -------
    loss : float
        NaN if nothing counts, as where all labels are ignored.
    accuracy : float in 0…1, or None
        None where targets are not class labels.

    Raises
    ------
    InputError
        If the data set is empty or does not fit the model.
    """
    check_model("evaluate", model)
    check_loss("evaluate", loss)
    batch_size = check.integer("evaluate", "batch_size", batch_size, least=1)
    targets, ignore_index = targets_of(loss), getattr(loss, "ignore_index", None)
    part, _ = in_dtype(_nonempty("evaluate", dataset), dtype_of(model), targets)
    check_no_text("evaluate: dataset's", *next(iter(minibatches(part, 1))))
    tally = RunningMetrics()
    with Silence(), _over_threads(None) as step:
        for x, target in minibatches(part, batch_size):
            y = step.predict(model, x)
            if targets == "numbers" and (*target.shape, 1) == y.shape:
                target = target[:, np.newaxis]
            if not tally.seen:
                check_targets("evaluate: dataset's", part, target, y, targets, ignore_index)
            mean, divisor, *_ = batch_result(loss, float(loss(y, target)), y, target)
            tally.add(mean, divisor, y, target, ignore_index)
    return tally.loss, tally.accuracy


def predict(model: Layer, dataset: Any, batch_size: int = 256) -> ndarray:
    """Return the model's outputs for every sample, in evaluation mode and in order.

    Parameters
    ----------
    model : Layer
    dataset : array, frame, tensor, or data set
        The samples; whatever `fit` takes does too, and its targets are not looked at.
    batch_size : int
        Bears on memory and speed alone.

    Returns
    -------
    y : array, shape (n, *outputs)

    Raises
    ------
    InputError
        If there is no sample, or they do not fit the model.

    Examples
    --------
    >>> from npnet import nn
    >>> predict(nn.ReLU(), np.array([[-1.0], [2.0]]))
    array([[0.],
           [2.]])
    """
    check_model("predict", model)
    batch_size = check.integer("predict", "batch_size", batch_size, least=1)
    if is_array(dataset):
        x = as_array("predict", "dataset", dataset)
        if x.ndim == 0 or not len(x) or x.dtype.kind not in "biuf":
            raise InputError(
                f"predict: dataset must hold the numbers of at least one sample, got {check.described(x)}"
            )
        dataset = (x, np.zeros(len(x), np.int64))
    part, _ = in_dtype(_nonempty("predict", dataset), dtype_of(model))
    with Silence(), _over_threads(None) as step:
        return np.concatenate([step.predict(model, x) for x, _ in minibatches(part, batch_size)])


def _nonempty(owner: str, data: Any) -> Dataset:
    part = one_part(owner, data)
    if not len(part):
        raise InputError(f"{owner}: dataset must hold at least one sample, got an empty one")
    return part
