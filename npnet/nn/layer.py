"""What a layer is: parameters with names, and the operation applied to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, runtime_checkable
from weakref import ref

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from numpy.typing import DTypeLike

from npnet import check
from npnet._from_pytorch import LAYER, missing
from npnet.errors import DTypeError, InputError

if TYPE_CHECKING:
    from npnet.nn.summary import Summary

Gradients = dict[str, ndarray]
SEVERAL = (tuple, list)  # what several gradients may come in


@runtime_checkable
class LayerBackward(Protocol):
    """What `Layer.forward` returns beside y: ``grad_x, grads = backward(grad_y)``.

    `grads` maps the names of the trainable parameters to their gradients. With ``needs_grad_x=False``
    the gradient of the input is not computed and comes back as None.
    """

    def __call__(self, grad_y: ndarray, *, needs_grad_x: bool = True) -> tuple[ndarray | None, Gradients]:
        """Turn ∂L/∂y into ∂L/∂x and the gradients of the parameters."""


class Arrays(dict[str, ndarray]):
    """A dict of a model's own arrays: to assign to one of its names copies into the array.

    So whoever holds the arrays, such as an optimizer, holds them still.
    """

    kind: ClassVar[str] = "buffers"

    def __setitem__(self, name: str, value: ndarray) -> None:
        """Copy a value into the array of a name."""
        if name not in self:
            raise InputError(
                f"{self.kind}: names must be those of the model, got {name!r}; to add an array to a dict of "
                f"your own, write {{**model.{self.kind}, name: array}}"
            )
        put(f"model.{self.kind}", name, self[name], value)

    def update(self, *others: Any, **named: Any) -> None:
        """Copy values into the arrays of several names."""
        for name, value in dict(*others, **named).items():
            self[name] = value

    def __ior__(self, other: Any) -> Arrays:  # type: ignore[override, misc] # noqa: PYI034 - as in a dict
        self.update(other)
        return self

    def setdefault(self, name: str, default: Any = None) -> ndarray:
        """Return the array of a name; another name cannot be added."""
        if name not in self:
            self[name] = default
        return self[name]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the names with their arrays, without assigning to any."""
        return type(self), (dict(self),)

    def __call__(self) -> NoReturn:
        """Say how to write what was meant by the brackets."""
        raise InputError(
            f"{self.kind} is a dict from names to arrays, not a method as in PyTorch: write "
            f"model.{self.kind} without brackets, model.{self.kind}.values() for the arrays alone"
        )


class Parameters(Arrays):
    """A dict of parameters, which knows that PyTorch has a method in its place.

    Attributes
    ----------
    layer : weak reference to a layer, optional
        Whose parameters they are. An optimizer made with them can see whether that stays so.
    """

    kind = "parameters"
    layer: ref[Layer] | None = None


def put(owner: str, name: str, array: ndarray, value: Any) -> None:
    """Copy a value into an array, unless it is that array already; one that does not fit is refused."""
    if value is array:
        return
    if isinstance(value, np.generic) and not array.ndim:
        value = np.asarray(value)  # what arithmetic on an array without axes gives
    check.array(owner, name, value)
    why = "as it has now, since an optimizer may hold it: the values are copied into the array"
    check.shape(owner, name, value, array.shape, why)
    if value.dtype != array.dtype:
        raise DTypeError(
            f"{owner}: {name} must have the dtype {array.dtype} {why}, got {value.dtype}; write "
            f"value.astype(np.{array.dtype}), or convert the whole model with model.astype"
        )
    if not array.flags.writeable:
        raise InputError(f"{owner}: {name} must be writable to take new values, got a read-only array")
    array[...] = value


def run_in(owner: str, training: Any, generator: Any) -> bool:
    """Check how a layer is to be run, and return whether in training."""
    if generator is not None:
        check.generator(owner, generator)
    return check.flag(owner, "training", training)


def _check_method(cls: type[Layer], name: str) -> None:
    """Require a `forward` or `apply` that can be called with the keywords that layers are called with."""
    method = getattr(cls, name)
    taken = signature(method).parameters if callable(method) else {}
    any_name = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in taken.values())
    if not any_name and not {"training", "generator"} <= taken.keys():
        raise InputError(
            f"{cls.__name__}: what a layer computes stands in apply(self, x, *, training, generator), which "
            "returns y and its backward; forward, which calls it, must take these too, "
            f"got {name}({', '.join(taken)})"
        )


class Exchanges:
    """How often a layer was put into a container, of all containers there are.

    An optimizer that finds another number looks whether its arrays are still those of its model.
    """

    count = 0


