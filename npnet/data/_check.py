"""Checks shared by the functions that make and cut data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.errors import InputError


def positive(operation: str, **numbers: Any) -> None:
    """Require positive integers."""
    for name, number in numbers.items():
        if not is_integer(number) or number < 1:
            raise InputError(f"{operation}: {name} must be a positive integer, got {number!r}")


def is_integer(number: Any) -> bool:
    """Tell whether something is an integer; True and False are not."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def generator(operation: str, given: Any) -> None:
    """Require an explicit source of randomness."""
    if not isinstance(given, Generator):
        raise InputError(
            f"{operation}: generator must be a numpy.random.Generator, got {type(given).__name__}"
        )


def class_labels(operation: str, y: ndarray) -> None:
    """Require one integer label for each sample."""
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise InputError(
            f"{operation}: y must be one integer class label per sample, got {y.dtype} of shape {y.shape}"
        )
