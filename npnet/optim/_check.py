"""Checks of the settings of optimizers and schedules."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import Any

from npnet.errors import InputError

Number = int | float


def finite(owner: str, **settings: Any) -> None:
    """Require finite real numbers."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
            raise InputError(f"{owner}: {name} must be a finite number, got {value!r}")


def not_negative(owner: str, **settings: Any) -> None:
    """Require finite real numbers at or above zero."""
    finite(owner, **settings)
    for name, value in settings.items():
        if value < 0:
            raise InputError(f"{owner}: {name} must not be negative, got {value!r}")


def flag(owner: str, **settings: Any) -> None:
    """Require True or False."""
    for name, value in settings.items():
        if not isinstance(value, bool):
            raise InputError(f"{owner}: {name} must be True or False, got {value!r}")


def decays(owner: str, **settings: Any) -> None:
    """Require pairs of decay rates in [0, 1)."""
    for name, value in settings.items():
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise InputError(f"{owner}: {name} must be a pair of numbers, got {value!r}")
        for i, decay in enumerate(value):
            finite(owner, **{f"{name}[{i}]": decay})
            if not 0 <= decay < 1:
                raise InputError(f"{owner}: {name}[{i}] must be at least 0 and below 1, got {decay!r}")
