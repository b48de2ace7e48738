"""What is wrong with a gradient, in words.

A wrong gradient is seldom wrong at random. It is transposed, or divided by the batch size once too often,
or the gate of a ReLU is missing. Each of the known mistakes predicts the gradient that backward gave, or how
to make it right again. One that does so at every element, but for rounding, explains the error. Where none
does, the report says so and describes where the error stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.gradcheck import _where
from npnet.gradcheck._mistakes import TIERS, Evidence, Finding
from npnet.gradcheck._mistakes._evidence import RTOL
from npnet.gradcheck._mistakes.gates import ties_in
from npnet.gradcheck._mistakes.upstream import ignores

INDENT = "  "


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why one gradient is wrong, and where.

    Attributes
    ----------
    name : str
        The input or parameter it is the gradient of.
    findings : tuple of Finding
        Each is a mistake that accounts for the whole error, the likeliest first; empty where none of the
        known ones does. A finding has a `kind`, one of `npnet.gradcheck.KINDS`, and a `sentence`.
    where : str
        How many elements are wrong, and in which rows, columns or channels they stand.
    remark : str
        What else there is to say where no mistake fits.
    got, expected : array
        The gradient given, and the right one; NaN where that is not known.
    tolerance : float
        Up to which a difference counts as rounding.
    ties : boolean array or None
        Where the input has an equal, or stands at a kink, of a gradient that is wrong there alone.
    """

    name: str
    findings: tuple[Finding, ...]
    where: str
    remark: str
    got: ndarray
    expected: ndarray
    tolerance: float
    ties: ndarray | None = None

    @property
    def kind(self) -> str:
        """The kind of the first finding; "right" where nothing is wrong, "unknown" where nothing fits."""
        if self.findings:
            return self.findings[0].kind
        return "unknown" if self.where else "right"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of all findings."""
        return tuple(finding.kind for finding in self.findings)

    @property
    def sentence(self) -> str:
        """What is wrong, in a sentence; mistakes that fit equally well are joined by "or"."""
        if self.findings:
            return "; or ".join(finding.sentence for finding in self.findings)
        if not self.where:
            return "it is right"
        return "it is wrong, and by none of the mistakes that are known by name" + (
            f"; {self.remark}" if self.remark else ""
        )

    def heat_map(self) -> str:
        """Return the picture of the error in characters."""
        shape = self.expected.shape
        if self.got.shape != shape:
            return ""
        scale = max(_largest(self.got), _largest(self.expected))
        lines = _where.heat_map(self.got - self.expected, scale, self.tolerance, self.ties)
        legend = (
            _where.LEGEND if self.ties is None else f"{_where.LEGEND}; {_where.TIE} right, at a tie or kink"
        )
        return "\n".join([f"{_where.map_title(shape)}:", *(INDENT + line for line in lines), legend])

    @property
    def first_explanation(self) -> Explanation | None:
        """The explanation itself, if anything is wrong, for `npnet.plot.wrong_gradient`."""
        return self if self.where else None

    def lines(self) -> list[str]:
        """Return the explanation as lines of text."""
        lines = [self.sentence]
        if self.where:
            lines.append(self.where)
            lines += self.heat_map().splitlines() if self.got.size > 1 else []
        return lines

    def __repr__(self) -> str:
        return f"<Explanation: gradient of {self.name}: {self.kind}>"

    def __str__(self) -> str:
        return f"\n{INDENT}".join(
            [f"gradient of {self.name} {self.expected.shape}: {self.sentence}", *self.lines()[1:]]
        )

    def _repr_html_(self) -> str:
        """Return the text for a notebook, the heat map in a typewriter font."""
        head = f"<p>gradient of <b>{escape(self.name)}</b>: {escape(self.sentence)}</p>"
        return (
            head
            + "".join(f"<p>{escape(line)}</p>" for line in [self.where] if line)
            + (f"<pre>{escape(self.heat_map())}</pre>" if self.where else "")
        )


def explain(
    got: ndarray,
    expected: ndarray,
    *,
    name: str = "x",
    x: ndarray | None = None,
    y: ndarray | None = None,
    grad_y: ndarray | None = None,
    parameters: Mapping[str, ndarray] | None = None,
    rtol: float = RTOL,
) -> Explanation:
    """Say what is wrong with a gradient, given the right one.

    Parameters
    ----------
    got : array
        The gradient that is doubted.
    expected : array
        The right one, of a reference; NaN where it is not known.
    name : str
        Which gradient it is: "x", or the name of a parameter.
    x, y, grad_y : array, optional
        The minibatch, the output and the upstream gradient of the step. With them more mistakes are known
        by name: gates that depend on the sign of x, divisions by the batch size, factors that are missing.
    parameters : mapping from str to array, optional
        The other inputs of the operation: weights, bias, targets.
    rtol : float
        How far two values may be apart, relative to the largest of all.

    Returns
    -------
    explanation : Explanation

    Raises
    ------
    InputError
        If an argument is not what it must be.
    DTypeError
        If got or expected are not arrays of numbers.

    Examples
    --------
    >>> x, grad_y = np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([[0.5, 1.0], [-1.0, 2.0]])
    >>> explain(grad_y, grad_y * (x > 0), x=x, grad_y=grad_y).sentence
    'it is not 0 where the input was negative: the gate is missing'
    >>> print(explain(x.T @ grad_y, grad_y.T @ x, name="weight"))
    gradient of weight (2, 2): it is the transpose of the right gradient
      2 of 4 elements wrong (50 %)
      where the error stands, rows × columns:
        ·█
        █·
      · right  ░ off by < 1 %  ▒ < 10 %  ▓ < 50 %  █ more, of the largest value
    """
    for label, array in (("got", got), ("expected", expected)):
        check.array("explain", label, array, "f")
    check.text("explain", "name", name)
    rtol = check.number("explain", "rtol", rtol, above=0.0, below=1.0)
    if parameters is not None:
        check.mapping("explain", "parameters", parameters, "a dict from names to arrays")
    values: dict[str, Any] = {"x": x, **(parameters or {})}
    for label, array in {**values, "y": y, "grad_y": grad_y}.items():
        if array is not None:
            check.array("explain", "parameters" if label in (parameters or {}) else label, array)
    evidence = Evidence(
        name=name,
        got=np.asarray(got, np.float64),
        expected=np.asarray(expected, np.float64),
        values={label: _wide(array) for label, array in values.items() if array is not None},
        y=None if y is None else _wide(y),
        grad_y=None if grad_y is None else _wide(grad_y),
        rtol=rtol,
    )
    return explanation_of(evidence)


def explanation_of(evidence: Evidence) -> Explanation:
    """Return what is wrong with a gradient, by all that is known of its step.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    explanation : Explanation
    """
    if evidence.got.shape != evidence.expected.shape:
        return _of_shape(evidence)
    if not np.isfinite(evidence.got[evidence.known]).all():
        return _explanation(evidence, (), _where_not_finite(evidence), "")
    if not evidence.wrong.any():
        return _explanation(evidence, (), "", "")
    where = _where.in_words(evidence.wrong, evidence.axis_names(), evidence.known)
    findings = _findings(evidence) if evidence.is_distinct else ()
    return _explanation(evidence, findings, where, "" if findings else _remark(evidence))


def _explanation(e: Evidence, findings: tuple[Finding, ...], where: str, remark: str) -> Explanation:
    tied = any(finding.kind == "ties" for finding in findings)
    ties = _ties(e) if tied else None
    return Explanation(e.name, findings, where, remark, e.got, e.expected, e.tolerance, ties)


def _ties(e: Evidence) -> ndarray | None:
    """Return where the input has an equal, or where it is 0 if the error is at the kink there."""
    x = e.own
    if x is None:
        return None
    return np.asarray(x == 0) if not (e.wrong & (x != 0)).any() else ties_in(x)


def _findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return what fits of the first tier in which something does, each kind once."""
    for tier in TIERS:
        with np.errstate(all="ignore"):
            found = [finding for mistake in tier for finding in mistake(evidence)]
        if found:
            return tuple({finding.kind: finding for finding in reversed(found)}.values())[::-1]
    return ()


