"""What each layer of a model was given, and gave, in one step forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy import ndarray
from numpy.random import Generator

from npnet.nn.layer import Gradients, Layer


@dataclass
class Call:
    """One forward of one layer, and its backward once that has run.

    Attributes
    ----------
    name : str
        The dotted name of the layer.
    layer : Layer
    x, y : array
    generator : Generator or None
        As it was before the call.
    grad_y, grad_x : array or None
    grads : dict
    """

    name: str
    layer: Layer
    x: ndarray
    y: ndarray
    generator: Generator | None
    grad_y: ndarray | None = None
    grad_x: ndarray | None = None
    grads: Gradients = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The layer as messages name it."""
        kind = type(self.layer).__name__
        return f"'{self.name}' {kind}" if self.name else kind


@dataclass
class Record:
    """All calls of a step: in the order in which forwards returned, and in which backwards did."""

    forward: list[Call] = field(default_factory=list)
    backward: list[Call] = field(default_factory=list)


@contextmanager
def recorded(model: Layer) -> Iterator[Record]:
    """Record what the layers of a model compute while the context is open.

    Each layer's `forward` is replaced in the object, not in its class, and put back in the end. So containers
    of the user's own are recorded too, whatever they do with their layers.

    Parameters
    ----------
    model : Layer

    Yields
    ------
    record : Record
    """
    record = Record()
    replaced: list[Layer] = []
    try:
        for name, layer in model.named_layers():
            if not any(layer is other for other in replaced):
                vars(layer)["forward"] = _recording(name, layer, layer.forward, record)
                replaced.append(layer)
        yield record
    finally:
        for layer in replaced:
            del vars(layer)["forward"]


def _recording(name: str, layer: Layer, forward: Callable[..., Any], record: Record) -> Callable[..., Any]:
    def recording(
        x: ndarray, *, training: bool = True, generator: Generator | None = None
    ) -> tuple[Any, Any]:
        before = copy.deepcopy(generator)
        given = x.copy()
        y, backward = forward(x, training=training, generator=generator)
        call = Call(name, layer, given, y.copy(), before)
        record.forward.append(call)

        def recording_backward(grad_y: ndarray, *, needs_grad_x: bool = True) -> Any:
            call.grad_y = grad_y.copy()
            grad_x, grads = backward(grad_y, needs_grad_x=needs_grad_x)
            call.grad_x = None if grad_x is None else grad_x.copy()
            call.grads = {key: grad.copy() for key, grad in grads.items()}
            record.backward.append(call)
            return grad_x, grads

        return y, recording_backward

    return recording
