"""Convert the forward method of a PyTorch module into layers, from the graph that `torch.fx` traces.

`torch.fx` runs the method on a stand-in for a tensor, and records each operation as a node of a graph.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from npnet import functional
from npnet import nn as npn
from npnet.errors import DTypeError, InputError
from npnet.nn import Layer

SEPARATOR = "\n  "  # between obstacles


@dataclass(frozen=True)
class Converted:
    """A layer made of a module.

    Attributes
    ----------
    layer : Layer
    owners : dict from str to Layer
        The layers that hold parameters or buffers, by the place of the module each was made of.
    writes : bool
        Whether the module overwrites its input.
    passes : bool
        Whether its output may lie in the memory of its input.
    """

    layer: Layer
    owners: dict[str, Layer]
    writes: bool = False
    passes: bool = False


class Forward:
    """One forward method, on its way to become a Sequential.

    Every value has a chain of *dominators*: the values that each way from the input to it goes through. A
    sum of two branches is a Residual around what comes after the last dominator the branches share.

    Parameters
    ----------
    module : Module
        Whose forward method is followed.
    place : str
        Its dotted name in the whole.
    convert : callable
        Converts a module that the method applies: ``convert(module, place)``.

    Raises
    ------
    InputError
        If forward does what layers cannot do; the message names every obstacle.
    """

    def __init__(self, module: nn.Module, place: str, convert: Callable[[nn.Module, str], Converted]) -> None:
        self.module, self.place, self.convert = module, place, convert
        self.graph = self._traced()
        self.input, self.output = self._ends()
        self.values = self._needed()
        self.parts = self._parts()
        self.dominators: dict[fx.Node, list[fx.Node]] = {}
        for node in self.values:
            self.dominators[node] = self._dominators(node)

    def converted(self) -> Converted:
        """Return the Sequential, and what there is to say of it."""
        owners: dict[str, Layer] = {}
        for part in self.parts.values():
            for place in part.owners.keys() & owners.keys():
                raise self._refusal(f"'{place}' must be applied once, got several times")
            owners |= part.owners
        writing = [node for node in self.values if self._writes(node)]
        for node in writing:
            self._check_writing(node)
        return Converted(
            npn.Sequential(self._layers(self.output, self.input)),
            owners,
            writes=any(self._memory(_first_input(node))[-1] is self.input for node in writing),
            passes=self._memory(self.output)[-1] is self.input,
        )

    def _refusal(self, message: str) -> InputError:
        return refusal(self.place, self.module, message)

    def _parts(self) -> dict[fx.Node, Converted]:
        """Convert what is applied to each value; the obstacles of all are told together."""
        parts: dict[fx.Node, Converted] = {}
        obstacles: list[InputError] = []
        for node in self.values:
            if not _is_sum(node):
                try:
                    parts[node] = self._part(node)
                except InputError as error:
                    obstacles.append(error)
        obstacles += [
            self._refusal("a sum must be of two tensors, without options")
            for node in filter(_is_sum, self.values)
            if node.kwargs or len([term for term in node.args if isinstance(term, fx.Node)]) != 2
        ]
        raise_together(obstacles)
        return parts

    # ---- the graph -------------------------------------------------------------------------------------

    def _traced(self) -> fx.Graph:
        """Follow forward in either mode; a graph has no place for a choice between the two."""
        mode, graphs = self.module.training, []
        try:
            for training in (True, False):
                self.module.training = training
                graphs.append(_Tracer().trace(self.module))
        except Exception as error:
            raise together(
                [self._refusal(f"forward cannot be followed: {error}"), *self._within()]
            ) from error
        finally:
            self.module.training = mode
        for training, evaluation in zip(*(graph.nodes for graph in graphs), strict=False):
            _unify_dropout(training, evaluation)
        if str(graphs[0]) != str(graphs[1]):
            message = "forward must do the same in training and in evaluation"
            raise together([self._refusal(message), *self._within()])
        return graphs[0]

    def _within(self) -> list[InputError]:
        """Return the obstacles in the modules that a forward applies which itself cannot be followed."""
        obstacles = []
        for name, child in self.module.named_children():
            try:
                self.convert(child, join(self.place, name))
            except InputError as error:
                obstacles.append(error)
        return obstacles

    def _ends(self) -> tuple[fx.Node, fx.Node]:
        inputs = [node for node in self.graph.nodes if node.op == "placeholder"]
        if len(inputs) != 1:
            raise self._refusal(f"forward must take one input, got {len(inputs)}")
        (result,) = next(node for node in self.graph.nodes if node.op == "output").args
        if not isinstance(result, fx.Node):
            raise self._refusal(f"forward must return one tensor, got {type(result).__name__}")
        return inputs[0], result

    def _needed(self) -> list[fx.Node]:
        """Return the values the output depends on, in the order in which they arise; sizes are none."""
        needed = {self.output}
        for node in reversed(self.graph.nodes):
            if node in needed:
                needed.update(source for source in node.all_input_nodes if not _is_size(source))
        return [node for node in self.graph.nodes if node in needed]

    def _dominators(self, node: fx.Node) -> list[fx.Node]:
        if node is self.input:
            return [node]
        sources = [source for source in node.all_input_nodes if not _is_size(source)]
        shared, *others = (self.dominators[source] for source in sources)
        for other in others:
            both = zip(shared, other, strict=False)
            shared = [a for a, _ in takewhile(lambda pair: pair[0] is pair[1], both)]
        return [*shared, node]

    # ---- one value from one other ----------------------------------------------------------------------

    def _part(self, node: fx.Node) -> Converted:
        if node is self.input:
            return Converted(npn.Identity(), {})
        if node.op == "call_module" and len(node.args) == 1 and not node.kwargs:
            target = str(node.target)
            return self.convert(self.module.get_submodule(target), join(self.place, target))
        if node.op == "get_attr":
            raise self._refusal(f"'{node.target}' must be used by a module of its own, got it in forward")
        return self._function(node)

    def _function(self, node: fx.Node) -> Converted:
        """Convert a function applied to a value, or a method of it."""
        name = _function_name(node)
        plain = name.removesuffix("_")
        if plain in {"view", "reshape"} and self._flattens(node):
            return Converted(npn.Flatten(), {}, passes=True)
        if plain not in FUNCTIONS:
            raise self._refusal(f"forward must be made of what npnet has, got {name}{HINTS.get(name, '')}")
        if node.all_input_nodes != [node.args[0]]:
            raise self._refusal(f"{name} must have plain numbers as options, got tensors")
        options = {key: value for key, value in node.kwargs.items() if key != "_stacklevel"}
        in_place = bool(options.pop("inplace", False)) or name != plain
        try:
            layer = FUNCTIONS[plain](*node.args[1:], **options)
        except (TypeError, InputError) as error:
            raise self._refusal(f"{name} has options that npnet has not: {error}") from None
        return Converted(layer, {}, writes=in_place, passes=in_place or name == "flatten")

    def _flattens(self, node: fx.Node) -> bool:
        """Tell whether a view makes a row of each sample: the size of the batch stands first, or can be told.

        Where a linear layer follows, ``view(-1, 400)`` must be meant so too: if a sample had not 400 numbers,
        the layer would refuse the row.
        """
        _, *shape = node.args
        sizes = list(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        if len(sizes) != 2 or node.kwargs:
            return False
        batch, features = sizes
        if isinstance(batch, fx.Node):
            return _is_batch_size(batch) and isinstance(features, int)
        users = [self._module_of(user) for user in node.users]
        meant = all(isinstance(user, nn.Linear) and user.in_features == features for user in users)
        return bool(batch == -1 and users and meant)

    def _module_of(self, node: fx.Node) -> nn.Module | None:
        return self.module.get_submodule(str(node.target)) if node.op == "call_module" else None

    # ---- layers ----------------------------------------------------------------------------------------

    def _layers(self, end: fx.Node, start: fx.Node) -> dict[str, Layer]:
        """Return the layers that lead from one value to another, which it dominates."""
        way = self.dominators[end][self.dominators[end].index(start) :]
        return {
            self._name(node): self._sum(node, before) if _is_sum(node) else self.parts[node].layer
            for before, node in pairwise(way)
        }

    def _sum(self, node: fx.Node, before: fx.Node) -> Layer:
        terms = [term for term in node.args if isinstance(term, fx.Node)]
        if len(terms) != 2 or node.kwargs:
            raise self._refusal("a sum must be of two tensors, without options")
        first, second = (self._layers(term, before) for term in terms)
        # The branch that is no more than the value itself is the shortcut; otherwise the second is.
        body, shortcut = (first, second) if first else (second, first)
        return npn.Residual(_branch(body), _branch(shortcut) if shortcut else None)

    def _name(self, node: fx.Node) -> str:
        """Call a layer as its module is called, where that is a plain name and it is the first of it."""
        if node.op == "call_module" and "." not in str(node.target):
            calls = [other for other in self.values if other.op == node.op and other.target == node.target]
            if calls[0] is node:
                return str(node.target)
        taken = {name for name, _ in self.module.named_children()}
        return f"{node.name}_" if node.name in taken else node.name

    # ---- memory ----------------------------------------------------------------------------------------

    def _memory(self, node: fx.Node) -> list[fx.Node]:
        """Return a value and those before it that may lie in the same memory."""
        found = [node]
        while found[-1] is not self.input and self._passes(found[-1]):
            found.append(_first_input(found[-1]))
        return found

    def _passes(self, node: fx.Node) -> bool:
        return _sums_in_place(node) if _is_sum(node) else self.parts[node].passes

    def _writes(self, node: fx.Node) -> bool:
        return _sums_in_place(node) if _is_sum(node) else self.parts[node].writes

    def _check_writing(self, node: fx.Node) -> None:
        """Refuse an operation that overwrites what another one reads: layers keep their input as it is."""
        if any(len(value.users) > 1 for value in self._memory(_first_input(node))):
            module = node.op == "call_module"
            name = str(node.target) if module else "+=" if _is_sum(node) else _function_name(node)
            raise self._refusal(f"'{name}' must not work in place on what is needed elsewhere")


def _is_size(node: fx.Node) -> bool:
    """Tell whether a node is a size of a tensor, or what such a size is read off from."""
    if node.op == "call_method":
        return node.target in {"size", "__len__"}
    if node.target is getattr:
        return node.args[1:] == ("shape",)
    return node.target is operator.getitem and isinstance(node.args[0], fx.Node) and _is_size(node.args[0])


def _is_batch_size(node: fx.Node) -> bool:
    """Tell whether a node is the size of axis 0, which all layers leave as it is."""
    if node.op == "call_method" and node.target == "size":
        return (*node.args[1:], *node.kwargs.values()) == (0,)
    return bool(_is_size(node) and node.target is operator.getitem and node.args[1] == 0)


def _unify_dropout(training: fx.Node, evaluation: fx.Node) -> None:
    """Make ``F.dropout(x, p, training=self.training)`` the same node, whichever mode it was followed in."""
    if training.target is not F.dropout or evaluation.target is not F.dropout:
        return
    flags = []
    for node in (training, evaluation):
        values = dict(zip(("p", "training", "inplace"), node.args[1:], strict=False)) | dict(node.kwargs)
        flags.append(values.pop("training", True))
        node.args, node.kwargs = node.args[:1], values
    if flags == [True, False]:
        return
    for node, flag in zip((training, evaluation), flags, strict=True):
        node.update_kwarg("training", flag)


class _Proxy(fx.Proxy):
    """A stand-in for a tensor that notices ``x += y``, which is otherwise recorded as ``x = x + y``."""

    def __iadd__(self, other: object) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {}, name="add")


class _Tracer(fx.Tracer):
    """Records which modules a forward method applies, without looking into them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)


