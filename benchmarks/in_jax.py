"""npnet's models in JAX on the CPU: a whole training step, compiled.

Images are (n, h, w, c) here and kernels (h, w, inputs, outputs), which is faster in JAX on the CPU than
npnet's order. They are transposed once, before the timing.

JAX creates its threads once per process, at the start, and has no function that returns their number. It
reads the number from an environment variable, which is set here during the start. The threads are then
counted by name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy import ndarray

from npnet import nn

TASKS = Path("/proc/self/task")  # Linux lists a process's threads here
WORKER = "tf_XLAEigen"  # the name of the threads that compute
NUMBER = "PJRT_NPROC"  # the environment variable for their number

IMAGES, BACK = (0, 2, 3, 1), (0, 3, 1, 2)  # to JAX's order of axes, and back
KERNELS = (2, 3, 1, 0)
ORDER = ("NHWC", "HWIO", "NHWC")

Apply = Callable[[Any, Any], Any]  # maps a layer's parameters and input to its output

jax.config.update("jax_platforms", "cpu")


def refusal(model: nn.Layer, threads: int) -> str | None:
    """Return why a model is not measured (a layer without counterpart, the number of threads), or None."""
    try:
        _chain(model)
    except NotImplementedError as error:
        return str(error)
    if not TASKS.exists():
        return "its threads can be counted only on Linux"
    found = _start(threads)
    return None if found == threads else f"{threads} threads were requested, {found} were counted"


def learner(model: nn.Layer, x: ndarray, target: ndarray, lr: float, momentum: float) -> Callable[[], object]:
    """Return a function that trains copies of the weights by a step of SGD and returns the loss."""
    outputs, params = _outputs(model), _params(model)
    inputs, labels = _inputs(model, x), jnp.array(target)

    def loss(params: Any, x: Any, target: Any) -> Any:
        logs = jax.nn.log_softmax(outputs(params, x))
        return -jnp.take_along_axis(logs, target[:, None], axis=1).mean()

    def step(params: Any, velocity: Any, x: Any, target: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params, x, target)
        velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, grads)
        return jax.tree.map(lambda p, v: p - lr * v, params, velocity), velocity, value

    compiled = jax.jit(step, donate_argnums=(0, 1))  # new weights may overwrite the old ones
    state = params, jax.tree.map(jnp.zeros_like, params)

    def run() -> object:
        nonlocal state
        *kept, value = jax.block_until_ready(compiled(*state, inputs, labels))
        state = (kept[0], kept[1])
        return value

    return run


def predictor(model: nn.Layer, x: ndarray) -> Callable[[], object]:
    """Return a function that returns the outputs, computed with copies of the weights."""
    compiled, params, inputs = jax.jit(_outputs(model)), _params(model), _inputs(model, x)
    return lambda: jax.block_until_ready(compiled(params, inputs))


# ---- the model -----------------------------------------------------------------------------------------


def _params(model: nn.Layer) -> list[dict[str, Any]]:
    """Copy the weights, layer by layer."""
    return [
        {name: jnp.array(_transposed(value, KERNELS)) for name, value in layer.parameters.items()}
        for layer in model.children.values()
    ]


def _inputs(model: nn.Layer, x: ndarray) -> Any:
    """Copy the samples, already flattened if the model's first layer flattens them."""
    first = next(iter(model.children.values()))
    return jnp.array(x.reshape(len(x), -1) if type(first) is nn.Flatten else _transposed(x, IMAGES))


def _transposed(array: ndarray, order: tuple[int, ...]) -> ndarray:
    return np.ascontiguousarray(array.transpose(order)) if array.ndim == len(order) else array


def _outputs(model: nn.Layer) -> Apply:
    chain = _chain(model)

    def outputs(params: Any, x: Any) -> Any:
        for apply, of_layer in zip(chain, params, strict=True):
            x = apply(of_layer, x)
        return x

    return outputs


