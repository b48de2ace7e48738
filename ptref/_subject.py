"""The npnet side of a comparison: run the subject forward and backward, and check that it keeps the rules."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.nn import Layer
from ptref._reference import Reference

Outcome = dict[str, ndarray]  # "y", "grad_x", …, and states by their names


@dataclass(frozen=True)
class Run:
    """Runs the subject and reports side effects, wrong dtypes and missing gradients."""

    subject: Callable[..., Any] | Layer
    theirs: Reference
    seed: int
    training: bool

    def checked(self, inputs: Sequence[ndarray | None], upstream: ndarray) -> tuple[Outcome, list[str]]:
        """Return the output, gradients and new states by name, and a list of violated rules."""
        given = [array.copy() if i in self.theirs.state and array is not None else array
                 for i, array in enumerate(inputs)]  # fmt: skip
        before = [None if array is None else array.copy() for array in given]
        with _quiet_if(not all(_finite(array) for array in inputs)):
            subject, y, backward = self._forward(given)
            violations = self._output_violations(y)
            outcome = {"y": np.asarray(y).copy(), **self._states(subject, given)}
            if outcome["y"].shape != upstream.shape:
                return outcome, violations
            untouched = upstream.copy()
            first = backward(upstream)
            kept = {name: np.asarray(grad).copy() for name, grad in first.items()}
            second = backward(upstream)
        violations += [
            f"backward, called again, gives another {name}"
            for name, grad in kept.items()
            if not (_same(grad, np.asarray(second[name])) and _same(grad, np.asarray(first[name])))
        ]
        violations += [
            f"{name} is {grad.dtype}, not {self.theirs.dtype}"
            for name, grad in kept.items()
            if grad.dtype != self.theirs.dtype
        ]
        if not _same(untouched, upstream):
            violations.append("backward modifies grad_y")
        if not _same(outcome["y"], np.asarray(y)):
            violations.append("backward modifies y")
        for i, (array, old) in enumerate(zip(given, before, strict=True)):
            if array is not None and old is not None and i not in self.theirs.state and not _same(array, old):
                violations.append(f"{self.theirs.input_names[i]} is modified")
        missing = self.theirs.expected_gradients(subject) - kept.keys()
        violations += [f"there is no {name}" for name in sorted(missing)]
        return outcome | kept, violations

    def gradients(self, inputs: Sequence[ndarray | None], upstream: ndarray) -> Outcome:
        """Return the gradients for an upstream gradient, and watch over nothing."""
        with np.errstate(all="ignore"):
            _, _, backward = self._forward([x if x is None else x.copy() for x in inputs])
            return {name: np.array(grad) for name, grad in backward(upstream.copy()).items()}

    def _forward(self, inputs: Sequence[ndarray | None]) -> tuple[Any, Any, Callable[[ndarray], Outcome]]:
        names, options = self.theirs.input_names, self.theirs.options
        if not isinstance(self.subject, Layer):
            call = getattr(self.subject, "forward", self.subject)  # a loss has a forward too
            y, backward = call(*inputs, **options)

            def gradients(upstream: ndarray) -> Outcome:
                found = backward(upstream)
                several = found if isinstance(found, tuple | list) else (found,)
                beyond = [f"output {i} of backward" for i in range(len(names), len(several))]
                named = zip([*names, *beyond], several, strict=False)  # targets have no gradient
                return {f"grad_{name}": grad for name, grad in named if grad is not None}

            return self.subject, y, gradients

        layer = copy.deepcopy(self.subject)  # running statistics must not move in the caller's layer
        generator = np.random.default_rng([self.seed, 1])
        forward: Callable[..., Any] = layer.forward
        y, layer_backward = forward(*inputs, training=self.training, generator=generator, **options)

        def layer_gradients(upstream: ndarray) -> Outcome:
            grad_x, grads = layer_backward(upstream)
            found = {f"grad_{name}": grad for name, grad in grads.items()}
            return found if grad_x is None else {f"grad_{names[0]}": grad_x, **found}

        return layer, y, layer_gradients

    def _states(self, subject: Any, given: Sequence[ndarray | None]) -> Outcome:
        states = {
            self.theirs.input_names[i]: array.copy()
            for i, array in enumerate(given)
            if i in self.theirs.state and array is not None
        }
        if isinstance(subject, Layer):
            floats = {name: b for name, b in subject.buffers.items() if b.dtype.kind == "f"}
            states |= {name: buffer.copy() for name, buffer in floats.items()}
        return states

    def _output_violations(self, y: Any) -> list[str]:
        if not isinstance(y, ndarray | np.floating):
            return [f"y must be a NumPy array, got {type(y).__name__}"]
        return [] if y.dtype == self.theirs.dtype else [f"y is {y.dtype}, not {self.theirs.dtype}"]


def _finite(array: ndarray | None) -> bool:
    return array is None or array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _same(one: ndarray, other: ndarray) -> bool:
    """Return whether two arrays are equal bit by bit, including NaNs."""
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


@contextmanager
def _quiet_if(special: bool) -> Iterator[None]:
    """Silence NumPy's warnings if the inputs hold NaN or infinity."""
    with np.errstate(all="ignore" if special else "warn", under="ignore"):
        yield
