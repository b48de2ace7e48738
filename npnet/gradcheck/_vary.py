"""Random changes of initial values: ones hide a forgotten factor, and zeros hide even more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray
from numpy.random import Generator


def _either_way(array: ndarray, generator: Generator) -> ndarray:
    moved = array * generator.uniform(0.7, 1.3, array.shape)
    signs = generator.choice((-1.0, 1.0), array.shape)
    return np.asarray(np.where(array == 0, signs * _at_zeros(array, generator), moved))


def _upwards(array: ndarray, generator: Generator) -> ndarray:
    moved = array * generator.uniform(1.0, 1.5, array.shape)
    return np.asarray(np.where(array == 0, _at_zeros(array, generator), moved))


def _inwards(array: ndarray, generator: Generator) -> ndarray:
    moved = array * generator.uniform(0.5, 1.0, array.shape)
    return np.asarray(np.where(array == 0, _at_zeros(array, generator), moved))


def _at_zeros(array: ndarray, generator: Generator) -> ndarray:
    """Return replacements for zeros, of about the size of the other elements."""
    sizes = np.abs(array[array != 0])
    scale = float(np.median(sizes)) if sizes.size else 1.0
    return np.asarray(scale * generator.uniform(0.1, 0.5, array.shape))


# In the order they are tried: a probability of 1 must not grow, a variance of 0 must not become negative.
WAYS: tuple[Callable[[ndarray, Generator], ndarray], ...] = (_either_way, _inwards, _upwards)


def varied(array: ndarray, generator: Generator, way: int = 0) -> ndarray:
    """Return other values of similar size, with the same dtype and, except for zeros, the same sign.

    Parameters
    ----------
    array : array of floating-point numbers
    generator : numpy.random.Generator
    way : int
        0 changes values in either direction, 1 towards zero, 2 away from zero; 1 and 2 make zeros positive.

    Returns
    -------
    varied : array
    """
    return np.asarray(WAYS[way](array, generator), array.dtype)


def hides(array: object) -> bool:
    """Say whether a floating-point array holds only −1, 0 and 1, values that hide mistakes."""
    if not isinstance(array, ndarray) or array.dtype.kind != "f" or not array.size:
        return False
    return bool(np.isin(array, (-1, 0, 1)).all())
