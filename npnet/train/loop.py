"""Training: `fit` for models of npnet, `run` for any engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet._quiet import Silence
from npnet.data import Dataset, count_minibatches
from npnet.errors import InputError
from npnet.nn import Layer, Loss
from npnet.nn.step import Step
from npnet.optim import Optimizer, Schedule
from npnet.train._checkpoints import Checkpoints
from npnet.train._checks import Settings, check_epochs_left, check_patience, generator_of, seed_of
from npnet.train._data import Data, parts, prepared
from npnet.train._progress import ProgressMode, Reporter
from npnet.train._signals import Interrupted, deferred_signals
from npnet.train._training import Stopped, Training
from npnet.train.checkpoint import folder_of
from npnet.train.description import fingerprint
from npnet.train.engine import Engine, NumPyEngine, ResumableEngine, ScheduleEvery, check_engine
from npnet.train.evaluation import over_threads
from npnet.train.history import Epoch, History
from npnet.train.recorder import Recorder
from npnet.train.state import State


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
    schedule_every: ScheduleEvery = "epoch",
    patience: int | None = None,
    keep_best: bool = True,
    step: Step | None = None,
    drop_last: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 300.0,
    detect_anomaly: bool = False,
    progress: ProgressMode = True,
    on_epoch: Callable[[Epoch], Any] | None = None,
    on_step: Callable[[State], Any] | None = None,
    on_backward: Callable[[State], Any] | None = None,
    recorder: Recorder | None = None,
) -> History:
    """Train a model: for each minibatch, forward, loss, backward, update.

    After each epoch the model is evaluated on the validation data, and in the end it has the weights of the
    epoch with the lowest validation loss. Without validation data, or with ``keep_best=False``, it keeps
    those of the last step.

    Ctrl-C ends training after the current step, and the history says `interrupted`; a second Ctrl-C ends it
    at once. Either way the model keeps what it has learnt.

    Parameters
    ----------
    model : Layer
    loss : Loss
    optimizer : optimizer of `npnet.optim`
        Made with ``model.parameters``.
    data : Splits, a data set, (x, y), or a pair (training, validation) of these
        x and y are arrays, frames and series, tensors, or lists of numbers; a bunch of scikit-learn's
        works too. A data set is anything with ``__len__`` and ``__getitem__`` that gives pairs (x, target).
        Data of another dtype than the model is converted, with a message.
    epochs : int
        Number of passes through the training data.
    batch_size : int
        Samples in a minibatch; the last one is smaller where their number is not a multiple of it.
    generator : numpy.random.Generator or int, optional
        Shuffles the training data for each epoch, and seeds the generator that dropout draws from. The same
        seed gives the same bits. An int is a seed; it is 0 by default.
    schedule : schedule of `npnet.optim`, optional
    schedule_every : "epoch" or "step"
        Whether the schedule steps after each epoch or after each update of the weights.
    patience : int, optional
        Stop early after this many epochs without a lower validation loss.
    keep_best : bool
        Whether the model ends with the weights of its best epoch; if not, with those of the last one.
    step : Step, optional
        How a minibatch is run forward and backward: by default over all cores, as `npnet.parallel.Step`
        does; `npnet.train.plain_step` runs it whole.
    drop_last : bool
        Whether to leave out a last minibatch that is not full.
    checkpoint : path, optional
        A folder for checkpoints of the run. One is written at the start, after each epoch, within long
        epochs every `checkpoint_seconds`, at the end, and when Ctrl-C, SIGTERM or SIGHUP ends the run. If
        epochs are so short that this would cost over 2 % of the time, some are skipped.
    resume : bool
        Whether to go on from the newest checkpoint in the folder. Without a checkpoint there, a new run
        begins.
    checkpoint_seconds : float
        Time between two checkpoints within an epoch.
    detect_anomaly : bool
        Whether to check the result of every operation for NaN and ∞, forward and backward, and stop at the
        first. This takes time. Without it, loss, gradients and weights are checked, and the operation is
        looked for once one of them is not finite.
    progress : bool or "bar"
        Whether to show progress on standard error: a bar in a terminal or in a notebook, elsewhere a line
        for each epoch, and a last line about the end. "bar" is the terminal's bar alone.
    on_epoch : callable, optional
        Called with each `Epoch` after it has finished; training ends if it returns True.
    on_step : callable, optional
        Called with the `State` after each update, with the minibatch's ``state.loss`` and ``state.grads``;
        training ends if it returns True, and the current epoch does not count.
    on_backward : callable, optional
        Called with the `State` between backward and update. It may change the arrays in ``state.grads`` or
        replace them, for example to clip gradients.
    recorder : Recorder, optional
        Records gradients, updates and dead units of some steps, for `npnet.plot` and `npnet.train.diagnose`.

    Returns
    -------
    history : History

    Raises
    ------
    InputError
        Before training begins, if the data is empty, holds NaN, or does not fit model and loss; or if the
        checkpoint folder holds another run, is in use, or cannot be written to. During training, if the loss,
        a gradient or a weight is NaN or ∞, or a checkpoint cannot be written. After NaN or ∞ the model has
        the weights of the epoch with the lowest validation loss, or without validation data the lowest
        training loss. If no epoch has ended, or none has lowered the training loss, it has its initial
        weights.

    Notes
    -----
    A loss over all data is Σ losses / Σ divisors, whatever the minibatches; see `npnet.nn.Loss.divisor`. A
    minibatch in which nothing counts, such as one whose labels are all ignored, is skipped without an update.

    A run that is resumed ends with the same bits as one that was never interrupted, wherever between two
    steps it ended, and with any number of threads. For that it must meet the same data, model, loss,
    optimizer, schedule, batch size, patience and seed as before; a difference is refused and named. Only
    `epochs` may be larger. If `generator` is a Generator, its state is set to that of the checkpoint. A
    killed run repeats at most the steps since its last checkpoint, and calls `on_step` and `on_epoch` again
    for those steps. Callbacks and data sets of your own may keep a state; that is not saved.

    After SIGTERM or SIGHUP a run with checkpoints saves and raises SystemExit with the status 128 + signal.

    Any exception that ends training, also one of a callback, has the history so far: ``error.history``.

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

    Clip gradients to 1, and end as soon as the loss is low:

    >>> def clip(state):
    ...     for grad in state.grads.values():
    ...         np.clip(grad, -1, 1, out=grad)
    >>> def low_enough(epoch):
    ...     return epoch.train_loss < 0.01
    >>> fit(model, nn.MSELoss(), sgd, (x, y), on_backward=clip, on_epoch=low_enough, progress=False)
    History(1 epoch, training loss 0.0001, stopped by a callback)
    """
    with over_threads(step) as chosen:
        return run(
            NumPyEngine(model, loss, optimizer, schedule, chosen, schedule_every),
            data,
            epochs=epochs,
            batch_size=batch_size,
            generator=generator,
            patience=patience,
            keep_best=keep_best,
            drop_last=drop_last,
            checkpoint=checkpoint,
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            detect_anomaly=detect_anomaly,
            progress=progress,
            on_epoch=on_epoch,
            on_step=on_step,
            on_backward=on_backward,
            recorder=recorder,
        )


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
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 300.0,
    detect_anomaly: bool = False,
    progress: ProgressMode = True,
    on_epoch: Callable[[Epoch], Any] | None = None,
    on_step: Callable[[State], Any] | None = None,
    on_backward: Callable[[State], Any] | None = None,
    recorder: Recorder | None = None,
) -> History:
    """Train with any engine; everything else is as in `fit`.

    With equal arguments and seeds, two engines see the same minibatches.

    Parameters
    ----------
    engine : Engine
    data, epochs, batch_size, generator, patience, keep_best, drop_last
        As in `fit`.
    checkpoint, resume, checkpoint_seconds, detect_anomaly
        As in `fit`. Checkpoints need a `ResumableEngine`.
    progress, on_epoch, on_step, on_backward, recorder
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
    settings = Settings(
        epochs=epochs,
        batch_size=batch_size,
        generator=generator_of(generator),
        seed=seed_of(generator),
        patience=patience,
        keep_best=keep_best,
        drop_last=drop_last,
        checkpoint=folder_of(checkpoint),
        resume=resume,
        checkpoint_seconds=checkpoint_seconds,
        detect_anomaly=detect_anomaly,
        progress=progress,
        on_epoch=on_epoch,
        on_step=on_step,
        on_backward=on_backward,
        recorder=recorder,
    )
    training, validation = parts(data)
    check_patience(settings.patience, validation)
    training, validation, notes = _prepared(engine, training, validation, settings)
    noise = np.random.default_rng(settings.generator.integers(0, 2**63, size=4))
    state = State(settings.generator, noise, history=History(notes=notes))
    steps = count_minibatches(training, settings.batch_size, settings.drop_last)
    if settings.recorder is not None:
        settings.recorder.begin(engine, training, steps)
    reporter = Reporter(settings.progress, settings.epochs, min(len(training), steps * settings.batch_size))
    description = _description(engine, settings, training, validation)
    # Silence: overflow and NaN are found by checks, not by warnings or exceptions of NumPy's.
    with (
        Silence(),
        Checkpoints(
            settings.checkpoint, engine, state, description, settings.checkpoint_seconds, steps
        ) as checkpoints,
        deferred_signals(termination=settings.checkpoint is not None) as stop_if_asked,
    ):
        run_ = Training(engine, training, validation, settings, state, reporter, checkpoints, stop_if_asked)
        reporter.notes(notes + _begin(checkpoints, settings))
        signal_number = _carry_out(run_)
    if signal_number not in (None, signal.SIGINT):
        raise SystemExit(128 + signal_number)
    return state.history


