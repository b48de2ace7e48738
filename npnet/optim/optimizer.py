"""The base class of optimizers: arrays to update, settings, and a state that can be saved and resumed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from inspect import isfunction
from numbers import Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn
from weakref import ref

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._from_pytorch import OPTIMIZER, missing
from npnet.errors import DTypeError, InputError
from npnet.kernels.fused_update import Group, grouped, update_in_blocks
from npnet.nn import Layer
from npnet.nn.layer import LayerChanges
from npnet.optim._memory import overlapping, overlaps_itself
from npnet.optim._settings import Configured, Number, require_names, require_takes, saved_arrays

# Steps between two checks that the arrays are still the model's; among the first, steps 1, 2, 4, 8, … check.
CHECK_INTERVAL = 64
# Attributes that are not copied: a copy makes its own.
NOT_COPIED = ("_groups", "_forms", "_model")


class Optimizer(Configured):
    """An optimizer: it applies an update rule to arrays in place.

    An optimizer of your own subclasses this one, passes its settings to this constructor, and implements
    `update`. If it keeps state for each parameter, such as a momentum, it names it in `state_names`. Saving,
    loading and the checks of gradients are inherited.

    Parameters
    ----------
    parameters : mapping from names to arrays
        The arrays to update in place, usually ``model.parameters``.
    lr : float
        Learning rate, the setting that schedules change.
    **settings
        The other numbers and flags of the rule. Each becomes an attribute and is part of the saved state.

    Raises
    ------
    InputError
        If a setting is invalid, there are no parameters, one is read-only, or two share memory.
    DTypeError
        If a parameter is not a float32 or float64 array.

    Notes
    -----
    A parameter without a gradient is skipped: neither it nor its state changes.

    The rules are PyTorch's. They apply the same operations in the same order, each rounded to the
    parameter's dtype, so results are equal to the bit but for two differences in the last place: on
    processors with fused multiply-add, PyTorch's vectorized loops do not round a product before they add to
    it, and its square root may come from a library that does not round correctly.

    Examples
    --------
    >>> import numpy as np
    >>> class SignDescent(Optimizer):
    ...     def __init__(self, parameters, lr=0.5):
    ...         super().__init__(parameters, lr)
    ...
    ...     def update(self, parameter, grad, state, step, scratch):
    ...         parameter -= self.lr * np.sign(grad)
    >>> parameters = {"weight": np.array([1.0, 2.0])}
    >>> SignDescent(parameters).step({"weight": np.array([-3.0, 7.0])})
    >>> parameters["weight"]
    array([1.5, 1.5])
    """

    lr: float
    symbols: ClassVar[Mapping[str, str]] = {}  # what `equations` calls state and settings, where not by name

    _parameters: dict[str, ndarray]
    _model: ref[Layer] | None  # the model whose parameters these are, if known
    _calls: int
    _layer_changes: int

    def __new__(cls, *_args: Any, **_settings: Any) -> Optimizer:  # noqa: PYI034 - see the shape checks in the tests
        """Make an optimizer without parameters, in case a subclass never calls ``super().__init__``."""
        made = super().__new__(cls)
        assert isinstance(made, Optimizer)
        made._parameters = {}
        made._model = None
        made._calls = 0
        made._layer_changes = LayerChanges.count
        made._reset()
        return made

    def __init_subclass__(cls, **settings: Any) -> None:
        """Check the signatures of a user's methods."""
        super().__init_subclass__(**settings)
        arguments = {
            "update": ("parameter", "grad", "state", "step", "scratch"),
            "state_names": ("settings",),
            "check_settings": ("settings",),
            "equations": ("step",),
        }
        for name, taken in arguments.items():
            if isfunction(method := vars(cls).get(name)):
                require_takes(cls.__name__, method, *taken)

    def __init__(self, parameters: Mapping[str, ndarray], lr: Number, **settings: Any) -> None:
        owner = type(self).__name__
        check.mapping(
            owner, "parameters", parameters, "a dict from names to arrays, such as model.parameters"
        )
        own = dict(parameters)
        self._check_parameters(own)
        self._configure({"lr": lr, **settings}, taken=set(dir(Optimizer)))
        self._parameters = own
        self._model = getattr(parameters, "layer", None)
        self._reset()

    def _reset(self) -> None:
        """Group the parameters, and forget their state."""
        self._groups = grouped(self._parameters)
        # Every step compares these, so they are looked up once.
        self._forms = {name: (array, array.dtype, array.shape) for name, array in self._parameters.items()}
        self._state: dict[str, dict[str, ndarray]] = {}  # by parameter, then by kind: views into groups
        self._steps: dict[str, int] = {}

    @property
    def parameters(self) -> Mapping[str, ndarray]:
        """The arrays that are updated, by name; fixed when the optimizer is made."""
        return MappingProxyType(self._parameters)

    if not TYPE_CHECKING:  # a type checker must report unknown attributes itself

        def __getattr__(self, name: str) -> NoReturn:
            """Name the counterpart of an attribute that PyTorch's optimizers have and these do not."""
            missing(self, name, OPTIMIZER)

    def __setattr__(self, name: str, value: Any) -> None:
        """Check a setting; refuse to exchange the parameters."""
        if name == "parameters":
            raise InputError(
                f"{type(self).__name__}: parameters must stay those it was made with: make another optimizer"
            )
        super().__setattr__(name, value)

    # ---- copies ------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return what is copied; the groups are not, since a copy needs views of its own arrays."""
        kept = {name: value for name, value in vars(self).items() if name not in NOT_COPIED}
        kept["_steps"] = dict(self._steps)
        kept["_state"] = {
            name: {kind: array.copy() for kind, array in state.items()} for name, state in self._state.items()
        }
        return kept

    def __setstate__(self, kept: Mapping[str, Any]) -> None:
        """Restore a copy, with the parameters that were copied together with the optimizer."""
        vars(self).update(kept)
        self._reset()
        self._steps = dict(kept["_steps"])
        self._restore_state(kept["_state"])

    def _restore_state(self, state: Mapping[str, Mapping[str, ndarray]]) -> None:
        """Copy the saved state of each parameter into the groups."""
        self._state = {
            name: {kind: group.allocate(name, kind) for kind in state[name]}
            for group in self._groups
            for name in group.parts
            if name in state
        }
        for name, kept in self._state.items():
            for kind, array in kept.items():
                array[...] = state[name][kind]

    # ---- for subclasses to implement ---------------------------------------------------------------

    def update(
        self,
        parameter: ndarray,
        grad: ndarray,
        state: Mapping[str, ndarray],
        step: int,
        scratch: tuple[ndarray, ndarray],
    ) -> None:
        """Apply the rule to one block, in place; several blocks may run in different threads.

        A block is part of a large parameter, or several small parameters laid end to end. A rule must
        therefore treat every element by itself.

        Parameters
        ----------
        parameter : array, shape (n,)
            To be updated in place.
        grad : array, shape (n,)
            Its gradient, which must not be changed.
        state : mapping from names to arrays, shape (n,)
            The state of these elements, one array for each of `state_names`, zeros at first; to be updated
            in place.
        step : int
            1 at the first update of this parameter, and so on.
        scratch : two arrays, shape (n,)
            Buffers for intermediate results, of arbitrary content.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement update")

    def state_names(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the state that the rule keeps for each parameter under these settings."""
        return ()

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require valid settings; each call checks all of them together."""
        check.number(type(self).__name__, "lr", settings["lr"], least=0.0)

    def equations(self, step: int) -> Mapping[str, str]:
        """Return the rule for one element, line by line, for `npnet.trace` to write out with its numbers.

        Parameters
        ----------
        step : int
            As in `update`.

        Returns
        -------
        equations : dict from words to equations
            In the order applied, such as ``{"step": "d = lr · g", "new value": "p ← p − d"}``. Here p is the
            parameter, g its gradient and t the step; settings and state have their own names, or those that
            `symbols` gives them. The last line is that of p. Without any line, which is the default, the
            old and the new value alone are shown.

        Notes
        -----
        The signs are + − · / ^ √ and brackets, the functions max, min, abs and sign. Each operation is
        rounded as in `update`, to the parameter's dtype; a quotient whose divisor is 0 counts as 0.

        Examples
        --------
        >>> optimizer = Optimizer({"weight": np.zeros(2)}, lr=0.5)
        >>> optimizer.equations(1)
        {}
        """
        return {}

    # ---- running -----------------------------------------------------------------------------------

    def step(self, grads: Mapping[str, ndarray | np.floating[Any] | None]) -> None:
        """Update every parameter that has a gradient, in place.

        Parameters
        ----------
        grads : mapping from names to arrays
            Gradients by the names of their parameters; a parameter without one, or with None, is skipped.
            They are not modified. The gradient of a parameter without axes may be a NumPy scalar.

        Raises
        ------
        InputError
            If it is no mapping, a name is unknown, a shape differs, or the model has another array under a
            parameter's name by now; nothing is updated then.
        DTypeError
            If a gradient is not an array of its parameter's dtype; nothing is updated then.

        Notes
        -----
        An optimizer made with ``model.parameters`` checks now and then that these are still the model's.
        """
        present = self._checked_grads(grads)
        kinds = self._kinds(self.settings)
        # Overflow and NaN will show in the loss; here they pass without a warning, as in PyTorch.
        with np.errstate(all="ignore"):
            for group in self._groups:
                names = [name for name in group.parts if name in present]
                steps = [self._begin_step(group, name, kinds) for name in names]
                if len(names) == len(group.parts) > 1 and steps.count(steps[0]) == len(steps):
                    flat = group.gather()
                    flat_grad = np.concatenate([present[name] for name in names], axis=None)
                    self._update_flat(flat, flat_grad, group.state(kinds), steps[0])
                    group.scatter(flat)
                else:
                    for name, step in zip(names, steps, strict=True):
                        self._update_parameter(name, present[name], kinds, step)

    def _kinds(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return `state_names`, checked."""
        kinds = self.state_names(settings)
        if type(kinds) is not tuple:
            raise InputError(
                f"{type(self).__name__}: state_names must return a tuple of names, such as ('momentum',) "
                f"with its comma, got {kinds!r:.60}"
            )
        return kinds

    def _begin_step(self, group: Group, name: str, kinds: tuple[str, ...]) -> int:
        """Count an update of a parameter; allocate its state if any of it is missing."""
        kept = self._state.setdefault(name, {})
        if not all(kind in kept for kind in kinds):
            self._state[name] = {kind: group.allocate(name, kind) for kind in kinds}
            self._steps[name] = 0
        step = self._steps[name] = self._steps.get(name, 0) + 1
        return step

    def _update_parameter(self, name: str, grad: ndarray, kinds: tuple[str, ...], step: int) -> None:
        parameter, state = self._parameters[name], self._state[name]
        flat, flat_grad = parameter.reshape(-1), grad.reshape(-1)  # views, unless strides forbid it
        self._update_flat(flat, flat_grad, {kind: state[kind].reshape(-1) for kind in kinds}, step)
        if not parameter.flags.c_contiguous:
            parameter[...] = flat.reshape(parameter.shape)

    def _update_flat(self, flat: ndarray, grad: ndarray, state: dict[str, ndarray], step: int) -> None:
        def update(parameter: ndarray, grad: ndarray, state: dict[str, ndarray]) -> None:
            scratch = np.empty(parameter.size, parameter.dtype), np.empty(parameter.size, parameter.dtype)
            # Declared to return nothing; a rule of a user's own may return something by mistake.
            returned: object = self.update(parameter, grad, state, step, scratch)  # type: ignore[func-returns-value]
            if returned is not None and returned is not parameter:
                raise InputError(
                    f"{type(self).__name__}: update must change parameter in place (parameter -= …) and "
                    f"return nothing, got {check.described(returned)}"
                )

        update_in_blocks(update, flat, grad, state)

    # ---- state -------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, ndarray]:
        """Return copies of all that the next step depends on, besides parameters and gradients.

        Settings have their own names (``"lr"``). Each parameter updated so far has the number of its updates
        (``"step.0.weight"``) and its state (``"momentum.0.weight"``).
        """
        state = {name: np.array(value) for name, value in self.settings.items()}
        kinds = self._kinds(self.settings)
        for name, kept in self._state.items():
            if kept.keys() >= set(kinds):
                state[f"step.{name}"] = np.array(self._steps[name])
                state |= {f"{kind}.{name}": kept[kind].copy() for kind in kinds}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state: the steps that follow give the same bits.

        Settings are taken over, arrays are copied and converted to their parameter's dtype.

        Raises
        ------
        InputError
            If a name is missing or unknown, a shape differs, or a value is invalid; nothing is changed then.
        """
        owner = type(self).__name__
        arrays = saved_arrays(f"{owner}.load_state_dict", state)
        settings = self._loaded_settings(arrays)
        kinds = self._kinds(settings)
        names = [name for name in self._parameters if f"step.{name}" in arrays]
        expected = {f"{kind}.{name}" for name in names for kind in ("step", *kinds)}
        require_names(owner, arrays, expected | set(self.setting_names))
        for name in names:
            self._check_state(arrays, name, kinds)

        self._set(settings)
        self._steps = {name: int(arrays[f"step.{name}"]) for name in names}
        with np.errstate(all="ignore"):  # a float64 too large for float32 becomes ∞
            self._restore_state({name: {kind: arrays[f"{kind}.{name}"] for kind in kinds} for name in names})

    def _loaded_settings(self, arrays: Mapping[str, ndarray]) -> dict[str, Any]:
        settings = {}
        for name, own in self.settings.items():
            if name not in arrays:
                raise InputError(f"{type(self).__name__}: the state must have the setting {name!r}")
            check.shape(type(self).__name__, name, arrays[name], np.shape(own), "in the state")
            settings[name] = arrays[name].tolist()
        self.check_settings(settings)
        return {name: self._plain(name, value) for name, value in settings.items()}

    def _number(self, value: Real) -> float:
        """Return a number as a float, the type that rules compute with."""
        return float(value)

    # ---- checks ------------------------------------------------------------------------------------

    def _check_state(self, arrays: Mapping[str, ndarray], name: str, kinds: tuple[str, ...]) -> None:
        owner, step = type(self).__name__, arrays[f"step.{name}"]
        if step.shape != () or step.dtype.kind not in "iu" or step < 1:
            raise InputError(f"{owner}: step.{name} must be a positive integer in the state, got {step!r}")
        for kind in kinds:
            key, array = f"{kind}.{name}", arrays[f"{kind}.{name}"]
            check.float_arrays(owner, optional=(), **{key: array})
            check.shape(owner, key, array, self._parameters[name].shape, "in the state")

    def _check_parameters(self, parameters: Mapping[str, ndarray]) -> None:
        owner = type(self).__name__
        if not parameters:
            raise InputError(f"{owner}: parameters must hold at least one array, got none")
        for name, array in parameters.items():
            check.float_arrays(owner, optional=(), **{f"parameters[{name!r}]": array})
            self._require_writable(name, array)
            if overlaps_itself(array):
                raise InputError(
                    f"{owner}: parameters[{name!r}] must have each element once, got an array that was "
                    "broadcast: copy it"
                )
        if pair := overlapping(parameters):
            one, other = pair
            how = "are one array" if parameters[one] is parameters[other] else "share memory"
            raise InputError(
                f"{owner}: parameters[{one!r}] and parameters[{other!r}] {how}, which would be "
                "updated twice: leave one of them out, or copy it"
            )

    def _require_writable(self, name: str, array: ndarray) -> None:
        if not array.flags.writeable:
            raise InputError(
                f"{type(self).__name__}: parameters[{name!r}] must be writable, got a read-only array; "
                "after model.astype make the optimizer anew"
            )

    def _checked_grads(self, grads: Any) -> dict[str, ndarray]:
        """Return the gradients that are not None, as arrays."""
        owner = type(self).__name__
        if type(grads) is not dict:
            check.mapping(f"{owner}.step", "grads", grads, "a dict from names to arrays, as backward gives")
        present = {name: grad for name, grad in grads.items() if grad is not None}
        if unknown := present.keys() - self._parameters.keys():
            raise self._unknown(unknown)
        for name, grad in present.items():
            parameter, dtype, shape = self._forms[name]
            if not parameter.flags.writeable:
                self._require_writable(name, parameter)
            if type(grad) is not ndarray or grad.dtype is not dtype or grad.shape != shape:
                present[name] = self._checked_grad(name, grad)
        vars(self)["_calls"] += 1  # not through __setattr__, which takes longer
        # Checking at every step would take as long as the update of a small model.
        due = self._calls & (self._calls - 1) == 0 or self._calls % CHECK_INTERVAL == 0
        if self._model is not None and (due or self._layer_changes != LayerChanges.count):
            self._check_not_replaced(present)
            vars(self)["_layer_changes"] = LayerChanges.count
        return present

    def _checked_grad(self, name: str, grad: Any) -> ndarray:
        owner, label, parameter = type(self).__name__, f"grads[{name!r}]", self._parameters[name]
        if isinstance(grad, np.floating):  # arithmetic on an array without axes gives a scalar
            grad = np.asarray(grad)
        check.float_arrays(owner, optional=(), **{label: grad})
        if grad.dtype != parameter.dtype:
            raise DTypeError(
                f"{owner}: {label} must have the dtype of parameters[{name!r}], {parameter.dtype}, got "
                f"{grad.dtype}; after model.astype make the optimizer anew"
            )
        check.shape(owner, label, grad, parameter.shape, "like its parameter")
        found: ndarray = grad
        return found

    def _unknown(self, names: Collection[object]) -> InputError:
        owner = type(self).__name__
        if not self._parameters:
            return InputError(
                f"{owner}: it has no parameters: __init__ must call super().__init__(parameters, lr)"
            )
        one = min(map(str, names))
        return InputError(
            f"{owner}: grads must be named like parameters, got {_listed(names)}; parameters are "
            f"{_listed(self._parameters)}. To leave a parameter untrained, freeze it: model.freeze({one!r})"
        )

    def _check_not_replaced(self, names: Collection[str]) -> None:
        """Refuse to update arrays that are no longer the model's."""
        model = self._model() if self._model is not None else None
        present = {} if model is None else model.parameters
        for name in names:
            if name in present and present[name] is not self._parameters[name]:
                raise InputError(
                    f"{type(self).__name__}: parameter '{name}' is another array in the model than when the "
                    "optimizer was made, and would not be trained: make the optimizer after layers are "
                    "exchanged and after model.astype, and write new values into the array, "
                    "array[...] = values"
                )


def _listed(names: Iterable[object], most: int = 8) -> str:
    shown = sorted(map(str, names))
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")
