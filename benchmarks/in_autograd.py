"""LeNet-5 in HIPS autograd, which differentiates NumPy code, with the functions of its own example network.

Its convolution flips kernels and expects their input channels first, so the weights are stored that way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.signal import convolve
from autograd.scipy.special import logsumexp
from numpy import ndarray

from npnet import nn

Params = list[dict[str, ndarray]]


def learner(model: nn.Layer, x: ndarray, target: ndarray, lr: float, momentum: float) -> Callable[[], object]:
    """Return a function that trains copies of the weights by a step of SGD and returns the loss."""
    params = _params(model)
    velocity = [{name: np.zeros_like(value) for name, value in layer.items()} for layer in params]
    rows = np.arange(len(x))

    def loss(params: Params) -> Any:
        y = _outputs(model, params, x)
        return -np.mean((y - logsumexp(y, axis=1, keepdims=True))[rows, target])

    loss_and_grads = value_and_grad(loss)

    def run() -> object:
        value, grads = loss_and_grads(params)
        for layer, v, grad in zip(params, velocity, grads, strict=True):
            for name in layer:
                v[name] = momentum * v[name] + grad[name]
                layer[name] = layer[name] - lr * v[name]
        return value

    return run


def predictor(model: nn.Layer, x: ndarray) -> Callable[[], object]:
    """Return a function that returns the outputs, computed with copies of the weights."""
    params = _params(model)
    return lambda: _outputs(model, params, x)


def _params(model: nn.Layer) -> Params:
    """Copy the weights, layer by layer, with flipped kernels."""
    return [
        {
            name: _flipped(value) if value.ndim == 4 else value.copy()
            for name, value in layer.parameters.items()
        }
        for layer in model.children.values()
    ]


def _flipped(kernels: ndarray) -> ndarray:
    return kernels[:, :, ::-1, ::-1].swapaxes(0, 1).copy()


def _outputs(model: nn.Layer, params: Params, x: Any) -> Any:
    for layer, of_layer in zip(model.children.values(), params, strict=True):
        x = APPLY[type(layer)](layer, of_layer, x)
    return x


def _conv2d(layer: Any, params: dict[str, Any], x: Any) -> Any:
    border = (layer.padding, layer.padding)
    padded = np.pad(x, ((0, 0), (0, 0), border, border), "constant") if layer.padding else x
    y = convolve(padded, params["weight"], axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid")
    return y + params["bias"].reshape(-1, 1, 1)


def _max_pool2d(layer: Any, _weights: dict[str, Any], x: Any) -> Any:
    n, c, h, w = x.shape
    k = layer.kernel_size
    return np.max(np.max(x.reshape(n, c, h // k, k, w // k, k), axis=5), axis=3)


def _linear(_layer: nn.Layer, params: dict[str, Any], x: Any) -> Any:
    return np.dot(x, params["weight"].T) + params["bias"]


APPLY: dict[type[nn.Layer], Callable[[Any, dict[str, Any], Any], Any]] = {
    nn.Conv2d: _conv2d,
    nn.ReLU: lambda _layer, _weights, x: np.maximum(x, 0),
    nn.MaxPool2d: _max_pool2d,
    nn.Flatten: lambda _layer, _weights, x: x.reshape(len(x), -1),
    nn.Linear: _linear,
}
