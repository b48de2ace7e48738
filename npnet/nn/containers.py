"""Layers made of layers: one after another, and around a shortcut.

A container of your own keeps its layers in attributes and implements `forward`, which applies the chain rule
by hand. The names of its parameters, and of their gradients, begin with the attribute.

>>> from npnet import nn
>>> class Hidden(nn.Layer):
...     def __init__(self, features, units, generator):
...         self.linear = nn.Linear(features, units, generator=generator)
...         self.act = nn.ReLU()
...
...     def forward(self, x, *, training=True, generator=None):
...         h, linear_backward = self.linear.forward(x, training=training, generator=generator)
...         y, act_backward = self.act.forward(h, training=training, generator=generator)
...
...         def backward(grad_y, *, needs_grad_x=True):
...             grad_h, _ = act_backward(grad_y)
...             grad_x, grads = linear_backward(grad_h, needs_grad_x=needs_grad_x)
...             return grad_x, {f"linear.{name}": grad for name, grad in grads.items()}
...
...         return y, backward
>>> model = nn.Sequential(Hidden(3, 4, np.random.default_rng(0)), nn.Tanh())
>>> list(model.parameters), model.summary(3).multiply_adds
(['0.linear.weight', '0.linear.bias'], 12)
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, overload

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._from_pytorch import not_a_method
from npnet._quiet import quietly
from npnet._words import counted
from npnet.errors import DTypeError, InputError
from npnet.nn._checks import checked_mode
from npnet.nn.layer import Children, Gradients, Layer, LayerBackward, LayerChanges, short_repr

HINT = "a batch axis is missing"  # how the hint begins, by which a container sees that it is there already


class LayerIndexError(InputError, IndexError):
    """No layer has that index; also an IndexError, as a list would raise."""


class Layers(UserDict[str, Layer]):
    """The layers of a Sequential by name, in their order; they can be replaced, added and removed."""

    def __setitem__(self, name: str, layer: Layer) -> None:
        """Check a layer and set it at a name; a new name comes last."""
        if not isinstance(layer, Layer):
            raise InputError(f"Sequential: layers '{name}' must be a layer, got {check.described(layer)}")
        if not isinstance(name, str) or "." in name or not name:
            raise InputError(
                "Sequential: names in layers must be text, non-empty and without dots, "
                f"got {check.described(name)}"
            )
        if name in self.data:
            LayerChanges.count += 1
        super().__setitem__(name, layer)

    def __delitem__(self, name: str) -> None:
        """Remove a layer."""
        LayerChanges.count += 1
        super().__delitem__(name)

    def __call__(self) -> NoReturn:
        """Tell users of PyTorch, where `children` is a method, to leave out the brackets."""
        not_a_method("children", "layers")


class Sequential(Layer):
    """Layers applied one after another: y = fₖ(… f₂(f₁(x))).

    Backward is the chain rule read from right to left: each layer turns the gradient of its output into
    the gradient of its input, which is the gradient of the previous layer's output.

    Parameters
    ----------
    *layers : Layer, or one mapping from names to layers
        Without names they are called "0", "1", …; parameters are then named as in PyTorch.

    Raises
    ------
    InputError
        If an argument is not a layer, or a name is empty or has a dot.

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
    >>> model[:-1]  # the same layers, with the same parameters
    Sequential(
      (0): Linear(3, 4)
      (1): ReLU()
    )
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        super().__init__()
        self.layers: Layers
        self.layers = _by_name(layers)

    def __setattr__(self, name: str, value: Any) -> None:
        """Check layers that are assigned together, ``model.layers = {…}``."""
        if name == "layers":
            value = _by_name((value,))
            LayerChanges.count += "layers" in vars(self)
        super().__setattr__(name, value)

    @property
    def children(self) -> Mapping[str, Layer]:
        """The layers by name, first to last."""
        return self.layers

    @property
    def stages(self) -> Mapping[str, Layer]:
        """The layers by name, unless a subclass runs them in a way of its own."""
        cls = type(self)
        runs_them_in_order = cls.forward is Sequential.forward and cls.__call__ is Sequential.__call__
        return self.layers if runs_them_in_order else Children()

    def forward(
        self, x: ndarray, *, training: bool = True, generator: Generator | None = None
    ) -> tuple[ndarray, LayerBackward]:
        """Run the layers first to last; the function returned beside y runs them last to first."""
        if type(x) is not ndarray:
            check.array("Sequential", "x", x)
        training = checked_mode("Sequential", training, generator)
        y = x
        backwards: list[tuple[str, Layer, LayerBackward]] = []
        for name, layer in self.layers.data.items():
            try:
                y, layer_backward = layer.forward(y, training=training, generator=generator)
            except InputError as error:
                raise self._explained(_named(error, name, layer), x) from None
            backwards.append((name, layer, layer_backward))

        def backward(grad_y: ndarray, *, needs_grad_x: bool = True) -> tuple[ndarray | None, Gradients]:
            check.upstream("Sequential", grad_y, y)
            needs_grad_x = check.flag("Sequential", "needs_grad_x", needs_grad_x)
            # If grad_x is not needed, backward stops at the first layer that is trained.
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
        """Return the output alone, in evaluation mode; no intermediate output is kept."""
        if type(x) is not ndarray:
            check.array("Sequential", "x", x)
        y = x
        for name, layer in self.layers.data.items():
            try:
                y = layer(y)
            except InputError as error:
                raise self._explained(_named(error, name, layer), x) from None
        return y

    def _explained(self, error: InputError, x: ndarray) -> InputError:
        """Return the error with a hint if x has another dtype than the model, or lacks the batch axis."""
        own = next((array.dtype for array in self.parameters.values()), x.dtype)
        if (
            type(error) is DTypeError
            and x.dtype in check.FLOATS
            and own != x.dtype
            and "x is" not in str(error)
        ):
            return DTypeError(
                f"{error}. Here x is {x.dtype} and the model {own}: write x.astype(np.{own}), or "
                "npnet.predict(model, x), which converts"
            )
        if HINT in str(error) or type(error) is not InputError:
            return error
        if self._takes(x) or not self._takes(x[np.newaxis]):  # it failed for another reason
            return error
        return InputError(f"{error}; {HINT}: for the one sample x {x.shape} write x[np.newaxis]")

    def _takes(self, x: ndarray) -> bool:
        """Try in evaluation mode whether x goes through all layers."""
        try:
            for layer in self.layers.values():
                x = layer(x)
        except Exception:  # noqa: BLE001 - the trial run may fail in any way
            return False
        return True

    def _first_trainable(self) -> int:
        """Return the index of the first layer with a trained parameter, or the number of layers."""
        trainable = (i for i, layer in enumerate(self.layers.values()) if layer.trainable)
        return next(trainable, len(self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())

    @overload
    def __getitem__(self, index: int | str) -> Layer: ...

    @overload
    def __getitem__(self, index: slice) -> Sequential: ...

    def __getitem__(self, index: int | str | slice) -> Layer:
        """Return the layer of an index or a name; of a slice, a Sequential of the same layers."""
        if isinstance(index, slice):
            return Sequential(dict(list(self.layers.items())[_plain_slice(index)]))
        return self.layers[self._name(index)]

    def _name(self, index: int | str) -> str:
        """Return the name of a layer that is given by its index or its name."""
        if isinstance(index, str):
            if index not in self.layers:
                raise InputError(f"Sequential: index must be one of {', '.join(self.layers)}, got {index!r}")
            return index
        number = check.integer("Sequential", "index", index)
        if not -len(self) <= number < len(self):
            raise LayerIndexError(
                f"Sequential: index must be that of one of {counted(len(self), 'layer')}, got {number}"
            )
        return list(self.layers)[number]

    def __setitem__(self, index: int | str, layer: Layer) -> None:
        """Replace a layer; make the optimizer afterwards."""
        self.layers[self._name(index)] = layer

    def __delitem__(self, index: int | str) -> None:
        """Remove a layer; the others keep their names."""
        del self.layers[self._name(index)]


class Residual(Layer):
    """A body with a shortcut around it: y = body(x) + shortcut(x).

    ∂L/∂x is the sum of the gradients that come back through the body and through the shortcut. Without a
    layer on the shortcut the second is ∂L/∂y itself, so it reaches early layers undiminished.

    Parameters
    ----------
    body : Layer
        Usually a `Sequential`.
    shortcut : Layer, optional
        Brings x to the shape of the body's output; without it, x itself is added.

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

    def __setattr__(self, name: str, value: Any) -> None:
        """Require layers, also when one is replaced."""
        if name == "body" or (name == "shortcut" and value is not None):
            check.instance("Residual", name, value, Layer, "a layer")
        super().__setattr__(name, value)

    @property
    def children(self) -> Mapping[str, Layer]:
        """The body and, where there is one, the shortcut."""
        if self.shortcut is None:
            return Children(body=self.body)
        return Children(body=self.body, shortcut=self.shortcut)

    def forward(
        self, x: ndarray, *, training: bool = True, generator: Generator | None = None
    ) -> tuple[ndarray, LayerBackward]:
        """Run body and shortcut on the same x and add; the gradient goes back through both."""
        if type(x) is not ndarray:
            check.array("Residual", "x", x)
        training = checked_mode("Residual", training, generator)
        backwards: dict[str, LayerBackward] = {}
        outputs: list[ndarray] = []
        for name, layer in self.children.items():
            try:
                output, backwards[name] = layer.forward(x, training=training, generator=generator)
            except InputError as error:
                raise _named(error, name, layer) from None
            outputs.append(output)
        y = _add(outputs[0], x if self.shortcut is None else outputs[1])
        form = check.form(y)

        def backward(grad_y: ndarray, *, needs_grad_x: bool = True) -> tuple[ndarray | None, Gradients]:
            check.upstream("Residual", grad_y, form)
            needs_grad_x = check.flag("Residual", "needs_grad_x", needs_grad_x)
            grads: Gradients = {}
            grad_x = grad_y if self.shortcut is None and needs_grad_x else None
            for name, branch_backward in backwards.items():
                try:
                    branch_grad, branch_grads = branch_backward(grad_y, needs_grad_x=needs_grad_x)
                except InputError as error:
                    raise _named(error, name, self.children[name]) from None
                grads |= {f"{name}.{key}": value for key, value in branch_grads.items()}
                if branch_grad is not None:
                    grad_x = branch_grad if grad_x is None else _sum(grad_x, branch_grad)
            return grad_x, grads

        return y, backward

    def __call__(self, x: ndarray) -> ndarray:
        """Return the output alone, in evaluation mode."""
        if type(x) is not ndarray:
            check.array("Residual", "x", x)
        outputs = []
        for name, layer in self.children.items():
            try:
                outputs.append(layer(x))
            except InputError as error:
                raise _named(error, name, layer) from None
        return _add(outputs[0], x if self.shortcut is None else outputs[1])


def _plain_slice(index: slice) -> slice:
    """Return a slice whose ends are Python integers."""
    ends = (index.start, index.stop, index.step)
    start, stop, step = (None if end is None else check.integer("Sequential", "index", end) for end in ends)
    if step == 0:
        raise InputError("Sequential: index must have a step other than 0, got 0")
    return slice(start, stop, step)


def _add(body: ndarray, shortcut: ndarray) -> ndarray:
    if body.shape != shortcut.shape:
        raise InputError(
            f"Residual: body and shortcut must give the same shape, got {body.shape} and {shortcut.shape}"
        )
    return _sum(body, shortcut)


@quietly
def _sum(a: ndarray, b: ndarray) -> ndarray:
    return np.asarray(a + b)


def _by_name(layers: tuple[Layer | Mapping[str, Layer], ...]) -> Layers:
    if len(layers) == 1 and isinstance(layers[0], Mapping):
        return Layers(layers[0])
    named: dict[str, Any] = {str(i): layer for i, layer in enumerate(layers)}
    return Layers(named)


def _named(error: InputError, name: str, layer: Layer) -> InputError:
    """Return the error with the layer it arose in."""
    return error.inside(f"layer '{name}' {short_repr(layer)}")
