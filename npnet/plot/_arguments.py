"""Checks of what figures are given, in addition to those of `npnet.check`.

All text in a figure comes through `caption` or `names`: matplotlib reads text between two dollar signs as a
formula, but a class may be called "$5".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError

MOST_CLASSES = 10_000
MOST_PICTURES = 200  # in one figure: more take minutes and are too small to see
MOST_PANELS = 20  # side by side: matplotlib writes pictures of at most 65 536 pixels in width

Names = Sequence[str] | Sequence[int] | ndarray  # classes may be called by their numbers


def plain(text: str) -> str:
    """Escape a text so that matplotlib draws it as it stands."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ").replace("$", r"\$")


def caption(owner: str, name: str, value: Any) -> str:
    """Return a text, escaped for matplotlib."""
    return plain(check.text(owner, name, value))


def names(
    owner: str, value: Any, name: str = "class_names", *, least: int = 1, most: int = MOST_CLASSES
) -> tuple[str, ...]:
    """Return names, escaped for matplotlib."""
    return tuple(plain(each) for each in check.names(owner, name, value, least=least, most=most))


def names_of(
    owner: str, value: Any, count: int, name: str = "class_names", *, most: int = MOST_CLASSES
) -> tuple[str, ...]:
    """Return so many names, escaped for matplotlib; if none are given, numbers."""
    if count > most:
        raise InputError(f"{owner}: {name} must be at most {most}, got {count} classes")
    if value is None:
        return tuple(str(i) for i in range(count))
    found = names(owner, value, name, most=most)
    if len(found) != count:
        raise InputError(f"{owner}: {name} must be {count} names, got {len(found)}")
    return found


def numbers(owner: str, name: str, value: Any, layout: str, *, finite: bool = True) -> ndarray:
    """Return an array of numbers whose axes are those of the layout, none of them empty.

    Integers become float64: differences and absolute values of small integer types would wrap around.
    """
    array = check.array(owner, name, value, "biuf")
    axes = len(layout.strip("(),").split(","))
    if array.ndim != axes or not array.size:
        raise InputError(f"{owner}: {name} must have shape {layout}, none of them 0, got {array.shape}")
    if finite:
        check.finite(owner, name, array)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def share(owner: str, name: str, value: Any) -> float:
    """Return a number in 0…1."""
    return check.number(owner, name, value, least=0.0, most=1.0)


def shares(owner: str, name: str, value: Any, layout: str) -> ndarray:
    """Return an array of probabilities, in 0…1 up to rounding."""
    array = numbers(owner, name, value, layout)
    if array.min() < -1e-3 or array.max() > 1 + 1e-3:
        raise InputError(
            f"{owner}: {name} must be in 0…1, got {array.min():g} to {array.max():g}; "
            "npnet.functional.softmax(logits, dim=1)[0] turns logits into probabilities"
        )
    return array


def mapping(owner: str, name: str, value: Any, *, most: int = MOST_PANELS) -> dict[str, Any]:
    """Return the entries of a dict; their names are escaped for matplotlib."""
    if not isinstance(value, Mapping):
        raise InputError(f"{owner}: {name} must be a dict from names, got {check.described(value)}")
    found = dict(value)
    if not 1 <= len(found) <= most:
        raise InputError(f"{owner}: {name} must hold 1 to {most} by name, got {len(found)}")
    return {caption(owner, f"a name in {name}", key): each for key, each in found.items()}


def sequence(owner: str, name: str, value: Any, *, most: int) -> list[Any]:
    """Return the members of a list or a tuple that is not empty."""
    if not isinstance(value, list | tuple):
        raise InputError(f"{owner}: {name} must be a list, got {check.described(value)}")
    if not 1 <= len(value) <= most:
        raise InputError(f"{owner}: {name} must be a list of 1 to {most}, got {len(value)}")
    return list(value)
