"""Settings of optimizers and schedules: attributes that are checked at each assignment, and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError

Number = int | float | np.integer[Any] | np.floating[Any]
Integer = int | np.integer[Any]
Flag = bool | np.bool_


class Configured:
    """Base class of optimizers and schedules: settings as checked attributes."""

    setting_names: tuple[str, ...] = ()

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require valid settings; each call checks all of them together."""

    @property
    def settings(self) -> dict[str, Any]:
        """The present settings, by name."""
        return {name: getattr(self, name) for name in self.setting_names}

    def __setattr__(self, name: str, value: Any) -> None:
        """Check a setting that is assigned after construction."""
        if name in self.setting_names:
            self.check_settings({**self.settings, name: value})
            value = self._plain(name, value)
        super().__setattr__(name, value)

    def _configure(self, settings: Mapping[str, Any], taken: set[str]) -> None:
        """Check settings and make them attributes; the names in `taken` have another meaning."""
        owner = type(self).__name__
        for name in settings.keys() & taken:
            raise InputError(
                f"{owner}: setting {name!r} must have another name, as this one has a meaning already"
            )
        self.check_settings(settings)
        plain = {name: self._plain(name, value) for name, value in settings.items()}
        self.setting_names = tuple(settings)
        self._set(plain)

    def _set(self, values: Mapping[str, Any]) -> None:
        """Set attributes that have been checked."""
        for name, value in values.items():
            super().__setattr__(name, value)

    def _plain(self, name: str, value: Any) -> Any:
        """Return a setting as a Python value; a NumPy scalar would change the dtype of what it multiplies."""
        if isinstance(value, bool | np.bool_):
            return bool(value)
        if isinstance(value, Real):
            return self._number(value)
        if isinstance(value, str):
            return str(value)
        if isinstance(value, tuple | list):
            return tuple(self._plain(f"{name}[{i}]", part) for i, part in enumerate(value))
        raise InputError(
            f"{type(self).__name__}: {name} must be a number, True or False, text, or a tuple of these, "
            f"got {check.described(value)}"
        )

    def _number(self, value: Real) -> int | float:
        """Return a number as a Python int or float."""
        return int(value) if isinstance(value, Integral) else float(value)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{type(self).__name__}({settings})"


def require_takes(owner: str, method: Callable[..., Any], *arguments: str) -> None:
    """Require that a user's method can be called with these arguments."""
    try:
        signature(method).bind(None, *arguments)
    except TypeError as error:
        takes = ", ".join(("self", *arguments))
        got = ", ".join(signature(method).parameters)
        raise InputError(f"{owner}: {method.__name__} must take ({takes}), got ({got})") from error


def saved_arrays(owner: str, state: Any) -> dict[str, ndarray]:
    """Return the values of a saved state as arrays."""
    check.mapping(owner, "state", state, "a dict from names to arrays, as state_dict() gives")
    arrays = {}
    for name, value in state.items():
        try:
            arrays[name] = np.asarray(value)
        except (TypeError, ValueError) as error:  # such as lists of different lengths
            raise InputError(
                f"{owner}: {name} must be an array in the state, got {check.described(value)}"
            ) from error
    return arrays


def require_names(owner: str, arrays: Mapping[str, ndarray], expected: set[str]) -> None:
    """Require that a saved state has exactly the expected names."""
    missing, unknown = expected - arrays.keys(), arrays.keys() - expected
    if missing or unknown:
        raise InputError(
            f"{owner}: state does not fit: missing {_listed(missing)}, unknown {_listed(unknown)}"
        )


def _listed(names: set[str], most: int = 6) -> str:
    if len(names) <= most:
        return str(sorted(names)) if names else "nothing"
    return f"{sorted(names)[:most]} and {len(names) - most} more"
