"""A model's layers described in dicts, lists, text and numbers, and built from such a description.

A description may come from anyone: only known classes are built, and the settings of a layer are compared
with the arrays in the file first, so that no description makes an array larger than the file has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check, nn
from npnet.errors import InputError
from npnet.functional.arguments import pair
from npnet.nn import Layer, Sequential

DEEPEST = 50  # layers within layers
MOST_LAYERS = 100_000
LARGEST = 4096  # a padding or a size; a larger one could let a small file take all memory
# Settings that the shapes of the arrays confirm, and one that is no size.
CONFIRMED_BY_ARRAYS = (
    "in_features",
    "out_features",
    "in_channels",
    "out_channels",
    "num_features",
    "divisor_override",
)
REPLACED_BY_WEIGHTS = ("generator", "dtype", "init")  # arguments that only determine the initial weights
KNOWN: dict[str, type[Layer]] = {
    cls.__name__: cls
    for name in nn.__all__
    if isinstance(cls := getattr(nn, name), type) and issubclass(cls, Layer) and cls is not Layer
}

Shapes = dict[str, tuple[int, ...]]


def describe(layer: Layer, path: str = "") -> dict[str, Any]:
    """Return the description from which `build` makes the layer again.

    A container is described with its children if its constructor takes them, by their names or, as
    `Sequential` does, all in one dict. Other children are made by the constructor itself.

    Raises
    ------
    InputError
        If the constructor needs an argument that is neither a child nor named in `setting_names`, or a
        setting is neither a number nor text.
    """
    kind = type(layer)
    entry: dict[str, Any] = {"layer": kind.__name__}
    children = dict(layer.children) if kind is Sequential else _children_passed(layer)
    settings = _settings(layer, f"layer '{path.removesuffix('.')}' " if path else "")
    if settings:
        entry["settings"] = settings
    if children or kind is Sequential:
        entry["children"] = {name: describe(child, f"{path}{name}.") for name, child in children.items()}
    frozen = layer.frozen | set(_frozen_within(layer, children))
    if frozen:
        entry["frozen"] = sorted(frozen)
    return entry


def build(entry: Any, arrays: Mapping[str, ndarray], own: Mapping[str, type[Layer]]) -> Layer:
    """Make the model of a description and load its weights.

    Raises
    ------
    InputError
        If it is no description, names an unknown layer, or does not fit the arrays.
    """
    builder = _Builder(arrays, own)
    model = builder.make(entry, "", 0)
    dtype = builder.dtype("")
    if any(array.dtype != dtype for array in model.parameters.values()):  # a layer may know one dtype only
        model.astype(dtype)
    model.load_state_dict(arrays)
    return model


def last_layer(model: Layer) -> Layer:
    """Return the layer whose output is the model's."""
    while stages := model.stages:
        model = list(stages.values())[-1]
    return model


def _children_passed(layer: Layer) -> dict[str, Layer]:
    """Return the children that the constructor takes as arguments."""
    taken = signature(type(layer)).parameters
    return {name: child for name, child in layer.children.items() if name in taken}


def _frozen_within(layer: Layer, described: Mapping[str, Layer]) -> Iterator[str]:
    """Yield the names of frozen parameters in children that have no description of their own."""
    for name, child in layer.children.items():
        if name not in described:
            yield from (f"{name}.{parameter}" for parameter in child.frozen_parameters)


def _settings(layer: Layer, where: str) -> dict[str, Any]:
    taken = signature(type(layer)).parameters
    settings = {}
    for name, parameter in taken.items():
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) or name in layer.children:
            continue
        if name in layer.setting_names:
            value = getattr(layer, name)
            if name in layer.parameter_names and (value is None or isinstance(value, ndarray)):
                value = value is not None  # bias=True says that there is one
            settings[name] = _plain(f"save: {where}{type(layer).__name__}", name, value)
        elif parameter.default is Parameter.empty and name not in REPLACED_BY_WEIGHTS:
            raise InputError(
                f"save: {where}{type(layer).__name__} takes {name}, which setting_names must name and an "
                "attribute must keep, so that the layer can be made again; npnet.checkpoint.save_weights "
                "keeps the weights alone"
            )
    return settings


def _plain(owner: str, name: str, value: Any) -> Any:
    """Return a setting as a value that JSON can hold."""
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
    """Return the largest absolute value of the integers in a setting."""
    if isinstance(value, tuple):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int) else 0


