"""NaN and ∞: where they are, and which operation made them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.nn import Layer, Loss


class AnomalyError(ArithmeticError):
    """An operation gave NaN or ∞; the message names the operation and the first such value."""


def first_not_finite(arrays: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the name of the first array that holds NaN or ∞, and the first such value with its index.

    Parameters
    ----------
    arrays : mapping from names to arrays

    Returns
    -------
    found : (name, value and index) or None

    Examples
    --------
    >>> first_not_finite({"a": np.zeros(2), "b": np.array([[1.0, np.inf]])})
    ('b', 'inf at index (0, 1)')
    """
    with np.errstate(all="ignore"):
        for name, array in arrays.items():
            if (place := _not_finite(np.asarray(array))) is not None:
                return name, place
    return None


def _not_finite(array: ndarray) -> str | None:
    # One inner product is many times faster than asking each element. It is finite only if all elements are;
    # where it overflows though they are finite, the elements are asked.
    if array.dtype.kind != "f" or isfinite(np.vdot(array, array)):
        return None
    wrong = ~np.isfinite(array)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), array.shape))
    shown = index[0] if len(index) == 1 else index
    return f"{array[index]} at index {shown}" if index else f"{array[index]}"


@contextmanager
def detect_anomalies(model: Layer, loss: Loss) -> Iterator[None]:
    """Within the block, raise `AnomalyError` at the first operation whose result holds NaN or ∞.

    The result of every layer, container and loss is checked, forward and backward. Layers are checked before
    the containers they stand in, so the layer named is where the value first arose.

    Parameters
    ----------
    model : Layer
    loss : Loss

    Raises
    ------
    AnomalyError
        Names the operation, forward or backward, the array, and the first value with its index.

    Examples
    --------
    >>> from npnet import nn
    >>> model, loss = nn.Sequential(nn.Identity(), nn.ReLU()), nn.MSELoss()
    >>> with detect_anomalies(model, loss):
    ...     model(np.array([[1.0, np.inf]]))
    Traceback (most recent call last):
    npnet.train.anomaly.AnomalyError: forward of layer '0' Identity(): its input holds inf at index (0, 1)
    """
    layers = {id(layer): (name, layer) for name, layer in model.named_layers()}
    try:
        for name, layer in layers.values():
            vars(layer)["forward"] = _checked_layer(_named(name, layer), layer)
        vars(loss)["forward"] = _checked_loss(loss)
        yield
    finally:
        for owner in (loss, *(layer for _, layer in layers.values())):
            vars(owner).pop("forward", None)


def _checked_layer(title: str, layer: Layer) -> Callable[..., Any]:
    """Return a `forward` of a layer that checks what goes in and what comes out, forward and backward."""
    forward = layer.forward

    def checked_forward(x: ndarray, **settings: Any) -> Any:
        where = f"forward of {title}"
        _require_finite(where, {"input": x, **_own_parameters(layer)})
        y, backward = forward(x, **settings)
        _require_finite(where, {"output": y})

        def checked_backward(grad_y: ndarray, *, needs_grad_x: bool = True) -> Any:
            where = f"backward of {title}"
            _require_finite(where, {"upstream gradient": grad_y})
            grad_x, grads = backward(grad_y, needs_grad_x=needs_grad_x)
            named = {f"gradient of '{name}'": grad for name, grad in grads.items()}
            _require_finite(where, named | ({} if grad_x is None else {"gradient of its input": grad_x}))
            return grad_x, grads

        return y, checked_backward

    return checked_forward


def _checked_loss(loss: Loss) -> Callable[..., Any]:
    forward, title = loss.forward, type(loss).__name__

    def checked_forward(x: ndarray, target: ndarray) -> Any:
        value, backward = forward(x, target)
        if not loss.divisor(x, target):  # nothing counts, and the mean is 0/0
            return value, backward
        _require_finite(f"forward of the loss {title}", {"value": np.asarray(value)})

        def checked_backward(*grad_loss: Any) -> ndarray:
            grad_x: ndarray = backward(*grad_loss)
            _require_finite(f"backward of the loss {title}", {"gradient of the outputs": grad_x})
            return grad_x

        return value, checked_backward

    return checked_forward


def _require_finite(where: str, arrays: Mapping[str, ndarray]) -> None:
    if found := first_not_finite(arrays):
        name, place = found
        raise AnomalyError(f"{where}: its {name} holds {place}".replace("its gradient", "the gradient"))


def _own_parameters(layer: Layer) -> dict[str, ndarray]:
    own = {name: getattr(layer, name, None) for name in layer.parameter_names}
    return {f"'{name}'": array for name, array in own.items() if array is not None}


def _named(name: str, layer: Layer) -> str:
    kind = type(layer).__name__ if layer.children else repr(layer)
    return f"layer '{name}' {kind}" if name else f"the model {kind}"
