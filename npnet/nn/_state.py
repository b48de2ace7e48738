"""The state of a model: its parameters and buffers under dotted names, frozen, saved, loaded, converted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from weakref import ref

import numpy as np
from numpy import ndarray
from numpy.typing import DTypeLike

from npnet import check
from npnet.errors import DTypeError, InputError
from npnet.nn._arrays import Arrays, Parameters


class State:
    """What a layer keeps in arrays, together with the layers within it.

    A name is the path to the layer and the attribute there, joined by dots, as in PyTorch: "body.0.weight".
    """

    parameter_names: ClassVar[tuple[str, ...]] = ()  # trained; an attribute that is None is absent
    buffer_names: ClassVar[tuple[str, ...]] = ()  # saved, but not trained

    frozen: set[str]  # names among `parameter_names` that are not trained

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield this layer and all layers within it, outermost first, with their dotted names."""
        raise NotImplementedError

    # ---- parameters --------------------------------------------------------------------------------

    @property
    def parameters(self) -> Parameters:
        """The parameters by their dotted names: the arrays themselves, to be updated in place.

        Assigning to a name copies the values into its array.
        """
        found = Parameters(self._named_arrays("parameter_names"))
        found.layer = ref(self)
        return found

    @property
    def buffers(self) -> Arrays:
        """The arrays that are saved but not trained, such as running statistics, by their dotted names."""
        return Arrays(self._named_arrays("buffer_names"))

    @property
    def frozen_parameters(self) -> set[str]:
        """The dotted names of the parameters that are not trained."""
        return {_joined(path, name) for path, layer in self.named_layers() for name in layer.frozen}

    def freeze(self, *names: str) -> None:
        """Stop training parameters, named singly ("0.weight") or by the layer they are in ("0").

        Backward computes no gradient for a frozen parameter, so the optimizer leaves it alone.

        Raises
        ------
        InputError
            If a name is neither a parameter's nor a layer's with parameters.
        """
        for layer, name in self._resolved(names):
            layer.frozen.add(name)

    def unfreeze(self, *names: str) -> None:
        """Train frozen parameters again; names are as in `freeze`."""
        for layer, name in self._resolved(names):
            layer.frozen.discard(name)

    # ---- saving and loading ------------------------------------------------------------------------

    def state_dict(self) -> dict[str, ndarray]:
        """Return copies of all parameters and buffers, keyed as in PyTorch's ``state_dict``."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: Mapping[str, ndarray]) -> None:
        """Copy parameters and buffers from `state` into this layer's arrays, converted to their dtype.

        Raises
        ------
        InputError
            If `state` is no mapping, a name is missing or unknown, a shape differs, or an array of the layer
            is read-only; nothing is changed then.
        DTypeError
            If a value is not an array, or cannot be converted to the layer's dtype: text, complex numbers,
            or fractions for an integer counter; nothing is changed then.
        """
        if not isinstance(state, Mapping):
            raise InputError(
                "load_state_dict: state must be a dict from names to arrays, as state_dict() with its "
                f"brackets gives, got {type(state).__name__}"
            )
        own = self._arrays()
        missing, unknown = own.keys() - state.keys(), state.keys() - own.keys()
        if missing or unknown:
            raise InputError(
                f"state does not fit {type(self).__name__}: "
                f"missing {sorted(missing) or 'nothing'}, unknown {sorted(unknown, key=str) or 'nothing'}"
            )
        for name, array in own.items():
            _check_loadable(name, state[name], array)
        with np.errstate(all="ignore"):  # a float64 too large for float32 becomes ∞
            # Copies first, since the state may hold some of these very arrays.
            values = {name: np.array(state[name], array.dtype) for name, array in own.items()}
        for name, array in own.items():
            array[...] = values[name]

    def astype(self, dtype: DTypeLike) -> None:
        """Convert parameters and floating-point buffers to float32 or float64.

        Arrays of another dtype are replaced by new ones, so make the optimizer afterwards. The old arrays
        become read-only: an optimizer that still holds them fails instead of updating them in vain.

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

    # ---- names -------------------------------------------------------------------------------------

    def _named_arrays(self, kind: str) -> Iterator[tuple[str, ndarray]]:
        for path, layer in self.named_layers():
            for name in getattr(layer, kind):
                try:
                    array = getattr(layer, name)
                except AttributeError:
                    raise InputError(
                        f"{type(layer).__name__}: {kind} has {name!r}, but the layer has no such attribute; "
                        f"set self.{name} in its constructor, to None where it is absent"
                    ) from None
                if array is not None:
                    yield _joined(path, name), array

    def _arrays(self) -> dict[str, ndarray]:
        """Return parameters and buffers layer by layer, the order of PyTorch's ``state_dict``."""
        return {
            _joined(path, name): getattr(layer, name)
            for path, layer in self.named_layers()
            for name in (*layer.parameter_names, *layer.buffer_names)
            if getattr(layer, name) is not None
        }

    def _resolved(self, names: tuple[str, ...]) -> list[tuple[State, str]]:
        """Return layer and attribute of each parameter that the names refer to."""
        owners = {
            _joined(path, name): (layer, name)
            for path, layer in self.named_layers()
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


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _check_loadable(name: str, value: Any, own: ndarray) -> None:
    """Require a value that can be copied into a layer's own array."""
    check.array("load_state_dict", name, value, "biufcSUOmMV")
    if not own.flags.writeable:
        raise InputError(f"load_state_dict: {name} must be writable in the layer, got a read-only array")
    if value.shape != own.shape:
        raise InputError(f"{name} must have shape {own.shape}, got {value.shape} in the state")
    if not np.can_cast(value.dtype, own.dtype, "same_kind"):
        raise DTypeError(f"{name} must have a dtype like {own.dtype}, got {value.dtype} in the state")
