"""The base class of layers: an operation of `npnet.functional` together with its parameters."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._from_pytorch import LAYER, missing, not_a_method
from npnet.errors import InputError
from npnet.nn import _checks
from npnet.nn._arrays import Parameters, copy_into
from npnet.nn._state import State
from npnet.nn.summary import LayerSummary, Summary, sample_shape

Gradients = dict[str, ndarray]
SEQUENCES = (tuple, list)  # a backward may return several gradients in either
COLLECTIONS = (tuple, list, dict)  # an attribute may hold layers in any of these


@runtime_checkable
class LayerBackward(Protocol):
    """What `Layer.forward` returns beside y: ``grad_x, grads = backward(grad_y)``.

    `grads` maps the names of the trainable parameters to their gradients. With ``needs_grad_x=False``
    the gradient of the input is not computed and comes back as None.
    """

    def __call__(self, grad_y: ndarray, *, needs_grad_x: bool = True) -> tuple[ndarray | None, Gradients]:
        """Turn ∂L/∂y into ∂L/∂x and the gradients of the parameters."""


class LayerChanges:
    """Counts, over all models of the process, how often a layer was replaced or removed.

    An optimizer that finds another count than at its last step checks that its arrays are still the model's.
    """

    count = 0


class Children(dict[str, "Layer"]):
    """The layers within a layer, by name."""

    def __call__(self) -> NoReturn:
        """Tell users of PyTorch, where this is a method, to leave out the brackets."""
        not_a_method("children", "layers")


class Layer(State):
    """A layer: it owns parameters and applies an operation of `npnet.functional`.

    A layer of your own subclasses this one, keeps its parameters as arrays in attributes, names them in
    `parameter_names` in the order in which its backward returns their gradients, and implements `apply`.
    A layer without parameters needs `apply` alone.

    A layer made of other layers keeps them in attributes, singly or in lists, and implements `forward`, which
    calls theirs (see `npnet.nn.containers` for an example). Their parameters are found under the attribute's
    name, ``self.conv`` as "conv.weight", and the backward of `forward` returns the gradients under these
    names. Such a layer is counted, cut into shards, traced and saved like any other.

    Only named arrays are trained: an array in any other attribute is a constant, neither trained nor saved,
    or, if it is named in `buffer_names`, saved without being trained. A gradient without a name in
    `parameter_names` is refused, since nothing would use it.

    Assigning to a parameter or a buffer (``layer.weight = new``) copies the values into the present array,
    so that an optimizer made before goes on with it; shape and dtype must be the same.

    A layer keeps nothing of a forward pass: what backward needs lives in the function that `forward`
    returns, so one layer can work in many threads at once.

    Examples
    --------
    >>> import numpy as np
    >>> class Scale(Layer):
    ...     parameter_names = ("scale",)
    ...
    ...     def __init__(self, features):
    ...         super().__init__()
    ...         self.scale = np.ones(features)
    ...
    ...     def apply(self, x, *, training, generator):
    ...         def backward(grad_y, needs):
    ...             return grad_y * self.scale, (grad_y * x).sum(axis=0)
    ...
    ...         return x * self.scale, backward
    >>> y, backward = Scale(2).forward(np.array([[3.0, 4.0]]))
    >>> backward(np.array([[1.0, 10.0]]))
    (array([[ 1., 10.]]), {'scale': array([ 3., 40.])})
    """

    setting_names: ClassVar[tuple[str, ...]] = ()  # the constructor's arguments that repr shows

    def __new__(cls, *_args: Any, **_settings: Any) -> Layer:  # noqa: PYI034 - see the shape checks in the tests
        """Make the layer complete even if a subclass forgets to call ``super().__init__()``."""
        layer = super().__new__(cls)
        layer.frozen = set()
        return layer

    def __init_subclass__(cls, **settings: Any) -> None:
        """Refuse ``("weight")``, a string for a tuple, and PyTorch's ``forward(self, x)``."""
        super().__init_subclass__(**settings)
        _checks.check_class(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        """Copy values into the present array of a parameter or buffer; count layers that are exchanged."""
        if name in self.parameter_names or name in self.buffer_names:
            array = vars(self).get(name)
            if array is not None and value is not None:
                copy_into(type(self).__name__, name, array, value)
                return
            if value is not None:
                check.array(type(self).__name__, name, value)
                if name in self.parameter_names:
                    check.float_arrays(type(self).__name__, optional=(), **{name: value})
        elif isinstance(vars(self).get(name), Layer):
            LayerChanges.count += 1
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # a type checker must report unknown attributes itself

        def __getattr__(self, name: str) -> NoReturn:
            """Name the counterpart of an attribute that PyTorch's modules have and layers do not."""
            missing(self, name, LAYER)

    def __init__(self) -> None:
        """Do nothing: a layer without settings needs no constructor."""

    # ---- running -----------------------------------------------------------------------------------

    def apply(
        self, x: ndarray, *, training: bool, generator: Generator | None
    ) -> tuple[ndarray, Callable[..., Any]]:
        """Apply the layer's operation and return what it returns, ``(y, backward)``.

        A layer of your own implements this. Without parameters, `backward` takes grad_y and returns grad_x.
        With parameters, it takes ``(grad_y, needs)`` and returns ``(grad_x, *grad_parameters)``; `needs` is
        a tuple of bools in the same order, and a gradient that is not needed may be None.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement apply")

    def forward(
        self, x: ndarray, *, training: bool = True, generator: Generator | None = None
    ) -> tuple[ndarray, LayerBackward]:
        """Run the layer forward and return its output with the function that runs it backward.

        Parameters
        ----------
        x : array
            A minibatch.
        training : bool
            Whether layers that behave differently in training (dropout, batch norm) do so.
        generator : numpy.random.Generator, optional
            The source of randomness; dropout in training needs one.

        Returns
        -------
        y : array
        backward : callable
            ``grad_x, grads = backward(grad_y, needs_grad_x=True)``.

        Raises
        ------
        InputError
            If x does not fit, `apply` returns no pair, or its backward does not fit `parameter_names`.
        DTypeError
            If x is not a NumPy array.
        """
        if (
            type(x) is not ndarray
            or (training is not True and training is not False)
            or generator is not None
        ):
            _checks.check_array(self, "x", x)
            training = _checks.checked_mode(type(self).__name__, training, generator)
        y, operation_backward = self._applied(x, training, generator)
        names = self.parameter_names
        form = None if names else (y.shape, y.dtype)

        def backward(grad_y: ndarray, *, needs_grad_x: bool = True) -> tuple[ndarray | None, Gradients]:
            if type(grad_y) is not ndarray or (needs_grad_x is not True and needs_grad_x is not False):
                _checks.check_array(self, "grad_y", grad_y)
                needs_grad_x = check.flag(type(self).__name__, "needs_grad_x", needs_grad_x)
            if form is not None and not needs_grad_x:
                check.upstream(type(self).__name__, np.asarray(grad_y), check.Form(*form))
            if not names and not needs_grad_x:
                return None, {}
            wanted = [getattr(self, name) is not None and name not in self.frozen for name in names]
            arguments = (grad_y, (needs_grad_x, *wanted)) if names else (grad_y,)
            try:
                found = operation_backward(*arguments)
            except TypeError as error:
                _checks.check_takes(self, operation_backward, arguments, error)
                raise
            several = isinstance(found, SEQUENCES)
            if not names and not several:
                return found, {}
            if not names or not several or len(found) != 1 + len(names):
                raise _checks.misfit(self, found)
            grad_x, *grads = found
            kept = {name: grad for name, grad, keep in zip(names, grads, wanted, strict=True) if keep}
            return (grad_x if needs_grad_x else None), kept

        return y, backward

    def _applied(
        self, x: ndarray, training: bool, generator: Generator | None
    ) -> tuple[ndarray, Callable[..., Any]]:
        """Call `apply` and require that it returns an array and a function."""
        applied: Any = self.apply(x, training=training, generator=generator)
        if not isinstance(applied, tuple) or len(applied) != 2:
            raise InputError(f"{type(self).__name__}.apply must return (y, backward), got {applied!r:.60}")
        y, backward = applied
        if type(y) is not ndarray or not callable(backward):
            _checks.check_array(self, "the y that apply returns", y)
            check.function(type(self).__name__, "the backward that apply returns", backward)
        return y, backward

    def __call__(self, x: ndarray) -> ndarray:
        """Return the output alone, in evaluation mode: inference."""
        return self.forward(x, training=False)[0]

    # ---- structure ---------------------------------------------------------------------------------

    @property
    def children(self) -> Mapping[str, Layer]:
        """The layers within this one, by name: those in attributes, in the order they were assigned.

        Layers in a list, a tuple or a dict are found too: ``self.blocks[0]`` is "blocks.0", as in PyTorch's
        ``ModuleList``. A layer that keeps them elsewhere overrides this property.
        """
        return _layers_in(vars(self))

    @property
    def stages(self) -> Mapping[str, Layer]:
        """The children, if this layer is their composition and nothing else; otherwise empty.

        A step over threads may then cut the layer between two stages (see `npnet.parallel`). A container of
        your own that runs its children one after another, forward and backward, may say so here.
        """
        return Children()

    @property
    def parameters(self) -> Parameters:
        """The parameters by their dotted names: the arrays themselves, to be updated in place.

        Assigning to a name copies the values into its array.

        Raises
        ------
        InputError
            If an attribute named in `parameter_names` is missing, or a layer that holds others with
            parameters has no `forward` of its own, which would lose their gradients.
        """
        for _, layer in self.named_layers():
            if type(layer).forward is Layer.forward:
                _checks.refuse_lost_gradients(layer)
        return super().parameters

    @property
    def trainable(self) -> bool:
        """Whether at least one parameter is trained."""
        own = any(
            getattr(self, name) is not None and name not in self.frozen for name in self.parameter_names
        )
        return own or any(child.trainable for child in self.children.values())

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """Yield this layer and all layers within it, outermost first, with their dotted names."""
        yield prefix.removesuffix("."), self
        for name, child in self.children.items():
            yield from child.named_layers(f"{prefix}{name}.")

    def couples_samples(self, training: bool) -> bool:
        """Say whether a sample's output depends on the samples beside it in the minibatch.

        A layer of your own of which this is true must say so: otherwise a step over threads may cut the
        minibatch into shards, which pass through the model one by one (see `npnet.parallel`).

        Parameters
        ----------
        training : bool
            Whether the question is about training or about evaluation.
        """
        return any(child.couples_samples(training) for child in self.children.values())

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one forward pass, without those of the layers within.

        Parameters
        ----------
        x_shape, y_shape : tuple of int
            Shapes of the input and the output, with the batch axis.
        """
        return 0

    def summary(self, input_shape: int | tuple[int, ...]) -> Summary:
        """Send one sample of zeros through the model and count what each layer is and does.

        Parameters
        ----------
        input_shape : tuple of int, or int
            Shape of one sample, without the batch axis; 8 is (8,).

        Returns
        -------
        summary : npnet.nn.summary.Summary
            Printed, it is a table of layers, output shapes, parameters and multiply-adds.

        Raises
        ------
        InputError
            If it is no shape, or the model does not take samples of it.

        Examples
        --------
        >>> import numpy as np
        >>> from npnet import nn
        >>> rng = np.random.default_rng(0)
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 100, generator=rng), nn.ReLU())
        >>> print(model.summary((1, 28, 28)))
        input (1, 28, 28), without the batch axis
        name   layer              output shape   parameters   multiply-adds
        ───────────────────────────────────────────────────────────────────
        0      Flatten()          (784,)                  0               0
        1      Linear(784, 100)   (100,)             78 500          78 400
        2      ReLU()             (100,)                  0               0
        ───────────────────────────────────────────────────────────────────
               total                                 78 500          78 400
        """
        shape = sample_shape(input_shape)
        parameters = self.parameters
        dtype = next(iter(parameters.values())).dtype if parameters else np.dtype(np.float32)
        y, rows = _counted(self, np.zeros((1, *shape), dtype))
        frozen = sum(parameters[name].size for name in self.frozen_parameters)
        return Summary(shape, y.shape[1:], rows, frozen)

    def __repr__(self) -> str:
        """Return the call that would make the layer, without arguments at their default; or its children."""
        if children := self.children:
            lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in children.items()]
            return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"
        arguments = signature(type(self)).parameters
        shown = []
        for name in self.setting_names:
            value = getattr(self, name)
            if name in self.parameter_names:  # bias=True says that there is one
                value = value is not None
            default = arguments[name].default
            if default is Parameter.empty:
                shown.append(repr(value))
            elif value != default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _layers_in(attributes: Mapping[str, Any]) -> Children:
    """Return the layers that attributes hold, by name."""
    found = Children()
    for name, value in attributes.items():
        if isinstance(value, Layer):
            found[name] = value
        elif isinstance(value, COLLECTIONS):
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            found |= {f"{name}.{key}": part for key, part in entries if isinstance(part, Layer)}
    return found


