"""Gradient clipping, by norm and by value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.kernels import thresholds
from npnet.kernels.pieces import slices_of
from npnet.optim._memory import overlapping, overlaps_itself
from npnet.optim._settings import Flag, Number

# The squares of numbers between these neither overflow nor underflow in float64.
LEAST, MOST = 1e-120, 1e120


def clip_grad_norm(
    grads: Mapping[str, ndarray | np.floating[Any] | None],
    max_norm: Number,
    norm_type: Number = 2.0,
    error_if_nonfinite: Flag = False,
) -> float:
    """Scale gradients down, in place, so that the norm of all of them together is at most `max_norm`.

    With p = norm_type, the norm is that of one vector of all elements g of all gradients:

        norm = (Σ |g|ᵖ)^(1/p),  for p = ∞ max |g|,
        g ← g · min(1, max_norm / (norm + 1e-6)).

    Call it between backward and the optimizer's step.

    Parameters
    ----------
    grads : mapping from names to arrays
        Gradients as backward returns them, or some of them in a dict of their own. They are changed in place;
        None is skipped. A NumPy scalar, the gradient of a parameter without axes, is immutable and is
        replaced in `grads`.
    max_norm : float
        The limit; ``float("inf")`` computes the norm alone.
    norm_type : float
        p, above 0; ``float("inf")`` for the largest absolute value.
    error_if_nonfinite : bool
        Whether to raise an error if the norm is infinite or NaN. Otherwise the gradients are scaled all the
        same: by an infinite norm, finite elements become 0 and infinite ones NaN; by NaN, all become NaN.

    Returns
    -------
    norm : float
        The norm before clipping; 0 if there are no gradients.

    Raises
    ------
    InputError
        If grads is no mapping, an array is read-only, two arrays overlap without being identical, a number
        is out of range, or the norm is not finite and `error_if_nonfinite` is set; nothing is changed then.
    DTypeError
        If a gradient is not a float32 or float64 array.

    Notes
    -----
    Powers are summed in float64, after scaling if they would overflow, so the norm is infinite only if it is
    too large for float64. PyTorch's ``clip_grad_norm_`` is the same, but sums in the gradients' dtype.

    References
    ----------
    Pascanu, Mikolov, Bengio, *On the difficulty of training recurrent neural networks* (2013), algorithm 1.

    Examples
    --------
    >>> grads = {"weight": np.array([3.0, 0.0]), "bias": np.array([4.0])}
    >>> clip_grad_norm(grads, max_norm=1.0)
    5.0
    >>> grads["weight"].round(3), grads["bias"].round(3)
    (array([0.6, 0. ]), array([0.8]))
    """
    owner = "clip_grad_norm"
    limit = _up_to_infinity(owner, "max_norm", max_norm, least=0.0)
    power = _up_to_infinity(owner, "norm_type", norm_type, above=0.0)
    strict = check.flag(owner, "error_if_nonfinite", error_if_nonfinite)
    arrays = _checked(owner, grads)
    with np.errstate(all="ignore"):
        norm = _norm(list(arrays.values()), power)
        if strict and not isfinite(norm):
            names = [name for name, array in arrays.items() if not np.isfinite(array).all()]
            raise InputError(
                f"{owner}: grads must have a finite norm, got {norm}"
                + (f", not finite in {', '.join(names[:8])}" if names else "")
            )
        factor = limit / (norm + 1e-6)
        if not factor >= 1:  # smaller, or NaN
            for array in _distinct(arrays.values()):
                array *= factor
            _put_scalars_back(grads, arrays)
    return norm


def clip_grad_value(grads: Mapping[str, ndarray | np.floating[Any] | None], clip_value: Number) -> None:
    """Limit each element of the gradients, in place: g ← min(max(g, −clip_value), clip_value).

    Parameters
    ----------
    grads : mapping from names to arrays
        Gradients as backward returns them. They are changed in place; None is skipped. A NumPy scalar is
        immutable and is replaced in `grads`.
    clip_value : float
        The largest absolute value, at least 0.

    Raises
    ------
    InputError
        If grads is no mapping, an array is read-only, two arrays overlap without being identical, or the
        number is out of range; nothing is changed then.
    DTypeError
        If a gradient is not a float32 or float64 array.

    Examples
    --------
    >>> grads = {"weight": np.array([3.0, -0.5, -7.0])}
    >>> clip_grad_value(grads, 1.0)
    >>> grads["weight"]
    array([ 1. , -0.5, -1. ])
    """
    owner = "clip_grad_value"
    limit = _up_to_infinity(owner, "clip_value", clip_value, least=0.0)
    arrays = _checked(owner, grads)
    with np.errstate(all="ignore"):
        for array in _distinct(arrays.values()):
            np.clip(array, -limit, limit, out=array)
    _put_scalars_back(grads, arrays)


# ---- the norm ------------------------------------------------------------------------------------------


def _norm(arrays: list[ndarray], power: float) -> float:
    # NumPy's maximum, unlike Python's, is NaN if one of the numbers is.
    largest = float(np.max([0.0, *(_largest(array) for array in arrays)]))
    if power == inf or largest == 0 or not isfinite(largest):
        return largest
    # Divided by the largest, no number overflows, and those that underflow are too small to count.
    unit = 1.0 if power == 2 and LEAST < largest < MOST else largest
    total = sum(_sum_of_powers(array, power, unit) for array in arrays)
    return float(unit * np.float64(total) ** (1 / power))


def _largest(array: ndarray) -> float:
    """Return the largest absolute value, or NaN if there is one, without a temporary array."""
    return max(abs(float(array.min())), abs(float(array.max()))) if array.size else 0.0


def _sum_of_powers(array: ndarray, power: float, unit: float) -> float:
    flat, total = array.reshape(-1), 0.0
    for block in slices_of(flat.size, thresholds.current.sum_block):  # summed in float64
        part = flat[block].astype(np.float64)
        if unit != 1:
            part /= unit
        if power == 2:
            total += float(part @ part)
        else:
            np.abs(part, out=part)
            total += float(np.power(part, power, out=part).sum())
    return total


# ---- gradients -----------------------------------------------------------------------------------------


def _up_to_infinity(owner: str, name: str, value: Any, **range_: float) -> float:
    """Require a number, which may be infinite."""
    if isinstance(value, float | np.floating) and value == inf:
        return inf
    return check.number(owner, name, value, **range_)


def _checked(owner: str, grads: Any) -> dict[str, ndarray]:
    """Return the gradients that are not None as arrays; those of NumPy scalars are copies."""
    check.mapping(owner, "grads", grads, "a dict from names to arrays, as backward gives")
    arrays: dict[str, ndarray] = {}
    for name, grad in grads.items():
        if grad is None:
            continue
        if isinstance(grad, np.floating):
            if not hasattr(grads, "__setitem__"):
                raise InputError(
                    f"{owner}: grads[{name!r}] must be an array, which can be changed in place, got {grad!r}"
                )
            grad = np.array(grad)
        check.float_arrays(owner, optional=(), **{f"grads[{name!r}]": grad})
        if not grad.flags.writeable:
            raise InputError(f"{owner}: grads[{name!r}] must be writable, got a read-only array; copy it")
        if overlaps_itself(grad):
            raise InputError(
                f"{owner}: grads[{name!r}] must have each element once, got one that was broadcast: copy it"
            )
        arrays[name] = grad
    _check_overlaps(owner, arrays)
    return arrays


def _check_overlaps(owner: str, arrays: Mapping[str, ndarray]) -> None:
    """Refuse gradients that overlap in part, since elements in both would be scaled twice.

    One array may be the gradient of two parameters, as in a sum of both; it is scaled once.
    """
    by_root: dict[int, dict[str, ndarray]] = {}
    for name, array in arrays.items():
        by_root.setdefault(id(_root(array)), {})[name] = array
    for together in by_root.values():
        keys = {_memory_key(array): name for name, array in together.items()}
        pair = overlapping({name: arrays[name] for name in keys.values()}) if len(keys) > 1 else None
        if pair:
            raise InputError(
                f"{owner}: grads[{pair[0]!r}] and grads[{pair[1]!r}] must not overlap: copy one of them"
            )


def _distinct(arrays: Iterable[ndarray]) -> list[ndarray]:
    return list({_memory_key(array): array for array in arrays}.values())


def _memory_key(array: ndarray) -> tuple[Any, ...]:
    """Return a key that is equal for arrays with the same elements in memory."""
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype


def _root(array: ndarray) -> object:
    """Return the object that owns the memory of an array."""
    owner: object = array
    while isinstance(owner, ndarray) and owner.base is not None:
        owner = owner.base
    return owner


def _put_scalars_back(grads: Any, arrays: Mapping[str, ndarray]) -> None:
    for name, array in arrays.items():
        if isinstance(grads[name], np.generic):
            grads[name] = array[()]
