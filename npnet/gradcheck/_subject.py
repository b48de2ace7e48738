"""The function under check: named float64 arrays in, made from an operation or a layer."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._words import counted
from npnet.errors import DTypeError, InputError
from npnet.gradcheck._vary import hides, varied
from npnet.nn.layer import Layer

SHOWN = 4  # inputs that a message lists


class ProblemError(Exception):
    """A mistake that makes comparing derivatives pointless."""


@runtime_checkable
class Subject(Protocol):
    """A function of named float64 arrays, made from an operation or a layer."""

    name: str
    variables: Mapping[str, ndarray]  # what is differentiated
    given: Mapping[str, ndarray]  # all input arrays, which must not be modified
    shown: str  # the inputs in words
    unchecked: list[str]  # floating-point inputs without a gradient, which count as data

    def run(self, changed: Mapping[str, ndarray]) -> tuple[Any, Any]:
        """Return ``y, backward`` with some of the variables changed."""

    def gradients(self, backward: Callable[..., Any], grad_y: ndarray) -> dict[str, Any]:
        """Run backward and return its gradients by name; None for inputs without one."""

    def varied(self, generator: Generator, way: int) -> AbstractContextManager[bool]:
        """Replace values that hide mistakes inside a ``with`` block; yield whether there are any."""


class Operation:
    """An operation ``y, backward = f(*inputs)``, or a loss that has it as `forward`."""

    def __init__(self, f: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        self.call = getattr(f, "forward", f)
        self.name = getattr(f, "__name__", type(f).__name__)
        self.unchecked: list[str] = []
        self.labels = [
            f"input {k} {name!r}" for k, name in enumerate(_argument_names(self.call, len(inputs)))
        ]
        named = list(zip(self.labels, inputs, strict=True))
        self.shown = ", ".join(f"{label}: {check.described(value)}" for label, value in named[:SHOWN])
        for label, value in named:
            if isinstance(value, ndarray):
                check.array("gradcheck", label, value, kinds="biufcSUOMmV")  # no subclass of it
        self._take(inputs)

    def _take(self, inputs: tuple[Any, ...]) -> None:
        self.inputs = inputs
        self.given: Mapping[str, ndarray] = {
            label: array
            for label, array in zip(self.labels, inputs, strict=True)
            if isinstance(array, ndarray)
        }
        self.variables: Mapping[str, ndarray] = {
            label: array for label, array in self.given.items() if array.dtype.kind == "f"
        }

    @contextmanager
    def varied(self, generator: Generator, way: int) -> Iterator[bool]:
        """Replace inputs of zeros and ones, except the first input, inside a ``with`` block."""
        given = self.inputs
        first = next((k for k, value in enumerate(given) if isinstance(value, ndarray)), 0)
        hiding = [k for k, value in enumerate(given) if k > first and hides(value)]
        self._take(tuple(varied(v, generator, way) if k in hiding else v for k, v in enumerate(given)))
        try:
            yield bool(hiding)
        finally:
            self._take(given)

    def run(self, changed: Mapping[str, ndarray]) -> tuple[Any, Any]:
        """Return ``y, backward`` with some of the variables changed."""
        return _pair(
            self.call(
                *(changed.get(label, value) for label, value in zip(self.labels, self.inputs, strict=True))
            )
        )

    def gradients(self, backward: Callable[..., Any], grad_y: ndarray) -> dict[str, Any]:
        """Run backward and return its gradients by name."""
        grads = backward(grad_y)
        if grads is None:
            raise ProblemError("backward returns None; its return statement seems to be missing")
        if not isinstance(grads, tuple | list):  # the other inputs are data
            first = next(iter(self.variables))
            self.unchecked += [label for label in self.variables if label != first]
            self.variables = {first: self.variables[first]}
            return {first: grads}
        # For arguments left at their defaults, backward may return None after the gradients of those given.
        named = dict(zip(self.labels, grads, strict=False))
        wanted = [label for label in self.variables if label not in named]
        unasked = [label for label, grad in named.items() if grad is not None and label not in self.variables]
        if wanted or unasked or any(grad is not None for grad in grads[len(self.labels) :]):
            raise ProblemError(
                f"backward must give a gradient for each of {', '.join(self.variables)} and None for other "
                f"inputs, in their order, got {len(grads)}: "
                + ", ".join("None" if grad is None else str(np.shape(grad)) for grad in grads)
            )
        return {label: named[label] for label in self.variables}


class Model:
    """A layer or a model, as a function of its input and its parameters."""

    def __init__(
        self, layer: Layer, inputs: tuple[Any, ...], *, training: bool, generator: Generator | None
    ) -> None:
        if len(inputs) != 1:
            got = counted(len(inputs), "input")
            raise InputError(f"gradcheck: a layer must be given one array x, got {got}")
        check.array("gradcheck", "x", inputs[0])
        self.shown = f"x: {check.described(inputs[0])}"
        self.layer, self.training, self.generator = layer, training, generator
        self.unchecked: list[str] = []
        self.name = type(layer).__name__
        self.x_label, self.x = "input 0 'x'", inputs[0]
        self.parameters = {f"parameter {name!r}": array for name, array in layer.parameters.items()}
        self.given: Mapping[str, ndarray] = {self.x_label: self.x, **self.parameters}
        frozen = {f"parameter {name!r}" for name in layer.frozen_parameters}
        self.variables: Mapping[str, ndarray] = {
            label: array
            for label, array in self.given.items()
            if array.dtype.kind == "f" and label not in frozen
        }

    @contextmanager
    def varied(self, generator: Generator, way: int) -> Iterator[bool]:
        """Replace parameters that are not frozen, and statistics, inside a ``with`` block."""
        statistics = [
            array
            for array in self.layer.buffers.values()
            if array.dtype.kind == "f" and array.flags.writeable
        ]
        learnt = [array for label, array in self.variables.items() if label != self.x_label]
        saved = [(array, array.copy()) for array in (*learnt, *statistics)]
        try:
            for array in learnt:
                array[...] = varied(array, generator, way)
            for array in statistics:  # a variance must stay positive
                array[...] = varied(array, generator, max(way, 1))
            yield bool(saved)
        finally:
            for array, old in saved:
                array[...] = old

    def run(self, changed: Mapping[str, ndarray]) -> tuple[Any, Any]:
        """Return ``y, backward`` with some of the variables changed."""
        parameters = [
            (self.parameters[label], new) for label, new in changed.items() if label != self.x_label
        ]
        saved = [(array, array.copy()) for array, _ in parameters]
        buffers = [
            (layer, name, array, array.copy())
            for _, layer in self.layer.named_layers()
            for name in layer.buffer_names
            if (array := getattr(layer, name)) is not None
        ]
        try:
            for array, new in parameters:
                array[...] = new
            y, backward = _pair(
                self.layer.forward(
                    changed.get(self.x_label, self.x),
                    training=self.training,
                    generator=copy.deepcopy(self.generator),  # every run draws the same
                )
            )
            return np.array(y), backward  # a copy: y may be a view of a parameter
        finally:
            for array, old in saved:
                array[...] = old
            for layer, name, array, old in buffers:
                array[...] = old
                setattr(layer, name, array)

    def gradients(self, backward: Callable[..., Any], grad_y: ndarray) -> dict[str, Any]:
        """Run backward and return its gradients by name."""
        grad_x, grads = _pair(
            backward(grad_y), "backward of a layer must give grad_x and a dict of gradients"
        )
        named = {f"parameter {name!r}": grad for name, grad in grads.items()}
        expected = {label for label in self.variables if label != self.x_label}
        if named.keys() != expected:
            raise ProblemError(
                f"backward must give gradients for all parameters that are not frozen; missing: "
                f"{', '.join(sorted(expected - named.keys())) or 'none'}; "
                f"not expected: {', '.join(sorted(named.keys() - expected)) or 'none'}"
            )
        return {self.x_label: grad_x, **named} if self.x_label in self.variables else named


def plain_name(label: str) -> str:
    """Return the name within a label such as ``input 1 'weight'``."""
    return label.split("'")[1] if "'" in label else label


@contextmanager
def without_gradients(subject: Subject, labels: Collection[str]) -> Iterator[None]:
    """Have a subject's backward give no gradient for some of its variables."""
    gradients = subject.gradients

    def others(backward: Callable[..., Any], grad_y: ndarray) -> dict[str, Any]:
        return {**gradients(backward, grad_y), **dict.fromkeys(labels)}

    vars(subject)["gradients"] = others
    try:
        yield
    finally:
        del vars(subject)["gradients"]


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # built-in functions may have no signature
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return (names + [str(k) for k in range(len(names), count)])[:count]


def _pair(returned: Any, message: str = "f must return y and backward") -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ProblemError(f"{message}, got {type(returned).__name__}")
    return returned


def require_float64(subject: Subject) -> None:
    """Require finite float64 inputs; central differences are too inaccurate in any other dtype."""
    if not subject.variables:
        raise InputError(
            "gradcheck: at least one input must be a float64 array, to be differentiated, "
            f"got {subject.shown or 'none'}"
        )
    for label, array in subject.given.items():
        if array.dtype.kind in "fc" and array.dtype != np.float64:
            raise DTypeError(
                f"gradcheck: {label} must be float64, got {array.dtype}; convert a copy with "
                ".astype(np.float64), of a layer with layer.astype(np.float64)"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"gradcheck: {label} must be finite, got inf or NaN among its elements")
        if label.startswith("parameter") and not array.flags.writeable:
            raise InputError(f"gradcheck: {label} must be writeable, to be moved a little, got it read-only")
