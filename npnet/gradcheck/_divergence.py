"""The first operation at which two steps part, and what is wrong there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy import ndarray

from npnet.gradcheck import _where
from npnet.gradcheck._mistakes import Evidence
from npnet.gradcheck.explanation import Explanation, explanation_of
from npnet.gradcheck.steps import OperationRecord, StepRecord

RTOL = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-9}
ROUNDINGS = 100  # that may add up where a gradient cancels to nothing
Pair = tuple[OperationRecord, OperationRecord]


@dataclass(frozen=True)
class Divergence:
    """The first operation at which two engines part.

    Attributes
    ----------
    operation : str
        Its name and class; "loss" if it is the loss.
    direction : str
        "forward" or "backward".
    reason : str
        What differs there.
    explanations : tuple of Explanation
        What is wrong with each gradient that differs there.
    """

    operation: str
    direction: str
    reason: str
    explanations: tuple[Explanation, ...] = ()


# ---- two steps -----------------------------------------------------------------------------------------


def paired(ours: StepRecord, theirs: StepRecord) -> list[Pair]:
    """Pair the operations of two steps: by name, or by place where the names differ."""
    named = {operation.name: operation for operation in theirs.operations}
    found = [(operation, named[operation.name]) for operation in ours.operations if operation.name in named]
    if not found and len(ours.operations) == len(theirs.operations):
        return list(zip(ours.operations, theirs.operations, strict=True))
    return found


def first_divergence(
    pairs: list[Pair], ours: StepRecord, theirs: StepRecord, rtol: float | None
) -> Divergence | None:
    """Return where two steps part first: forward from the first operation, then backward from the last."""
    forward = next(_forward_divergences(pairs, ours, theirs, rtol), None)
    return forward or next(_backward_divergences(pairs, ours, rtol), None)


def _forward_divergences(
    pairs: list[Pair], ours: StepRecord, theirs: StepRecord, rtol: float | None
) -> Iterator[Divergence]:
    for own, right in pairs:
        if reason := _differs(own.y, right.y, rtol):
            yield Divergence(own.shown, "forward", f"y {reason}")
    if pairs and ours.loss is not None and theirs.loss is not None:
        tolerance = _tolerance(rtol, pairs[0][0].y)
        if _off(np.array(ours.loss), np.array(theirs.loss)) > tolerance:
            yield Divergence("loss", "forward", f"it is {ours.loss:.6g} and should be {theirs.loss:.6g}")


def _backward_divergences(pairs: list[Pair], ours: StepRecord, rtol: float | None) -> Iterator[Divergence]:
    for i, (own, right) in enumerate(reversed(pairs)):
        if own.grad_y is None or right.grad_y is None:
            continue
        if reason := _differs(own.grad_y, right.grad_y, rtol):
            at = "loss" if i == 0 and ours.loss is not None else f"what follows {own.shown}"
            yield Divergence(at, "backward", f"the upstream gradient it gives {reason}")
        explanations = tuple(_explained(own, right, rtol))
        if explanations:
            reasons = "; ".join(f"gradient of {each.name}: {each.sentence}" for each in explanations)
            yield Divergence(own.shown, "backward", reasons, explanations)


def _explained(own: OperationRecord, right: OperationRecord, rtol: float | None) -> Iterator[Explanation]:
    """Explain what differs of the gradients of one operation, whose upstream gradients agree."""
    ours, theirs = _all_gradients(own), _all_gradients(right)
    both = [name for name in ours if name in theirs]
    for name in both:
        explanation = explanation_of(
            Evidence(
                name=name,
                got=_wide(ours[name]),
                expected=_wide(theirs[name]),
                **_of_operation(own),
                noise=_noise(own.grad_y, own.x),
                others={each: (_wide(ours[each]), _wide(theirs[each])) for each in both if each != name},
                rtol=_tolerance(rtol, ours[name]),
                right=_again(right, name),
                given=_again(own, name),
            )
        )
        if explanation.kind != "right":
            yield explanation


def _of_operation(operation: OperationRecord, prefix: str = "") -> dict[str, Any]:
    """Return what a step tells of the gradients of an operation."""
    parameters = {f"{prefix}{key}": _wide(array) for key, array in operation.parameters.items()}
    return {
        "values": {"x": _wide(operation.x), **parameters},
        "y": _wide(operation.y),
        "grad_y": None if operation.grad_y is None else _wide(operation.grad_y),
    }


def _all_gradients(operation: OperationRecord) -> dict[str, ndarray]:
    return ({} if operation.grad_x is None else {"x": operation.grad_x}) | dict(operation.grads)


def _again(operation: OperationRecord, name: str) -> Any:
    if operation.again is None:
        return None
    run = operation.again

    def again(grad_y: ndarray) -> ndarray | None:
        found = run(grad_y).get(name)
        return None if found is None else _wide(found)

    return again


def _noise(upstream: ndarray | None, x: ndarray | None) -> float:
    """Return what rounding may leave of a sum of products that cancel, such as a bias's before batch norm."""
    if upstream is None or upstream.dtype.kind != "f":
        return 0.0
    factor = 1.0 if x is None else max(1.0, _largest(x))
    return ROUNDINGS * float(np.finfo(upstream.dtype).eps) * _largest(upstream) * factor


