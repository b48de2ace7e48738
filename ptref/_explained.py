"""What is wrong with gradients that differ from PyTorch's, and which layer of a model differs first."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from npnet.errors import InputError
from npnet.gradcheck import Explanation, WrongLayer, gradcheck
from npnet.gradcheck._mistakes import Evidence
from npnet.gradcheck._recorded import Call, recorded
from npnet.gradcheck.explanation import explanation_of
from npnet.nn import Layer
from ptref._reference import Reference, tensor
from ptref._subject import Outcome, Run
from ptref.convert import to_torch
from ptref.report import Report

# How far a prediction may be off, relative to the largest value: some thousand roundings.
RTOL = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-9}

Compared = Callable[[Layer, Callable[..., Any], ndarray, ndarray], Report]


def explanations(
    run: Run,
    inputs: Sequence[ndarray | None],
    upstream: ndarray,
    outcome: Outcome,
    truth: Mapping[str, ndarray],
    refuted: Mapping[str, ndarray],
) -> tuple[Explanation, ...]:
    """Explain the gradients that differ from the truth.

    Parameters
    ----------
    run : Run
        Runs the subject, and knows the reference.
    inputs : sequence of array or None
    upstream : array
    outcome : mapping from str to array
        What the subject gave.
    truth : mapping from str to array
        What is right.
    refuted : mapping from str to array of bool
        Where each gradient that is to be explained is wrong; of one in a wrong shape, nowhere.

    Returns
    -------
    explanations : tuple of Explanation
    """
    theirs = run.theirs
    named = {name: x for name, x in zip(theirs.input_names, inputs, strict=True) if x is not None}
    values = {name: _wide(x) for name, x in {**named, **theirs.layer_state}.items()}
    gradients = {name.removeprefix("grad_"): name for name in truth if name.startswith("grad_")}
    found = []
    for name, label in gradients.items():
        if label not in refuted or label not in outcome:
            continue
        others = {
            other: (_wide(outcome[key]), truth[key])
            for other, key in gradients.items()
            if other != name and key in outcome
        }
        got = _wide(outcome[label])
        evidence = Evidence(
            name=name,
            got=got,
            expected=truth[label],
            values=values,
            data_name=theirs.input_names[0],
            y=_wide(outcome["y"]),
            grad_y=_wide(upstream),
            others=others,
            right=_right(theirs, inputs, label),
            given=_given(run, inputs, label),
            elsewhere=_elsewhere(theirs, inputs, upstream, label),
            refuted=refuted[label] if refuted[label].shape == got.shape else None,
            rtol=RTOL[np.dtype(theirs.dtype)],
        )
        found.append(explanation_of(evidence))
    return tuple(found)


def _wide(array: ndarray) -> ndarray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _right(
    theirs: Reference, inputs: Sequence[ndarray | None], label: str
) -> Callable[[ndarray], ndarray | None]:
    tensors = theirs.tensors(inputs)

    def right(grad_y: ndarray) -> ndarray | None:
        found = theirs.evaluate(tensors, tensor(np.asarray(grad_y)), [label])
        return found[label].numpy() if label in found else None

    return right


def _given(run: Run, inputs: Sequence[ndarray | None], label: str) -> Callable[[ndarray], ndarray | None]:
    def given(grad_y: ndarray) -> ndarray | None:
        found = run.gradients(inputs, grad_y.astype(run.theirs.dtype))
        return _wide(found[label]) if label in found else None

    return given


def _elsewhere(
    theirs: Reference, inputs: Sequence[ndarray | None], upstream: ndarray, label: str
) -> Callable[[Mapping[str, ndarray]], ndarray | None]:
    def elsewhere(changed: Mapping[str, ndarray]) -> ndarray | None:
        moved = copy.copy(theirs)
        moved.layer_state = {
            **theirs.layer_state,
            **{k: v for k, v in changed.items() if k in theirs.layer_state},
        }
        arrays = [changed.get(name, x) for name, x in zip(theirs.input_names, inputs, strict=True)]
        try:
            found = moved.evaluate(moved.tensors(arrays), tensor(upstream), [label])
        except (ArithmeticError, ValueError, RuntimeError):  # values that the reference does not take
            return None
        return found[label].numpy() if label in found else None

    return elsewhere


# ---- models ------------------------------------------------------------------------------------------------


def wrong_layers(
    subject: Layer,
    reference: Callable[..., Any],
    x: ndarray,
    upstream: ndarray,
    run: Run,
    compared: Compared,
) -> tuple[WrongLayer, ...]:
    """Find the layers of a model that differ from PyTorch's by themselves, in the order of backward.

    Each is compared with the input and the upstream gradient it had in the model: with the module of the same
    name, or what `to_torch` makes of it; or, where there is neither, with central differences.

    Parameters
    ----------
    subject : Layer
    reference : callable
    x, upstream : array
        The minibatch and the gradient with respect to the output.
    run : Run
        Of the whole model.
    compared : callable
        ``compared(layer, module, x, upstream)`` compares a single layer.

    Returns
    -------
    layers : tuple of WrongLayer
    """
    if len(layers := dict(subject.named_layers())) == 1:
        return ()
    with recorded(subject) as record:
        run.gradients([x], upstream)
    found: list[WrongLayer] = []
    for call in record.backward:
        holds_wrong = any(each.name.startswith(f"{call.name}.") for each in found)
        if call.name == "" or holds_wrong or call.grad_y is None:
            continue
        reason, report = _compared_layer(layers[call.name], call, reference, run.training, compared)
        if reason:
            found.append(WrongLayer(call.name, type(call.layer).__name__, reason, report))
    return tuple(found)


def _compared_layer(
    layer: Layer, call: Call, reference: Callable[..., Any], training: bool, compared: Compared
) -> tuple[str, object]:
    """Return why a layer differs by itself, and the report; no reason where it does not."""
    assert call.grad_y is not None
    module = _module_for(layer, call.name, reference)
    try:
        if module is None:
            return _by_central_differences(layer, call, training=training)
        report = compared(layer, module, call.x, call.grad_y)
    except InputError:  # it cannot be compared by itself, so nothing is said of it
        return "", None
    return report.reason, report


def _by_central_differences(layer: Layer, call: Call, *, training: bool) -> tuple[str, object]:
    wide = copy.deepcopy(layer)
    wide.astype(np.float64)
    report = gradcheck(wide, _wide(call.x), training=training, raise_error=False)
    wrong = not report.passed and not report.only_kinks
    return f"by central differences, {report.reason}" if wrong else "", report


def _module_for(layer: Layer, name: str, reference: Callable[..., Any]) -> torch.nn.Module | None:
    """Return the module that stands in a layer's place, if it has the same parameters, or one made of it."""
    if isinstance(reference, torch.nn.Module):
        module: torch.nn.Module | None = dict(reference.named_modules()).get(name)
        if module is not None and dict(module.named_parameters()).keys() == layer.parameters.keys():
            return module
    try:
        return to_torch(layer)
    except InputError:
        return None
