"""Checks of arguments, with one clear message for each mistake.

A check takes the owner (the operation or class whose argument it is), the name of the argument and its value.
It returns the value as a plain Python type: NumPy's integers, floats and booleans are accepted wherever an
int, a float or a bool is, and are converted here, so that later arithmetic cannot overflow a small integer
type. For any other value it raises `InputError`, or `DTypeError` for arrays; the message says what was
expected and what was got.

Examples
--------
>>> integer("Conv2d", "in_channels", np.uint8(128), least=1)
128
>>> number("SGD", "lr", "fast", least=0.0)
Traceback (most recent call last):
npnet.errors.InputError: SGD: lr must be a finite number of at least 0, got 'fast'
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from itertools import product
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.errors import DTypeError, InputError

__all__ = ()  # for use inside this package; public functions document what they accept

FLOATS: tuple[np.dtype[np.floating[Any]], ...] = (np.dtype(np.float32), np.dtype(np.float64))
_NEEDS = frozenset(product((True, False), repeat=3))
LONGEST = 60  # characters of a value in a message

T = TypeVar("T")


# ---- settings ------------------------------------------------------------------------------------------


def integer(owner: str, name: str, value: Any, *, least: int | None = None, most: int | None = None) -> int:
    """Return an integer as an int; True and False are refused."""
    if type(value) is not int:
        if not is_integer(value):
            raise _misfit(owner, name, _whole(least, most), value)
        value = int(value)
    if (least is not None and value < least) or (most is not None and value > most):
        raise _misfit(owner, name, _whole(least, most), value)
    result: int = value
    return result


def is_integer(value: object) -> bool:
    """Return whether a value is an integer, of Python or NumPy; True and False are not."""
    return isinstance(value, Integral) and not _is_boolean(value)


def is_real(value: object) -> bool:
    """Return whether a value is a real number, of Python or NumPy; True and False are not."""
    return isinstance(value, Real) and not _is_boolean(value)


def text(owner: str, name: str, value: Any) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise _misfit(owner, name, "text", value)
    return str(value)


def names(owner: str, name: str, value: Any, *, least: int = 1, most: int | None = None) -> tuple[str, ...]:
    """Return a list, a tuple or an array of names as a tuple of strings; a single string is refused.

    Integers are accepted as names, so that classes may be named by numbers.
    """
    several = isinstance(value, list | tuple | range | ndarray)
    found = list(value.tolist() if type(value) is ndarray and value.ndim == 1 else value) if several else []
    fit = all(isinstance(item, str) or is_integer(item) for item in found)
    if not several or not fit or len(found) < least or (most is not None and len(found) > most):
        number = f"{least} or more" if most is None else f"{least}" if least == most else f"{least} to {most}"
        got = f"{len(found)}" if several and fit else described(value)
        raise InputError(f"{owner}: {name} must be a list of {number} names, got {got}")
    return tuple(str(item) for item in found)


def number(
    owner: str,
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> float:
    """Return a finite real number as a float; True and False are refused.

    Parameters
    ----------
    owner, name, value
        As for every check.
    least, above, most, below : float, optional
        The range: least ≤ value, above < value, value ≤ most, value < below.

    Returns
    -------
    number : float

    Raises
    ------
    InputError
        If the value is not a number, not finite, or out of range.
    """
    fits = is_real(value) and _finite(value)
    if (
        not fits
        or (least is not None and value < least)
        or (above is not None and value <= above)
        or (most is not None and value > most)
        or (below is not None and value >= below)
    ):
        bounds = {"of at least": least, "above": above, "at most": most, "below": below}
        limits = [f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None]
        raise _misfit(owner, name, f"a finite number {' and '.join(limits)}".strip(), value)
    return float(value)


def real(owner: str, name: str, value: Any) -> float:
    """Return any real number as a float, including ∞ and NaN; True and False are refused."""
    if type(value) is float:
        return value
    if not is_real(value):
        raise _misfit(owner, name, "a number", value)
    return float(value)


def flag(owner: str, name: str, value: Any) -> bool:
    """Return a bool; numbers and text are refused."""
    if not _is_boolean(value):
        raise _misfit(owner, name, "True or False", value)
    return bool(value)


def choice(owner: str, name: str, value: Any, options: Collection[str]) -> str:
    """Return a string that must be one of the options."""
    if not isinstance(value, str) or value not in options:
        raise _misfit(owner, name, f"one of {', '.join(options)}", value)
    return value


def instance(owner: str, name: str, value: Any, kind: type[T], expected: str) -> T:
    """Return an instance of a class; `expected` describes it in the message, with its article."""
    if not isinstance(value, kind):
        raise InputError(f"{owner}: {name} must be {expected}, got {described(value)}")
    return value


def mapping(owner: str, name: str, value: Any, expected: str = "a dict from names to arrays") -> None:
    """Require a dict or another mapping with strings as keys."""
    if type(value) is not dict and not isinstance(value, Mapping):
        raise InputError(f"{owner}: {name} must be {expected}, got {described(value)}")
    for key in value:
        if not isinstance(key, str):
            raise InputError(f"{owner}: the names in {name} must be text, got {described(key)}")


def function(owner: str, name: str, value: T, expected: str = "a function") -> T:
    """Return a callable."""
    if not callable(value):
        raise _misfit(owner, name, expected, value)
    return value


def generator(owner: str, value: Any, name: str = "generator") -> Generator:
    """Return a NumPy random generator."""
    return instance(
        owner, name, value, Generator, "a numpy.random.Generator, such as np.random.default_rng(0)"
    )


def path(owner: str, name: str, value: Any) -> Path:
    """Return a string or path-like object as a Path; it need not exist."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text or "\0" in text:
        raise InputError(f"{owner}: {name} must be a path, got {described(value)}")
    return Path(text)


