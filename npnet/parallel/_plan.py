"""What threads share of a step: which layers work on shards, and what the shards are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from weakref import ref

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.kernels.pieces import equal_slices
from npnet.nn import Identity, Layer, Sequential

# A shard has at least so many samples.
SAMPLES = 16
# While the interpreter works on one shard it works on no other: time that grows with the number of shards,
# as what each has of the work shrinks. So twice as many ask for four times the work, count² · WORK
# multiply-adds going forward.
WORK = 8_000_000
# And so many multiply-adds for each parameter: adding up gradients takes one for each, but from main memory.
WORK_FOR_PARAMETER = 128

NOTHING = Identity()  # the head where the trunk is the whole model


class Plan(NamedTuple):
    """How a minibatch goes through a model.

    Parameters
    ----------
    trunk : Layer
        What works on shards; the whole model where the minibatch stays whole.
    head : Layer
        What then works on the whole minibatch: a Sequential of the model's last layers, which keep their
        names, or an Identity.
    shards : list of slices
        Together all of the minibatch, in order.
    """

    trunk: Layer
    head: Layer
    shards: list[slice]


def shards(model: Layer, x: ndarray, *, training: bool = True) -> list[slice]:
    """Cut a minibatch into shards, by its size and the model alone.

    They are as many as a power of two, so that threads share them evenly, and each is large enough to be
    worth a thread's while.

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
    >>> shards(nn.ReLU(), np.zeros((1000, 2)))  # nothing to share
    [slice(0, 1000, None)]
    """
    return divided("shards", model, x, training=training).shards


def plan(model: Layer, x: ndarray, *, training: bool) -> Plan:
    """Divide a model and a minibatch; a minibatch that stays whole goes through the model as it is.

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
    return divided("plan", model, x, training=training)


def divided(owner: str, model: Layer, x: ndarray, *, training: bool) -> Plan:
    """Do what `plan` does, in the name of whoever was called."""
    check.instance(owner, "model", model, Layer, "a layer, such as nn.Sequential(…)")
    check.array(owner, "x", x)
    if not x.ndim:
        raise InputError(f"{owner}: x must have shape (n, …) with an axis of samples, got ()")
    training = check.flag(owner, "training", training)
    cut, count = _division(model, x.shape)
    whole = Plan(model, NOTHING, [slice(0, len(x))])
    if count == 1:
        return whole
    trunk, head = model, whole.head
    if cut:
        layers = list(model.children().items())
        trunk, head = Sequential(dict(layers[:cut])), Sequential(dict(layers[cut:]))
    if any(layer.couples_samples(training) for _, layer in trunk.named_layers()):
        return whole
    return Plan(trunk, head, equal_slices(len(x), count))


class _Division(NamedTuple):
    cut: int  # how many of a Sequential's layers make up the trunk; 0 where it is the whole model
    shards: int


_divisions: dict[tuple[int, tuple[int, ...]], tuple[ref[Layer], _Division]] = {}


def _division(model: Layer, shape: tuple[int, ...]) -> _Division:
    """Return how to divide a model and a minibatch of a shape, worked out once for each of these pairs.

    A model that is changed meanwhile gives the same results, if perhaps more slowly.
    """
    key = id(model), shape
    if key not in _divisions:
        forgotten_with_model = ref(model, lambda _: _divisions.pop(key, None))
        _divisions[key] = forgotten_with_model, _divide(model, shape)
    return _divisions[key][1]


def _divide(model: Layer, shape: tuple[int, ...]) -> _Division:
    n = shape[0]
    if n < 2 * SAMPLES:
        return _Division(0, 1)
    try:
        with np.errstate(all="ignore"):  # it is only a trial, on zeros
            costs = _costs(model, shape[1:])
    except Exception:  # noqa: BLE001 - the minibatch itself will show what is wrong, if anything is
        return _Division(0, 1)
    cut = _trunk_length(costs, n)
    work = n * sum(cost.multiply_adds for cost in costs[:cut])
    adding_up = WORK_FOR_PARAMETER * sum(cost.parameters for cost in costs[:cut])
    count, more = 1, 2
    while n >= more * SAMPLES and work >= more * max(more * WORK, adding_up):
        count, more = more, 2 * more
    return _Division(cut if cut < len(costs) else 0, count)


class _Cost(NamedTuple):
    multiply_adds: int  # of one sample going forward
    parameters: int


def _costs(model: Layer, sample: tuple[int, ...]) -> list[_Cost]:
    """Return what a sample costs in each layer of a Sequential, or in the model as one."""
    # What only inherits from Sequential may do something else with its layers.
    divisible = type(model) is Sequential
    costs = dict.fromkeys(model.children() if divisible else [""], _Cost(0, 0))
    for line in model.summary(sample).layers:
        name = line.name.partition(".")[0] if divisible else ""
        made, parameters = costs[name]
        costs[name] = _Cost(made + line.multiply_adds, parameters + line.parameters)
    return list(costs.values())


def _trunk_length(costs: Sequence[_Cost], n: int) -> int:
    """Return how many layers there are until the last one with work enough for its parameters.

    What comes after it without parameters, such as pooling, belongs to it.
    """
    length = 0
    for i, cost in enumerate(costs, start=1):
        worthwhile = n * cost.multiply_adds >= 2 * WORK_FOR_PARAMETER * cost.parameters
        if worthwhile and (cost.parameters or length == i - 1):
            length = i
    return length
