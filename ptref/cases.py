"""A single comparison, and the rows of the parity table that draw comparisons."""

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
    """One comparison: the arguments of `ptref.parity.compare`.

    Attributes
    ----------
    name : str
        The name of the operation, layer or model.
    subject, reference : callable or layer
    inputs : tuple of array or None
    options : dict
    rule : Rule
    state : tuple of int
    training : bool
    seed : int
        As in `ptref.parity.compare`.
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
        """Make the comparison, with the given subject instead of npnet's if there is one."""
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
            vary=layouts,  # the parameters are random already
        )
        return replace(report, subject=self.name, reference=f"torch's {self.name}")


@dataclass(frozen=True)
class Row:
    """A row of the parity table: an operation, layer or model with a counterpart in PyTorch.

    Attributes
    ----------
    kind : str
        "operation", "layer" or "model".
    name : str
    draw : callable
        ``draw(choose, dtype)`` returns a `Case`.
    dtypes : tuple of numpy dtype
        The dtypes that are compared. Whole models are compared only in float64, as a rounding error in an
        early layer may decide a near-tie in a later max-pooling.
    cost : int
        One of so many requested cases is made, and at least one, as models are slow.
    """

    kind: str
    name: str
    draw: Callable[[Choose, np.dtype], Case]
    dtypes: tuple[np.dtype, ...] = DTYPES
    cost: int = 1
