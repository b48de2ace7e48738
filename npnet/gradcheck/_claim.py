"""What backward claims, and whether it keeps to the rules while claiming it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.gradcheck._subject import ProblemError, Subject


class Claim:
    """One run of f forward and backward: the output, a random grad_y, and the gradients to be verified."""

    def __init__(self, subject: Subject, generator: Generator) -> None:
        self.subject = subject
        before = {label: array.copy() for label, array in subject.given.items()}
        y, self.backward = subject.run({})
        self.y = output(y)
        self.require_unmodified("f", before)
        require_finite("f", "y", self.y, "; look for a mistake in f, or choose inputs at which it is finite")
        if not same(self.y, output(subject.run({})[0])):
            raise ProblemError(
                "f gives different outputs for the same inputs; if it draws random numbers, "
                "let every call start from the same seed, and if it keeps state, from the same state"
            )

        self.grad_y = np.array(generator.standard_normal(self.y.shape))
        grad_y = self.grad_y.copy()
        gradients = subject.gradients(self.backward, grad_y)
        if not same(grad_y, self.grad_y):
            raise ProblemError("backward modifies grad_y")
        self.require_unmodified("backward", before)
        self.gradients = {
            label: gradient_of(label, gradients[label], array) for label, array in subject.variables.items()
        }
        for label, gradient in self.gradients.items():
            require_finite(
                "backward", f"the gradient for {label}", gradient, f", although y and {label} are finite"
            )
        self.require_unchanged_gradients("when called a second time")

    def require_unmodified(self, what: str, before: dict[str, ndarray]) -> None:
        """Refuse an f or a backward that changed what it was given, and undo the change."""
        for label, array in self.subject.given.items():
            if not same(array, before[label]):
                array[...] = before[label]
                raise ProblemError(f"{what} modifies {label}")

    def require_unchanged_gradients(self, when: str) -> None:
        """Refuse a backward that does not answer the same question in the same way again."""
        again = self.subject.gradients(self.backward, self.grad_y.copy())
        for label, array in self.subject.variables.items():
            if not same(self.gradients[label], gradient_of(label, again[label], array)):
                raise ProblemError(f"backward gives a different gradient for {label} {when}")


def output(y: Any) -> ndarray:
    """Return a copy of an output, which must be float64."""
    if not isinstance(y, ndarray | np.floating) or y.dtype != np.float64:
        raise ProblemError(
            f"f must return float64 for float64 inputs, got {getattr(y, 'dtype', type(y).__name__)}"
        )
    return np.array(y)


def gradient_of(label: str, grad: Any, array: ndarray) -> ndarray:
    """Return a copy of a gradient, which must have its array's shape and be float64."""
    if grad is None:  # claims that nothing depends on this input, and is held to it
        return np.zeros(array.shape)
    if np.shape(grad) != array.shape:
        raise ProblemError(f"the gradient for {label} must have shape {array.shape}, got {np.shape(grad)}")
    if getattr(grad, "dtype", None) != np.float64:
        got = getattr(grad, "dtype", type(grad).__name__)
        raise ProblemError(f"the gradient for {label} must be float64, got {got}")
    return np.array(grad)


def require_finite(what: str, name: str, array: ndarray, remark: str) -> None:
    """Refuse NaN and infinity, which no difference can be compared with, and say where they first stand."""
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise ProblemError(
            f"{what} gives {array[place]:.3g} at {len(wrong)} of {array.size} elements of {name}, "
            f"first at {place}{remark}"
        )


def same(a: ndarray, b: ndarray) -> bool:
    """Tell whether two arrays hold the same numbers, NaN being the same as NaN."""
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
