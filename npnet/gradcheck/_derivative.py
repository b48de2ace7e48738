"""Numerical derivatives, compared with the claimed ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.gradcheck._claim import ROUNDINGS, UNIT, Claim
from npnet.gradcheck.report import Derivative, InputReport

STEP = UNIT ** (1 / 3)
SMALLER = 8.0  # ratio of one step to the next smaller one
LARGEST = 0.25  # step, relative to max(1, |x|)
SHARP = 1e-4  # relative rounding error up to which a single step may decide
SETTLED = 1e-3  # relative change from step to step up to which a derivative is believed
RESTLESS = 0.3  # change from step to step, relative to all outputs' changes, from which nothing is settled
APPROACHES = 5  # steps in a row that must bring the derivative closer to the claim
ENOUGH = 10  # wrong elements of an input, after which the others are searched over fewer steps
NEAR = 2.5  # half the width of that search, in steps
EDGE = 2.0  # factor by which the gap between the slopes on both sides of a kink may vary with the step


@dataclass(frozen=True)
class ElementCheck:
    """One element that was looked at: its derivative, whether it is at a kink, and the step that decided."""

    derivative: Derivative
    kink: bool
    step: float


@dataclass(frozen=True)
class Settings:
    """The first step to try, the allowed difference of two derivatives, and how many are compared."""

    eps: float
    rtol: float
    atol: float
    directions: int
    max_elements: int
    explain: bool


def check_input(
    claim: Claim, label: str, generator: Generator, settings: Settings
) -> tuple[InputReport, dict[tuple[int, ...], ElementCheck]]:
    """Take derivatives along random directions and for single elements of one input."""
    x = claim.subject.variables[label]
    sizes = _sizes(x)
    taken: list[tuple[Derivative, bool]] = []
    steps = _Steps(settings.eps)
    for _ in range(settings.directions if x.size else 0):
        direction = np.array(sizes * generator.standard_normal(x.shape))
        line = _Line(claim, label, direction, None, settings, steps)
        taken.append(line.derivative())
    steps = _Steps(settings.eps)
    found_wrong = 0
    checked: dict[tuple[int, ...], ElementCheck] = {}
    for flat in _sample(x.size, settings.max_elements, generator):
        index = tuple(int(i) for i in np.unravel_index(flat, x.shape))
        direction = np.zeros(x.shape)
        direction[index] = 1.0
        line = _Line(claim, label, direction, index, settings, steps)
        taken.append(line.derivative(narrowly=found_wrong >= ENOUGH))
        found_wrong += taken[-1][0].error > 1
        checked[index] = ElementCheck(*taken[-1], line.decided)
    # A random direction may leave f's domain on both sides where single elements do not.
    if any(d.index is not None for d, _ in taken):
        taken = [(d, kink) for d, kink in taken if d.index is not None or np.isfinite(d.numerical)]

    failures = [d for d, kink in taken if d.error > 1 and not kink]
    report = InputReport(
        name=label,
        shape=x.shape,
        elements=sum(d.index is not None for d, _ in taken),
        directions=sum(d.index is None for d, _ in taken),
        worst=max((d.error for d, _ in taken if d.error <= 1), default=0.0),
        failures=tuple(failures),
        kinks=tuple(d for d, kink in taken if kink),
        flat=bool(taken) and not any(d.analytic or d.numerical for d, _ in taken),
    )
    return report, checked


def _sizes(x: ndarray) -> ndarray:
    """Return how far a direction moves each element: in proportion to its size; zeros by the median size."""
    sizes = np.abs(x)
    others = sizes[sizes > 0]
    return np.where(sizes > 0, sizes, float(np.median(others)) if others.size else 1.0)


def _sample(size: int, most: int, generator: Generator) -> Sequence[int]:
    if size <= most:
        return range(size)
    return sorted(int(i) for i in generator.choice(size, most, replace=False))


class _Steps:
    """The steps to try first: those that decided for other elements of the same input.

    A function may vary over distances proportional to x (a logarithm), over distances of 1 (a softmax), or
    over distances of its own (batch norm, whose inputs may vary little around a large mean).
    """

    def __init__(self, eps: float) -> None:
        self.eps = eps
        self.relative, self.absolute = [eps], [eps]
        self.last: tuple[str, float] | None = None
        self.searched = 0.0  # the step that the last search found

    def first(self, size: float) -> Iterator[float]:
        """Yield the steps to try for an x of this size, the most promising one first."""
        steps = [self.eps * max(1.0, size)]
        steps += [step * size for step in self.relative if size]
        steps += self.absolute
        if self.last is not None:
            kind, step = self.last
            steps.insert(0, step * (size or 1.0) if kind == "relative" else step)
        yield from dict.fromkeys(steps)

    def decided(self, step: float, size: float) -> None:
        """Remember a step that decided, for the next elements."""
        near = size and any(abs(step / size / known - 1) < SHARP for known in self.relative)
        self.last = ("relative", step / size) if near else ("absolute", step)

    def found(self, step: float, size: float) -> None:
        """Remember a step that a search found."""
        self.relative = [self.eps, step / size] if size else self.relative
        self.absolute = [self.eps, step]


@dataclass(frozen=True)
class _Difference:
    """The derivative at one step: its numerical and claimed value, and the rounding error."""

    step: float
    numerical: float
    analytic: float  # claimed by backward, for the step after rounding
    left: float
    right: float
    noise: float
    moved: float  # sum of the absolute changes of all outputs, per unit of the step

    @property
    def gap(self) -> float:
        """The difference of the slopes on the two sides."""
        return abs(self.right - self.left)

    @property
    def size(self) -> float:
        """The larger of the two derivatives."""
        return max(abs(self.analytic), abs(self.numerical))


def _unsettled(coarse: _Difference, fine: _Difference) -> float:
    """Return the change of the derivative between two steps, relative to the changes of all outputs.

    Where f is bounded, its differences over large steps are small, and so are their changes from step to
    step, although nothing is settled yet; the changes of the single outputs reveal this. Over such steps a
    smooth function may also look as if it had a kink, so the gap between the slopes counts too.
    """
    change = abs(fine.numerical - coarse.numerical) + abs(fine.moved - coarse.moved) + fine.noise
    scale = max(fine.moved, coarse.moved)
    if not scale:
        return 0.0 if change == 0 else np.inf
    return change / scale + (fine.gap / scale) ** 2


def _most_settled(ladder: Sequence[_Difference]) -> int:
    """Return the index of the step with the most settled derivative, or else the most accurate one."""
    score = {k: _unsettled(ladder[k - 1], ladder[k]) for k in range(1, len(ladder))}
    best = min(score, key=score.__getitem__)
    if score[best] <= RESTLESS:
        return best
    return min(score, key=lambda k: abs(ladder[k].numerical - ladder[k - 1].numerical) + ladder[k].noise)


def _is_approached(ladder: Sequence[_Difference]) -> bool:
    """Say whether the differences approach the claim steadily, though they never settle.

    At the edge of its domain a function may have no second derivative, as x √x at 0.
    """
    off = [
        (abs(found.numerical - found.analytic), found.moved)
        for found in ladder
        if abs(found.numerical - found.analytic) > found.noise
    ]
    last = off[-APPROACHES:]
    if len(last) < APPROACHES:
        return False
    nearer = all(fine < coarse / 2 for (coarse, _), (fine, _) in pairwise(last))
    return nearer and last[-1][0] <= SHARP * max(moved for _, moved in off)


class _Line:
    """The values of L along one direction through x."""

    def __init__(
        self,
        claim: Claim,
        label: str,
        direction: ndarray,
        index: tuple[int, ...] | None,
        settings: Settings,
        steps: _Steps,
    ) -> None:
        self.claim, self.label, self.direction, self.index = claim, label, direction, index
        self.settings, self.steps = settings, steps
        self.x = claim.subject.variables[label]
        # A step is in units of x for an element, and in units of the direction otherwise.
        self.size = abs(float(self.x[index])) if index is not None else 1.0
        self.doubt = float((np.abs(direction) * claim.doubt[label]).sum())
        self.moving = np.zeros(claim.y.shape, bool)  # outputs that some step has changed
        self.known: dict[float, tuple[ndarray, ndarray] | None] = {}
        self.decided = 0.0  # the step that decided

    def derivative(self, *, narrowly: bool = False) -> tuple[Derivative, bool]:
        """Compare the derivative with the claimed one; the flag says whether there is a kink instead.

        A promising step that confirms the claim clearly ends the comparison. Otherwise steps of all sizes are
        tried (with `narrowly` only those near the last one that decided), and the one decides at which the
        derivative changes least from step to step.
        """
        tried = []
        for step in self.steps.first(self.size):
            found = self._central(step)
            if found is None:
                continue
            tried.append(found)
            self.decided = step
            compared = self._compared(found, found.numerical, 0.0)
            if compared.error > 1:
                continue
            if found.size > 0 and found.noise <= SHARP * found.size:
                self.steps.decided(step, self.size)
                return compared, False
            if self._is_nothing():
                return compared, False
        return self._searched(narrowly=narrowly)

    def _is_nothing(self) -> bool:
        """Say whether a large step changes nothing beyond rounding, so that the derivative is 0."""
        large = self._central(self.settings.eps * SMALLER**2 * max(1.0, self.size))
        return large is not None and large.size <= large.noise

    def _searched(self, *, narrowly: bool) -> tuple[Derivative, bool]:
        steps = self._ladder()
        if narrowly and self.steps.searched:
            near = [
                step for step in steps if abs(np.log(step / self.steps.searched)) < NEAR * np.log(SMALLER)
            ]
            steps = near if len(near) > NEAR else steps
        ladder = [found for step in steps if (found := self._central(step)) is not None]
        two_sided = len(ladder) >= 2
        if not two_sided:  # an edge of the domain: f is defined on one side only
            ladder = max((self._one_sided_ladder(side) for side in (1, -1)), key=len)
        if len(ladder) < 2:
            analytic = float((self.claim.gradients[self.label] * self.direction).sum())
            return Derivative(self.index, analytic, np.nan, 0.0, np.nan, np.nan), False
        best = _most_settled(ladder)
        coarse, fine = ladder[best - 1], ladder[best]
        self.steps.searched = self.decided = fine.step
        power = SMALLER**2  # Richardson extrapolation: the error is proportional to the square of the step
        numerical = (power * fine.numerical - coarse.numerical) / (power - 1)
        believed = max(SETTLED * fine.size, 3 * fine.noise, self.settings.rtol * fine.moved)
        compared = self._compared(fine, numerical, min(abs(fine.numerical - coarse.numerical), believed))
        if compared.error <= 1:
            self.steps.found(fine.step, self.size)
            self.steps.decided(fine.step, self.size)
            return compared, False
        if not two_sided and _is_approached(ladder):
            return Derivative(
                self.index, fine.analytic, fine.analytic, fine.moved, fine.left, fine.right
            ), False
        return compared, two_sided and self._is_kink(ladder, best)

    def _ladder(self) -> list[float]:
        """Return the steps of a search, from the largest to the smallest useful one."""
        sizes = np.abs(self.direction[self.direction != 0])
        if self.index is not None:
            largest = LARGEST * max(1.0, self.size)
            smallest = float(np.spacing(self.size)) * SMALLER**2 if self.size else UNIT
        else:
            unit = float(np.median(sizes)) if sizes.size else 1.0
            largest = LARGEST * max(1.0, 1.0 / unit)
            smallest = UNIT * SMALLER**2
        count = int(np.ceil(np.log(largest / smallest) / np.log(SMALLER)))
        return [largest / SMALLER**k for k in range(count + 1)]

    # ---- differences -----------------------------------------------------------------------------------

    def _at(self, step: float) -> tuple[ndarray, ndarray] | None:
        """Return x after rounding and f(x), or None where f has no finite value."""
        if step not in self.known:
            x = np.array(self.x + step * self.direction)
            y, _ = self.claim.tried({self.label: x})
            self.known[step] = None if y is None else (x, y)
        return self.known[step]

    def _central(self, step: float) -> _Difference | None:
        """Compare the change of L over a step to either side with the change that the gradient predicts."""
        plus, minus = self._at(step), self._at(-step)
        if plus is None or minus is None:
            return None
        (x_plus, y_plus), (x_minus, y_minus) = plus, minus
        # An element's derivative is per unit of that element, a direction's per unit of the direction.
        width = float(x_plus[self.index] - x_minus[self.index]) if self.index is not None else 2 * step
        if not width:
            return None
        grad_y, y, difference = self.claim.grad_y, self.claim.y, y_plus - y_minus
        gradient = self.claim.gradients[self.label]
        self.moving |= difference != 0  # a step may be too small for an output that a larger one changes
        blur = np.where(self.moving, self._blur(y_plus, y_minus), 0)
        return _Difference(
            step=step,
            numerical=float((grad_y * difference).sum()) / width,
            analytic=float((gradient * (x_plus - x_minus)).sum()) / width,
            left=float((grad_y * (y - y_minus)).sum()) / (width / 2),
            right=float((grad_y * (y_plus - y)).sum()) / (width / 2),
            noise=float((np.abs(grad_y) * blur).sum()) / width,
            moved=float((np.abs(grad_y * difference)).sum()) / width,
        )

    def _blur(self, *values: ndarray) -> ndarray:
        """Return a bound on the rounding error of each output."""
        largest = np.max([np.abs(value) for value in values], axis=0)
        return np.asarray(np.maximum(self.claim.noise, ROUNDINGS * UNIT * largest))

    def _one_sided_ladder(self, side: int) -> list[_Difference]:
        found = (self._one_sided(side * step) for step in self._ladder())
        return [difference for difference in found if difference is not None]

    def _one_sided(self, step: float) -> _Difference | None:
        """Take the slope at x of the parabola through x, x + step and x + 2 step."""
        near, far = self._at(step), self._at(2 * step)
        if near is None or far is None:
            return None
        (x_near, y_near), (x_far, y_far) = near, far
        here = 0.0 if self.index is None else float(self.x[self.index])
        a = step if self.index is None else float(x_near[self.index]) - here
        b = 2 * step if self.index is None else float(x_far[self.index]) - here
        if not a or a == b:
            return None
        grad_y, y, gradient = self.claim.grad_y, self.claim.y, self.claim.gradients[self.label]
        change = ((y_near - y) * b * b - (y_far - y) * a * a) / (a * b * (b - a))
        self.moving |= (y_near != y) | (y_far != y)
        blur = np.where(self.moving, self._blur(y_near, y_far), 0)
        slope = float((grad_y * change).sum())
        return _Difference(
            step=abs(step),
            numerical=slope,
            analytic=float((gradient * self.direction).sum()),
            left=slope,
            right=slope,
            noise=4 * float((np.abs(grad_y) * blur).sum()) / abs(a),
            moved=float(np.abs(grad_y * change).sum()),
        )

    # ---- verdicts --------------------------------------------------------------------------------------

    def _compared(self, found: _Difference, numerical: float, unsettled: float) -> Derivative:
        size = max(abs(found.analytic), abs(numerical))
        tolerance = self.settings.atol + self.settings.rtol * size + found.noise + self.doubt + unsettled
        return Derivative(self.index, found.analytic, numerical, tolerance, found.left, found.right)

    @staticmethod
    def _is_kink(ladder: Sequence[_Difference], best: int) -> bool:
        """Say whether the slopes on the two sides stay apart as the step shrinks.

        With curvature alone their gap shrinks in proportion to the step, and with rounding it grows; at a
        kink it stays the same.
        """
        for coarse, middle, fine in zip(ladder, ladder[1:], ladder[2:], strict=False):
            near = ladder[best].step / SMALLER**2 <= middle.step <= ladder[best].step * SMALLER**2
            gaps = [found.gap for found in (coarse, middle, fine)]
            stays = max(gaps) < EDGE * min(gaps)
            if near and stays and middle.gap > 8 * middle.noise + SHARP * middle.size:
                return True
        return False
