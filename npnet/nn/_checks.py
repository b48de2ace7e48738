"""Checks of layers: how a class is written, how it is called, what its backward takes and returns."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.nn._state import State


def check_class(cls: type[Any]) -> None:
    """Require tuples of names, methods that take the right keywords, and `children` as a property."""
    for kind in ("parameter_names", "buffer_names", "setting_names"):
        names = getattr(cls, kind)
        if isinstance(names, str):
            raise InputError(
                f"{cls.__name__}: {kind} must be a tuple, ({names!r},) with its comma, got {names!r}"
            )
        if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{cls.__name__}: {kind} must be a tuple of names, got {names!r:.60}")
        setattr(cls, kind, tuple(names))
    for name in ("children", "stages"):
        if callable(vars(cls).get(name)):
            raise InputError(f"{cls.__name__}: {name} must be a property: write @property above def {name}")
    for name in ("forward", "apply"):
        if name in vars(cls):
            _check_method(cls, name)


def _check_method(cls: type[Any], name: str) -> None:
    """Require a `forward` or `apply` that takes the keywords that layers are called with."""
    method = getattr(cls, name)
    taken = signature(method).parameters if callable(method) else {}
    any_name = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in taken.values())
    if not any_name and not {"training", "generator"} <= taken.keys():
        raise InputError(
            f"{cls.__name__}: what a layer computes stands in apply(self, x, *, training, generator), which "
            "returns y and its backward; forward, which calls it, must take these too, "
            f"got {name}({', '.join(taken)})"
        )


def checked_mode(owner: str, training: Any, generator: Any) -> bool:
    """Check the two keywords of every forward, and return `training` as a bool."""
    if generator is not None:
        check.generator(owner, generator)
    return check.flag(owner, "training", training)


def check_array(layer: State, name: str, value: Any) -> None:
    """Require an array, or the scalar that arithmetic on an array without axes gives."""
    if type(value) is not ndarray and not isinstance(value, np.generic):
        check.array(type(layer).__name__, name, value)


def refuse_lost_gradients(layer: Any) -> None:
    """Refuse trainable layers within a layer that has no `forward` of its own to return their gradients."""
    for name, child in layer.children.items():
        if child.trainable:
            raise InputError(
                f"{type(layer).__name__}: a layer that holds others with parameters, such as {name}, must "
                "implement forward, which returns the gradients of theirs"
            )


def check_takes(
    layer: State, backward: Callable[..., Any], arguments: tuple[Any, ...], error: TypeError
) -> None:
    """Refuse a backward that cannot be called with its arguments; other TypeErrors are the layer's own."""
    try:
        signature(backward).bind(*arguments)
    except TypeError:
        takes = "grad_y, needs" if layer.parameter_names else "grad_y"
        raise InputError(f"{_rule(layer)} must take {takes} and nothing else") from error


def misfit(layer: State, found: Any) -> InputError:
    """Return the error that names the gradients that should have come instead of these."""
    gives = ", ".join(["grad_x", *(f"grad_{name}" for name in layer.parameter_names)])
    got = f"{len(found)} gradients" if isinstance(found, tuple | list) else type(found).__name__
    return InputError(f"{_rule(layer)} must give {gives} and nothing else, got {got}")


def _rule(layer: State) -> str:
    """Return the beginning of a message about what backward must be."""
    names = layer.parameter_names
    declared = f"is {names}" if names else "is empty"
    return f"{type(layer).__name__}: parameter_names {declared}, so the backward that apply returns"
