"""One recorded training step: every operation with its arrays, forward and backward."""

from __future__ import annotations

import copy
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._whole import whole
from npnet.errors import InputError
from npnet.nn import Layer
from npnet.nn.losses import Loss
from npnet.nn.step import check_loss, check_model
from npnet.optim import Optimizer
from npnet.table import table
from npnet.tracing._record import Recorder
from npnet.tracing._terms import sum_of
from npnet.tracing.operation import Operation, statistics
from npnet.tracing.rules import rule_of, shown_optimizer
from npnet.tracing.sums import Index, Sum
from npnet.tracing.updates import Update, old_state, update_of

# Gradients of another engine: from a trace, and the layers of its operations by name, to the engine's name
# and, by operation and gradient, its arrays.
Reference = Callable[["Trace", Mapping[str, Layer]], tuple[str, Mapping[tuple[str, str], ndarray]]]


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """One step of a model, as `trace` recorded it.

    Printed, it is a table of all arrays: the forward pass reads downwards, the backward pass upwards. In a
    notebook it is the page that `save` writes, where a click on a value or a gradient shows the sum it is.

    Parameters
    ----------
    operations : tuple of Operation
        In forward order; the loss comes last.
    steps : tuple of (phase, place)
        In which order the step went through: "forward", "backward" or "update", and which of the operations.
    loss : float
        NaN if the step did not get that far.
    x, target : array
        The minibatch.
    training : bool
        Whether layers that behave differently in training did so.
    model : str
        What the model prints as.
    error : str
        Why the step failed; "" if it did not.
    optimizer : str
        What moved the parameters; "" if nothing did.
    reference : str
        The other engine, such as "PyTorch 2.9"; "" if there was none.
    references : dict
        Its gradients, by the operation's name and the gradient's.
    """

    operations: tuple[Operation, ...]
    steps: tuple[tuple[str, int], ...]
    loss: float
    x: ndarray
    target: ndarray
    training: bool
    model: str
    error: str = ""
    optimizer: str = ""
    reference: str = ""
    references: Mapping[tuple[str, str], ndarray] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Operation:
        """Return the operation of a name."""
        for operation in self.operations:
            if operation.name == name:
                return operation
        known = ", ".join(operation.name for operation in self.operations)
        raise InputError(f"Trace: name must be that of an operation ({known}), got {name!r:.60}")

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def sum(self, operation: str, name: str, index: Index) -> Sum:
        """Write one element of an output or a gradient out as the sum it is.

        Parameters
        ----------
        operation : str
            Its name.
        name : str
            "y", or a gradient such as "grad_weight".
        index : tuple of int
            Which element.

        Returns
        -------
        written : Sum

        Raises
        ------
        InputError
            If there is no such operation, array or element, or no equation is known.
        """
        return sum_of(self[operation], name, index)

    def update(self, name: str, index: Index) -> Update:
        """Write the optimizer's step of one weight out: old value, gradient, each intermediate, new value.

        Parameters
        ----------
        name : str
            The parameter with its operation, such as "2.weight".
        index : tuple of int
            Which element.

        Returns
        -------
        written : Update

        Raises
        ------
        InputError
            If there is no such parameter or element, or the trace has no optimizer's step.

        Examples
        --------
        >>> from npnet import nn, optim
        >>> model = nn.Sequential(nn.Linear(2, 2, generator=np.random.default_rng(0)))
        >>> adam = optim.Adam(model.parameters, lr=0.5)
        >>> x, target = np.ones((1, 2), np.float32), np.array([1])
        >>> written = trace(model, nn.CrossEntropyLoss(), x, target, optimizer=adam).update("0.bias", (1,))
        >>> [line.says for line in written.lines][:2], round(written.change, 4)
        (['first moment', 'second moment'], 0.5)
        """
        if not self.optimizer:
            raise InputError(
                "Trace.update: the trace must have the step of an optimizer: trace(…, optimizer=…)"
            )
        moved = {f"{each.name}.{one}": each for each in self.operations for one in each.rules}
        if not isinstance(name, str) or name not in moved:
            known = ", ".join(moved) or "none"
            raise InputError(f"Trace.update: name must be that of a parameter ({known}), got {name!r:.60}")
        return update_of(moved[name], name.rpartition(".")[2], index)

    def html(self) -> str:
        """Return the page as one self-contained HTML document."""
        from npnet.tracing._document import document  # noqa: PLC0415 - not every trace is shown

        return document(self)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the page: one HTML file that needs no server and no network.

        Parameters
        ----------
        path : path
            Usually ends in ".html".

        Returns
        -------
        path : Path

        Raises
        ------
        InputError
            If it cannot be written.
        """
        file = check.path("Trace.save", "path", path)
        try:
            with whole(file) as out:
                out.write(self.html().encode())
        except OSError as error:
            raise InputError(f"Trace.save: {file} cannot be written ({error.strerror or error})") from error
        return file

    def _repr_html_(self) -> str:
        """Show the page in a notebook."""
        page = html.escape(self.html(), quote=True)
        style = "width: 100%; height: 46rem; border: 0"
        return f'<iframe title="trace" style="{style}" srcdoc="{page}"></iframe>'

    def __repr__(self) -> str:
        columns = ["↓ forward", "array", "shape", "values", "range", "mean", "notes"]
        forward: list[Sequence[str]] = [["input", "x", *_described(self.x)]]
        forward += [row for operation in self.operations for row in _rows(operation, "forward")]
        order = [self.operations[place] for phase, place in self.steps if phase == "backward"]
        missing = [each for each in reversed(self.operations) if each not in order]
        backward = [row for operation in reversed([*missing, *order]) for row in _rows(operation, "backward")]
        headline = f"loss {self.loss:.6g}" if not self.error else f"failed: {self.error}"
        text = table(columns, [*forward, [""] * 7, ["↑ backward", *[""] * 6], *backward], title=headline)
        return "\n".join(line.rstrip() for line in text.splitlines())


def trace(
    model: Layer,
    loss: Loss,
    x: ndarray,
    target: ndarray,
    *,
    optimizer: Optimizer | None = None,
    training: bool = True,
    generator: Generator | None = None,
    reference: Reference | None = None,
) -> Trace:
    """Run one step forward and backward and record every operation of it.

    Model and optimizer are copied first, so that nothing changes: neither weights nor running statistics. A
    step that fails is recorded up to the operation that failed, and what was not run is marked so.

    Parameters
    ----------
    model : Layer
        Any model; of a container of your own, the layers that it names in `children`.
    loss : Loss
        Gives one number.
    x, target : array
        A minibatch, of one sample or more.
    optimizer : Optimizer, optional
        Made of the model's parameters; its step is recorded too.
    training : bool
        Whether layers that behave differently in training (dropout, batch norm) do so.
    generator : numpy.random.Generator, optional
        The source of randomness, for dropout in training; it is copied, too. Without one, that of seed 0.
    reference : callable, optional
        Gives the gradients of another engine, such as `ptref.trace.gradients` those of PyTorch.

    Returns
    -------
    recorded : Trace

    Raises
    ------
    InputError
        If model, loss, optimizer or generator is something else, x or target is no array of numbers, the
        optimizer is another model's, or the model cannot be copied.

    Examples
    --------
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Linear(3, 4, generator=rng), nn.ReLU(), nn.Linear(4, 2, generator=rng))
    >>> recorded = trace(model, nn.CrossEntropyLoss(), np.ones((1, 3), np.float32), np.array([1]))
    >>> [operation.name for operation in recorded]
    ['0', '1', '2', 'loss']
    >>> recorded["2"]["grad_weight"].shape
    (2, 4)
    >>> path = recorded.save("step.html")  # doctest: +SKIP
    """
    check_model("trace", model)
    check_loss("trace", loss)
    check.array("trace", "x", x, "biuf")
    check.array("trace", "target", target, "biuf")
    if optimizer is not None:
        check.instance(
            "trace", "optimizer", optimizer, Optimizer, "an optimizer such as optim.SGD(model.parameters)"
        )
        _check_same_parameters(model, optimizer)
    if generator is not None:
        check.generator("trace", generator)
    training = check.flag("trace", "training", training)
    if reference is not None:
        check.function("trace", "reference", reference)

    noise = np.random.default_rng(0) if generator is None else generator
    copied, moved, noise = _copied(model, optimizer, noise)
    recorder = Recorder(copied)
    recorder.run(loss, x, target, training, noise)
    recorded = Trace(
        operations=recorder.operations(),
        steps=recorder.steps(),
        loss=recorder.value,
        x=x.copy(),
        target=target.copy(),
        training=training,
        model=repr(model),
        error=recorder.error,
    )
    if reference is not None and not recorder.error:
        name, gradients = reference(recorded, recorder.layers())
        recorded = replace(recorded, reference=name, references=dict(gradients))
    if moved is not None and not recorder.error:
        before = moved.state_dict()
        moved.step(recorder.grads)
        recorded = _updated(recorded, moved, recorder.places, before)
    return recorded


def _check_same_parameters(model: Layer, optimizer: Optimizer) -> None:
    """Require that an optimizer moves the model's own arrays."""
    own = model.parameters
    for name, array in optimizer.parameters.items():
        if own.get(name) is not array:
            has = "another array" if name in own else "no parameter"
            raise InputError(
                "trace: optimizer must be made of the parameters of the model that is traced, such as "
                f"optim.SGD(model.parameters), got one of {name!r}, of which the model has {has}"
            )