def float_dtype(owner: str, value: Any, name: str = "dtype") -> np.dtype[np.floating[Any]]:
    """Return float32 or float64 as a NumPy dtype."""
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if value is None or dtype is None or dtype not in FLOATS:  # NumPy reads None as float64
        shown = described(value) if dtype is None or value is None else str(dtype)
        raise DTypeError(f"{owner}: {name} must be float32 or float64, got {shown}")
    # NumPy's own dtype objects: comparing them is faster than comparing equal copies.
    return FLOATS[0] if dtype.itemsize == 4 else FLOATS[1]


# ---- arrays --------------------------------------------------------------------------------------------


def array(owner: str, name: str, value: Any, kinds: str = "biuf") -> ndarray:
    """Return a plain NumPy array whose dtype is of one of the given kinds.

    Subclasses of ndarray are refused: * is a matrix product for np.matrix, and a masked array would lose its
    mask.
    """
    if type(value) is not ndarray:
        raise DTypeError(
            f"{owner}: {name} must be a NumPy array, got {described(value)}{_conversion(name, value)}"
        )
    if value.dtype.kind not in kinds:
        words = {"b": "booleans", "i": "integers", "f": "floating-point numbers"}
        wanted = " or ".join(word for kind, word in words.items() if kind in kinds)
        raise DTypeError(f"{owner}: {name} must hold {wanted}, got {value.dtype}")
    return value


def finite(owner: str, name: str, value: ndarray) -> ndarray:
    """Return an array of finite numbers; the message gives the index of the first that is not."""
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
        where = place[0] if len(place) == 1 else place
        raise InputError(f"{owner}: {name} must hold finite numbers, got {value[place]} at index {where}")
    return value


def class_labels(owner: str, y: Any, name: str = "y", *, classes: int | None = None) -> ndarray:
    """Return an array of one integer label per sample, in 0…classes − 1 if the number of classes is given."""
    array(owner, name, y)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise InputError(
            f"{owner}: {name} must be one integer class label per sample, got {y.dtype} of shape {y.shape}"
        )
    labels: ndarray = y
    if classes is not None:
        for place in np.flatnonzero((labels < 0) | (labels >= classes))[:1]:
            got = f"{labels[place]} at index {place}"
            raise InputError(f"{owner}: {name} must be in 0…{classes - 1}, got {got}")
    return labels


def float_arrays(owner: str, *, optional: tuple[str, ...] = (), **arrays: Any) -> None:
    """Require NumPy arrays with the same dtype, float32 or float64; optional arrays may be None."""
    first_name, first_dtype = "", None
    for name, value in arrays.items():
        if value is None and name in optional:
            continue
        if type(value) is not ndarray:
            array(owner, name, value)
        if value.dtype not in FLOATS:
            raise DTypeError(
                f"{owner}: {name} must be float32 or float64, got {_dtype_shown(value.dtype)}"
                + (f"; write {name}.astype(np.float32)" if value.dtype.kind in "biuf" else "")
            )
        if first_dtype is None:
            first_name, first_dtype = name, value.dtype
        elif value.dtype != first_dtype:
            raise DTypeError(
                f"{owner}: {name} must have the dtype of {first_name}, {first_dtype}, got {value.dtype}; "
                f"write {first_name}.astype(np.{value.dtype}) or {name}.astype(np.{first_dtype})"
            )


