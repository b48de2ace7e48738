"""Floating-point arithmetic without NumPy's warnings, whatever the program has set with ``np.seterr``.

As in PyTorch, overflow gives ∞, underflow 0, and an undefined result NaN, without a message. Setting NumPy's
error state takes a microsecond, a tenth of a small operation, so a training step sets it once, by `Silence`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

_silent: ContextVar[bool] = ContextVar("silent", default=False)
_NOTHING = nullcontext()


class Silence:
    """Switch warnings off for a ``with`` block of many operations, which then need not do it themselves."""

    def __enter__(self) -> None:
        self._errors = np.errstate(all="ignore")
        self._errors.__enter__()
        self._token = _silent.set(True)

    def __exit__(self, *_error: object) -> None:
        _silent.reset(self._token)
        self._errors.__exit__(None, None, None)


def quiet() -> AbstractContextManager[object]:
    """Switch warnings off for a ``with`` block within one operation."""
    return _NOTHING if _silent.get() else np.errstate(all="ignore")


def quietly(operation: Callable[P, R]) -> Callable[P, R]:
    """Decorate an operation so that its forward computes without warnings."""

    @wraps(operation)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if _silent.get():
            return operation(*args, **kwargs)
        with np.errstate(all="ignore"):
            return operation(*args, **kwargs)

    return run
