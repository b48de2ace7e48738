"""The summary of a model: a row for each layer, with output shape, parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from numpy import ndarray

from npnet._words import counted
from npnet.errors import InputError
from npnet.table import html_table, table


@dataclass(frozen=True)
class LayerSummary:
    """One layer and what it costs for one sample.

    Attributes
    ----------
    name : str
        Its path in the model, such as "body.0".
    layer : str
        The call that makes it.
    output_shape : tuple of int, or None
        Shape of its output without the batch axis; None if the model did not call it in evaluation mode.
    parameters : int
        Numbers in its own parameters, trained or frozen.
    multiply_adds : int
        Multiply-adds of its own forward pass.
    """

    name: str
    layer: str
    output_shape: tuple[int, ...] | None
    parameters: int
    multiply_adds: int


@dataclass(frozen=True, repr=False)
class Summary:
    """All layers of a model, in the order in which a sample passes through them; `str` draws the table.

    Parameters
    ----------
    input_shape, output_shape : tuple of int
        Shapes of one sample and of the model's output for it.
    layers : tuple of LayerSummary
    frozen : int
        How many of the parameters are not trained.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    layers: tuple[LayerSummary, ...]
    frozen: int

    @property
    def parameters(self) -> int:
        """The number of parameters, trained and frozen."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """The number of multiply-adds in the forward pass of one sample."""
        return sum(layer.multiply_adds for layer in self.layers)

    def __str__(self) -> str:
        return self._drawn(table)

    def _repr_html_(self) -> str:
        """Draw the table for a notebook."""
        return self._drawn(html_table)

    def __repr__(self) -> str:
        count, parameters = len(self.layers), f"{self.parameters:,}".replace(",", " ")
        what = f"{counted(count, 'layer')} with {parameters} parameter{'' if self.parameters == 1 else 's'}"
        return f"<Summary of {what}; print it for the table>"

    def _drawn(self, draw: Callable[..., str]) -> str:
        drawn = draw(
            ["name", "layer", "output shape", "parameters", "multiply-adds"],
            [
                [
                    layer.name,
                    layer.layer,
                    "not called" if layer.output_shape is None else layer.output_shape,
                    layer.parameters,
                    layer.multiply_adds,
                ]
                for layer in self.layers
            ],
            title=f"input {self.input_shape}, without the batch axis",
            footer=["", "total", "", self.parameters, self.multiply_adds],
        )
        return drawn if not self.frozen else f"{drawn}\n{self.frozen:,} of these parameters are frozen"


def sample_shape(value: Any) -> tuple[int, ...]:
    """Return the shape of one sample as a tuple; as in NumPy, a number alone is one axis."""
    try:
        sizes = value if isinstance(value, tuple | list | ndarray) else (value,)
        shape = tuple(-1 if isinstance(size, bool | np.bool_) else index(size) for size in sizes)
    except TypeError:
        shape = (-1,)
    if any(size < 0 for size in shape):
        raise InputError(
            "summary: input_shape must be the shape of one sample, such as (784,) or (1, 28, 28), "
            f"got {value!r:.60}"
        )
    return shape