def axes(owner: str, name: str, value: ndarray, numbers: tuple[int, ...], layout: str) -> None:
    """Require one of the given numbers of axes; `layout` gives the expected shape, such as "(n, c, h, w)"."""
    if value.ndim not in numbers:
        raise InputError(f"{owner}: {name} must have shape {layout}, got {value.shape}")


def shape(
    owner: str, name: str, value: ndarray | None, expected: tuple[int, ...], why: str, *details: object
) -> None:
    """Require exactly the expected shape; an absent array, None, passes.

    `why` gives the reason for the shape, and its {} stand for the details. The message is formatted only
    after an error, as formatting would take a noticeable part of a small network's step.
    """
    if value is not None and value.shape != expected:
        reason = why.format(*details)
        raise InputError(f"{owner}: {name} must have shape {expected} {reason}, got {value.shape}")


class Form(NamedTuple):
    """Shape and dtype of an array: what a backward keeps of an output that it does not compute with.

    Keeping only the form lets the output be freed before backward runs.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def form(y: ndarray) -> Form:
    """Return the form of an array."""
    return Form(y.shape, y.dtype)


def upstream(owner: str, grad_y: Any, y: ndarray | Form) -> None:
    """Require that the upstream gradient has exactly the shape and the dtype of the output."""
    if type(grad_y) is ndarray and grad_y.shape == y.shape and grad_y.dtype == y.dtype:
        return  # the fast path, as every operation calls this in every step
    float_arrays(owner, y=np.empty(0, y.dtype), grad_y=grad_y)
    shape(owner, "grad_y", grad_y, y.shape, "like the output y")


def needs(owner: str, value: Any) -> None:
    """Require a tuple of three booleans, which say which of three gradients are computed."""
    if type(value) is tuple and value in _NEEDS:
        return  # the fast path, as every backward calls this
    if not (isinstance(value, tuple) and len(value) == 3 and all(_is_boolean(item) for item in value)):
        raise _misfit(owner, "needs", "a tuple of three booleans", value)


# ---- messages ------------------------------------------------------------------------------------------


def described(value: Any) -> str:
    """Describe a value for a message: strings, numbers and None by their repr, other objects by their type.

    Examples
    --------
    >>> described("0.1"), described(None), described(np.zeros((2, 3))), described({})
    ("'0.1'", 'None', 'a float64 array of shape (2, 3)', 'dict')
    """
    if value is None or isinstance(value, str | bytes | Real | complex):
        text = repr(value)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    if type(value) is ndarray:
        dtype = str(value.dtype)
        return f"{'an' if dtype[0] in 'aeio' else 'a'} {dtype} array of shape {value.shape}"
    kind = type(value)
    if kind is type:  # the class instead of an object of it
        return f"the class {value.__name__}"
    module = kind.__module__.partition(".")[0]
    return kind.__name__ if module in ("builtins", "__main__") else f"{module}.{kind.__name__}"


def _misfit(owner: str, name: str, expected: str, value: Any) -> InputError:
    if isinstance(value, tuple | list | set | dict) and len(repr(value)) <= LONGEST:
        return InputError(f"{owner}: {name} must be {expected}, got {value!r}")
    return InputError(f"{owner}: {name} must be {expected}, got {described(value)}")


def _whole(least: int | None, most: int | None) -> str:
    if most is not None:
        return f"an integer from {least} to {most}" if least is not None else f"an integer of at most {most}"
    if least is None:
        return "an integer"
    names = {0: "an integer of at least 0", 1: "a positive integer"}
    return names.get(least, f"an integer of at least {least}")


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool | np.bool_)


def _finite(value: Any) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an int too large for a float
        return False


def _dtype_shown(dtype: np.dtype[Any]) -> str:
    foreign = dtype.kind in "biuf" and not dtype.isnative
    return f"{dtype.newbyteorder('=')} in foreign byte order ({dtype.str})" if foreign else str(dtype)


def _conversion(name: str, value: Any) -> str:
    """Return what to write instead of a value that is nearly an array."""
    if isinstance(value, np.ma.MaskedArray):
        return f"; write {name}.filled(value) with a value for the masked elements"
    if isinstance(value, ndarray):
        return f"; write np.asarray({name})"
    if hasattr(value, "detach"):  # a tensor
        return f"; write {name}.detach().numpy()"
    if hasattr(value, "to_numpy"):  # a frame or a series
        return f"; write {name}.to_numpy()"
    if isinstance(value, list | tuple):
        return f"; write np.array({name})"
    return ""
