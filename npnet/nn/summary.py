"""What a model is made of: a line for each layer, with shapes, parameters and work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._words import counted
from npnet.errors import InputError
from npnet.nn.containers import Residual, Sequential
from npnet.nn.layer import Layer
from npnet.table import html_table, table


@dataclass(frozen=True)
class LayerSummary:
    """One layer: its name in the model, what it is, and for one sample its output shape and its work."""

    name: str
    layer: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True, repr=False)
class Summary:
    """All layers of a model; `str` draws the table.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.
    layers : tuple of LayerSummary
        In the order in which the sample goes through them.
    frozen : int
        How many of the parameters are not trained.
    """

    input_shape: tuple[int, ...]
    layers: tuple[LayerSummary, ...]
    frozen: int

    @property
    def parameters(self) -> int:
        """How many numbers the model learns or holds frozen."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """How many multiply-adds one sample takes forward."""
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
                [layer.name, layer.layer, layer.output_shape, layer.parameters, layer.multiply_adds]
                for layer in self.layers
            ],
            title=f"input {self.input_shape}, without the batch axis",
            footer=["", "total", "", self.parameters, self.multiply_adds],
        )
        return drawn if not self.frozen else f"{drawn}\n{self.frozen:,} of these parameters are frozen"


def summarize(model: Layer, input_shape: int | tuple[int, ...]) -> Summary:
    """Send one sample of zeros through a model and write down what becomes of it.

    Parameters
    ----------
    model : Layer
    input_shape : tuple of int, or int
        Shape of one sample, without the batch axis; 8 is (8,).

    Returns
    -------
    summary : Summary

    Raises
    ------
    InputError
        If it is no shape, or the model does not take samples of it; the message names the layer.
    """
    check.instance("summary", "model", model, Layer, "a model of npnet, such as an nn.Sequential")
    shape = _shape(input_shape)
    parameters = model.parameters
    dtype = next(iter(parameters.values())).dtype if parameters else np.dtype(np.float32)
    layers: list[LayerSummary] = []
    x = np.zeros((1, *shape), dtype)
    model(x)  # meets shapes that do not fit with the message that names the layer
    _walk(model, "", x, layers)
    frozen = sum(parameters[name].size for name in model.frozen_parameters)
    return Summary(shape, tuple(layers), frozen)


def _shape(given: Any) -> tuple[int, ...]:
    """Read a shape as NumPy does: a number alone is one axis."""
    try:
        sizes = given if isinstance(given, tuple | list | ndarray) else (given,)
        shape = tuple(-1 if isinstance(size, bool | np.bool_) else index(size) for size in sizes)
    except TypeError:
        shape = (-1,)
    if any(size < 0 for size in shape):
        raise InputError(
            "summary: input_shape must be the shape of one sample, such as (784,) or (1, 28, 28), "
            f"got {given!r:.60}"
        )
    return shape


def _walk(layer: Layer, name: str, x: ndarray, layers: list[LayerSummary]) -> ndarray:
    """Add lines for a layer and all within it, and return its output."""
    within: Iterator[tuple[str, Layer]] = (
        (f"{name}.{child_name}".removeprefix("."), child) for child_name, child in layer.children().items()
    )
    if isinstance(layer, Sequential):
        for child_name, child in within:
            x = _walk(child, child_name, x, layers)
        return x
    if isinstance(layer, Residual):
        for child_name, child in within:
            _walk(child, child_name, x, layers)
        return layer(x)
    y = layer(x)
    parameters = sum(array.size for array in layer.parameters.values())
    work = layer.multiply_adds(x.shape, y.shape)
    layers.append(LayerSummary(name, repr(layer), y.shape[1:], parameters, work))
    return y