def _branch(layers: dict[str, Layer]) -> Layer:
    return next(iter(layers.values())) if len(layers) == 1 else npn.Sequential(layers)


def _first_input(node: fx.Node) -> fx.Node:
    first = node.args[0]
    assert isinstance(first, fx.Node)
    return first


def _is_sum(node: fx.Node) -> bool:
    if node.op == "call_function":
        return node.target in {operator.add, operator.iadd, torch.add}
    return node.op == "call_method" and node.target in {"add", "add_"}


def _sums_in_place(node: fx.Node) -> bool:
    return _is_sum(node) and node.target in {operator.iadd, "add_"}


def _function_name(node: fx.Node) -> str:
    """Return the name of a tensor's method or of a PyTorch function; others are marked as foreign."""
    if isinstance(node.target, str):
        return node.target
    name = getattr(node.target, "__name__", repr(node.target))
    known = node.target in {getattr(torch, name, None), getattr(F, name, None)}
    return name if known else f"the function {name}"


# ---- functions -----------------------------------------------------------------------------------------


def _pooling(kind: Callable[..., Layer]) -> Callable[..., Layer]:
    def make(*args: Any, return_indices: bool = False, **options: Any) -> Layer:
        if return_indices:
            raise InputError("return_indices must be False, got True")
        return kind(*args, **options)

    return make


