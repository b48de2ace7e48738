"""What an optimizer is: arrays to update, settings, and a state that can be saved and continued from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._spread import in_blocks, spread
from npnet.errors import InputError
from npnet.optim import _check
from npnet.optim._groups import Group, grouped

# Elements updated at a time. An update rule runs over its arrays some ten times; a block of each stays
# in the processor's cache from the first pass to the last, where whole arrays would come from memory. And it
# is worth a thread's while: about a tenth of a millisecond's work.
BLOCK = 262_144


class Optimizer:
    """An optimizer: it owns an update rule, and applies it to arrays in place.

    A rule of your own subclasses this one, hands its settings to this constructor, and implements
    `update`; where it keeps something for each parameter (a momentum, say), it names that in
    `state_names`. Saving, loading and the checks of gradients come with it.

    Parameters
    ----------
    parameters : mapping from names to arrays
        What is updated, usually ``model.parameters``. The arrays themselves are written to.
    lr : float
        Learning rate, the one setting that schedules change.
    **settings
        The other numbers and flags of the rule. Each becomes an attribute and is part of the saved state.

    Raises
    ------
    InputError
        If a setting does not fit, there are no parameters, one is read-only, or two are one array.
    DTypeError
        If a parameter is not a float32 or float64 array.

    Notes
    -----
    A parameter without a gradient is left alone: neither it nor what is kept for it changes. The
    rules are PyTorch's, their operations in the same order, each rounded to the dtype of the
    parameter. PyTorch rounds differently in two places, and then in the last place only: on processors
    with a fused multiply-add its vectorized loops skip the rounding of a product that is added to
    something, and its square root may come from a library that is not correctly rounded. Without
    these the bits are the same.

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

    def __init__(self, parameters: Mapping[str, ndarray], lr: _check.Number, **settings: Any) -> None:
        if not isinstance(parameters, Mapping):
            raise InputError(
                f"{type(self).__name__}: parameters must be a dict from names to arrays, such as "
                f"model.parameters, got {type(parameters).__name__}"
            )
        self.parameters = dict(parameters)
        self._check_parameters()
        settings = {"lr": lr, **settings}
        self.setting_names = tuple(settings)
        self.check_settings(settings)
        self._set(settings)
        self._groups = grouped(self.parameters)
        self._state: dict[str, dict[str, ndarray]] = {}  # by parameter, then by what is kept: views of groups
        self._steps: dict[str, int] = {}

    # ---- what a rule of one's own implements -------------------------------------------------------

    def update(
        self,
        parameter: ndarray,
        grad: ndarray,
        state: Mapping[str, ndarray],
        step: int,
        scratch: tuple[ndarray, ndarray],
    ) -> None:
        """Apply the rule to one block, in place; blocks may be in different threads.

        A block is a stretch of a large parameter, or small parameters end to end: a rule treats each element
        by itself.

        Parameters
        ----------
        parameter : array, shape (n,)
            To be updated in place.
        grad : array, shape (n,)
            Its gradient, to be left unchanged.
        state : mapping from names to arrays, shape (n,)
            What is kept for these elements, one array for each of `state_names`, zeros at first; to be
            updated in place.
        step : int
            1 at the first update of this parameter, and so on.
        scratch : two arrays, shape (n,)
            Room for intermediate results, of arbitrary content.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement update")

    def state_names(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Name what the rule keeps for each parameter under these settings."""
        return ()

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require settings the rule can work with; each call checks all of them."""
        _check.not_negative(type(self).__name__, lr=settings["lr"])

    # ---- running -----------------------------------------------------------------------------------

    def step(self, grads: Mapping[str, ndarray | None]) -> None:
        """Update every parameter that has a gradient, in place.

        Parameters
        ----------
        grads : mapping from names to arrays
            Gradients by the names of their parameters; a parameter that is absent, or None, is left
            alone. They are not modified.

        Raises
        ------
        InputError
            If a name is unknown or a shape differs; nothing is updated then.
        DTypeError
            If a gradient is not an array of its parameter's dtype; nothing is updated then.
        """
        present = {name: grad for name, grad in grads.items() if grad is not None}
        self._check_grads(present)
        kinds = self.state_names(self.settings)
        # What overflows or is not a number shows in the loss; here it passes, as in PyTorch.
        with np.errstate(all="ignore"):
            for group in self._groups:
                names = [name for name in group.parts if name in present]
                steps = [self._begin_step(group, name, kinds) for name in names]
                if len(names) == len(group.parts) > 1 and steps.count(steps[0]) == len(steps):
                    flat = group.end_to_end()
                    flat_grad = np.concatenate([present[name] for name in names], axis=None)
                    self._update_flat(flat, flat_grad, group.kept(kinds), steps[0])
                    group.put_back(flat)
                else:
                    for name, step in zip(names, steps, strict=True):
                        self._update_parameter(name, present[name], kinds, step)

    def _begin_step(self, group: Group, name: str, kinds: tuple[str, ...]) -> int:
        """Count an update of a parameter, and start what is kept for it where anything is not there yet."""
        kept = self._state.setdefault(name, {})
        if not all(kind in kept for kind in kinds):
            self._state[name] = {kind: group.room(name, kind) for kind in kinds}
            self._steps[name] = 0
        step = self._steps[name] = self._steps.get(name, 0) + 1
        return step

    def _update_parameter(self, name: str, grad: ndarray, kinds: tuple[str, ...], step: int) -> None:
        parameter, state = self.parameters[name], self._state[name]
        flat, flat_grad = parameter.reshape(-1), grad.reshape(-1)  # views, unless strides forbid it
        self._update_flat(flat, flat_grad, {kind: state[kind].reshape(-1) for kind in kinds}, step)
        if not parameter.flags.c_contiguous:
            parameter[...] = flat.reshape(parameter.shape)

    def _update_flat(self, flat: ndarray, grad: ndarray, state: Mapping[str, ndarray], step: int) -> None:
        def update(block: slice) -> None:
            kept = {kind: array[block] for kind, array in state.items()}
            self.update(flat[block], grad[block], kept, step, _scratch(flat[block]))

        if flat.size <= BLOCK:  # nothing to cut, which takes longer than a small update
            self.update(flat, grad, state, step, _scratch(flat))
        else:
            spread(update, in_blocks(flat.size, BLOCK))

    # ---- state -------------------------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the rule as they are now, by name."""
        return {name: getattr(self, name) for name in self.setting_names}

    def state_dict(self) -> dict[str, ndarray]:
        """Return copies of all that the next step depends on, beside parameters and gradients.

        Settings are found under their own name (``"lr"``), and of every parameter updated so far the
        number of its updates (``"step.0.weight"``) and what is kept for it (``"momentum.0.weight"``).
        """
        state = {name: np.array(value) for name, value in self.settings.items()}
        kinds = self.state_names(self.settings)
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
            If a name is missing or unknown, a shape differs, or a value does not fit; nothing is
            changed then.
        """
        arrays = {name: np.asarray(value) for name, value in state.items()}
        settings = self._loaded_settings(arrays)
        kinds = self.state_names(settings)
        names = [name for name in self.parameters if f"step.{name}" in arrays]
        self._check_names(arrays, {f"{kind}.{name}" for name in names for kind in ("step", *kinds)})
        for name in names:
            self._check_kept(arrays, name, kinds)

        self._set(settings)
        self._steps = {name: int(arrays[f"step.{name}"]) for name in names}
        self._state = {
            name: {kind: group.room(name, kind) for kind in kinds}
            for group in self._groups
            for name in group.parts
            if name in names
        }
        for name, kept in self._state.items():
            for kind, array in kept.items():
                array[...] = arrays[f"{kind}.{name}"]

    def _set(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            setattr(self, name, _plain(value))

    def _loaded_settings(self, arrays: Mapping[str, ndarray]) -> dict[str, Any]:
        settings = {}
        for name, own in self.settings.items():
            if name not in arrays:
                raise InputError(f"{type(self).__name__}: the state must have the setting {name!r}")
            check.shape(type(self).__name__, name, arrays[name], np.shape(own), "in the state")
            settings[name] = arrays[name].tolist()
        self.check_settings(settings)
        return settings

    # ---- checks ------------------------------------------------------------------------------------

    def _check_names(self, arrays: Mapping[str, ndarray], expected: set[str]) -> None:
        missing, unknown = expected - arrays.keys(), arrays.keys() - expected - set(self.setting_names)
        if missing or unknown:
            raise InputError(
                f"state does not fit {type(self).__name__}: "
                f"missing {sorted(missing) or 'nothing'}, unknown {sorted(unknown) or 'nothing'}"
            )

    def _check_kept(self, arrays: Mapping[str, ndarray], name: str, kinds: tuple[str, ...]) -> None:
        owner, step = type(self).__name__, arrays[f"step.{name}"]
        if step.shape != () or step.dtype.kind not in "iu" or step < 1:
            raise InputError(f"{owner}: step.{name} must be a positive integer in the state, got {step!r}")
        for kind in kinds:
            key, array = f"{kind}.{name}", arrays[f"{kind}.{name}"]
            check.float_arrays(owner, optional=(), **{key: array})
            check.shape(owner, key, array, self.parameters[name].shape, "in the state")

    def _check_parameters(self) -> None:
        owner = type(self).__name__
        if not self.parameters:
            raise InputError(f"{owner}: parameters must hold at least one array, got none")
        seen: dict[int, str] = {}
        for name, array in self.parameters.items():
            check.float_arrays(owner, optional=(), **{f"parameter '{name}'": array})
            if not array.flags.writeable:
                raise InputError(f"{owner}: parameter '{name}' must be writable, got a read-only array")
            if id(array) in seen:
                raise InputError(f"{owner}: parameters '{seen[id(array)]}' and '{name}' are one array")
            seen[id(array)] = name

    def _check_grads(self, grads: Mapping[str, ndarray]) -> None:
        owner = type(self).__name__
        unknown = grads.keys() - self.parameters.keys()
        if unknown:
            raise InputError(
                f"{owner}: gradients must be named like parameters, got {', '.join(sorted(unknown))}; "
                f"parameters are {', '.join(self.parameters)}"
            )
        for name, grad in grads.items():
            parameter = self.parameters[name]
            if isinstance(grad, ndarray) and (grad.dtype, grad.shape) == (parameter.dtype, parameter.shape):
                continue  # at once, since this is asked at every step
            label = f"gradient of '{name}'"
            check.float_arrays(owner, optional=(), **{f"parameter '{name}'": parameter, label: grad})
            check.shape(owner, label, grad, parameter.shape, "like its parameter")

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{type(self).__name__}({settings})"


def _scratch(block: ndarray) -> tuple[ndarray, ndarray]:
    return np.empty(block.size, block.dtype), np.empty(block.size, block.dtype)


def _plain(value: Any) -> Any:
    """Return a setting as plain Python numbers: a NumPy scalar would change the dtype it is computed in."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return tuple(float(part) for part in value) if isinstance(value, tuple | list) else float(value)
