"""The result of a comparison, and how it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy import ndarray

from npnet._words import shortened
from npnet.gradcheck import Explanation, WrongLayer
from npnet.table import html_table, table

LONGEST = 120  # characters of what is wrong, in repr
COLUMNS = ("quantity", "worst error", "bound", "error ÷ bound", "npnet ÷ PyTorch")


@dataclass(frozen=True)
class Quantity:
    """One array compared with the true values: the output, a gradient, or a state updated in place.

    Each element has a bound of its own. The worst element is the one with the largest error ÷ bound.

    Attributes
    ----------
    name : str
        "y", "grad_x", "grad_weight", …; with " (cuda)" appended for values computed on CUDA.
    worst_error : float
        The largest absolute error of any element.
    index : tuple of int
        The index of the worst element.
    value, other, truth : float
        The worst element: npnet's value, PyTorch's in the same dtype, and the truth, PyTorch's in float64.
    error, bound : float
        The worst element's absolute error and its bound.
    error_over_bound : float
        error ÷ bound; the array agrees if it is at most 1.
    other_over_bound : float
        The same for PyTorch in the dtype of the inputs, at PyTorch's own worst element.
    over_torch : float or None
        npnet's worst error ÷ PyTorch's, both in float32; 1 if both are exact. None in float64, where PyTorch
        is the truth.
    """

    name: str
    worst_error: float
    index: tuple[int, ...]
    value: float
    other: float
    truth: float
    error: float
    bound: float
    error_over_bound: float
    other_over_bound: float
    over_torch: float | None

    @property
    def agrees(self) -> bool:
        """Whether every element lies within its bound."""
        return self.error_over_bound <= 1

    def __str__(self) -> str:
        return (
            f"{self.name}{list(self.index)}: npnet {self.value!r}, PyTorch {self.other!r}, "
            f"truth {self.truth!r}: error {self.error:.3g}, allowed {self.bound:.3g}"
        )


@dataclass(frozen=True, repr=False)
class Report:
    """One comparison: what was compared, how each quantity came out, and which rules were broken.

    Attributes
    ----------
    subject, reference : str
        The names of the two sides.
    inputs : mapping from str to str
        Shape, dtype and layout of each input.
    options : mapping
        The options passed to both.
    dtype : numpy dtype
    seed : int
        Seed of the upstream gradient and of the subject's randomness, such as dropout.
    quantities : tuple of Quantity
    violations : tuple of str
        Broken rules, such as: an input was modified, a dtype changed, a second backward gave other gradients.
    explanations : tuple of Explanation
        What is wrong with each gradient that differs.
    layers : tuple of WrongLayer
        The layers of a model that differ by themselves, in the order in which backward comes to them.
    """

    subject: str
    reference: str
    inputs: Mapping[str, str]
    options: Mapping[str, object]
    dtype: np.dtype
    seed: int
    quantities: tuple[Quantity, ...] = ()
    violations: tuple[str, ...] = field(default=())
    explanations: tuple[Explanation, ...] = ()
    layers: tuple[WrongLayer, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether every element lies within its bound and no rule is broken."""
        return not self.violations and all(quantity.agrees for quantity in self.quantities)

    @property
    def reason(self) -> str:
        """What differs, in a line; empty where nothing does."""
        if self.agrees:
            return ""
        output = [f"{quantity.name} differs" for quantity in self.quantities if not quantity.agrees]
        shown = [name for name in output if not name.startswith("grad_")]
        shown += [f"gradient of {each.name}: {each.sentence}" for each in self.explanations]
        return "; ".join(shown or output or self.violations)

    @property
    def first_explanation(self) -> Explanation | None:
        """What is wrong with the first wrong gradient, for `npnet.plot.wrong_gradient`; None without one."""
        if self.explanations:
            return self.explanations[0]
        found = getattr(self.layers[0].report, "explanations", ()) if self.layers else ()
        return found[0] if found else None

    @property
    def error_over_bound(self) -> float:
        """The largest error ÷ bound of any quantity."""
        return max((quantity.error_over_bound for quantity in self.quantities), default=0.0)

    @property
    def over_torch(self) -> float | None:
        """The worst error of npnet ÷ PyTorch's over all quantities, each in units of its bound (float32)."""
        judged = [quantity for quantity in self.quantities if quantity.over_torch is not None]
        if not judged:
            return None
        return quotient(
            max(quantity.error_over_bound for quantity in judged),
            max(quantity.other_over_bound for quantity in judged),
        )

    def __getitem__(self, name: str) -> Quantity:
        return next(quantity for quantity in self.quantities if quantity.name == name)

    def __repr__(self) -> str:
        verdict = "agrees with" if self.agrees else "DIFFERS from"
        reasons = [layer.sentence for layer in self.layers]
        reasons += [f"gradient of {each.name}: {each.sentence}" for each in self.explanations]
        reason = shortened(f"; {'; '.join(reasons)}" if reasons else "", LONGEST)
        return (
            f"<Report: {self.subject} {verdict} {self.reference}; {len(self.quantities)} arrays, "
            f"error ÷ bound {self.error_over_bound:.3g}, {len(self.violations)} violations{reason}>"
        )

    def _repr_html_(self) -> str:
        """Return the table of quantities for a notebook."""
        head, *lines = self._lines()
        remarks = "".join(f"<pre>{escape(line)}</pre>" for line in lines)
        return html_table(COLUMNS, [_row(quantity) for quantity in self.quantities], title=head) + remarks

    def __str__(self) -> str:
        lines = self._lines()
        if self.quantities:
            lines.append(table(COLUMNS, [_row(quantity) for quantity in self.quantities]))
        return "\n".join(lines)

    def _lines(self) -> list[str]:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        inputs = ", ".join(f"{name} {what}" for name, what in self.inputs.items())
        return [
            f"{self.subject} {'agrees with' if self.agrees else 'DIFFERS from'} {self.reference}",
            f"inputs: {inputs}{options}; seed {self.seed}",
            *self._explained(),
            *(f"violation: {violation}" for violation in self.violations),
            *(f"worst: {quantity}" for quantity in self.quantities if not quantity.agrees),
        ]

    def _explained(self) -> list[str]:
        """Name the layers that differ by themselves; of a single operation, explain each gradient."""
        if self.layers:
            first, *others = self.layers
            shown = getattr(first.report, "explanations", ())
            return [
                f"first wrong backward: {first.sentence}",
                *(f"  {line}" for each in shown for line in each.lines()[1:]),
                *(f"wrong too: {layer.sentence}" for layer in others),
            ]
        return [line for each in self.explanations for line in str(each).splitlines()]


