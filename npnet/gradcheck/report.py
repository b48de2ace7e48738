"""The results of a gradient check, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from npnet._words import counted
from npnet.gradcheck._subject import plain_name
from npnet.table import html_table

if TYPE_CHECKING:
    from npnet.gradcheck.explanation import Explanation

LONGEST = 100  # characters of the results in repr
SHOWN = 3  # wrong derivatives, and kinks, that the report lists for each input


class GradcheckError(AssertionError):
    """A backward is wrong. The message is the report as text; the attribute `report` holds it as data."""

    def __init__(self, report: GradcheckReport) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Derivative:
    """One derivative, from backward and from central differences.

    Attributes
    ----------
    index : tuple of int, or None
        The element moved; None for a random direction.
    analytic, numerical : float
        The derivative from backward, and from central differences.
    tolerance : float
        The allowed difference of the two.
    left, right : float
        The slopes on either side, from one-sided differences.
    """

    index: tuple[int, ...] | None
    analytic: float
    numerical: float
    tolerance: float
    left: float
    right: float

    @property
    def error(self) -> float:
        """The difference as a multiple of the tolerance; above 1 the two disagree."""
        off = abs(self.analytic - self.numerical)
        if off == 0 or not self.tolerance:
            return 0.0 if off == 0 else np.inf
        error = off / self.tolerance
        return error if np.isfinite(error) else np.inf

    @property
    def verdict(self) -> str:
        """The disagreement of the two, in words."""
        if not np.isfinite(self.numerical):
            return "as f is not finite a small step away"
        return f"off by {abs(self.analytic - self.numerical):.2g} where {self.tolerance:.2g} is tolerated"

    @property
    def place(self) -> str:
        """The element or direction of the derivative, in words."""
        return "a random direction" if self.index is None else f"element {self.index}"


@dataclass(frozen=True)
class InputReport:
    """The results for one input or parameter.

    Attributes
    ----------
    name : str
        Its position and name, such as ``input 1 'weight'``.
    shape : tuple of int
    elements, directions : int
        How many derivatives were taken along single elements, and along random directions.
    worst : float
        The largest error that is neither a failure nor a kink, as a multiple of its tolerance.
    failures, kinks : tuple of Derivative
        Where backward is wrong, and where there is no derivative to compare with.
    flat : bool
        Whether every derivative was 0, from backward and from differences, so that the check says little.
    """

    name: str
    shape: tuple[int, ...]
    elements: int
    directions: int
    worst: float
    failures: tuple[Derivative, ...]
    kinks: tuple[Derivative, ...]
    flat: bool = False

    @property
    def only_kinks(self) -> bool:
        """Whether every derivative was at a kink, so that nothing was compared."""
        return 0 < self.elements + self.directions == len(self.kinks)

    @property
    def passed(self) -> bool:
        """Whether no derivative was wrong and, unless the input is empty, at least one was compared."""
        return not self.failures and not self.only_kinks

    def lines(self, explanation: Explanation | None = None) -> list[str]:
        """Return the findings as lines of text: what is wrong, if that is known, and the worst elements."""
        wrong = [
            f"  wrong at {d.place}: backward gives {d.analytic:.8g}, central differences give "
            f"{d.numerical:.8g}, {d.verdict}"
            for d in sorted(self.failures, key=lambda d: (d.index is None, -d.error))[:SHOWN]
        ]
        kinks = [
            f"  kink at {d.place}: slope {d.left:.6g} on one side, {d.right:.6g} on the other; "
            f"backward gives {d.analytic:.6g}"
            for d in sorted(self.kinks, key=lambda d: d.index is None)[:SHOWN]
        ]
        sentence, *picture = explanation.lines() if explanation is not None else [""]
        return [
            f"{self.name} {self.shape}: {self._verdict()}",
            *([f"  {sentence}"] if sentence else []),
            *wrong,
            *kinks,
            *(f"  {line}" for line in picture),
        ]

    def _verdict(self) -> str:
        if self.failures:
            along = _along(self.failures)
            return f"wrong {self._places(len(self.failures) - along, along)}"
        if not self.elements + self.directions:
            return "nothing was compared"
        if self.only_kinks:
            return (
                "nothing could be compared, because at every place looked at the slopes on the two sides "
                "differ; choose other inputs"
            )
        kinks = (
            f"; left out: {counted(len(self.kinks), 'kink')}, where the slopes on the two sides differ"
            if self.kinks
            else ""
        )
        flat = "; but all derivatives are 0 here, so other inputs would tell more" if self.flat else ""
        along = _along(self.kinks)
        found = self._places(self.elements - len(self.kinks) + along, self.directions - along)
        return f"right {found}, with an error of at most {self.worst:.2g} of the tolerance{kinks}{flat}"

    def _places(self, elements: int, directions: int) -> str:
        """Say at how many of the elements looked at, and along how many of the random directions."""
        size = prod(self.shape)
        whole = self.elements == size
        looked_at = (
            counted(size, "element") if whole else f"the {self.elements} elements looked at, of {size},"
        )
        parts = [f"at {elements} of {looked_at}"] if self.elements else []
        along = f"{directions} of {counted(self.directions, 'random direction')}"
        parts += [f"along {along}"] if self.directions else []
        return " and ".join(parts)


def _along(derivatives: tuple[Derivative, ...]) -> int:
    """Count the derivatives along random directions."""
    return sum(derivative.index is None for derivative in derivatives)


@dataclass(frozen=True)
class WrongLayer:
    """A layer of a model that is wrong by itself.

    Attributes
    ----------
    name : str
        Its dotted name in the model.
    kind : str
        The name of its class.
    reason : str
        What is wrong with it.
    report : object
        The report on this layer alone, with the input and the upstream gradient it had in the model.
    """

    name: str
    kind: str
    reason: str
    report: object

    @property
    def sentence(self) -> str:
        """The layer and what is wrong with it."""
        return f"'{self.name}' {self.kind}: {self.reason}"


@dataclass(frozen=True, repr=False)
class GradcheckReport:
    """The result of `gradcheck`; ``print(report)`` shows it as text.

    Attributes
    ----------
    function : str
        The name of the checked function or layer.
    inputs : tuple of InputReport
        One for each input and parameter that has a gradient.
    problem : str
        Why no derivative was compared, such as a gradient of the wrong shape; empty when they were.
    unchecked : tuple of str
        Floating-point inputs that backward returns no gradient for, and which count as data.
    varied : bool
        Whether parameters, statistics, or inputs of zeros and ones were given other values during the check,
        because zeros and ones hide mistakes.
    explanations : tuple of Explanation
        What is wrong with each wrong gradient of an operation or a single layer.
    layers : tuple of WrongLayer
        The layers of a model whose own backward is wrong, in the order in which backward comes to them: the
        first is to be mended first.
    """

    function: str
    inputs: tuple[InputReport, ...] = ()
    problem: str = ""
    unchecked: tuple[str, ...] = ()
    varied: bool = False
    explanations: tuple[Explanation, ...] = ()
    layers: tuple[WrongLayer, ...] = ()

    @property
    def reason(self) -> str:
        """What is wrong, in a line; empty where nothing is."""
        return (
            self.problem
            or "; ".join(layer.sentence for layer in self.layers)
            or "; ".join(f"gradient of {each.name}: {each.sentence}" for each in self.explanations)
        )

    @property
    def only_kinks(self) -> bool:
        """Whether nothing is wrong, but there was nothing to compare either."""
        return not self.problem and not self.failures and not self.passed

    @property
    def passed(self) -> bool:
        """Whether everything that was checked is right."""
        return not self.problem and all(report.passed for report in self.inputs)

    @property
    def failures(self) -> dict[str, tuple[Derivative, ...]]:
        """The wrong derivatives, by the name of the input."""
        return {report.name: report.failures for report in self.inputs if report.failures}

    @property
    def kinks(self) -> dict[str, tuple[Derivative, ...]]:
        """The places without a derivative, by the name of the input."""
        return {report.name: report.kinks for report in self.inputs if report.kinks}

    @property
    def first_explanation(self) -> Explanation | None:
        """What is wrong with the first wrong gradient, for `npnet.plot.wrong_gradient`; None without one."""
        if self.explanations:
            return self.explanations[0]
        found = getattr(self.layers[0].report, "explanations", ()) if self.layers else ()
        return found[0] if found else None

    @property
    def _title(self) -> str:
        return f"gradcheck of {self.function}: {'passed' if self.passed else 'FAILED'}"

    def __repr__(self) -> str:
        inputs = ", ".join(report.name for report in self.inputs)
        found = (
            self.reason
            or f"{counted(len(self.inputs), 'input or parameter', 'inputs and parameters')}: {inputs}"
        )
        shown = found if len(found) <= LONGEST else f"{found[: LONGEST - 1]}…"
        return f"<GradcheckReport of {self.function}: {'passed' if self.passed else 'FAILED'}; {shown}>"

    def _repr_html_(self) -> str:
        """Return a table for a notebook, with one row for each input and parameter."""
        columns = ["", "shape", "elements", "directions", "wrong", "at kinks", "worst error ÷ tolerance"]
        rows: list[list[object]] = [
            [
                report.name,
                str(report.shape),
                report.elements,
                report.directions,
                len(report.failures),
                len(report.kinks),
                f"{max([report.worst, *(d.error for d in report.failures)]):.2g}",
            ]
            for report in self.inputs
        ]
        lines = [self.problem] if self.problem else []
        lines += [*self._layer_lines(), *self._input_lines(passed=False)]
        remarks = f"<pre>{escape(chr(10).join(lines))}</pre>" if lines else ""
        return html_table(columns, rows, title=self._title) + remarks

    def __str__(self) -> str:
        if self.problem:
            explained = [line for each in self.explanations for line in str(each).splitlines()]
            return "\n  ".join([f"{self._title}: {self.problem}", *explained])
        lines = [*self._layer_lines(), *self._input_lines(passed=True)]
        lines += [
            f"{name}: backward gives no gradient for it, so it was not checked" for name in self.unchecked
        ]
        if self.varied:
            lines.append(
                "because zeros and ones hide mistakes, parameters, running statistics, and inputs of zeros "
                "and ones alone had other values while they were checked"
            )
        return "\n  ".join([self._title, *lines])

    def _layer_lines(self) -> list[str]:
        """Name the layers whose own backward is wrong, and explain the first."""
        if not self.layers:
            return []
        first, *others = self.layers
        lines = [f"first wrong backward: {first.sentence}"]
        lines += str(first.report).splitlines()[1:]
        lines += [f"wrong too: {layer.sentence}" for layer in others]
        return [*lines, f"gradients of {self.function}, wrong where they come through a wrong layer:"]

    def _input_lines(self, *, passed: bool) -> list[str]:
        """Return what was found for each input; of a wrong model's, in one line each."""
        explanations = {explanation.name: explanation for explanation in self.explanations}
        lines = []
        for report in self.inputs:
            if report.passed and not passed:
                continue
            found = report.lines(explanations.get(plain_name(report.name)))
            lines += [f"  {found[0]}"] if self.layers else found
        return lines