def _begin(checkpoints: Checkpoints, settings: Settings) -> list[str]:
    """Resume from a checkpoint, or write the first one, and return lines about it."""
    lines = checkpoints.restore() if settings.resume else []
    if lines:
        check_epochs_left(checkpoints.state.epoch, settings.epochs)
    else:
        checkpoints.require_none()
    return lines


def _carry_out(training: Training) -> int | None:
    """Train to the end, or to what ends it before, and return the signal that did, if one did."""
    history, number = training.state.history, None
    try:
        training.checkpoints.save()
        training.run()
    except KeyboardInterrupt as interrupt:
        history.interrupted = True
        if isinstance(interrupt, Interrupted):  # between two steps
            training.save()
            number = interrupt.number
    except Stopped:
        history.stopped_by_callback = True
        training.save()
    except BaseException as error:
        vars(error)["history"] = history
        raise
    finally:
        training.reporter.clear()
        training.load_best_weights()
    training.reporter.close(history)
    return number


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


def _description(
    engine: Engine, settings: Settings, training: Dataset, validation: Dataset | None
) -> dict[str, Any]:
    """Return what must be the same for a run to be resumed; nothing if there are no checkpoints."""
    if settings.checkpoint is None:
        return {}
    if not isinstance(engine, ResumableEngine):
        raise InputError(
            "fit: checkpoint needs an engine with rank, description, state_dict and load_state_dict, got "
            f"{type(engine).__name__}"
        )
    data = {"training data": fingerprint(training), "validation data": fingerprint(validation)}
    contents = {f"{name} of the {part}": text for part, texts in data.items() for name, text in texts.items()}
    return {**settings.description(), **engine.description(), **contents}
