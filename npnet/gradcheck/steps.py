"""One training step, operation by operation: what two engines are compared by."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from npnet.errors import InputError
from npnet.gradcheck._recorded import Call, recorded
from npnet.nn.layer import Layer
from npnet.nn.losses import Loss

Gradients = Mapping[str, ndarray]


@dataclass(frozen=True)
class OperationRecord:
    """One operation of a step: a layer or module that has none within it.

    Attributes
    ----------
    name, kind : str
        Its dotted name in the model, and the name of its class.
    x, y : array
    grad_y, grad_x : array or None
        None where backward did not come by.
    grads : mapping from str to array
        The gradients of its own parameters.
    parameters : mapping from str to array
    again : callable or None
        ``again(grad_y)`` runs backward with another upstream gradient, and returns the gradients of "x" and
        of the parameters.
    """

    name: str
    kind: str
    x: ndarray
    y: ndarray
    grad_y: ndarray | None
    grad_x: ndarray | None
    grads: Gradients = field(default_factory=dict)
    parameters: Gradients = field(default_factory=dict)
    again: Callable[[ndarray], Gradients] | None = None

    @property
    def shown(self) -> str:
        """The operation as reports name it."""
        return f"'{self.name}' {self.kind}" if self.name else self.kind


@dataclass(frozen=True)
class StepRecord:
    """One step forward and backward.

    Attributes
    ----------
    engine : str
        Who took it, such as "npnet" or "PyTorch".
    operations : tuple of OperationRecord
        In the order of forward.
    loss : float or None
    grads : mapping from str to array
        The gradients of x and of all parameters, by name.
    """

    engine: str
    operations: tuple[OperationRecord, ...]
    loss: float | None
    grads: Gradients


@dataclass(frozen=True)
class Minibatch:
    """What a step is taken with.

    Attributes
    ----------
    x : array
    target : array or None
    loss : Loss or None
        Without one, `upstream` is the gradient with respect to the output.
    upstream : array or None
    training : bool
    seed : int
        Of the model's own randomness.
    """

    x: ndarray
    target: ndarray | None
    loss: Loss | None
    upstream: ndarray | None
    training: bool
    seed: int


@runtime_checkable
class Recorder(Protocol):
    """What another engine registers under the entry point group ``npnet.references``.

    The entry point is named after the package whose objects it takes, such as ``torch``.
    """

    def __call__(self, reference: object, model: Layer, batch: Minibatch) -> StepRecord:
        """Take a step with the reference, which takes on the parameters of the model in a copy."""


def record_step(model: Layer, batch: Minibatch) -> StepRecord:
    """Take a step with a model of npnet and record it.

    Parameters
    ----------
    model : Layer
    batch : Minibatch

    Returns
    -------
    record : StepRecord

    Raises
    ------
    InputError
        If the minibatch does not fit.
    """
    model = copy.deepcopy(model)  # running statistics must not move in the caller's
    generator = np.random.default_rng(batch.seed)
    with recorded(model) as record:
        y, backward = model.forward(batch.x, training=batch.training, generator=generator)
        value, grad_y = _loss(y, batch)
        grad_x, grads = backward(grad_y)
    calls = [call for call in record.forward if len(list(call.layer.named_layers())) == 1]
    operations = tuple(_operation(call, batch.training) for call in calls)
    named = dict(grads) if grad_x is None else {"x": grad_x, **grads}
    return StepRecord("npnet", operations, value, named)


def _loss(y: ndarray, batch: Minibatch) -> tuple[float | None, ndarray]:
    """Return the loss and the gradient of the output."""
    if batch.loss is None or batch.target is None:
        assert batch.upstream is not None
        if batch.upstream.shape != y.shape:
            raise InputError(
                f"compare: reference must give an output of shape {batch.upstream.shape} as the model does, "
                f"got {y.shape}"
            )
        return None, batch.upstream
    value, backward = batch.loss.forward(y, batch.target)
    return float(value), np.asarray(backward())


def _operation(call: Call, training: bool) -> OperationRecord:
    def again(grad_y: ndarray) -> Gradients:
        layer = copy.deepcopy(call.layer)
        vars(layer).pop("forward", None)
        _, backward = layer.forward(call.x, training=training, generator=copy.deepcopy(call.generator))
        grad_x, grads = backward(np.asarray(grad_y, call.y.dtype))
        return dict(grads) if grad_x is None else {"x": grad_x, **grads}

    return OperationRecord(
        call.name,
        type(call.layer).__name__,
        call.x,
        call.y,
        call.grad_y,
        call.grad_x,
        call.grads,
        {name: array.copy() for name, array in call.layer.parameters.items()},
        again,
    )
