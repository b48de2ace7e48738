"""A model's layers written down in dicts, lists, texts and numbers, and made again from them.

What is read may come from anybody: only known classes are made, and before a layer is made its arrays are
held against those in the file, so that no description makes an array larger than the file has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check, nn
from npnet.errors import InputError
from npnet.functional.arguments import pair
from npnet.nn import Layer, Residual, Sequential

DEEPEST = 50  # layers within layers
MOST_LAYERS = 100_000
LARGEST = 4096  # of paddings and sizes, which could make a small file's model take all memory
# Settings that the arrays in the file confirm, and one that sizes nothing.
SEEN_IN_ARRAYS = (
    "in_features",
    "out_features",
    "in_channels",
    "out_channels",
    "num_features",
    "divisor_override",
)
MADE_ANEW = ("generator", "dtype", "init")  # arguments that do not matter once there are weights
PLAIN: dict[str, type[Layer]] = {
    cls.__name__: cls
    for name in nn.__all__
    if isinstance(cls := getattr(nn, name), type)
    and issubclass(cls, Layer)
    and cls not in (Layer, Sequential, Residual)
}

Shapes = dict[str, tuple[int, ...]]


def describe(layer: Layer, where: str = "") -> dict[str, Any]:
    """Return what `build` makes the layer of again.

    Raises
    ------
    InputError
        If something is needed to make a layer that `setting_names` does not name, or that is neither
        a number nor text.
    """
    kind = type(layer)
    entry: dict[str, Any] = {"layer": kind.__name__}
    if kind in (Sequential, Residual):
        children = layer.children().items()
        entry["children"] = {name: describe(child, f"{where}{name}.") for name, child in children}
    else:
        settings = _settings(layer, f"layer '{where.removesuffix('.')}' " if where else "")
        entry |= {"settings": settings} if settings else {}
    if layer.frozen:
        entry["frozen"] = sorted(layer.frozen)
    return entry


def build(entry: Any, arrays: Mapping[str, ndarray], own: Mapping[str, type[Layer]]) -> Layer:
    """Make a model and give it its weights.

    Raises
    ------
    InputError
        If the description is none, has a layer that is not known, or does not fit the arrays.
    """
    builder = _Builder(arrays, own)
    model = builder.make(entry, "", 0)
    dtype = builder.dtype("")
    if any(array.dtype != dtype for array in model.parameters.values()):  # a layer that knows one dtype only
        model.astype(dtype)
    model.load_state_dict(arrays)
    return model


def last_layer(model: Layer) -> Layer:
    """Return the layer whose output is the model's."""
    while isinstance(model, Sequential) and model.children():
        model = list(model.children().values())[-1]
    return model


def _settings(layer: Layer, where: str) -> dict[str, Any]:
    taken = signature(type(layer)).parameters
    settings = {}
    for name, parameter in taken.items():
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            continue
        if name in layer.setting_names:
            value = getattr(layer, name)
            if name in layer.parameter_names and (value is None or isinstance(value, ndarray)):
                value = value is not None  # bias=True says that there is one
            settings[name] = _plain(f"save: {where}{type(layer).__name__}", name, value)
        elif parameter.default is Parameter.empty and name not in MADE_ANEW:
            raise InputError(
                f"save: {where}{type(layer).__name__} takes {name}, which setting_names must name, and an "
                "attribute keep, so that the layer can be made again; npnet.checkpoint.save_weights keeps "
                "the weights alone"
            )
    return settings


def _plain(owner: str, name: str, value: Any) -> Any:
    """Return a setting as JSON has it."""
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return check.number(owner, name, value)
    if isinstance(value, tuple | list):
        return [_plain(owner, name, part) for part in value]
    raise InputError(
        f"{owner}: {name} must be a number, text or a tuple of these to be written down, got "
        f"{check.described(value)}; npnet.checkpoint.save_weights keeps the weights alone"
    )


def _largest(value: Any) -> int:
    """Return the largest whole number in a setting."""
    if isinstance(value, tuple):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int) else 0