L = TypeVar("L", bound=Layer)


def instrumented(
    layer: L, wrap: Callable[[str, Layer, Callable[..., Any]], Callable[..., Any]], path: str = ""
) -> L:
    """Return a copy of a model that shares its arrays and runs each layer as `wrap` says.

    ``wrap(path, layer, forward)`` is asked for every layer, inner ones first, and returns what the copy has
    as its `forward`. The model itself is not touched, so that other threads may use it meanwhile.
    """
    paths: dict[int, list[str]] = {}  # a layer may stand in several places of its container
    for name, child in layer.children.items():
        paths.setdefault(id(child), []).append(f"{path}.{name}" if path else name)

    def copied(value: Any) -> Any:
        if isinstance(value, Layer) and id(value) in paths:
            places = paths[id(value)]
            return instrumented(value, wrap, places.pop(0) if len(places) > 1 else places[0])
        if type(value) in (list, tuple):
            parts = [copied(part) for part in value]
            return value if _same(parts, value) else type(value)(parts)
        if isinstance(value, dict | UserDict):
            entries = {name: copied(part) for name, part in value.items()}
            if _same(entries.values(), value.values()):
                return value
            twin = copy(value)
            (twin.data if isinstance(twin, UserDict) else twin).update(entries)
            return twin
        return value

    twin: L = object.__new__(type(layer))
    vars(twin).update({name: copied(value) for name, value in vars(layer).items()})
    vars(twin)["forward"] = wrap(path, layer, twin.forward)
    return twin