def _chain(model: nn.Layer) -> list[Apply]:
    if type(model) is not nn.Sequential:
        raise NotImplementedError("the model is not a chain of layers")
    return [_apply(layer) for layer in model]


def _apply(layer: nn.Layer) -> Apply:
    """Return the counterpart of a layer.

    Raises
    ------
    NotImplementedError
        If there is none.
    """
    kind = type(layer)
    if kind in ACTIVATIONS:
        return lambda _, x: ACTIVATIONS[kind](x)
    if kind in MAKERS:
        return MAKERS[kind](layer)
    raise NotImplementedError(f"{layer!r} has no counterpart in this comparison")


def _linear(_layer: nn.Layer) -> Apply:
    return lambda params, x: x @ params["weight"].T + params.get("bias", 0)


def _conv2d(layer: Any) -> Apply:
    padding = [(border, border) for border in _pair(layer.padding)]

    def apply(params: Any, x: Any) -> Any:
        y = lax.conv_general_dilated(
            x,
            params["weight"],
            _pair(layer.stride),
            padding,
            rhs_dilation=_pair(layer.dilation),
            feature_group_count=layer.groups,
            dimension_numbers=ORDER,
        )
        return y + params["bias"] if "bias" in params else y

    return apply


def _max_pool2d(layer: Any) -> Apply:
    _require_settings(layer, ceil_mode=False)
    window = {**_window(layer), "window_dilation": (1, *_pair(layer.dilation), 1)}
    return lambda _, x: lax.reduce_window(x, -jnp.inf, lax.max, **window)


def _avg_pool2d(layer: Any) -> Apply:
    _require_settings(layer, ceil_mode=False, count_include_pad=True, divisor_override=None)
    height, width = _pair(layer.kernel_size)
    return lambda _, x: lax.reduce_window(x, 0.0, lax.add, **_window(layer)) / (height * width)


def _window(layer: Any) -> dict[str, Any]:
    kernel, borders = _pair(layer.kernel_size), _pair(layer.padding)
    return {
        "window_dimensions": (1, *kernel, 1),
        "window_strides": (1, *(kernel if layer.stride is None else _pair(layer.stride)), 1),
        "padding": [(0, 0), *((border, border) for border in borders), (0, 0)],
    }


def _mean(layer: Any) -> Apply:
    _require_settings(layer, output_size=1)
    return lambda _, x: x.mean(axis=(1, 2), keepdims=True)


def _flatten(layer: Any) -> Apply:
    _require_settings(layer, start_dim=1, end_dim=-1)
    return lambda _, x: x if x.ndim == 2 else x.transpose(BACK).reshape(len(x), -1)


ACTIVATIONS: dict[type[nn.Layer], Callable[[Any], Any]] = {
    nn.ReLU: jax.nn.relu,
    nn.Tanh: jnp.tanh,
    nn.Sigmoid: jax.nn.sigmoid,
}
MAKERS: dict[type[nn.Layer], Callable[[Any], Apply]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.MaxPool2d: _max_pool2d,
    nn.AvgPool2d: _avg_pool2d,
    nn.AdaptiveAvgPool2d: _mean,
    nn.Flatten: _flatten,
}


def _require_settings(layer: nn.Layer, **settings: object) -> None:
    """Require the only settings of a layer that its counterpart supports."""
    for name, value in settings.items():
        if getattr(layer, name) != value:
            raise NotImplementedError(f"{layer!r} has no counterpart in this comparison")


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


# ---- threads -------------------------------------------------------------------------------------------


def _start(threads: int) -> int:
    """Start JAX with a number of threads, unless it is running; return its number of threads."""
    before = os.environ.get(NUMBER)
    os.environ[NUMBER] = str(threads)
    try:
        jax.devices()
    finally:
        if before is None:
            del os.environ[NUMBER]
        else:
            os.environ[NUMBER] = before
    return sum(_name(task) == WORKER for task in TASKS.iterdir())


def _name(task: Path) -> str:
    """Return a thread's name, or "" if it has ended."""
    try:
        return (task / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
