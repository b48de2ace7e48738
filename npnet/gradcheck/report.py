"""What a gradient check found, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import prod

import numpy as np

from npnet._words import counted
from npnet.table import html_table

LONGEST = 100  # characters of what was found, in a line
SHOWN = 3  # wrong derivatives, and kinks, that the report spells out for each input


class GradcheckError(AssertionError):
    """A backward is wrong; the message is the report, which `report` holds for programs to read."""

    def __init__(self, report: GradcheckReport) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Derivative:
    """One derivative as backward has it and as central differences have it.

    Attributes
    ----------
    index : tuple of int, or None
        The element moved; None for a random direction.
    analytic, numerical : float
        The derivative from backward, and from central differences.
    tolerance : float
        How far apart the two may be.
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
        """By how much the two disagree, in words."""
        if not np.isfinite(self.numerical):
            return "as f is not finite a small step away"
        return f"off by {abs(self.analytic - self.numerical):.2g} where {self.tolerance:.2g} is tolerated"

    @property
    def place(self) -> str:
        """Where the derivative was taken, in words."""
        return "a random direction" if self.index is None else f"element {self.index}"


@dataclass(frozen=True)
class InputReport:
    """What was found for one input or parameter.

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
        Whether every derivative was 0, from backward and from differences: they agree, but hardly by merit.
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
        """Whether not one derivative existed, so that nothing was compared."""
        return 0 < self.elements + self.directions == len(self.kinks)

    @property
    def passed(self) -> bool:
        """Whether something was compared, unless there is nothing, and all of it agreed."""
        return not self.failures and not self.only_kinks

    def lines(self) -> list[str]:
        """Return the findings as lines of text, the worst first."""
        looked = f"{self.elements} of {prod(self.shape)} elements and {self.directions} directions"
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
        return [f"{self.name} {self.shape}: {looked}, {self._verdict()}", *wrong, *kinks, *self._ratio()]

    def _verdict(self) -> str:
        if self.failures:
            return f"{len(self.failures)} of them wrong"
        if self.only_kinks:
            return "all of them at kinks, so nothing could be compared; choose other inputs"
        kinks = f", {len(self.kinks)} at kinks" if self.kinks else ""
        flat = "; but all derivatives are 0 here, so other inputs would tell more" if self.flat else ""
        return f"right, worst error {self.worst:.2g} of the tolerance{kinks}{flat}"

    def _ratio(self) -> list[str]:
        """Name the factor by which all failures are off, when it is one and the same: a valuable hint."""
        if self.failures and not any(d.analytic for d in self.failures):
            return ["  wherever it is wrong, backward gives 0, as if y did not depend on it"]
        ratios = [d.analytic / d.numerical for d in self.failures if d.numerical and np.isfinite(d.numerical)]
        if len(ratios) < 2 or len(ratios) < len(self.failures) or np.ptp(ratios) > 1e-4 * abs(ratios[0]):
            return []
        return [f"  wherever it is wrong, backward gives {ratios[0]:.4g} times the right value"]


@dataclass(frozen=True, repr=False)
class GradcheckReport:
    """What `gradcheck` found; ``print(report)`` shows it.

    Attributes
    ----------
    function : str
        The name of what was checked.
    inputs : tuple of InputReport
        One for each input and parameter that has a gradient.
    problem : str
        Why no derivative was compared, such as a gradient of the wrong shape; empty when they were.
    unchecked : tuple of str
        Floating-point inputs that backward gives no gradient for, and which were taken for data.
    varied : bool
        Whether parameters, statistics, or inputs of zeros and ones had other values meanwhile, at which
        mistakes show.
    """

    function: str
    inputs: tuple[InputReport, ...] = ()
    problem: str = ""
    unchecked: tuple[str, ...] = ()
    varied: bool = False

    @property
    def passed(self) -> bool:
        """Whether backward is right as far as was looked."""
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
        """Return a table for a notebook: a line for each input and parameter."""
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
        """Return what a table of numbers does not say."""
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
            lines.append("parameters, statistics, and inputs of zeros and ones had other values meanwhile")
        return "\n  ".join([head, *lines])
