"""What figures ask of what they are given, in addition to `npnet.check`.

Whatever is written into a figure comes through `caption` or `names`: matplotlib takes text between two dollar
signs for a formula, which a class called "$5" or a column of prices is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.train import History

MOST_CLASSES = 10_000
MOST_PICTURES = 200  # in one figure: with more it takes minutes, and shows nothing
MOST_GRID = 64  # panels in rows and columns
MOST_PANELS = 20  # side by side: the widest picture that can be written has 65 536 dots

Names = Sequence[str] | Sequence[int] | ndarray  # classes may be called by their numbers


def plain(text: str) -> str:
    """Return a text as matplotlib must be given it to be drawn as it stands."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ").replace("$", r"\$")


def caption(owner: str, name: str, value: Any) -> str:
    """Return a text to be drawn as it stands."""
    return plain(check.text(owner, name, value))


def names(owner: str, value: Any, name: str = "class_names", *, most: int = MOST_CLASSES) -> tuple[str, ...]:
    """Return names to be drawn as they stand."""
    return tuple(plain(each) for each in check.names(owner, name, value, most=most))


def names_of(owner: str, value: Any, classes: int, *, most: int = MOST_CLASSES) -> tuple[str, ...]:
    """Return a name for each of so many classes; without any, their numbers."""
    if classes > most:
        raise InputError(f"{owner}: class_names must be of at most {most} classes, got {classes}")
    if value is None:
        return tuple(str(i) for i in range(classes))
    found = names(owner, value, most=most)
    if len(found) != classes:
        raise InputError(
            f"{owner}: class_names must be {classes}, one for each class there is, got {len(found)}"
        )
    return found


def numbers(owner: str, name: str, value: Any, layout: str, *, finite: bool = True) -> ndarray:
    """Return an array of numbers with the axes that the layout names, none of them empty.

    Integers become float64, so that no small type wraps around in what is drawn of them.
    """
    array = check.array(owner, name, value, "biuf")
    axes = 0 if layout == "()" else len(layout.strip("(),").split(","))
    if array.ndim != axes or not array.size:
        raise InputError(f"{owner}: {name} must have shape {layout}, none of them 0, got {array.shape}")
    if finite:
        check.finite(owner, name, array)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def share(owner: str, name: str, value: Any) -> float:
    """Return a share of 0…1."""
    return check.number(owner, name, value, least=0.0, most=1.0)


def shares(owner: str, name: str, value: Any, layout: str) -> ndarray:
    """Return probabilities, each of 0…1 but for rounding."""
    array = numbers(owner, name, value, layout)
    if array.min() < -1e-3 or array.max() > 1 + 1e-3:
        raise InputError(
            f"{owner}: {name} must be in 0…1, got {array.min():g} to {array.max():g}; "
            "of logits npnet.functional.softmax(logits, dim=1)[0] makes probabilities"
        )
    return array


def mapping(owner: str, name: str, value: Any, *, most: int = MOST_PANELS) -> dict[str, Any]:
    """Return what stands under each name; names are to be drawn as they stand."""
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


def histories(owner: str, name: str, value: Any, *, most: int = MOST_PANELS) -> dict[str, History]:
    """Return runs by name, each of an epoch or more."""
    named = runs(owner, name, value, most=most)
    for run, history in named.items():
        if not history.epochs:
            raise InputError(f"{owner}: {name} must have finished an epoch or more, got none in {run!r}")
    return named


def runs(owner: str, name: str, value: Any, *, most: int = MOST_PANELS) -> dict[str, History]:
    """Return runs by name, at least one of them of an epoch or more."""
    named = mapping(owner, name, value, most=most)
    for run, history in named.items():
        check.instance(owner, f"{name} of {run!r}", history, History, "a History")
    if not any(history.epochs for history in named.values()):
        raise InputError(f"{owner}: {name} must have finished an epoch or more, got none")
    return named


def judged(
    owner: str, images: Any, target: Any, probabilities: Any, class_names: Any
) -> tuple[ndarray, ndarray, ndarray, tuple[str, ...]]:
    """Return images (n, c, h, w), their classes, what they were taken for, and the classes' names."""
    images = numbers(owner, "images", images, "(n, c, h, w)")
    probabilities = shares(owner, "probabilities", probabilities, "(n, classes)")
    class_names = names_of(owner, class_names, probabilities.shape[1])
    target = check.class_labels(owner, target, "target", classes=len(class_names))
    if not len(images) == len(target) == len(probabilities):
        raise InputError(
            f"{owner}: images (n, c, h, w), target (n,) and probabilities (n, classes) must fit, "
            f"got {images.shape}, {target.shape} and {probabilities.shape}"
        )
    return images, target, probabilities, class_names
