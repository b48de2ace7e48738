"""Numerical derivatives, held against the claimed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.gradcheck._claim import Claim, output
from npnet.gradcheck._subject import ProblemError
from npnet.gradcheck.report import Derivative, InputReport

UNIT = float(np.finfo(np.float64).eps) / 2  # unit roundoff
STEP = UNIT ** (1 / 3)
ROUNDINGS = 8  # units of rounding that f itself is granted in each of its outputs
SMALLER = 8  # factor from one step to the next smaller one


@dataclass(frozen=True)
class Tolerances:
    """The step, and how far two derivatives may be apart."""

    eps: float
    rtol: float
    atol: float


def check_input(
    claim: Claim,
    label: str,
    generator: Generator,
    tolerances: Tolerances,
    directions: int,
    max_elements: int,
) -> InputReport:
    """Take derivatives along random directions and for single elements of one input."""
    x = claim.subject.variables[label]
    scale = np.maximum(1, np.abs(x))
    taken: list[tuple[Derivative, bool]] = []
    for _ in range(directions if x.size else 0):
        direction = np.array(scale * generator.standard_normal(x.shape))
        taken.append(_derivative(claim, label, direction, None, tolerances))
    for flat in _sample(x.size, max_elements, generator):
        index = tuple(int(i) for i in np.unravel_index(flat, x.shape))
        direction = np.zeros(x.shape)
        direction[index] = scale[index]
        taken.append(_derivative(claim, label, direction, index, tolerances))

    failures = [d for d, kink in taken if d.error > 1 and not kink]
    return InputReport(
        name=label,
        shape=x.shape,
        elements=sum(d.index is not None for d, _ in taken),
        directions=sum(d.index is None for d, _ in taken),
        worst=max((d.error for d, _ in taken if d.error <= 1), default=0.0),
        failures=tuple(failures),
        kinks=tuple(d for d, kink in taken if kink),
        flat=bool(taken) and not any(d.analytic or d.numerical for d, _ in taken),
    )


def _sample(size: int, most: int, generator: Generator) -> Sequence[int]:
    if size <= most:
        return range(size)
    return sorted(int(i) for i in generator.choice(size, most, replace=False))


def _derivative(
    claim: Claim, label: str, direction: ndarray, index: tuple[int, ...] | None, tolerances: Tolerances
) -> tuple[Derivative, bool]:
    """Take one derivative, with several steps if need be; the flag says whether it is a kink."""
    steps = [tolerances.eps / SMALLER**k for k in range(3)]
    tried: list[Derivative] = []
    for step in [*steps, tolerances.eps * SMALLER]:
        tried.append(_differences(claim, label, direction, step, index, tolerances))
        if tried[-1].error <= 1:
            return tried[-1], False
    if _is_kink(tried[: len(steps)]):
        return tried[len(steps) - 1], True
    return min(tried, key=lambda d: d.error), False


def _differences(
    claim: Claim,
    label: str,
    direction: ndarray,
    step: float,
    index: tuple[int, ...] | None,
    tolerances: Tolerances,
) -> Derivative:
    """Compare what a step to either side does to L with what the gradient says it does."""
    x = claim.subject.variables[label]
    x_plus, x_minus = np.array(x + step * direction), np.array(x - step * direction)
    y_plus = output(claim.subject.run({label: x_plus})[0])
    y_minus = output(claim.subject.run({label: x_minus})[0])
    if y_plus.shape != claim.y.shape or y_minus.shape != claim.y.shape:
        raise ProblemError(f"the shape of y must not depend on the values of {label}")
    # An element's derivative is per unit of that element, a direction's per unit of the direction.
    width = float(x_plus[index] - x_minus[index]) if index is not None else 2 * step
    gradient, grad_y = claim.gradients[label], claim.grad_y

    with np.errstate(invalid="ignore", over="ignore"):  # an output that is not finite is reported below
        analytic = float((gradient * (x_plus - x_minus)).sum()) / width
        numerical = float((grad_y * (y_plus - y_minus)).sum()) / width
        right = float((grad_y * (y_plus - claim.y)).sum()) / (width / 2)
        left = float((grad_y * (claim.y - y_minus)).sum()) / (width / 2)
        size = np.where(y_plus == y_minus, 0, np.maximum(np.abs(y_plus), np.abs(y_minus)))
        rounding = ROUNDINGS * UNIT * float((np.abs(grad_y) * size).sum()) / width
    tolerance = tolerances.atol + tolerances.rtol * max(abs(analytic), abs(numerical)) + rounding
    return Derivative(index, analytic, numerical, tolerance, left, right)


def _is_kink(tried: Sequence[Derivative]) -> bool:
    """Tell whether the slopes of the two sides stay apart as the step becomes smaller and smaller.

    Curvature makes their gap 64 times smaller between the first step and the last, and rounding makes it
    64 times larger; at a kink it stays. Halfway between on the logarithmic scale it is told which.
    """
    first, last = (abs(d.right - d.left) for d in (tried[0], tried[-1]))
    return first / SMALLER < last < first * SMALLER and last > 4 * tried[-1].tolerance
