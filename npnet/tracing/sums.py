"""One element written out as the sum it is, and what its terms are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.tracing.operation import Operation

Index = tuple[int, ...]


@dataclass(frozen=True)
class Factor:
    """One factor of a term: an element of an array, or a number that follows from elements of it.

    Parameters
    ----------
    label : str
        How it is written, such as "x[0,3]" or "1/m".
    value : float
    tensor : str
        The array it comes from; "" of a plain number.
    index : tuple of int
        Which element of that.
    """

    label: str
    value: float
    tensor: str = ""
    index: Index = ()


Term = tuple[Factor, ...]


@dataclass(frozen=True)
class Sum:
    """One element of an array, written out.

    Parameters
    ----------
    label : str
        The element, such as "grad_weight[3,5]".
    element : float
        What the array holds.
    terms : tuple of terms
        Each a tuple of `Factor`, to be multiplied.
    note : str
        What is special about this element: a tie, a kink, a gate that is shut.

    Examples
    --------
    >>> import numpy as np
    >>> import npnet
    >>> from npnet import nn
    >>> model = nn.Linear(2, 1, generator=np.random.default_rng(0), dtype=np.float64)
    >>> model.weight[...], model.bias[...] = [[3.0, 4.0]], 5.0
    >>> trace = npnet.trace(model, nn.MSELoss(), np.array([[1.0, 2.0]]), np.array([[15.0]]))
    >>> print(trace.sum("model", "y", (0, 0)))
    y[0,0] = 16
        x[0,0] · weight[0,0] = 1 · 3 =  3
        x[0,1] · weight[0,1] = 2 · 4 =  8
                     bias[0] =     5 =  5
                                 sum = 16
    """

    label: str
    element: float
    terms: tuple[Term, ...]
    note: str = ""

    @property
    def values(self) -> tuple[float, ...]:
        """The value of each term."""
        return tuple(prod((factor.value for factor in term), start=1.0) + 0.0 for term in self.terms)

    @property
    def total(self) -> float:
        """The sum of all terms, in float64."""
        return sum(self.values, start=0.0)

    def __str__(self) -> str:
        rows = [
            (
                " · ".join(factor.label for factor in term),
                " · ".join(f"{factor.value:.6g}" for factor in term),
                f"{value:.6g}",
            )
            for term, value in zip(self.terms, self.values, strict=True)
        ]
        rows.append(("", "sum", f"{self.total:.6g}"))
        wide = [max(len(row[place]) for row in rows) for place in range(3)]
        lines = [
            f"    {labels:>{wide[0]}} {'=' if labels else ' '} {numbers:>{wide[1]}} = {value:>{wide[2]}}"
            for labels, numbers, value in rows
        ]
        said = [f"    {self.note}"] if self.note else []
        return "\n".join([f"{self.label} = {self.element:.7g}", *lines, *said])


def label(name: str, index: Index) -> str:
    """Write an element, as "x[0,3]".

    Examples
    --------
    >>> label("x", (0, 3)), label("y", ())
    ('x[0,3]', 'y')
    """
    return f"{name}[{','.join(map(str, index))}]" if index else name


def checked_index(owner: str, array: ndarray, index: Any) -> Index:
    """Return an index of an array without negative numbers.

    Raises
    ------
    InputError
        If it is none.
    """
    several = index if isinstance(index, tuple | list) else (index,)
    numbers = tuple(check.integer(owner, "index", number) for number in several)
    fits = len(numbers) == array.ndim and all(-n <= i < n for i, n in zip(numbers, array.shape, strict=True))
    if not fits:
        raise InputError(f"{owner}: index must be one of an array of shape {array.shape}, got {numbers}")
    return tuple(i % n for i, n in zip(numbers, array.shape, strict=True))


class Factors:
    """An operation's arrays as factors, and what is to be said of the element."""

    def __init__(self, operation: Operation) -> None:
        self.tensors, self.settings = operation.tensors, operation.settings
        self.note = ""

    def at(self, name: str, *index: int) -> Factor:
        """Return an element as a factor."""
        return Factor(label(name, index), float(self.tensors[name][index]), name, index)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array."""
        return self.tensors[name].shape


# What the terms of an element are: of an operation's arrays, the name of a result and the element's index.
Rule = Callable[[Factors, str, Index], Iterator[Term]]