def _remark(e: Evidence) -> str:
    if not e.is_distinct:
        return f"the two differ by at most {_largest(e.difference) / e.scale:.1g} of the largest value"
    if ignores(e):
        return "but it does not depend on grad_y, as it must"
    return ""


def _where_not_finite(e: Evidence) -> str:
    wrong = ~np.isfinite(e.got)
    return _where.in_words(wrong, e.axis_names(), e.known).replace(" wrong", " not finite")


# ---- gradients of another shape ------------------------------------------------------------------------


def _of_shape(e: Evidence) -> Explanation:
    """Explain a gradient that has not the shape of its array."""
    where = f"its shape is {e.got.shape} and must be {e.expected.shape}"
    with np.errstate(all="ignore"):
        finding = _shape_finding(e)
    return _explanation(e, (finding,) if finding else (), where, "")


def _shape_finding(e: Evidence) -> Finding | None:
    got, expected = e.got, e.expected
    corrections: list[tuple[str, str, ndarray]] = []
    if got.ndim == expected.ndim:
        corrections.append(("transposed", "it is the transpose of the right gradient", got.T))
    if got.size == expected.size:
        sentence = "its numbers are right, only its shape is not: it must be reshaped"
        corrections.append(("shape", sentence, got.reshape(expected.shape)))
    if got.ndim > expected.ndim:
        leading, channels = tuple(range(got.ndim - expected.ndim)), (0, *range(2, got.ndim))
        corrections += [
            ("sum_over_batch_missing", "the sum over the batch is missing", got.sum(axis=0)),
            ("sum_missing", "the sum over its leading axes is missing", got.sum(axis=leading)),
            (
                "sum_over_batch_missing",
                "the sum over the batch and the pixels is missing",
                got.sum(axis=channels),
            ),
        ]
    for kind, sentence, corrected in corrections:
        if e.corrects(corrected):
            return Finding(kind, sentence)
    named = (other for other, (_, expected_of_other) in e.others.items() if e.gives(expected_of_other))
    other = next(named, None)
    return None if other is None else Finding("anothers", f"it is the gradient of {other}")


def _largest(array: ndarray) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def _wide(array: ndarray) -> ndarray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