def _same(values: Iterable[Any], others: Iterable[Any]) -> bool:
    """Return whether two sequences hold the same objects."""
    return all(a is b for a, b in zip(values, others, strict=True))


def _counted(model: Layer, x: ndarray) -> tuple[ndarray, tuple[LayerSummary, ...]]:
    """Run a model forward in evaluation mode; return its output and a row for each layer."""
    rows: dict[str, LayerSummary] = {}

    def counting(path: str, layer: Layer, forward: Callable[..., Any]) -> Callable[..., Any]:
        def counted(x: ndarray, **mode: Any) -> tuple[ndarray, LayerBackward]:
            y, backward = forward(x, **mode)
            before = rows[path].multiply_adds if path in rows else 0  # a container may call a layer twice
            row = _row(path, layer, y.shape[1:], before + layer.multiply_adds(x.shape, y.shape))
            rows.update(row)
            return y, backward

        return counted

    y, _ = instrumented(model, counting).forward(x, training=False)
    for path, layer in model.named_layers():
        if path not in rows:
            rows.update(_row(path, layer, None, 0))
    return y, tuple(rows.values())


def _row(path: str, layer: Layer, shape: tuple[int, ...] | None, work: int) -> dict[str, LayerSummary]:
    """Return a layer's row of a summary by its path; none for a container that only calls its children."""
    arrays = [getattr(layer, name) for name in layer.parameter_names]
    parameters = sum(array.size for array in arrays if array is not None)
    if layer.children and not parameters and not work:
        return {}
    return {path: LayerSummary(path, short_repr(layer), shape, parameters, work)}


def short_repr(layer: Layer) -> str:
    """Return a layer's text on one line: of a container its class alone."""
    return type(layer).__name__ if layer.children else repr(layer)
