"""Running a model over a data set in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import Silence
from npnet.data import Dataset, minibatches
from npnet.data.convert import as_array, in_dtype, is_array
from npnet.errors import InputError
from npnet.nn import Layer, Loss
from npnet.nn.step import Step, check_loss, check_model
from npnet.train._data import Data, check_no_text, check_targets, one_part
from npnet.train.engine import Engine, batch_result, check_engine, dtype_of, targets_of
from npnet.train.state import RunningMetrics


def evaluate_engine(
    engine: Engine,
    dataset: Data,
    batch_size: int = 256,
    stop_if_asked: Callable[[], None] = lambda: None,
) -> RunningMetrics:
    """Evaluate loss and accuracy on a data set with any engine, in evaluation mode.

    Parameters
    ----------
    engine : Engine
    dataset : data set, (x, y), or a bunch
        As in `fit`.
    batch_size : int
        Affects memory and speed only.
    stop_if_asked : callable
        Called after each minibatch; it may raise.

    Returns
    -------
    metrics : RunningMetrics
        Its `loss` and `accuracy` are those of the whole data set.

    Raises
    ------
    InputError
        If the data set is empty or does not fit.
    """
    check_engine("evaluate_engine", engine)
    check.function("evaluate_engine", "stop_if_asked", stop_if_asked)
    batch_size = check.integer("evaluate_engine", "batch_size", batch_size, least=1)
    part, _ = in_dtype(_nonempty("evaluate_engine", dataset), engine.dtype, engine.targets)
    metrics = RunningMetrics()
    with Silence():
        for x, target in minibatches(part, batch_size):
            loss, divisor, y, _ = engine.evaluate(x, target)
            metrics.add(loss, divisor, y, target, engine.ignore_index)
            stop_if_asked()
    return metrics


def evaluate(model: Layer, loss: Loss, dataset: Data, batch_size: int = 256) -> tuple[float, float | None]:
    """Return loss and accuracy of a model on a data set, in evaluation mode.

    Parameters
    ----------
    model : Layer
    loss : Loss
        Also of a loss that sums, the mean over all data is returned: Σ losses / Σ divisors, see
        `npnet.nn.Loss.divisor`.
    dataset : data set, (x, y), or a bunch
        As in `fit`.
    batch_size : int
        Affects memory and speed only.

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
    metrics = RunningMetrics()
    with Silence(), over_threads(None) as step:
        for x, target in minibatches(part, batch_size):
            y = step.predict(model, x)
            if targets == "numbers" and (*target.shape, 1) == y.shape:
                target = target[:, np.newaxis]
            if not metrics.seen:
                check_targets("evaluate: dataset's", part, target, y, targets, ignore_index)
            mean, divisor, *_ = batch_result(loss, float(loss(y, target)), y, target)
            metrics.add(mean, divisor, y, target, ignore_index)
    return metrics.loss, metrics.accuracy


def predict(model: Layer, dataset: Any, batch_size: int = 256) -> ndarray:
    """Return the model's outputs for every sample, in evaluation mode and in order.

    Parameters
    ----------
    model : Layer
    dataset : array, frame, tensor, or data set
        The samples. Whatever `fit` takes works too; its targets are not used.
    batch_size : int
        Affects memory and speed only.

    Returns
    -------
    y : array, shape (n, *outputs)

    Raises
    ------
    InputError
        If there is no sample, or the samples do not fit the model.

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
    with Silence(), over_threads(None) as step:
        return np.concatenate([step.predict(model, x) for x, _ in minibatches(part, batch_size)])


def _nonempty(owner: str, data: Any) -> Dataset:
    part = one_part(owner, data)
    if not len(part):
        raise InputError(f"{owner}: dataset must hold at least one sample, got an empty one")
    return part


@contextmanager
def over_threads(step: Step | None) -> Iterator[Any]:
    """Yield a step, by default one over all cores, whose threads end with the block."""
    if step is not None:
        yield step
        return
    from npnet.parallel import Step as ThreadedStep  # noqa: PLC0415 - import npnet stays light

    with ThreadedStep() as threaded:
        yield threaded
