"""Layers made of layers: one after another, and around a shortcut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.errors import InputError
from npnet.nn.layer import Gradients, Layer, LayerBackward


class Sequential(Layer):
    """Layers applied one after another: y = fₖ(… f₂(f₁(x))).

    Backward is the chain rule read from right to left: each layer turns the gradient of its output into
    the gradient of its input, which is the gradient of the output of the layer before.

    Parameters
    ----------
    *layers : Layer, or one mapping from names to layers
        Without names they are called "0", "1", …, so that parameters are named as in PyTorch.

    Raises
    ------
    InputError
        If something given is not a layer.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Linear(3, 4, generator=rng), nn.ReLU(), nn.Linear(4, 2, generator=rng))
    >>> list(model.parameters)
    ['0.weight', '0.bias', '2.weight', '2.bias']
    >>> y, backward = model.forward(np.ones((5, 3), dtype=np.float32))
    >>> grad_x, grads = backward(np.ones_like(y))
    >>> grads["2.weight"].shape
    (2, 4)
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        super().__init__()
        self.layers = _by_name(layers)

    def children(self) -> Mapping[str, Layer]:
        """Return the layers by name, first to last."""
        return self.layers

    def forward(
        self, x: ndarray, *, training: bool = True, generator: Generator | None = None
    ) -> tuple[ndarray, LayerBackward]:
        """Run the layers first to last; the function returned beside y runs them last to first."""
        y = x
        backwards: list[tuple[str, Layer, LayerBackward]] = []
        for name, layer in self.layers.items():
            try:
                y, layer_backward = layer.forward(y, training=training, generator=generator)
            except InputError as error:
                raise _named(error, name, layer) from None
            backwards.append((name, layer, layer_backward))

        def backward(grad_y: ndarray, *, needs_grad_x: bool = True) -> tuple[ndarray | None, Gradients]:
            check.upstream("Sequential", grad_y, y)
            # If grad_x is not wanted, the gradient need not travel beyond the first layer that is trained.
            first = 0 if needs_grad_x else self._first_trainable()
            grads: Gradients = {}
            grad: ndarray | None = grad_y
            for i in range(len(backwards) - 1, first - 1, -1):
                name, layer, layer_backward = backwards[i]
                assert grad is not None
                try:
                    grad, layer_grads = layer_backward(grad, needs_grad_x=needs_grad_x or i > first)
                except InputError as error:
                    raise _named(error, name, layer) from None
                for key, value in layer_grads.items():
                    grads[f"{name}.{key}"] = value
            return (grad if needs_grad_x else None), grads

        return y, backward

    def __call__(self, x: ndarray) -> ndarray:
        """Return the output alone, in evaluation mode, keeping nothing of the layers in between."""
        for name, layer in self.layers.items():
            try:
                x = layer(x)
            except InputError as error:
                raise _named(error, name, layer) from None
        return x

    def _first_trainable(self) -> int:
        """Return the place of the first layer with something to learn, or how many layers there are."""
        trainable = (i for i, layer in enumerate(self.layers.values()) if layer.trainable)
        return next(trainable, len(self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())

    def __getitem__(self, index: int) -> Layer:
        return list(self.layers.values())[index]

    def __repr__(self) -> str:
        return _tree_repr(self)


class Residual(Layer):
    """A body with a shortcut around it: y = body(x) + shortcut(x).

    ∂L/∂x is the sum of what comes back through the body and what comes back through the shortcut; without
    a layer on the shortcut that is ∂L/∂y itself, which reaches early layers undiminished.

    Parameters
    ----------
    body : Layer
        Usually a `Sequential`.
    shortcut : Layer, optional
        Brings x to the shape of the body's output; without it x is added as it is.

    References
    ----------
    He, Zhang, Ren, Sun, *Deep residual learning for image recognition* (2016), equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import nn
    >>> y, backward = nn.Residual(nn.ReLU()).forward(np.array([-1.0, 2.0]))
    >>> y, backward(np.array([1.0, 1.0]))
    (array([-1.,  4.]), (array([1., 2.]), {}))
    """

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def children(self) -> Mapping[str, Layer]:
        """Return the body and, where there is one, the shortcut."""
        return (
            {"body": self.body} if self.shortcut is None else {"body": self.body, "shortcut": self.shortcut}
        )

    def forward(
        self, x: ndarray, *, training: bool = True, generator: Generator | None = None
    ) -> tuple[ndarray, LayerBackward]:
        """Run body and shortcut on the same x and add; the gradient goes back through both."""
        backwards: dict[str, LayerBackward] = {}
        outputs: list[ndarray] = []
        for name, layer in self.children().items():
            try:
                output, backwards[name] = layer.forward(x, training=training, generator=generator)
            except InputError as error:
                raise _named(error, name, layer) from None
            outputs.append(output)
        y = _add(outputs[0], x if self.shortcut is None else outputs[1])

        def backward(grad_y: ndarray, *, needs_grad_x: bool = True) -> tuple[ndarray | None, Gradients]:
            grads: Gradients = {}
            grad_x = grad_y if self.shortcut is None and needs_grad_x else None
            for name, branch_backward in backwards.items():
                try:
                    branch_grad, branch_grads = branch_backward(grad_y, needs_grad_x=needs_grad_x)
                except InputError as error:
                    raise _named(error, name, self.children()[name]) from None
                grads |= {f"{name}.{key}": value for key, value in branch_grads.items()}
                if branch_grad is not None:
                    grad_x = branch_grad if grad_x is None else grad_x + branch_grad
            return grad_x, grads

        return y, backward

    def __call__(self, x: ndarray) -> ndarray:
        """Return the output alone, in evaluation mode."""
        outputs = []
        for name, layer in self.children().items():
            try:
                outputs.append(layer(x))
            except InputError as error:
                raise _named(error, name, layer) from None
        return _add(outputs[0], x if self.shortcut is None else outputs[1])

    def __repr__(self) -> str:
        return _tree_repr(self)


def _add(body: ndarray, shortcut: ndarray) -> ndarray:
    if body.shape != shortcut.shape:
        raise InputError(
            f"Residual: body and shortcut must give the same shape, got {body.shape} and {shortcut.shape}"
        )
    y: ndarray = body + shortcut
    return y


def _by_name(layers: tuple[Layer | Mapping[str, Layer], ...]) -> dict[str, Layer]:
    named: dict[str, object] = {}
    if len(layers) == 1 and isinstance(layers[0], Mapping):
        named.update(layers[0])
    else:
        named.update({str(i): layer for i, layer in enumerate(layers)})
    checked: dict[str, Layer] = {}
    for name, layer in named.items():
        if not isinstance(layer, Layer):
            raise InputError(f"Sequential: '{name}' must be a layer, got {type(layer).__name__}")
        if "." in name or not name:
            raise InputError(f"Sequential: a layer's name must be non-empty and without dots, got {name!r}")
        checked[name] = layer
    return checked


def _named(error: InputError, name: str, layer: Layer) -> InputError:
    """Return the error with the layer it arose in."""
    shown = type(layer).__name__ if layer.children() else repr(layer)
    return error.inside(f"layer '{name}' {shown}")


def _tree_repr(layer: Layer) -> str:
    lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in layer.children().items()]
    return "\n  ".join([f"{type(layer).__name__}(", *lines]) + "\n)"
