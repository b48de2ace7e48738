"""Checks of what operations are given, so that every mistake meets one clear message."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from npnet.errors import DTypeError, InputError

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def float_arrays(operation: str, **arrays: Any) -> None:
    """Require NumPy arrays of one common dtype, float32 or float64; an argument that is None is absent."""
    first_name, first_dtype = "", None
    for name, array in arrays.items():
        if array is None:
            continue
        if not isinstance(array, ndarray):
            raise DTypeError(f"{operation}: {name} must be a NumPy array, got {type(array).__name__}")
        if array.dtype not in FLOATS:
            raise DTypeError(f"{operation}: {name} must be float32 or float64, got {array.dtype}")
        if first_dtype is None:
            first_name, first_dtype = name, array.dtype
        elif array.dtype != first_dtype:
            raise DTypeError(
                f"{operation}: {name} must have the dtype of {first_name}, {first_dtype}, got {array.dtype}; "
                "convert one of the two with .astype"
            )


def axes(operation: str, name: str, array: ndarray, numbers: tuple[int, ...], layout: str) -> None:
    """Require one of the given numbers of axes; `layout` spells out what the axes mean."""
    if array.ndim not in numbers:
        raise InputError(f"{operation}: {name} must have shape {layout}, got {array.shape}")


def shape(
    operation: str, name: str, array: ndarray | None, expected: tuple[int, ...], why: str, *of: object
) -> None:
    """Require exactly the expected shape; None is absent and passes.

    `why` says what asks for it. Its {} stand for what comes after it: small networks would notice the time
    to put a message together that is hardly ever needed.
    """
    if array is not None and array.shape != expected:
        reason = why.format(*of)
        raise InputError(f"{operation}: {name} must have shape {expected} {reason}, got {array.shape}")


class Form(NamedTuple):
    """Shape and dtype of an array: all of an output that a backward must know which does not compute with it.

    What a backward holds on to is kept until it has run; an output that is not needed can be freed.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def form(y: ndarray) -> Form:
    """Return the form of an array."""
    return Form(y.shape, y.dtype)


def upstream(operation: str, grad_y: ndarray, y: ndarray | Form) -> None:
    """Require that the upstream gradient has the dtype and, to the letter, the shape of the output."""
    if type(grad_y) is ndarray and grad_y.shape == y.shape and grad_y.dtype == y.dtype:
        return  # at once, since every operation of every step asks
    float_arrays(operation, y=np.empty(0, y.dtype), grad_y=grad_y)
    shape(operation, "grad_y", grad_y, y.shape, "like the output y")