def _normalizing(kind: Callable[..., Layer]) -> Callable[..., Layer]:
    def make(dim: int | None = None, dtype: object = None) -> Layer:
        if dim is None or dtype is not None:
            raise InputError(f"dim must be an integer and dtype None, got {dim} and {dtype}")
        return kind(dim)

    return make


def _dropout(p: float = 0.5, training: bool | None = None) -> Layer:
    if training:
        raise InputError("training must be self.training, got True; or use the module nn.Dropout")
    return npn.Identity() if training is False else npn.Dropout(p)


def _mean(dim: object = None, keepdim: bool = False, dtype: object = None) -> Layer:
    """Average over the pixels of each channel."""
    if dtype is not None or not isinstance(dim, tuple | list) or sorted(dim) != [2, 3]:
        raise InputError(f"dim must be (2, 3) and dtype None, got {dim} and {dtype}")
    pool = npn.AdaptiveAvgPool2d(1)
    return pool if keepdim else npn.Sequential(pool, npn.Flatten())


def _namesakes() -> dict[str, type[Layer]]:
    """Return the layers without parameters by the names of their operations: AvgPool2d by avg_pool2d."""
    layers = {
        name.lower(): layer
        for name in npn.__all__
        if isinstance(layer := getattr(npn, name), type) and issubclass(layer, Layer)
    }
    found = {name: layers.get(name.replace("_", "")) for name in functional.__all__}
    return {name: layer for name, layer in found.items() if layer and not layer.parameter_names}


