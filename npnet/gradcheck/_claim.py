"""The gradients that backward claims, and the rules it must keep: pure, finite, repeatable, linear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.gradcheck._subject import ProblemError, Subject

UNIT = float(np.finfo(np.float64).eps) / 2  # unit roundoff
ROUNDINGS = 8  # roundoff errors allowed in each output of f
NUDGES = 3  # how often all inputs are perturbed by a few units in the last place
NONLINEAR = 1e-6  # allowed deviation from linearity in grad_y, relative to the largest gradient
NEGLIGIBLE = 1e-12  # the same, relative to grad_y, where all gradients are close to zero


class ShapeError(ProblemError):
    """A gradient has not the shape of its array; it can be explained nevertheless."""

    def __init__(self, message: str, subject: Subject, label: str) -> None:
        super().__init__(message)
        self.subject, self.label = subject, label


class Claim:
    """One run of f forward and backward: the output, a grad_y, and the gradients to be verified.

    Without a grad_y one is drawn.
    """

    def __init__(self, subject: Subject, generator: Generator, grad_y: ndarray | None = None) -> None:
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

        self.grad_y = np.array(generator.standard_normal(self.y.shape) if grad_y is None else grad_y)
        grad_y = self.grad_y.copy()
        gradients = subject.gradients(self.backward, grad_y)
        if not same(grad_y, self.grad_y):
            raise ProblemError("backward modifies grad_y")
        self.require_unmodified("backward", before)
        for label, array in subject.variables.items():
            if gradients[label] is not None and np.shape(gradients[label]) != array.shape:
                raise ShapeError(_misshapen(label, gradients[label], array), subject, label)
        self.gradients = {
            label: gradient_of(label, gradients[label], array) for label, array in subject.variables.items()
        }
        for label, gradient in self.gradients.items():
            require_finite(
                "backward", f"the gradient for {label}", gradient, f", although y and {label} are finite"
            )
        self.require_unchanged_gradients("when called a second time")
        self.noise = ROUNDINGS * UNIT * np.abs(self.y)  # of each output
        self.doubt = {label: np.zeros(gradient.shape) for label, gradient in self.gradients.items()}
        self._nudge(generator)

    def _nudge(self, generator: Generator) -> None:
        """Measure the effect of rounding on the outputs and on the gradients.

        An f that subtracts large numbers loses digits, which the size of its outputs does not reveal.
        Perturbing the inputs in their last place does: no f can be more accurate than its inputs.
        """
        variables = self.subject.variables
        for _ in range(NUDGES):
            nudged = {
                label: np.asarray(array + np.spacing(np.abs(array)) * generator.integers(-2, 3, array.shape))
                for label, array in variables.items()
            }
            y, backward = self.tried(nudged)
            if y is None:  # beyond the edge of the domain
                continue
            self.noise = np.maximum(self.noise, 2 * np.abs(y - self.y))
            for label, gradient in self._tried_gradients(backward).items():
                difference = np.abs(gradient - self.gradients[label])
                largest = np.abs(self.gradients[label]).max(initial=0)
                capped = np.minimum(2 * difference, 1e-4 * largest)  # so that it hides no mistake
                self.doubt[label] = np.maximum(self.doubt[label], capped)

    def tried(self, changed: Mapping[str, ndarray]) -> tuple[ndarray | None, Any]:
        """Run f with other inputs; return None for an output that is not finite or if f raises an error.

        Without warnings: the caller did not choose inputs beyond the edge of f's domain.
        """
        try:
            with np.errstate(all="ignore"):
                y, backward = self.subject.run(changed)
                moved = output(y)
        except (ArithmeticError, ValueError):  # among these is InputError
            return None, None
        if moved.shape != self.y.shape:
            raise ProblemError(f"the shape of y must not depend on the values of {', '.join(changed)}")
        return (moved if np.isfinite(moved).all() else None), backward

    def _tried_gradients(self, backward: Any) -> dict[str, ndarray]:
        try:
            with np.errstate(all="ignore"):
                found = self.subject.gradients(backward, self.grad_y.copy())
        except (ArithmeticError, ValueError):
            return {}
        gradients = {
            label: gradient_of(label, found[label], array) for label, array in self.subject.variables.items()
        }
        return {label: gradient for label, gradient in gradients.items() if np.isfinite(gradient).all()}

    def require_linear(self, generator: Generator) -> None:
        """Require that backward is linear in grad_y, and so is right for more than one grad_y."""
        other = np.array(generator.standard_normal(self.y.shape))
        mixed = np.array(0.75 * self.grad_y - 1.25 * other)
        found = [self.subject.gradients(self.backward, grad_y) for grad_y in (other, mixed)]
        for label, array in self.subject.variables.items():
            first = self.gradients[label]
            second, both = (gradient_of(label, gradients[label], array) for gradients in found)
            off = np.abs(both - (0.75 * first - 1.25 * second)).max(initial=0)
            largest = max(np.abs(gradient).max(initial=0) for gradient in (first, second, both))
            # Written with `not`, because every comparison with NaN is false.
            if not off <= NONLINEAR * largest + NEGLIGIBLE * float(np.linalg.norm(mixed)):
                raise ProblemError(
                    f"backward is not linear in grad_y: the gradient for {label} is right for one grad_y, "
                    "but for the sum of two it is not the sum of their gradients"
                )

    def require_unmodified(self, what: str, before: dict[str, ndarray]) -> None:
        """Require that f or backward left its inputs unmodified, and undo a modification."""
        for label, array in self.subject.given.items():
            if not same(array, before[label]):
                array[...] = before[label]
                raise ProblemError(f"{what} modifies {label}")

    def require_unchanged_gradients(self, when: str) -> None:
        """Require that backward returns the same gradients for the same grad_y again."""
        again = self.subject.gradients(self.backward, self.grad_y.copy())
        for label, array in self.subject.variables.items():
            first, second = self.gradients[label], gradient_of(label, again[label], array)
            if same(first, second):
                continue
            twice = "; it is twice the first: it adds up what it should compute anew"
            why = twice if np.allclose(second, 2 * first, rtol=NONLINEAR, atol=0) else ""
            raise ProblemError(f"backward gives a different gradient for {label} {when}{why}")


def output(y: Any) -> ndarray:
    """Return a copy of an output, which must be float64."""
    if not isinstance(y, ndarray | np.floating) or y.dtype != np.float64:
        raise ProblemError(
            f"f must return float64 for float64 inputs, got {getattr(y, 'dtype', type(y).__name__)}"
        )
    return np.array(y)


def gradient_of(label: str, grad: Any, array: ndarray) -> ndarray:
    """Return a copy of a gradient, which must have its array's shape and be float64."""
    if grad is None:  # claims a gradient of zero, which is checked like any other
        return np.zeros(array.shape)
    if np.shape(grad) != array.shape:
        raise ProblemError(_misshapen(label, grad, array))
    if getattr(grad, "dtype", None) != np.float64:
        got = getattr(grad, "dtype", type(grad).__name__)
        raise ProblemError(f"the gradient for {label} must be float64, got {got}")
    return np.array(grad)


def _misshapen(label: str, grad: Any, array: ndarray) -> str:
    return f"the gradient for {label} must have shape {array.shape}, got {np.shape(grad)}"


def require_finite(what: str, name: str, array: ndarray, remark: str) -> None:
    """Require finite numbers, as nothing can be compared with NaN or ∞; the message says where they are."""
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise ProblemError(
            f"{what} gives {array[place]:.3g} at {len(wrong)} of {array.size} elements of {name}, "
            f"first at {place}{remark}"
        )


def same(a: ndarray, b: ndarray) -> bool:
    """Say whether two arrays hold the same numbers; NaN counts as equal to NaN."""
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