class Layer:
    """A layer: it owns parameters and applies an operation of `npnet.functional`.

    A layer of your own subclasses this one, keeps its parameters as arrays in attributes, names them in
    `parameter_names` in the order in which its operation returns their gradients, and implements
    `apply`. A layer without parameters needs `apply` alone.

    Only what is named is learnt: an array in any other attribute is a constant, neither trained nor saved,
    or, if named in `buffer_names`, saved without being trained. So a gradient that `apply`'s backward
    gives without there being a name for it is refused, as nothing would ever be done with it.

    To assign to a parameter or a buffer that is there already (``layer.weight = new``) copies the values
    into its array, so that an optimizer made before goes on with it; shape and dtype must be the same.

    Nothing of a forward pass is kept in the layer: what backward needs lives in the function that
    `forward` returns, so one layer can work in many threads at once.

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

    parameter_names: ClassVar[tuple[str, ...]] = ()  # learnt; an attribute that is None is absent
    buffer_names: ClassVar[tuple[str, ...]] = ()  # kept and saved, but not learnt
    setting_names: ClassVar[tuple[str, ...]] = ()  # constructor's arguments that repr shows

    frozen: set[str]  # names among `parameter_names` that are not trained

    def __new__(cls, *_args: Any, **_settings: Any) -> Layer:  # noqa: PYI034 - see the shape checks in the tests
        """Make the layer whole also where a layer of one's own forgets to call ``super().__init__()``."""
        layer = super().__new__(cls)
        layer.frozen = set()
        return layer

    def __init_subclass__(cls, **settings: Any) -> None:
        """Refuse ``("weight")``, a string for a tuple, and PyTorch's ``forward(self, x)``."""
        super().__init_subclass__(**settings)
        for kind in ("parameter_names", "buffer_names", "setting_names"):
            names = getattr(cls, kind)
            if isinstance(names, str):
                raise InputError(
                    f"{cls.__name__}: {kind} must be a tuple, ({names!r},) with its comma, got {names!r}"
                )
            if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
                raise InputError(f"{cls.__name__}: {kind} must be a tuple of names, got {names!r:.60}")
            setattr(cls, kind, tuple(names))
        for name in ("forward", "apply"):
            if name in vars(cls):
                _check_method(cls, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Copy into an array that is there already, as others may hold it; count exchanged layers."""
        if name in self.parameter_names or name in self.buffer_names:
            array = vars(self).get(name)
            if array is not None and value is not None:
                put(type(self).__name__, name, array, value)
                return
            if value is not None:
                check.array(type(self).__name__, name, value)
                if name in self.parameter_names:
                    check.float_arrays(type(self).__name__, optional=(), **{name: value})
        elif isinstance(value, Layer) or isinstance(vars(self).get(name), Layer):
            Exchanges.count += 1
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # a type checker is to find what is missing

        def __getattr__(self, name: str) -> NoReturn:
            """Say of what PyTorch's modules have and layers have not how it is done here."""
            missing(self, name, LAYER)

    def __init__(self) -> None:
        """Do nothing: a layer without settings needs no constructor."""

    # ---- running -----------------------------------------------------------------------------------

    def apply(
        self, x: ndarray, *, training: bool, generator: Generator | None
    ) -> tuple[ndarray, Callable[..., Any]]:
        """Apply the layer's operation and return what it returns, ``(y, backward)``.

        This is what a layer of your own implements. `backward` takes grad_y and gives grad_x when the
        layer names no parameters; otherwise it takes ``(grad_y, needs)`` and gives
        ``(grad_x, *grad_parameters)``, where `needs` says which of these are wanted.
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
            If x does not fit, `apply` gives no pair, or its backward does not fit `parameter_names`.
        DTypeError
            If x is not a NumPy array.
        """
        if (
            type(x) is not ndarray
            or (training is not True and training is not False)
            or generator is not None
        ):
            _check_array(self, "x", x)
            training = run_in(type(self).__name__, training, generator)
        y, operation_backward = self._applied(x, training, generator)
        names = self.parameter_names
        form = None if names else (y.shape, y.dtype)

        def backward(grad_y: ndarray, *, needs_grad_x: bool = True) -> tuple[ndarray | None, Gradients]:
            if type(grad_y) is not ndarray or (needs_grad_x is not True and needs_grad_x is not False):
                _check_array(self, "grad_y", grad_y)
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
                self._check_takes(operation_backward, arguments, error)
                raise
            several = isinstance(found, SEVERAL)
            if not names and not several:
                return found, {}
            if not names or not several or len(found) != 1 + len(names):
                raise self._misfit(found)
            grad_x, *grads = found
            kept = {name: grad for name, grad, keep in zip(names, grads, wanted, strict=True) if keep}
            return (grad_x if needs_grad_x else None), kept

        return y, backward

    def _applied(
        self, x: ndarray, training: bool, generator: Generator | None
    ) -> tuple[ndarray, Callable[..., Any]]:
        """Call `apply` and require an array and a function of it."""
        applied: Any = self.apply(x, training=training, generator=generator)
        if not isinstance(applied, tuple) or len(applied) != 2:
            raise InputError(f"{type(self).__name__}.apply must return (y, backward), got {applied!r:.60}")
        y, backward = applied
        if type(y) is not ndarray or not callable(backward):
            _check_array(self, "the y that apply returns", y)
            check.function(type(self).__name__, "the backward that apply returns", backward)
        return y, backward

    def _check_takes(self, f: Callable[..., Any], arguments: tuple[Any, ...], error: TypeError) -> None:
        """Refuse a backward that cannot be called as it must be; an error from within is another matter."""
        try:
            signature(f).bind(*arguments)
        except TypeError:
            takes = "grad_y, needs" if self.parameter_names else "grad_y"
            raise InputError(f"{self._rule} must take {takes} and nothing else") from error

    def _misfit(self, found: Any) -> InputError:
        """Say which gradients should have come instead of these."""
        gives = ", ".join(["grad_x", *(f"grad_{name}" for name in self.parameter_names)])
        got = f"{len(found)} gradients" if isinstance(found, SEVERAL) else type(found).__name__
        return InputError(f"{self._rule} must give {gives} and nothing else, got {got}")

    @property
    def _rule(self) -> str:
        """How a message begins that says what backward must be."""
        names = f"is {self.parameter_names}" if self.parameter_names else "names nothing that is learnt"
        return f"{type(self).__name__}: parameter_names {names}, so the backward that apply returns"

    def __call__(self, x: ndarray) -> ndarray:
        """Return the output alone, in evaluation mode: inference."""
        return self.forward(x, training=False)[0]

    # ---- parameters --------------------------------------------------------------------------------

    def children(self) -> Mapping[str, Layer]:
        """Return the layers this one is made of, by name; a plain layer has none."""
        return {}

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """Yield this layer and all within it, outermost first, with their dotted names."""
        yield prefix.removesuffix("."), self
        for name, child in self.children().items():
            yield from child.named_layers(f"{prefix}{name}.")

    @property
    def parameters(self) -> Parameters:
        """The parameters by their dotted names: the arrays themselves, to be updated in place.

        To assign to a name copies into its array.
        """
        found = Parameters(self._named_arrays("parameter_names"))
        found.layer = ref(self)
        return found

    @property
    def buffers(self) -> Arrays:
        """What is kept and saved without being learnt, such as running statistics."""
        return Arrays(self._named_arrays("buffer_names"))

    @property
    def frozen_parameters(self) -> set[str]:
        """The dotted names of the parameters that are not trained."""
        return {
            f"{place}.{name}".removeprefix(".")
            for place, layer in self.named_layers()
            for name in layer.frozen
        }

    @property
    def trainable(self) -> bool:
        """Whether at least one parameter is trained."""
        learns = any(
            getattr(self, name) is not None and name not in self.frozen for name in self.parameter_names
        )
        return learns or any(child.trainable for child in self.children().values())

    def _named_arrays(self, kind: str) -> Iterator[tuple[str, ndarray]]:
        for place, layer in self.named_layers():
            for name in getattr(layer, kind):
                try:
                    array = getattr(layer, name)
                except AttributeError:
                    raise InputError(
                        f"{type(layer).__name__}: {kind} has {name!r}, but the layer has no such attribute; "
                        f"set self.{name} in its constructor, to None where it is absent"
                    ) from None
                if array is not None:
                    yield f"{place}.{name}".removeprefix("."), array

    def freeze(self, *names: str) -> None:
        """Stop training parameters, named singly ("0.weight") or by the layer they are in ("0").

        Frozen parameters have no gradient computed and are left alone by the optimizer.

        Raises
        ------
        InputError
            If a name is neither a parameter's nor a layer's with parameters.
        """
        for layer, name in self._resolve(names):
            layer.frozen.add(name)

    def unfreeze(self, *names: str) -> None:
        """Train parameters again that were frozen; names are as in `freeze`."""
        for layer, name in self._resolve(names):
            layer.frozen.discard(name)

    def _resolve(self, names: tuple[str, ...]) -> list[tuple[Layer, str]]:
        owners = {
            f"{place}.{name}".removeprefix("."): (layer, name)
            for place, layer in self.named_layers()
            for name in layer.parameter_names
            if getattr(layer, name) is not None
        }
        found = []
        for wanted in names:
            check.instance(type(self).__name__, "names", wanted, str, "text, such as '0.weight' or '0'")
            matches = [
                owner for full, owner in owners.items() if full == wanted or full.startswith(f"{wanted}.")
            ]
            if not matches:
                raise InputError(
                    "names must be those of parameters or layers: no parameter or layer is "
                    f"named {wanted!r}; parameters are {', '.join(owners)}"
                )
            found += matches
        return found

    # ---- state -------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, ndarray]:
        """Return copies of all parameters and buffers, keyed as in PyTorch's ``state_dict``."""
        return {name: array.copy() for name, array in self._state().items()}

    def load_state_dict(self, state: Mapping[str, ndarray]) -> None:
        """Copy parameters and buffers from `state` into this layer's arrays, converted to their dtype.

        Raises
        ------
        InputError
            If `state` is no mapping, a name is missing or unknown, a shape differs, or an array of the layer
            is read-only; nothing is changed then.
        DTypeError
            If something is not an array, or its numbers cannot become the layer's, such as text, complex
            numbers, or fractions where the layer counts; nothing is changed then.
        """
        if not isinstance(state, Mapping):
            raise InputError(
                "load_state_dict: state must be a dict from names to arrays, as state_dict() with its "
                f"brackets gives, got {type(state).__name__}"
            )
        own = self._state()
        missing, unknown = own.keys() - state.keys(), state.keys() - own.keys()
        if missing or unknown:
            raise InputError(
                f"state does not fit {type(self).__name__}: "
                f"missing {sorted(missing) or 'nothing'}, unknown {sorted(unknown, key=str) or 'nothing'}"
            )
        for name, array in own.items():
            _check_fits(name, state[name], array)
        with np.errstate(all="ignore"):  # float64 that is too large for float32 becomes ∞
            # Copies first, since the state may hold some of these very arrays.
            values = {name: np.array(state[name], array.dtype) for name, array in own.items()}
        for name, array in own.items():
            array[...] = values[name]

    def astype(self, dtype: DTypeLike) -> None:
        """Convert parameters and floating-point buffers to float32 or float64.

        Arrays of another dtype are replaced by new ones, so make the optimizer afterwards. The old ones
        become read-only, so that an optimizer made before does not go on with them unnoticed.

        Parameters
        ----------
        dtype : float32 or float64

        Raises
        ------
        DTypeError
            If it is another dtype.
        """
        dtype = check.float_dtype("astype", dtype)
        for _, layer in self.named_layers():
            for name in (*layer.parameter_names, *layer.buffer_names):
                array = getattr(layer, name)
                if array is not None and array.dtype.kind == "f" and array.dtype != dtype:
                    with np.errstate(all="ignore"):
                        vars(layer)[name] = array.astype(dtype)
                    array.flags.writeable = False

    def _state(self) -> dict[str, ndarray]:
        """Parameters and buffers layer by layer, the order of PyTorch's ``state_dict``."""
        return {
            f"{place}.{name}".removeprefix("."): getattr(layer, name)
            for place, layer in self.named_layers()
            for name in (*layer.parameter_names, *layer.buffer_names)
            if getattr(layer, name) is not None
        }

    def couples_samples(self, training: bool) -> bool:
        """Say whether a sample's output depends on the samples beside it in the minibatch.

        A layer of your own of which this is true must say so: a minibatch of others may be cut into pieces
        that go through the model one by one, each in a thread of its own (see `npnet.parallel`).

        Parameters
        ----------
        training : bool
            Whether the question is about training or about evaluation.
        """
        return False

    # ---- description -------------------------------------------------------------------------------

    def summary(self, input_shape: int | tuple[int, ...]) -> Summary:
        """Return what the model is made of; printed, a table of layers, shapes, parameters and work.

        Parameters
        ----------
        input_shape : tuple of int, or int
            Shape of one sample, without the batch axis; 8 is (8,).

        Returns
        -------
        summary : npnet.nn.summary.Summary

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
        from npnet.nn.summary import summarize  # noqa: PLC0415 - it needs this class

        return summarize(self, input_shape)

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """Return how many multiply-add pairs forward takes between inputs and outputs of these shapes."""
        return 0

    def __repr__(self) -> str:
        """Return what would make the layer again, with what is left at its default left out."""
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


def _check_array(layer: Layer, name: str, value: Any) -> None:
    """Require an array, or what arithmetic on one without axes gives."""
    if type(value) is not ndarray and not isinstance(value, np.generic):
        check.array(type(layer).__name__, name, value)


def _check_fits(name: str, value: Any, own: ndarray) -> None:
    """Require what can be copied into a layer's own array."""
    check.array("load_state_dict", name, value, "biufcSUOmMV")
    if not own.flags.writeable:
        raise InputError(f"load_state_dict: {name} must be writable in the layer, got a read-only array")
    if value.shape != own.shape:
        raise InputError(f"{name} must have shape {own.shape}, got {value.shape} in the state")
    if not np.can_cast(value.dtype, own.dtype, "same_kind"):
        raise DTypeError(f"{name} must have a dtype like {own.dtype}, got {value.dtype} in the state")