# Functions and methods of tensors, by name, that a layer stands for. Batch norm is not among them: as a
# function it carries the mode it was recorded in.
FUNCTIONS: Mapping[str, Callable[..., Layer]] = {
    **_namesakes(),
    "softmax": _normalizing(npn.Softmax),
    "log_softmax": _normalizing(npn.LogSoftmax),
    "dropout": _dropout,
    "mean": _mean,
    "flatten": lambda start_dim=0, end_dim=-1: npn.Flatten(start_dim, end_dim),
    "max_pool2d": _pooling(npn.MaxPool2d),
}
HINTS: Mapping[str, str] = {
    "view": "; write flatten(1)",
    "reshape": "; write flatten(1)",
    "batch_norm": "; use the modules nn.BatchNorm1d and nn.BatchNorm2d",
}


# ---- obstacles ----------------------------------------------------------------------------------------


def together(obstacles: Sequence[InputError]) -> InputError:
    """Return one error that names all obstacles, each on a line of its own."""
    lines = list(dict.fromkeys(line for error in obstacles for line in str(error).split(SEPARATOR)))
    kind = DTypeError if all(isinstance(error, DTypeError) for error in obstacles) else InputError
    return kind(SEPARATOR.join([lines[0], *(line.removeprefix("from_torch: ") for line in lines[1:])]))


def raise_together(obstacles: Sequence[InputError]) -> None:
    """Raise what there is to raise."""
    if obstacles:
        raise together(obstacles)


# ---- messages ------------------------------------------------------------------------------------------


def refusal(place: str, module: nn.Module, message: str, kind: type[InputError] = InputError) -> InputError:
    """Return the error that names a module that cannot be converted."""
    return kind(f"from_torch: {named('module', place, module)}: {message}")


def named(what: str, place: str, thing: object) -> str:
    """Return the place and the type of a layer or module."""
    return f"{what} '{place}' {type(thing).__name__}" if place else f"the {what} {type(thing).__name__}"


def join(place: str, name: str) -> str:
    """Return the dotted name of what is called `name` in `place`."""
    return ".".join(part for part in (place, name) if part)