def _row(quantity: Quantity) -> list[str]:
    ratio = "" if quantity.over_torch is None else f"{quantity.over_torch:.2f}"
    return [
        quantity.name,
        f"{quantity.worst_error:.2e}",
        f"{quantity.bound:.2e}",
        f"{quantity.error_over_bound:.3f}",
        ratio,
    ]


def quotient(error: float, other: float) -> float:
    """Return error ÷ other; 0 ÷ 0 is 1, as both are exact."""
    if other == 0:
        return 1.0 if error == 0 else float("inf")
    return error / other


def judge(
    name: str, value: ndarray, other: ndarray, truth: ndarray, bound: ndarray, *, over_torch: bool
) -> Quantity:
    """Compare an array with its float64 truth, element by element.

    Where the truth, or its rounding to the dtype, is NaN or infinite, the value must be the same. Where the
    truth is finite, the value must be finite too, unless PyTorch overflowed to the same infinity.
    """
    errors, other_errors = distance(value, truth), distance(other, truth)
    overflowed = ~np.isfinite(other) & (value == other)
    errors = np.where(overflowed, 0, errors)
    ratios = _ratios(errors, bound)
    worst = tuple(int(i) for i in np.unravel_index(int(ratios.argmax()), ratios.shape)) if ratios.size else ()
    finite_other = np.where(np.isfinite(other_errors), other_errors, 0)

    def at(array: ndarray) -> float:
        return float(array[worst]) if ratios.size else 0.0

    worst_error = float(errors.max(initial=0))
    return Quantity(
        name=name,
        worst_error=worst_error,
        index=worst,
        value=at(value),
        other=at(other),
        truth=at(truth),
        error=at(errors),
        bound=at(bound),
        error_over_bound=at(ratios),
        other_over_bound=float(_ratios(finite_other, bound).max(initial=0)),
        over_torch=quotient(worst_error, float(finite_other.max(initial=0))) if over_torch else None,
    )


def distance(value: ndarray, truth: ndarray) -> ndarray:
    """Return |value − truth| in float64: 0 between equal infinities or NaNs, ∞ where only one is finite."""
    with np.errstate(all="ignore"):
        rounded = truth.astype(value.dtype)
        same = (value == rounded) & ~np.isfinite(rounded)
        same |= np.isnan(value) & np.isnan(truth)
        errors = np.abs(value.astype(np.float64) - truth)
    return np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))


def _ratios(errors: ndarray, bound: ndarray) -> ndarray:
    """Return errors ÷ bound; an error of 0 gives 0, even where the bound is 0."""
    with np.errstate(all="ignore"):
        ratios = np.where(np.isinf(errors), np.inf, errors / bound)
    return np.where(errors == 0, 0.0, ratios)
