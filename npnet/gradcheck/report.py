"""The results of a gradient check, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import prod

import numpy as np

from npnet._words import counted
from npnet.table import html_table

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

    def lines(self) -> list[str]:
        """Return the results as lines of text, the largest errors first."""
        checked = f"{self.elements} of {prod(self.shape)} elements and {self.directions} directions"
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
        return [f"{self.name} {self.shape}: {checked}, {self._verdict()}", *wrong, *kinks, *self._ratio()]

    def _verdict(self) -> str:
        if self.failures:
            return f"{len(self.failures)} of them wrong"
        if self.only_kinks:
            return "all of them at kinks, so nothing could be compared; choose other inputs"
        kinks = f", {len(self.kinks)} at kinks" if self.kinks else ""
        flat = "; but all derivatives are 0 here, so other inputs would tell more" if self.flat else ""
        return f"right, worst error {self.worst:.2g} of the tolerance{kinks}{flat}"

    def _ratio(self) -> list[str]:
        """Name the factor between wrong and right derivatives, if all have the same one."""
        if self.failures and not any(d.analytic for d in self.failures):
            return ["  wherever it is wrong, backward gives 0, as if y did not depend on it"]
        ratios = [d.analytic / d.numerical for d in self.failures if d.numerical and np.isfinite(d.numerical)]
        if len(ratios) < 2 or len(ratios) < len(self.failures) or np.ptp(ratios) > 1e-4 * abs(ratios[0]):
            return []
        return [f"  wherever it is wrong, backward gives {ratios[0]:.4g} times the right value"]


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
    """

    function: str
    inputs: tuple[InputReport, ...] = ()
    problem: str = ""
    unchecked: tuple[str, ...] = ()
    varied: bool = False

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

    def __repr__(self) -> str:
        inputs = ", ".join(report.name for report in self.inputs)
        found = (
            self.problem
            or f"{counted(len(self.inputs), 'input or parameter', 'inputs and parameters')}: {inputs}"
        )
        shown = found if len(found) <= LONGEST else f"{found[: LONGEST - 1]}…"
        return f"<GradcheckReport of {self.function}: {'passed' if self.passed else 'FAILED'}; {shown}>"

    def _repr_html_(self) -> str:
        """Return a table for a notebook, with one row for each input and parameter."""
        title = f"gradcheck of {self.function}: {'passed' if self.passed else 'FAILED'}"
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
        wrong = "".join(f"<pre>{escape(line)}</pre>" for line in self._remarks())
        return html_table(columns, rows, title=title) + wrong

    def _remarks(self) -> list[str]:
        """Return the text that goes below the table: the problem, or the failures."""
        lines = [self.problem] if self.problem else []
        return lines + ["\n".join(report.lines()) for report in self.inputs if not report.passed]

    def __str__(self) -> str:
        head = f"gradcheck of {self.function}: {'passed' if self.passed else 'FAILED'}"
        if self.problem:
            return f"{head}: {self.problem}"
        lines = [line for report in self.inputs for line in report.lines()]
        lines += [
            f"{name}: backward gives no gradient for it, so it was not checked" for name in self.unchecked
        ]
        if self.varied:
            lines.append(
                "parameters, statistics, and inputs of zeros and ones had other values during the check"
            )
        return "\n  ".join([head, *lines])