def _copied(model: Layer, *others: Any) -> tuple[Any, ...]:
    """Return copies that belong together as the originals do."""
    try:
        return copy.deepcopy((model, *others))
    except Exception as error:  # what a layer of one's own holds may be of any kind
        raise InputError(
            f"trace: model must be one that can be copied, got {type(model).__name__}: {error}"
        ) from error


def _updated(
    recorded: Trace, optimizer: Optimizer, places: Mapping[str, str], before: Mapping[str, ndarray]
) -> Trace:
    """Return the trace with what the optimizer made of the parameters, by the operations they belong to."""
    kinds = optimizer.state_names(optimizer.settings)
    numbers = {name: int(before.get(f"step.{name}", 0)) + 1 for name in optimizer.parameters}
    rules = {number: rule_of(optimizer, number) for number in set(numbers.values())}
    operations, steps = list(recorded.operations), list(recorded.steps)
    for place, operation in enumerate(operations):
        tensors, equations, moved = dict(operation.tensors), dict(operation.equations), {}
        for name in operation.parameters:
            full = f"{places.get(operation.name, '')}.{name}".removeprefix(".")
            array = optimizer.parameters.get(full)
            if array is None or f"grad_{name}" not in tensors:
                continue
            rule = moved[name] = rules[numbers[full]]
            for kind in kinds:
                tensors[old_state(kind, name)] = before.get(f"{kind}.{full}", np.zeros_like(array))
            tensors[f"new_{name}"] = np.array(array)
            equations[f"new_{name}"] = rule.shown or f"new_{name} = {name} + the step of {rule.optimizer}"
        if moved:
            steps.append(("update", place))
            operations[place] = replace(operation, tensors=tensors, equations=equations, rules=moved)
    return replace(
        recorded, operations=tuple(operations), steps=tuple(steps), optimizer=shown_optimizer(optimizer)
    )


def _rows(operation: Operation, phase: str) -> Iterator[Sequence[str]]:
    """Yield the lines of one operation in one of the two passes."""
    backward = phase == "backward"
    learnt = [name for name in operation.parameters if name in operation.tensors]
    names = list(operation.gradients) if backward else [*learnt, "y"]
    if operation.failed == phase:
        yield f"{operation.name} {operation.layer}", "", "", "", "", "", f"failed: {operation.error}"
        return
    if not (operation.ran_backward if backward else operation.ran_forward):
        yield f"{operation.name} {operation.layer}", "", "", "", "", "", "not run"
        return
    for name in names:
        yield f"{operation.name} {operation.layer}", name, *_described(operation.tensors[name])


def _described(array: ndarray) -> Sequence[Any]:
    found = statistics(array)
    notes = [
        f"{count / found.size:.0%} {what}".replace("%", " %")
        for count, what in ((found.zeros, "zeros"), (found.nans, "NaN"), (found.infinities, "∞"))
        if count
    ]
    spread = f"{found.least:.4g} … {found.largest:.4g}"
    return str(array.shape), found.sparkline, spread, f"{found.mean:.4g}", ", ".join(notes)
