"""What a comparison found, and how it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy import ndarray

from npnet.table import html_table, table

COLUMNS = ("quantity", "worst error", "bound", "error ÷ bound", "npnet ÷ PyTorch")


@dataclass(frozen=True)
class Quantity:
    """One array compared with its truth: the output, a gradient, or a state updated in place.

    The worst element is the one whose error is largest in proportion to its own bound.

    Attributes
    ----------
    name : str
        "y", "grad_x", "grad_weight", …; for what CUDA computed with " (cuda)" behind.
    worst_error : float
        The largest distance from the truth.
    index : tuple of int
        Where the worst element stands.
    value, other, truth : float
        npnet's value there, PyTorch's in the same dtype, and PyTorch's in float64.
    error, bound : float
        The worst element's own distance from the truth, and what is allowed for it.
    error_over_bound : float
        The quotient of the two: agreement is 1 or less.
    other_over_bound : float
        The same quotient for PyTorch in the dtype of the inputs, at its own worst element.
    over_torch : float or None
        npnet's worst error ÷ PyTorch's, both float32; 1 where both are exact, None for float64, whose
        truth PyTorch itself supplies.
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
    """One comparison: what was compared, each quantity found, and which rules were broken.

    Attributes
    ----------
    subject, reference : str
        Names of what was compared.
    inputs : mapping from str to str
        Shape, dtype and layout of each input.
    options : mapping
        The options both were given.
    dtype : numpy dtype
    seed : int
        Of the upstream gradient and of the subject's own randomness.
    quantities : tuple of Quantity
    violations : tuple of str
        What is wrong apart from the numbers: an input modified, a dtype changed, a second backward that
        differs, …
    """

    subject: str
    reference: str
    inputs: Mapping[str, str]
    options: Mapping[str, object]
    dtype: np.dtype
    seed: int
    quantities: tuple[Quantity, ...] = ()
    violations: tuple[str, ...] = field(default=())

    @property
    def agrees(self) -> bool:
        """Whether every number lies within its bound and no rule is broken."""
        return not self.violations and all(quantity.agrees for quantity in self.quantities)

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
        return (
            f"<Report: {self.subject} {verdict} {self.reference}; {len(self.quantities)} arrays, "
            f"error ÷ bound {self.error_over_bound:.3g}, {len(self.violations)} violations>"
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
            *(f"violation: {violation}" for violation in self.violations),
            *(f"worst: {quantity}" for quantity in self.quantities if not quantity.agrees),
        ]


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
    """Return error ÷ other, where nothing ÷ nothing is 1: equally exact."""
    if other == 0:
        return 1.0 if error == 0 else float("inf")
    return error / other


def judge(
    name: str, value: ndarray, other: ndarray, truth: ndarray, bound: ndarray, *, over_torch: bool
) -> Quantity:
    """Compare one array with its float64 truth, element by element.

    Where the truth, or its rounding to the dtype, is not finite, the value must be the same NaN or infinity.
    So must it not be where the truth is finite, unless PyTorch overflowed there in the same way.
    """
    errors, other_errors = distance(value, truth), distance(other, truth)
    overflowed = ~np.isfinite(other) & (value == other)
    errors = np.where(overflowed, 0, errors)
    ratios = _over(errors, bound)
    place = tuple(int(i) for i in np.unravel_index(int(ratios.argmax()), ratios.shape)) if ratios.size else ()
    finite_other = np.where(np.isfinite(other_errors), other_errors, 0)

    def at(array: ndarray) -> float:
        return float(array[place]) if ratios.size else 0.0

    worst = float(errors.max(initial=0))
    return Quantity(
        name=name,
        worst_error=worst,
        index=place,
        value=at(value),
        other=at(other),
        truth=at(truth),
        error=at(errors),
        bound=at(bound),
        error_over_bound=at(ratios),
        other_over_bound=float(_over(finite_other, bound).max(initial=0)),
        over_torch=quotient(worst, float(finite_other.max(initial=0))) if over_torch else None,
    )


def distance(value: ndarray, truth: ndarray) -> ndarray:
    """Return |value − truth| in float64: 0 between equal infinities and NaNs, ∞ where only one is finite."""
    with np.errstate(all="ignore"):
        rounded = truth.astype(value.dtype)
        same = (value == rounded) & ~np.isfinite(rounded)
        same |= np.isnan(value) & np.isnan(truth)
        errors = np.abs(value.astype(np.float64) - truth)
    return np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))


def _over(errors: ndarray, bound: ndarray) -> ndarray:
    """Return errors ÷ bound, where an error of 0 is within any bound, even one of 0."""
    with np.errstate(all="ignore"):
        ratios = np.where(np.isinf(errors), np.inf, errors / bound)
    return np.where(errors == 0, 0.0, ratios)