class _Builder:
    """Makes layers from descriptions that fit the arrays."""

    def __init__(self, arrays: Mapping[str, ndarray], own: Mapping[str, type[Layer]]) -> None:
        self.arrays, self.own, self.made = arrays, own, 0

    def make(self, entry: Any, path: str, depth: int) -> Layer:
        """Make the layer of a description; the names of its arrays begin with `path`."""
        self.made += 1
        if depth > DEEPEST or self.made > MOST_LAYERS:
            raise InputError("it is damaged: it has too many layers")
        if not isinstance(entry, dict) or not isinstance(entry.get("layer"), str):
            raise InputError(f"it is damaged: layer '{path}' is not described")
        kind = entry["layer"]
        if kind not in self.own and kind not in KNOWN:
            raise InputError(
                f"layer '{path.removesuffix('.')}' is of the class {kind!r:.60}, which is none of npnet.nn; "
                f"pass your own, npnet.load(path, layers=[{kind:.60}])"
            )
        children = self._children(entry, path, depth)
        if kind in self.own:
            layer = self._own(kind, entry, children, path)
        elif kind == "Sequential":
            layer = Sequential(children)
        else:
            layer = self._known(kind, entry, children, path)
        _freeze(layer, entry.get("frozen", []), path)
        return layer

    def _children(self, entry: dict[str, Any], path: str, depth: int) -> dict[str, Layer]:
        children = entry.get("children", {})
        if not isinstance(children, dict):
            raise InputError(f"it is damaged: layer '{path}' has no list of layers")
        return {name: self.make(child, f"{path}{name}.", depth + 1) for name, child in children.items()}

    def _known(self, kind: str, entry: dict[str, Any], children: dict[str, Layer], path: str) -> Layer:
        settings = self._settings(KNOWN[kind], entry, path)
        for name, value in settings.items():
            if name not in CONFIRMED_BY_ARRAYS and _largest(value) > LARGEST:
                raise InputError(
                    f"layer '{path}' {kind}: {name} must be at most {LARGEST}, got {value!r:.60}"
                )
        expect = SHAPES.get(kind)
        if expect is not None:
            self._check_shapes(path, kind, expect(settings))
        return self._made(KNOWN[kind], settings, children, path)

    def _own(self, kind: str, entry: dict[str, Any], children: dict[str, Layer], path: str) -> Layer:
        settings = self._settings(self.own[kind], entry, path)
        try:
            return self._made(self.own[kind], settings, children, path)
        except InputError:
            raise
        except Exception as error:  # the user's code may raise anything
            raise InputError(f"{kind} could not be made with {settings!r:.100}: {error!r:.200}") from error

    def _settings(self, cls: type[Layer], entry: dict[str, Any], path: str) -> dict[str, Any]:
        settings = entry.get("settings", {})
        if not isinstance(settings, dict) or not settings.keys() <= {*cls.setting_names}:
            raise InputError(
                f"it is damaged: layer '{path}' {cls.__name__} has settings that it does not take"
            )
        return {name: _tuples(value) for name, value in settings.items()}

    def _made(
        self, cls: type[Layer], settings: dict[str, Any], children: dict[str, Layer], path: str
    ) -> Layer:
        taken = signature(cls).parameters
        initial = {"generator": np.random.default_rng(0), "dtype": self.dtype(path)}
        arguments = settings | {name: value for name, value in initial.items() if name in taken} | children
        try:
            signature(cls).bind(**arguments)
        except TypeError as error:
            raise InputError(f"it is damaged: layer '{path}' {cls.__name__}: {error}") from None
        return cls(**arguments)

    def dtype(self, path: str) -> np.dtype[Any]:
        """Return the dtype of the first weights whose names begin with `path`."""
        for name, array in self.arrays.items():
            if name.startswith(path) and array.dtype in check.FLOATS:
                return array.dtype
        return np.dtype(np.float32)

    def _check_shapes(self, path: str, kind: str, expected: Shapes) -> None:
        for name, shape in expected.items():
            found = self.arrays.get(f"{path}{name}")
            if found is None or found.shape != shape:
                got = "none" if found is None else found.shape
                raise InputError(
                    f"it is damaged: {kind} needs an array {path}{name} of shape {shape!r:.100}, got {got}"
                )


def _freeze(layer: Layer, names: Any, path: str) -> None:
    """Freeze parameters of a layer: its own by their names, those of layers within by their dotted names."""
    own = [name for name in names if name in layer.parameter_names] if isinstance(names, list) else []
    try:
        layer.frozen.update(own)
        layer.freeze(*(name for name in names if name not in own))
    except (TypeError, InputError):
        raise InputError(f"it is damaged: layer '{path}' cannot freeze {check.described(names)}") from None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value


# ---- the shapes of a layer's arrays, from its settings ------------------------------------------------


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
    if not shapes and n > 2**24:  # no array confirms the size
        raise InputError(f"BatchNorm: num_features must be plausible, got {n}")
    return shapes


SHAPES: dict[str, Callable[[dict[str, Any]], Shapes]] = {
    "Linear": _linear,
    "Conv2d": _conv2d,
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
}
