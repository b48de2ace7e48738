"""One step run with every layer's forward and backward watched, on a copy, so that nothing of it stays.

The copy's layers have a `forward` that runs the usual one and notes what went in and what came out. So
containers call their layers as they always do, those of your own included; and where nothing is traced
there is nothing to pay, as no layer has a hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from types import FunctionType, MethodType
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.errors import InputError
from npnet.nn import Gradients, Layer, Residual
from npnet.nn.layer import instrumented
from npnet.nn.losses import Loss
from npnet.tracing._kinds import Kind, kind_of, kind_of_loss, known
from npnet.tracing.operation import Kept, Operation

INPUT, LOSS, ALONE = "input", "loss", "model"  # the last is what a model that is one layer is called
FORWARD, BACKWARD = "forward", "backward"


@dataclass(eq=False)
class Draft:
    """An operation as far as it has been seen; its fields are those of `Operation`."""

    name: str
    layer: str
    kind: str = ""
    tensors: dict[str, ndarray] = field(default_factory=dict)
    equations: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    kept: tuple[Kept, ...] = ()
    error: str = ""
    failed: str = ""
    says: str = ""
    parameters: tuple[str, ...] = ()

    def take(self, kind: Kind | None) -> None:
        """Take over what is known of an operation: its equations, settings and constant inputs."""
        if kind is None:
            return
        self.kind, self.equations, self.settings = kind.name, kind.equations, kind.settings
        self.tensors |= {name: np.array(array) for name, array in kind.arguments.items()}

    def note(self, name: str, array: Any) -> None:
        """Keep a copy of an array, which someone may yet write to."""
        if array is not None:
            self.tensors[name] = np.array(array)


class Recorder:
    """What was seen of a step: the operations, and in which order the two passes came through them.

    Parameters
    ----------
    model : Layer
        A copy: running statistics change.
    """

    def __init__(self, model: Layer) -> None:
        self.model = model
        self.error = ""
        self.value = float("nan")
        self.grads: Gradients = {}
        self.places: dict[str, str] = {}  # of each operation the dotted name of its layer
        self._failed = False
        self._drafts: list[Draft] = []
        self._steps: list[tuple[str, Draft]] = []
        self._made: list[tuple[ndarray, Draft | None]] = []  # arrays, with what made them; None is the input
        self._renamed: dict[str, str] = {}
        self._outputs: dict[str, ndarray] = {}  # by layer, those that are no operation included
        self._grads_x: dict[str, ndarray | None] = {}
        self._upstream: dict[str, ndarray] = {}
        self._not_run: dict[str, Layer] = {}
        for path, layer in model.named_layers():
            self._not_run[path or ALONE] = layer
        self._watched = instrumented(model, self._watching)

    def _watching(self, path: str, layer: Layer, forward: Callable[..., Any]) -> Callable[..., Any]:
        return partial(self._forward, layer, path or ALONE, forward)

    def run(
        self, loss: Loss, x: ndarray, target: ndarray, training: bool, generator: Generator | None
    ) -> None:
        """Run the step as far as it goes."""
        self._made.append((x, None))
        try:
            with np.errstate(all="ignore"):
                y, backward = self._watched.forward(x, training=training, generator=generator)
                _, self.grads = backward(self._through_loss(loss, y, target))
        except Exception as error:  # noqa: BLE001 - whatever a layer of one's own raises is shown at its place
            self.error = _message(error)
        self._note_not_run(loss)

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations in forward order."""
        for draft in self._drafts:
            draft.sources = {
                name: self._renamed.get(source, source) for name, source in draft.sources.items()
            }
        return tuple(Operation(**vars(draft)) for draft in self._drafts)

    def steps(self) -> tuple[tuple[str, int], ...]:
        """Return in which order the passes came through: "forward" or "backward", and which operation."""
        places = {id(draft): place for place, draft in enumerate(self._drafts)}
        return tuple((phase, places[id(draft)]) for phase, draft in self._steps if id(draft) in places)

    def layers(self) -> dict[str, Layer]:
        """Return of each operation of a layer the layer."""
        named = dict(self.model.named_layers())
        return {operation: named[layer] for operation, layer in self.places.items()}

    # ---- forward -----------------------------------------------------------------------------------

    def _forward(self, layer: Layer, name: str, forward: Callable[..., Any], x: ndarray, **how: Any) -> Any:
        if self._failed:  # a container tries again, to find out what to say
            return forward(x, **how)
        self._not_run.pop(name, None)
        composed = bool(layer.children) and not layer.stages
        made_before = len(self._made)
        if composed:
            draft = Draft(f"{name}.out", _shown(layer), says=_says(layer))
            source, x = self._source(x), x.view()  # what its layers take is told apart from what others take
            entry = self._enter(layer, name, x, source)
        else:
            draft, entry = self._leaf(layer, name, x, how), None
        try:
            y, backward = forward(x, **how)
        except Exception as error:
            self._note_failure(draft, FORWARD, error)
            raise
        if y is x:  # what takes this takes it from here
            y = x.view()
        self._outputs[name] = y
        if layer.children and any(y is array for array, _ in self._made[made_before:]):
            # What came out of it, one of its layers made.
            self._leave_out(entry)
            return y, partial(self._pass_back, name, backward)
        if composed:
            self._gather(draft, layer, name, x)
        draft.note("y", y)
        if not layer.children:
            draft.kept = tuple(_kept(backward, {"x": x, **_own(layer), "y": y}))
            if draft.kind == "dropout":
                draft.note("factor", _factor(backward, y))
        self._add(draft, y)
        return y, partial(self._backward, draft, entry, name, layer, backward)

    def _leaf(self, layer: Layer, name: str, x: ndarray, how: Mapping[str, Any]) -> Draft:
        """Begin the operation of a layer without layers in it."""
        draft = Draft(self._unique(name), _shown(layer), says=_says(layer))
        self.places[draft.name] = "" if name == ALONE else name
        draft.note("x", x)
        draft.sources["x"] = self._source(x)
        for parameter, array in _own(layer).items():
            draft.note(parameter, array)
            draft.parameters += (parameter,)
        # An x that does not fit raises here too; the layer itself is about to say why.
        with suppress(InputError, AttributeError, IndexError, TypeError, ValueError):
            draft.take(kind_of(layer, x, training=how.get("training", True)))
        return draft

    def _enter(self, layer: Layer, name: str, x: ndarray, source: str) -> Draft:
        """Note that x goes to the layers of a container, from which as many gradients come back."""
        entry = Draft(f"{name}.in", _shown(layer), sources={"x": source})
        entry.note("x", x)
        entry.note("y", x)
        if isinstance(layer, Residual):
            entry.take(known("split"))
        self._add(entry, x)
        return entry

    def _leave_out(self, entry: Draft | None) -> None:
        """Forget what was begun for a container that does nothing itself."""
        if entry is not None:
            self._drafts.remove(entry)
            self._made = [(array, maker) for array, maker in self._made if maker is not entry]
            self._renamed[entry.name] = entry.sources["x"]

    def _gather(self, draft: Draft, layer: Layer, name: str, x: ndarray) -> None:
        """Note what a container makes its output of: the outputs of its layers, in a Residual perhaps x."""
        for child in layer.children:
            output = self._outputs.get(_within(name, child))
            if output is not None:
                draft.note(child, output)
                draft.sources[child] = self._source(output)
        if isinstance(layer, Residual):
            if layer.shortcut is None:
                draft.note("shortcut", x)
                draft.sources["shortcut"] = f"{name}.in"
            draft.take(known("add"))

    def _add(self, draft: Draft, y: ndarray) -> None:
        self._drafts.append(draft)
        self._steps.append((FORWARD, draft))
        self._made.append((y, draft))

    def _source(self, array: ndarray) -> str:
        """Return the name of what made an array; "" if nothing that was seen did."""
        same = [maker for made, maker in self._made if made is array]
        views = [maker for made, maker in self._made if made.size == array.size and _share(made, array)]
        if not same and not views:
            return ""
        maker = (same or views)[-1]
        if maker is None:
            return INPUT
        return maker.name if _equal(maker.tensors["y"], array) else ""  # else it was written to since

    def _unique(self, name: str) -> str:
        """Return a name, with a number for a layer that is run more than once."""
        used = {INPUT, LOSS, *(draft.name for draft in self._drafts)}
        times = 1
        while (numbered := name if times == 1 else f"{name} ({times})") in used:
            times += 1
        return numbered

    def _through_loss(self, loss: Loss, y: ndarray, target: ndarray) -> ndarray:
        """Run the loss forward and backward."""
        draft = Draft(LOSS, _shown_loss(loss), says=_says(loss), sources={"x": self._source(y)})
        draft.note("x", y)
        draft.note("target", target)
        phase = FORWARD
        try:
            draft.take(kind_of_loss(loss, y, target))
            value, backward = loss.forward(y, target)
            self.value = _one_number(value)
            draft.note("y", value)
            draft.kept = tuple(_kept(backward, {"x": y, "target": target}))
            self._add(draft, np.asarray(value))
            phase = BACKWARD
            grad: ndarray = backward()
            check.array(type(loss).__name__, "grad_x", grad)
        except Exception as error:
            self._note_failure(draft, phase, error)
            raise
        draft.note("grad_y", np.ones((), y.dtype))
        draft.note("grad_x", grad)
        self._steps.append((BACKWARD, draft))
        return grad

    # ---- backward ----------------------------------------------------------------------------------

    def _pass_back(self, name: str, backward: Callable[..., Any], grad_y: ndarray, **how: Any) -> Any:
        """Run the backward of a container that does nothing itself."""
        self._upstream[name] = grad_y
        grad_x, grads = backward(grad_y, **how)
        self._grads_x[name] = grad_x
        return grad_x, grads

    def _backward(
        self,
        draft: Draft,
        entry: Draft | None,
        name: str,
        layer: Layer,
        backward: Callable[..., Any],
        grad_y: ndarray,
        **how: Any,
    ) -> Any:
        draft.note("grad_y", grad_y)
        self._upstream[name] = grad_y
        if entry is not None:
            self._steps.append((BACKWARD, draft))  # before its layers
        try:
            grad_x, grads = backward(grad_y, **how)
        except Exception as error:
            self._note_failure(draft, BACKWARD, error)
            raise
        self._grads_x[name] = grad_x
        if entry is None:
            draft.note("grad_x", grad_x)
            for parameter, grad in grads.items():
                draft.note(f"grad_{parameter}", grad)
            self._steps.append((BACKWARD, draft))
        else:
            self._hand_out(draft, entry, name, layer, grad_x)
        return grad_x, grads

    def _hand_out(self, draft: Draft, entry: Draft, name: str, layer: Layer, grad_x: ndarray | None) -> None:
        """Note of a container which gradients its layers took, and which they gave back."""
        for child in layer.children:
            place = _within(name, child)
            draft.note(f"grad_{child}", self._upstream.get(place))
            entry.note(f"grad_{child}", self._grads_x.get(place))
        if isinstance(layer, Residual) and layer.shortcut is None:
            draft.note("grad_shortcut", draft.tensors["grad_y"])
            entry.note("grad_shortcut", draft.tensors["grad_y"])
        entry.note("grad_x", grad_x)
        self._steps.append((BACKWARD, entry))

    # ---- what went wrong, and what did not run -----------------------------------------------------

    def _note_failure(self, draft: Draft, phase: str, error: Exception) -> None:
        """Write the message where it arose, and not at the containers around it."""
        if self._failed:
            return
        self._failed = True
        draft.error, draft.failed = _message(error), phase
        if draft not in self._drafts:
            self._drafts.append(draft)
            self._steps.append((phase, draft))
        elif phase == BACKWARD:
            self._steps.append((phase, draft))

    def _note_not_run(self, loss: Loss) -> None:
        for name, layer in self._not_run.items():
            if not layer.children:
                self._drafts.append(Draft(name, _shown(layer), says=_says(layer)))
        if not any(draft.name == LOSS for draft in self._drafts):
            self._drafts.append(Draft(LOSS, _shown_loss(loss), says=_says(loss)))


