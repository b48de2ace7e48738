"""What is recorded of one operation: plain arrays by name, and what to say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.tracing.rules import Rule

BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Kept:
    """One array that a backward closure keeps until it has run.

    Parameters
    ----------
    name : str
        What the closure calls it.
    shape : tuple of int
    dtype : str
    bytes : int
    same_as : str
        The operation's own tensor whose memory it is, such as "x": then it costs nothing. "" if none.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    same_as: str = ""


@dataclass(frozen=True)
class Statistics:
    """What an array is like, in a line.

    Parameters
    ----------
    size : int
    least, largest, mean : float
        Of the finite elements; NaN where there are none.
    zeros, nans, infinities : int
        How many elements are 0, NaN, or ∞ of either sign.
    histogram : tuple of int
        How many finite elements lie in each eighth of the range.
    """

    size: int
    least: float
    largest: float
    mean: float
    zeros: int
    nans: int
    infinities: int
    histogram: tuple[int, ...]

    @property
    def sparkline(self) -> str:
        """The histogram as text."""
        most = max(self.histogram, default=0)
        if not most:
            return ""
        return "".join(BARS[-(-7 * count // most)] for count in self.histogram)


def statistics(array: ndarray) -> Statistics:
    """Describe an array of numbers.

    Parameters
    ----------
    array : array, any shape
        Of floating-point numbers, integers or truth values.

    Returns
    -------
    described : Statistics

    Raises
    ------
    DTypeError
        If it is no array of numbers.

    Examples
    --------
    >>> described = statistics(np.array([0.0, 1.0, np.nan, 3.0]))
    >>> described.largest, described.zeros, described.nans, described.sparkline
    (3.0, 1, 1, '█▁█▁▁▁▁█')
    """
    check.array("statistics", "array", array, "biuf")
    values = array.astype(np.float64).reshape(-1)
    finite = values[np.isfinite(values)]
    nans = int(np.isnan(values).sum())
    zeros = int((values == 0).sum())
    if not finite.size:
        nan = float("nan")
        return Statistics(values.size, nan, nan, nan, zeros, nans, values.size - nans, ())
    least, largest = float(finite.min()), float(finite.max())
    # Halves first: the width of the range of the largest numbers there are is itself no number.
    width = largest / 2 - least / 2
    places = np.zeros(finite.size) if width == 0 else (finite / 2 - least / 2) / width * len(BARS)
    counts = np.bincount(np.minimum(places.astype(np.intp), len(BARS) - 1), minlength=len(BARS))
    with np.errstate(over="ignore"):
        mean = float(finite.mean())
    return Statistics(
        values.size,
        least,
        largest,
        mean,
        zeros,
        nans,
        values.size - finite.size - nans,
        tuple(counts.tolist()),
    )


@dataclass(frozen=True, eq=False, repr=False)
class Operation:
    """One operation of a traced step.

    Parameters
    ----------
    name : str
        Its place in the model, such as "0" or "2.body.1"; the loss is called "loss".
    layer : str
        What it is, as the layer prints itself.
    kind : str
        The operation, such as "linear"; "" of a layer of your own that npnet does not know.
    tensors : dict from names to arrays
        Inputs under the operation's argument names (``x``, ``weight``, …), its output ``y``, the upstream
        gradient ``grad_y`` and the gradients ``grad_x``, ``grad_weight``, …. What was not run is absent.
    equations : dict from names to str
        How ``y`` and each gradient follow from the others, written out for one element.
    settings : dict
        What the equations need besides arrays, such as the stride.
    sources : dict from names to str
        Of each input the operation whose output it is; "input" is what went into the model.
    kept : tuple of Kept
        What the backward closure keeps.
    error : str
        Why it failed; "" if it did not.
    failed : str
        "forward" or "backward", whichever it failed in; "" if it did not.
    says : str
        The first line of the documentation of a layer of your own.
    parameters : tuple of str
        Which of the inputs are learnt.
    rules : dict from parameters to Rule
        How the optimizer moved each, where it did.

    Examples
    --------
    >>> import npnet
    >>> from npnet import nn
    >>> model = nn.Linear(2, 1, generator=np.random.default_rng(0))
    >>> x, target = np.ones((1, 2), np.float32), np.zeros((1, 1), np.float32)
    >>> linear = npnet.trace(model, nn.MSELoss(), x, target)["model"]
    >>> linear
    <Operation 'model' Linear(2, 1): x weight bias y grad_y grad_x grad_weight grad_bias>
    >>> linear.equations["grad_x"]
    'grad_x[n,i] = Σₒ grad_y[n,o] · weight[o,i]'
    """

    name: str
    layer: str
    kind: str
    tensors: Mapping[str, ndarray]
    equations: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[Kept, ...] = ()
    error: str = ""
    failed: str = ""
    says: str = ""
    parameters: tuple[str, ...] = ()
    rules: Mapping[str, Rule] = field(default_factory=dict)

    @property
    def ran_forward(self) -> bool:
        """Whether the forward pass came out of it."""
        return "y" in self.tensors

    @property
    def ran_backward(self) -> bool:
        """Whether the backward pass came out of it."""
        return any(name.startswith("grad_") and name != "grad_y" for name in self.tensors)

    @property
    def gradients(self) -> dict[str, ndarray]:
        """The gradients it computed, by name."""
        return {
            name: array
            for name, array in self.tensors.items()
            if name.startswith("grad_") and name != "grad_y"
        }

    def __getitem__(self, name: str) -> ndarray:
        """Return one of its arrays."""
        if not isinstance(name, str) or name not in self.tensors:
            known = ", ".join(self.tensors) or "none, it was not run"
            raise InputError(
                f"operation '{self.name}': name must be that of one of its arrays ({known}), got {name!r:.60}"
            )
        return self.tensors[name]

    def __repr__(self) -> str:
        named = " ".join(self.tensors) or "not run"
        return f"<Operation {self.name!r} {self.layer}: {named}>"