class _Builder:
    """Makes layers from descriptions, as long as they fit the arrays."""

    def __init__(self, arrays: Mapping[str, ndarray], own: Mapping[str, type[Layer]]) -> None:
        self.arrays, self.own, self.made = arrays, own, 0

    def make(self, entry: Any, place: str, depth: int) -> Layer:
        """Make the layer that a description is of; its arrays are named `place` and a name."""
        self.made += 1
        if depth > DEEPEST or self.made > MOST_LAYERS:
            raise InputError("it is damaged: it has too many layers")
        if not isinstance(entry, dict) or not isinstance(entry.get("layer"), str):
            raise InputError(f"it is damaged: layer '{place}' is not described")
        kind = entry["layer"]
        if kind in self.own:
            layer = self._own(kind, entry, place)
        elif kind in ("Sequential", "Residual"):
            layer = self._container(kind, entry, place, depth)
        elif kind in PLAIN:
            layer = self._plain(kind, entry, place)
        else:
            raise InputError(
                f"layer '{place.removesuffix('.')}' is of the class {kind!r:.60}, which is none of npnet.nn; "
                f"pass your own, npnet.load(path, layers=[{kind:.60}])"
            )
        frozen = entry.get("frozen", [])
        if not isinstance(frozen, list) or not all(name in layer.parameter_names for name in frozen):
            raise InputError(f"it is damaged: layer '{place}' cannot freeze {check.described(frozen)}")
        layer.frozen.update(frozen)
        return layer

    def _container(self, kind: str, entry: dict[str, Any], place: str, depth: int) -> Layer:
        children = entry.get("children")
        if not isinstance(children, dict):
            raise InputError(f"it is damaged: layer '{place}' has no list of layers")
        made = {name: self.make(child, f"{place}{name}.", depth + 1) for name, child in children.items()}
        if kind == "Sequential":
            return Sequential(made)
        if made.keys() not in ({"body"}, {"body", "shortcut"}):
            raise InputError(f"it is damaged: layer '{place}' must have a body and at most a shortcut")
        return Residual(**made)

    def _plain(self, kind: str, entry: dict[str, Any], place: str) -> Layer:
        settings = self._settings(PLAIN[kind], entry, place)
        for name, value in settings.items():
            if name not in SEEN_IN_ARRAYS and _largest(value) > LARGEST:
                raise InputError(
                    f"layer '{place}' {kind}: {name} must be at most {LARGEST}, got {value!r:.60}"
                )
        expect = SHAPES.get(kind)
        if expect is not None:
            self._check_shapes(place, kind, expect(settings))
        return self._made(PLAIN[kind], settings, place)

    def _own(self, kind: str, entry: dict[str, Any], place: str) -> Layer:
        settings = self._settings(self.own[kind], entry, place)
        try:
            return self._made(self.own[kind], settings, place)
        except InputError:
            raise
        except Exception as error:  # the user's code may raise anything
            raise InputError(f"{kind} could not be made with {settings!r:.100}: {error!r:.200}") from error

    def _settings(self, cls: type[Layer], entry: dict[str, Any], place: str) -> dict[str, Any]:
        settings = entry.get("settings", {})
        if not isinstance(settings, dict) or not settings.keys() <= {*cls.setting_names}:
            raise InputError(
                f"it is damaged: layer '{place}' {cls.__name__} has settings that it does not take"
            )
        return {name: _tuples(value) for name, value in settings.items()}

    def _made(self, cls: type[Layer], settings: dict[str, Any], place: str) -> Layer:
        taken = signature(cls).parameters
        anew = {"generator": np.random.default_rng(0), "dtype": self.dtype(place)}
        given = settings | {name: value for name, value in anew.items() if name in taken}
        try:
            signature(cls).bind(**given)
        except TypeError as error:
            raise InputError(f"it is damaged: layer '{place}' {cls.__name__}: {error}") from None
        return cls(**given)

    def dtype(self, place: str) -> np.dtype[Any]:
        """Return the dtype of the first weights there."""
        for name, array in self.arrays.items():
            if name.startswith(place) and array.dtype in check.FLOATS:
                return array.dtype
        return np.dtype(np.float32)

    def _check_shapes(self, place: str, kind: str, expected: Shapes) -> None:
        for name, shape in expected.items():
            found = self.arrays.get(f"{place}{name}")
            if found is None or found.shape != shape:
                got = "none" if found is None else found.shape
                raise InputError(
                    f"it is damaged: {kind} needs an array {place}{name} of shape {shape!r:.100}, got {got}"
                )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value


# ---- the arrays that a layer will have, from its settings ----------------------------------------------


def _size(owner: str, settings: dict[str, Any], name: str, default: int | None = None) -> int:
    return check.integer(owner, name, settings.get(name, default), least=1)


def _linear(settings: dict[str, Any]) -> Shapes:
    outputs, inputs = (_size("Linear", settings, name) for name in ("out_features", "in_features"))
    return _with_bias(settings, (outputs, inputs))


def _conv2d(settings: dict[str, Any]) -> Shapes:
    inputs, outputs = (_size("Conv2d", settings, name) for name in ("in_channels", "out_channels"))
    groups = _size("Conv2d", settings, "groups", 1)
    kernel = pair("Conv2d", "kernel_size", settings.get("kernel_size"), least=1)
    return _with_bias(settings, (outputs, inputs // groups, *kernel))


def _with_bias(settings: dict[str, Any], shape: tuple[int, ...]) -> Shapes:
    bias = check.flag("layer", "bias", settings.get("bias", True))
    return {"weight": shape, "bias": shape[:1]} if bias else {"weight": shape}


def _batch_norm(settings: dict[str, Any]) -> Shapes:
    n = _size("BatchNorm", settings, "num_features")
    flags = {
        name: check.flag("BatchNorm", name, settings.get(name, True))
        for name in ("affine", "track_running_stats", "bias")
    }
    shapes: Shapes = {}
    if flags["affine"]:
        shapes |= {"weight": (n,), "bias": (n,)} if flags["bias"] else {"weight": (n,)}
    if flags["track_running_stats"]:
        shapes |= {"running_mean": (n,), "running_var": (n,)}
    if not shapes and n > 2**24:  # then nothing says that it is not far too large
        raise InputError(f"BatchNorm: num_features must be plausible, got {n}")
    return shapes


SHAPES: dict[str, Callable[[dict[str, Any]], Shapes]] = {
    "Linear": _linear,
    "Conv2d": _conv2d,
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
}
