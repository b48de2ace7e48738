"""The right gradient by central differences, for the explanation of a wrong one.

Each known element has a row of the Jacobian, ∂y/∂xᵢ: with it the right gradient is known for any grad_y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.gradcheck._claim import Claim
from npnet.gradcheck._derivative import STEP, ElementCheck
from npnet.gradcheck._mistakes import Evidence
from npnet.gradcheck._subject import Model, Subject, plain_name
from npnet.gradcheck.explanation import Explanation, explanation_of

MOST_ELEMENTS = 1024  # of an input that are looked at
MOST_NUMBERS = 2_000_000  # in all rows of the Jacobian
MOST_ELSEWHERE = 400  # elements up to which the gradient is taken at other points too
SAMPLED = 8  # derivatives that a step for all elements is chosen by
CLOSE = 1e-6  # how far a derivative may be from one found with more care, relative to it
BENT = 1e-3  # difference of the slopes on either side, relative to the largest, that marks a kink


class Jacobian:
    """The rows ∂y/∂xᵢ of one input, as far as they are known."""

    def __init__(self, claim: Claim, label: str, checked: Mapping[tuple[int, ...], ElementCheck]) -> None:
        self.claim, self.label = claim, label
        self.x = claim.subject.variables[label]
        self.steps = self._chosen(checked)
        rows = {index: self._checked_row(index, checked.get(index)) for index in self.steps}
        self.rows = {index: row for index, row in rows.items() if row is not None}

    def _chosen(self, checked: Mapping[tuple[int, ...], ElementCheck]) -> dict[tuple[int, ...], float]:
        """Return the elements to take, each with its step: all there are, or those that were looked at."""
        most = min(MOST_ELEMENTS, MOST_NUMBERS // max(self.claim.y.size, 1))
        few = self.x.size <= most
        indices = list(np.ndindex(*self.x.shape)) if few else list(checked)[:most]
        usual = self._usual(checked)
        return {index: usual * max(1.0, abs(float(self.x[index]))) for index in indices}

    def _usual(self, checked: Mapping[tuple[int, ...], ElementCheck]) -> float:
        """Return the step, relative to max(1, |x|), that gives most of the derivatives that are known."""
        known = [(index, each) for index, each in checked.items() if not each.kink][:SAMPLED]
        relative = [each.step / max(1.0, abs(float(self.x[index]))) for index, each in known if each.step]
        candidates: list[float] = [STEP, *([float(np.median(relative)), min(relative)] if relative else [])]

        def fitting(candidate: float) -> int:
            steps = ((index, each, candidate * max(1.0, abs(float(self.x[index])))) for index, each in known)
            return len([1 for index, each, step in steps if _agrees(self._slope(index, step), each)])

        return max(candidates, key=fitting)

    def _slope(self, index: tuple[int, ...], step: float) -> float:
        row = self._row(index, step, {})
        return np.nan if row is None else float((row * self.claim.grad_y).sum())

    def _checked_row(self, index: tuple[int, ...], known: ElementCheck | None) -> ndarray | None:
        """Return a row that is alike on both sides, or else one that gives the derivative that is known."""
        if known is not None and known.kink:
            return None
        smooth = self._smooth_row(index)
        if smooth is not None or known is None or not known.step:
            return smooth
        self.steps[index] = known.step
        row = self._row(index, known.step, {})
        return row if row is not None and _agrees(float((row * self.claim.grad_y).sum()), known) else None

    def _row(self, index: tuple[int, ...], step: float, changed: Mapping[str, ndarray]) -> ndarray | None:
        """Return ∂y/∂xᵢ by central differences; None where f has no value to either side."""
        (above, y_above), (below, y_below) = (self._moved(index, side, changed) for side in (step, -step))
        if y_above is None or y_below is None:
            return None
        return np.asarray((y_above - y_below) / (above - below))

    def _moved(
        self, index: tuple[int, ...], by: float, changed: Mapping[str, ndarray]
    ) -> tuple[float, ndarray | None]:
        moved = np.array(changed.get(self.label, self.x))
        moved[index] += by
        y, _ = self.claim.tried({**changed, self.label: moved})
        return float(moved[index]), y

    def _smooth_row(self, index: tuple[int, ...]) -> ndarray | None:
        """Return a row from a step within which both sides have like slopes; None at a kink or an edge."""
        here, y, first = float(self.x[index]), self.claim.y, self.steps[index]
        for step in (first, first / 8, first / 64):
            (above, y_above), (below, y_below) = (self._moved(index, side, {}) for side in (step, -step))
            if y_above is None or y_below is None:
                return None
            right, left = (y_above - y) / (above - here), (y_below - y) / (below - here)
            largest = float(np.abs(left).max(initial=0)) + float(np.abs(right).max(initial=0))
            if float(np.abs(left - right).max(initial=0)) <= BENT * largest:
                self.steps[index] = step
                return np.asarray((y_above - y_below) / (above - below))
        return None

    def gradient(self, grad_y: ndarray) -> ndarray:
        """Return the right gradient for an upstream gradient; NaN where it is not known."""
        return self._filled({index: float((row * grad_y).sum()) for index, row in self.rows.items()})

    def elsewhere(self, changed: Mapping[str, ndarray]) -> ndarray | None:
        """Return the right gradient where inputs have other values."""
        if len(self.rows) > MOST_ELSEWHERE:
            return None
        rows = {index: self._row(index, self.steps[index], changed) for index in self.rows}
        grad_y = self.claim.grad_y
        return self._filled({i: float((row * grad_y).sum()) for i, row in rows.items() if row is not None})

    def _filled(self, elements: Mapping[tuple[int, ...], float]) -> ndarray:
        gradient = np.full(self.x.shape, np.nan)
        for index, value in elements.items():
            gradient[index] = value
        return gradient


def _agrees(slope: float, known: ElementCheck) -> bool:
    """Tell whether a slope is the derivative that is known already."""
    numerical = known.derivative.numerical
    return abs(slope - numerical) <= CLOSE * abs(numerical) + known.derivative.tolerance


def explanations(
    claim: Claim, checked: Mapping[str, Mapping[tuple[int, ...], ElementCheck]], wrong: list[str]
) -> tuple[Explanation, ...]:
    """Explain the wrong gradients of a step.

    Parameters
    ----------
    claim : Claim
    checked : mapping from label to (mapping from index to ElementCheck)
        The derivatives that were compared already.
    wrong : list of str
        The labels of the inputs whose gradients are wrong.

    Returns
    -------
    explanations : tuple of Explanation
    """
    jacobians = {label: Jacobian(claim, label, checked[label]) for label in wrong}
    right = dict(claim.gradients)
    for label, jacobian in jacobians.items():
        right[label] = _completed(jacobian, checked[label])
    return tuple(
        explanation_of(
            replace(
                _evidence(claim, label, jacobian, claim.gradients, right),
                refuted=_refuted(jacobian.x, checked[label]),
            )
        )
        for label, jacobian in jacobians.items()
    )


def _refuted(x: ndarray, checked: Mapping[tuple[int, ...], ElementCheck]) -> ndarray:
    """Return where a derivative is wrong."""
    refuted = np.zeros(x.shape, bool)
    for index, each in checked.items():
        refuted[index] = each.derivative.error > 1 and not each.kink
    return refuted


def _completed(jacobian: Jacobian, checked: Mapping[tuple[int, ...], ElementCheck]) -> ndarray:
    """Return the right gradient, with the derivatives that are known where there is no row; none at kinks."""
    gradient = jacobian.gradient(jacobian.claim.grad_y)
    for index, each in checked.items():
        if not each.kink and index not in jacobian.rows:
            gradient[index] = each.derivative.numerical
    return gradient


def explanation_of_shape(claim: Claim, label: str) -> Explanation:
    """Explain a gradient that has not the shape of its array.

    Parameters
    ----------
    claim : Claim
        In which the gradient of `label` is left out.
    label : str

    Returns
    -------
    explanation : Explanation
    """
    subject = claim.subject
    given = dict(subject.gradients(claim.backward, claim.grad_y.copy()))
    jacobian = Jacobian(claim, label, {})
    right = {**claim.gradients, label: jacobian.gradient(claim.grad_y)}
    return explanation_of(_evidence(claim, label, jacobian, given, right))


def _evidence(
    claim: Claim, label: str, jacobian: Jacobian, given: Mapping[str, Any], right: Mapping[str, ndarray]
) -> Evidence:
    subject = claim.subject
    names = {each: plain_name(each) for each in subject.given}
    labels = {name: each for each, name in names.items()}

    def again(grad_y: ndarray) -> ndarray | None:
        found = subject.gradients(claim.backward, grad_y)[label]
        return None if found is None else np.asarray(found)

    def elsewhere(changed: Mapping[str, ndarray]) -> ndarray | None:
        moved = {labels[name]: np.array(value) for name, value in changed.items()}
        return jacobian.elsewhere(moved) if moved.keys() <= subject.variables.keys() else None

    return Evidence(
        name=names[label],
        got=np.asarray(given[label], np.float64),
        expected=right[label],
        values={name: np.array(subject.given[each]) for name, each in labels.items()},
        data_name=_data_name(subject, names),
        y=claim.y,
        grad_y=claim.grad_y,
        others={
            names[other]: (np.asarray(given[other], np.float64), right[other])
            for other in claim.gradients
            if other != label and np.shape(given[other]) == right[other].shape
        },
        right=jacobian.gradient,
        given=again,
        elsewhere=elsewhere,
    )


def _data_name(subject: Subject, names: Mapping[str, str]) -> str:
    first = subject.x_label if isinstance(subject, Model) else next(iter(subject.variables))
    return names[first]
