"""The plan of a step over threads: which layers work on shards of the minibatch, and what the shards are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from weakref import ref

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.kernels import thresholds
from npnet.kernels.pieces import equal_slices
from npnet.nn import Identity, Layer, Sequential
from npnet.nn.summary import Summary

NO_HEAD = Identity()


class Plan(NamedTuple):
    """A model in two parts, and the shards of a minibatch.

    Parameters
    ----------
    trunk : Layer
        The part that works on shards; the whole model if the minibatch is not cut.
    head : Layer
        The part that then works on the whole minibatch: a Sequential of the model's last layers, which keep
        their names, or an Identity.
    shards : list of slices
        Together all of the minibatch, in order.
    """

    trunk: Layer
    head: Layer
    shards: list[slice]


def shards(model: Layer, x: ndarray, *, training: bool = True) -> list[slice]:
    """Cut a minibatch into shards, which depend on its size and the model alone.

    Their number is a power of two, so that threads share them evenly, and each has enough work to pay for
    the thread that takes it.

    Parameters
    ----------
    model : Layer
    x : array
        A minibatch.
    training : bool
        Whether layers that behave differently in training do so.

    Returns
    -------
    parts : list of slices
        Together all of the minibatch, in order.

    Raises
    ------
    InputError
        If the model is no layer, x has no axis of samples, or training is not True or False.
    DTypeError
        If x is not an array.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import nn
    >>> shards(nn.ReLU(), np.zeros((1000, 2)))  # too little work to share
    [slice(0, 1000, None)]
    """
    return checked_plan("shards", model, x, training=training).shards


def plan(model: Layer, x: ndarray, *, training: bool) -> Plan:
    """Divide a model into trunk and head and a minibatch into shards, or into a single one.

    Parameters
    ----------
    model : Layer
    x : array
        A minibatch.
    training : bool
        Whether layers that behave differently in training do so.

    Returns
    -------
    plan : Plan

    Raises
    ------
    InputError
        If the model is no layer, x has no axis of samples, or training is not True or False.
    DTypeError
        If x is not an array.
    """
    return checked_plan("plan", model, x, training=training)


def checked_plan(owner: str, model: Layer, x: ndarray, *, training: bool) -> Plan:
    """Return what `plan` returns; messages name `owner`."""
    check.instance(owner, "model", model, Layer, "a layer, such as nn.Sequential(…)")
    check.array(owner, "x", x)
    if not x.ndim:
        raise InputError(f"{owner}: x must have shape (n, …) with an axis of samples, got ()")
    training = check.flag(owner, "training", training)
    length, count = _division(model, x.shape)
    whole = Plan(model, NO_HEAD, [slice(0, len(x))])
    if count == 1:
        return whole
    trunk, head = _split(model, length)
    return whole if trunk.couples_samples(training) else Plan(trunk, head, equal_slices(len(x), count))


def _split(model: Layer, length: int) -> tuple[Layer, Layer]:
    """Return the first stages of a model and the rest; with a length of 0 the model and an empty head."""
    if not length:
        return model, NO_HEAD
    stages = list(model.stages.items())
    return Sequential(dict(stages[:length])), Sequential(dict(stages[length:]))


class _Division(NamedTuple):
    length: int  # of the trunk, in stages of the model; 0 if it is the whole model
    shards: int


_divisions: dict[tuple[int, tuple[int, ...]], tuple[ref[Layer], _Division]] = {}


def _division(model: Layer, shape: tuple[int, ...]) -> _Division:
    """Return the division of a model and a minibatch of a shape, which is computed once for each such pair.

    A model that is changed afterwards still gives right results, though perhaps more slowly.
    """
    key = id(model), shape
    if key not in _divisions:
        dropped_with_model = ref(model, lambda _: _divisions.pop(key, None))
        _divisions[key] = dropped_with_model, _divide(model, shape)
    return _divisions[key][1]


def _divide(model: Layer, shape: tuple[int, ...]) -> _Division:
    n = shape[0]
    limits = thresholds.current
    if n < 2 * limits.shard_samples:
        return _Division(0, 1)
    try:
        with np.errstate(all="ignore"):  # a trial run on zeros
            costs = _costs(model, shape[1:])
    except Exception:  # noqa: BLE001 - an error that matters will come again with the minibatch itself
        return _Division(0, 1)
    length = _trunk_length(costs, n)
    work = n * sum(cost.multiply_adds for cost in costs[:length])
    summing = limits.shard_work_per_parameter * sum(cost.parameters for cost in costs[:length])
    count, more = 1, 2
    while n >= more * limits.shard_samples and work >= more * max(more * limits.shard_work, summing):
        count, more = more, 2 * more
    return _Division(length if length < len(costs) else 0, count)


def _costs(model: Layer, sample: tuple[int, ...]) -> list[Summary]:
    """Return what one sample costs in each stage of a model, or in a model without stages as a whole."""
    costs = []
    for stage in list(model.stages.values()) or [model]:
        costs.append(stage.summary(sample))
        sample = costs[-1].output_shape
    return costs


def _trunk_length(costs: Sequence[Summary], n: int) -> int:
    """Return the number of stages up to the last one with enough work for its parameters.

    Stages after it that have no parameters, such as pooling, belong to the trunk too.
    """
    length = 0
    least = 2 * thresholds.current.shard_work_per_parameter
    for i, cost in enumerate(costs, start=1):
        worthwhile = n * cost.multiply_adds >= least * cost.parameters
        if worthwhile and (cost.parameters or length == i - 1):
            length = i
    return length
