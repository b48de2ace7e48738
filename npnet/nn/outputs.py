"""What each layer of a model gives for a minibatch, and which of its units are dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy import ndarray

from npnet.nn.activations import ReLU
from npnet.nn.layer import Layer, LayerBackward, instrumented
from npnet.shapes import Bool, Shaped


def layer_outputs(model: Layer, x: Shaped[ndarray, "n ..."]) -> dict[str, tuple[Layer, ndarray]]:
    """Run a model in evaluation mode; return each layer with its output, containers left out.

    The model is not touched: a copy that shares its arrays is run.

    Parameters
    ----------
    model : Layer
    x : array, shape (n, ...)

    Returns
    -------
    outputs : dict from dotted names to (Layer, array)
        In the order in which the layers are called.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import nn
    >>> outputs = layer_outputs(nn.Sequential(nn.Flatten(), nn.ReLU()), np.array([[[-1.0, 2.0]]]))
    >>> {name: y.tolist() for name, (_, y) in outputs.items()}
    {'0': [[-1.0, 2.0]], '1': [[0.0, 2.0]]}
    """
    outputs: dict[str, tuple[Layer, ndarray]] = {}

    def watched(path: str, layer: Layer, forward: Callable[..., Any]) -> Callable[..., Any]:
        if layer.children:
            return forward

        def forward_watched(x: ndarray, **mode: Any) -> tuple[ndarray, LayerBackward]:
            y, backward = forward(x, **mode)
            outputs[path] = layer, y
            return y, backward

        return forward_watched

    instrumented(model, watched).forward(x, training=False)
    return outputs


def which_are_dead(y: Shaped[ndarray, "n c ..."]) -> Bool[ndarray, " c"]:
    """Tell which units are 0 for every sample; a unit of a convolution is a channel, 0 at every pixel.

    Parameters
    ----------
    y : array, shape (n, c, ...)
        The output of a ReLU.

    Returns
    -------
    dead : boolean array, shape (c,)

    Examples
    --------
    >>> import numpy as np
    >>> which_are_dead(np.array([[0.0, 1.0], [0.0, 0.0]])).tolist()
    [True, False]
    """
    dead: ndarray = ~(y != 0).any(axis=tuple(axis for axis in range(y.ndim) if axis != 1))
    return dead


def dead_shares(model: Layer, x: Shaped[ndarray, "n ..."]) -> dict[str, float]:
    """Return the share of dead units of each ReLU, by its dotted name.

    Parameters
    ----------
    model : Layer
    x : array, shape (n, ...)

    Returns
    -------
    shares : dict from names to float
        In 0…1. Empty for a model without ReLU.
    """
    outputs = layer_outputs(model, x)
    return {
        name: float(which_are_dead(y).mean())
        for name, (layer, y) in outputs.items()
        if isinstance(layer, ReLU) and y.ndim > 1
    }
