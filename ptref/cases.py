"""What one comparison needs, and where comparisons come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy import ndarray

from ptref import bounds
from ptref.bounds import Rule
from ptref.compare import compare
from ptref.draw import DTYPES, Choose
from ptref.report import Report


@dataclass(frozen=True)
class Case:
    """One comparison: what `ptref.parity.compare` is given.

    Attributes
    ----------
    name : str
        Of the operation, layer or model.
    subject, reference : callable or layer
    inputs : tuple of array or None
    options : dict
    rule : Rule
    state : tuple of int
    training : bool
    seed : int
        All as in `ptref.parity.compare`.
    """

    name: str
    subject: Any
    reference: Callable[..., Any]
    inputs: tuple[ndarray | None, ...]
    options: dict[str, Any] = field(default_factory=dict)
    rule: Rule = bounds.measured
    state: tuple[int, ...] = ()
    training: bool = True
    seed: int = 0

    def compare(self, subject: Any = None, *, device: str = "cpu", layouts: bool = False) -> Report:
        """Make the comparison, with another subject in place of its own if one is given."""
        report = compare(
            self.subject if subject is None else subject,
            self.reference,
            *self.inputs,
            options=self.options,
            rule=self.rule,
            state=self.state,
            training=self.training,
            seed=self.seed,
            device=device,
            layouts=layouts,
            vary=layouts,  # layers are settled away from ones and zeros, and inputs drawn as they are meant
        )
        return replace(report, subject=self.name, reference=f"torch's {self.name}")


@dataclass(frozen=True)
class Row:
    """A line of the table: something of npnet's that has a counterpart.

    Attributes
    ----------
    kind : str
        "operation", "layer" or "model".
    name : str
    draw : callable
        ``draw(choose, dtype)`` returns a `Case`.
    dtypes : tuple of numpy dtype
        Those it is compared in: whole models only in float64, as a rounding error early in them may decide
        a near-tie later.
    cost : int
        One in how many of the cases asked for is made, at least one: models take their time.
    """

    kind: str
    name: str
    draw: Callable[[Choose, np.dtype], Case]
    dtypes: tuple[np.dtype, ...] = DTYPES
    cost: int = 1