# ---- what closures keep --------------------------------------------------------------------------------


def _kept(backward: Any, own: Mapping[str, ndarray]) -> Iterator[Kept]:
    """Yield the arrays that a backward closure keeps, and say which are the operation's own tensors."""
    for name, array in arrays_within(backward):
        same = (other for other, own_array in own.items() if np.may_share_memory(array, own_array))
        yield Kept(name, array.shape, str(array.dtype), array.nbytes, next(same, ""))


def arrays_within(
    content: Any, name: str = "", seen: set[int] | None = None
) -> Iterator[tuple[str, ndarray]]:
    """Yield each array that a closure can reach through its variables, with the variable's name."""
    seen = set() if seen is None else seen
    if id(content) in seen:
        return
    seen.add(id(content))
    if isinstance(content, ndarray):
        yield name, content
    for variable, within in _variables(content, name):
        yield from arrays_within(within, variable, seen)


def _variables(content: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield what a function, or something that holds functions or arrays, keeps."""
    if isinstance(content, MethodType):
        content = content.__func__
    if isinstance(content, FunctionType):
        for variable, cell in zip(content.__code__.co_freevars, content.__closure__ or (), strict=True):
            with suppress(ValueError):  # not assigned
                yield variable, cell.cell_contents
    several = content if isinstance(content, tuple | list) else ()
    if isinstance(content, partial):
        several = (content.func, *content.args, *content.keywords.values())
    for each in several:
        yield name, each


def _factor(backward: Any, y: ndarray) -> ndarray:
    """Return what dropout multiplied by."""
    found = (array for name, array in arrays_within(backward) if name == "factor" and array.shape == y.shape)
    return next(found, np.ones_like(y))


# ---- small things --------------------------------------------------------------------------------------


def _own(layer: Layer) -> dict[str, ndarray]:
    """Return a layer's parameters by name."""
    named = {name: getattr(layer, name) for name in layer.parameter_names}
    return {name: array for name, array in named.items() if array is not None}


def _within(name: str, child: str) -> str:
    return child if name == ALONE else f"{name}.{child}"


def _shown(layer: Layer) -> str:
    return type(layer).__name__ if layer.children else repr(layer)


def _shown_loss(loss: Loss) -> str:
    """Return what would make the loss again, with what is left at its default left out."""
    defaults = {name: argument.default for name, argument in signature(type(loss)).parameters.items()}
    changed = {
        name: "…" if isinstance(value, ndarray) else repr(value)
        for name, value in vars(loss).items()
        if name in defaults and (isinstance(value, ndarray) or value != defaults[name])
    }
    return f"{type(loss).__name__}({', '.join(f'{name}={text}' for name, text in changed.items())})"


def _says(subject: Any) -> str:
    """Return the first line of the documentation of a class that is not npnet's."""
    kind = type(subject)
    text = kind.__doc__
    return "" if kind.__module__.startswith("npnet.") or not text else text.strip().splitlines()[0]


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"


def _one_number(value: Any) -> float:
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "fiu":
        raise InputError(f"trace: loss must give one number, got {check.described(value)}")
    return float(array)


def _share(a: ndarray, b: ndarray) -> bool:
    return a.size > 0 and np.may_share_memory(a, b)


def _equal(a: ndarray, b: ndarray) -> bool:
    return a.size == b.size and np.array_equal(a.reshape(-1), b.reshape(-1), equal_nan=True)