def _differs(got: ndarray, expected: ndarray, rtol: float | None) -> str:
    """Say how two arrays differ; nothing where they agree."""
    if got.shape != expected.shape:
        return f"has shape {got.shape} and should have {expected.shape}"
    off = _off(got, expected)
    if off <= _tolerance(rtol, got):
        return ""
    wrong = ~(np.abs(got - expected) <= _tolerance(rtol, got) * max(_largest(got), _largest(expected)))
    names = tuple(f"axis-{axis} position" for axis in range(got.ndim))
    return f"differs: {_where.in_words(wrong, names, np.ones(got.shape, bool))}"


def row(own: OperationRecord, right: OperationRecord) -> tuple[str, ...]:
    """Return how far an operation's arrays are off, relative to the largest value of each."""
    parameters = [_off(grad, right.grads[name]) for name, grad in own.grads.items() if name in right.grads]
    gradient = own.grad_x is not None and right.grad_x is not None
    return (
        own.shown,
        f"{_off(own.y, right.y):.1e}",
        f"{_off(cast('ndarray', own.grad_x), cast('ndarray', right.grad_x)):.1e}" if gradient else "",
        f"{max(parameters):.1e}" if parameters else "",
    )


def _off(got: ndarray, expected: ndarray) -> float:
    """Return the largest difference relative to the largest value; infinite where only one is finite."""
    if got.shape != expected.shape:
        return float("inf")
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    with np.errstate(all="ignore"):
        difference = np.where(same, 0.0, np.abs(got.astype(np.float64) - expected))
    if np.isnan(difference).any():
        return float("inf")
    scale = max(_largest(got), _largest(expected))
    largest = float(difference.max(initial=0.0))
    return largest / scale if scale else largest


def _tolerance(rtol: float | None, array: ndarray) -> float:
    return RTOL.get(array.dtype, RTOL[np.dtype(np.float64)]) if rtol is None else rtol


def _largest(array: ndarray) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def _wide(array: ndarray) -> ndarray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


# ---- gradients without a step --------------------------------------------------------------------------


def wrong_gradients(
    ours: Mapping[str, ndarray],
    theirs: Mapping[str, ndarray],
    rtol: float | None,
    operation: OperationRecord | None = None,
) -> tuple[Explanation, ...]:
    """Explain the gradients that differ, those of the last parameters first, as backward comes to them.

    With the operation they belong to, if its upstream gradient is right, more mistakes are known by name.
    """
    of_operation = {} if operation is None else _of_operation(operation, f"{operation.name}.")
    names = [name for name in ours if name in theirs]
    noise = max((_noise(ours[name], None) for name in names), default=0.0)
    found = []
    for name in reversed(names):
        others = {other: (_wide(ours[other]), _wide(theirs[other])) for other in names if other != name}
        evidence = Evidence(
            name=name,
            got=_wide(ours[name]),
            expected=_wide(theirs[name]),
            others=others,
            rtol=_tolerance(rtol, ours[name]),
            noise=noise,
            **of_operation,
        )
        explanation = explanation_of(evidence)
        if explanation.kind != "right":
            found.append(explanation)
    return tuple(found)


def first_wrong_gradient(
    ours: StepRecord, right: Mapping[str, ndarray], rtol: float | None
) -> Divergence | None:
    """Return where a step parts from gradients of parameters alone.

    The first operation with a wrong gradient is at fault by itself if the gradients below it are right. If
    they are not, it may also be one of those between it and the last whose gradients are right.
    """
    by_operation: dict[str, list[Explanation]] = {}
    for explanation in wrong_gradients(ours.grads, right, rtol):
        by_operation.setdefault(explanation.name.rpartition(".")[0], []).append(explanation)
    suspects: list[str] = []
    for operation in reversed(ours.operations):
        suspects.insert(0, operation.shown)
        found = tuple(by_operation.pop(operation.name, ()))
        if found:
            named = suspects if by_operation else [operation.shown]
            if not by_operation:
                own = {each.name: ours.grads[each.name] for each in found}
                found = wrong_gradients(own, right, rtol, operation)
            reasons = "; ".join(f"gradient of {each.name}: {each.sentence}" for each in found)
            return Divergence(" or ".join(named), "backward", reasons, found)
        if operation.grads:  # they are right, and so is all they came through: only its grad_x may be wrong
            suspects = [operation.shown]
    if not by_operation:
        return None
    left = tuple(next(iter(by_operation.values())))  # of x alone: nothing below tells where it came from
    reasons = "; ".join(f"gradient of {each.name}: {each.sentence}" for each in left)
    return Divergence(" or ".join(suspects) or "the model", "backward", reasons, left)
