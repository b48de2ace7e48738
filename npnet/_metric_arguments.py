"""The arguments of metrics, converted and checked: labels, class names, confusion matrices, scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import DTypeError, InputError
from npnet.shapes import Bool, Int, Integer

Labels = Any  # an array, a list, a tuple, or a series of pandas
Classes = int | np.integer[Any] | Sequence[str] | ndarray

MOST_CLASSES = 10_000  # a matrix of 10 000² counts takes 0.8 GB
LARGEST = np.iinfo(np.int64).max


def as_array(owner: str, name: str, value: Any) -> ndarray:
    """Convert a list, a tuple, a series or an array to an array; text becomes an array of objects."""
    if isinstance(value, list | tuple):
        try:
            found = np.array(value)
        except ValueError:
            raise InputError(
                f"{owner}: {name} must be of one length in each row, got a ragged list"
            ) from None
        # NumPy converts a list of numbers and text to text; an array of objects keeps them apart.
        unconverted = np.array(value, dtype=object) if found.dtype.kind in "US" else found
        value = found.astype(np.int64) if not found.size else unconverted
    elif hasattr(value, "to_numpy"):
        value = value.to_numpy()
    found = check.array(owner, name, value, "biufUTO")
    return found.astype(object) if found.dtype.kind in "UT" else found


def label_array(owner: str, name: str, value: Any) -> ndarray:
    """Convert labels to an array of int64, or of objects if they are text."""
    labels = as_array(owner, name, value)
    if labels.dtype == object:
        if not all(isinstance(each, str) for each in labels.flat):
            raise DTypeError(f"{owner}: {name} must be integer labels or all text, got a mixture")
        return labels
    if labels.dtype.kind not in "biu":
        raise DTypeError(f"{owner}: {name} must be integer labels, got {labels.dtype}")
    if labels.ndim == 0:
        raise InputError(f"{owner}: {name} must be one label for each sample, got {labels}")
    if labels.dtype.kind == "u" and labels.size and int(labels.max()) > LARGEST:
        raise InputError(f"{owner}: {name} must be below 2⁶³, got {labels.max()}")
    return labels.astype(np.int64)


def label_pair(owner: str, predicted: Any, target: Any) -> tuple[ndarray, ndarray]:
    """Convert predicted and true labels, which must agree in shape and kind."""
    p, t = label_array(owner, "predicted", predicted), label_array(owner, "target", target)
    if p.shape != t.shape:
        raise InputError(f"{owner}: predicted must have the shape of target, {t.shape}, got {p.shape}")
    if p.dtype != t.dtype and p.size:
        kinds = ("text", "integers") if p.dtype == object else ("integers", "text")
        raise DTypeError(
            f"{owner}: predicted and target must be labels of one kind, got {' and '.join(kinds)}"
        )
    return p, t


def class_names(owner: str, classes: Any) -> tuple[str, ...]:
    """Return the names of the classes; if only their number is known, "0", "1", …."""
    if isinstance(classes, Sequence | ndarray) and not isinstance(classes, str):
        names = check.names(owner, "classes", classes, most=MOST_CLASSES)
        if len(set(names)) < len(names):
            raise InputError(f"{owner}: classes must have different names, got one twice")
        return names
    number = check.integer(owner, "classes", classes, least=1, most=MOST_CLASSES)
    return tuple(str(i) for i in range(number))


def counted_pairs(owner: str, predicted: Any, target: Any, names: tuple[str, ...]) -> Integer[ndarray, "c c"]:
    """Count the pairs of true and predicted class: the confusion matrix."""
    both = dict(zip(("predicted", "target"), label_pair(owner, predicted, target), strict=True))
    numbers = [class_numbers(owner, name, labels, names) for name, labels in both.items()]
    # Each pair (t, p) is encoded as one number, and bincount counts the numbers.
    classes = len(names)
    pairs = numbers[1] * classes + numbers[0]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_numbers(owner: str, name: str, labels: ndarray, names: tuple[str, ...]) -> Int[ndarray, " n"]:
    """Convert labels to numbers in 0…classes − 1."""
    if labels.ndim != 1:
        raise InputError(f"{owner}: {name}'s labels must have shape (n,), got {labels.shape}")
    if labels.dtype == object:
        number_of = {each: i for i, each in enumerate(names)}
        unknown = next((each for each in labels if each not in number_of), None)
        if unknown is not None:
            raise InputError(f"{owner}: {name} must name one of the classes, got {check.described(unknown)}")
        return np.array([number_of[each] for each in labels], dtype=np.int64)
    outside = labels[(labels < 0) | (labels >= len(names))]
    if outside.size:
        raise InputError(
            f"{owner}: {name} must be in 0…{len(names) - 1} for {len(names)} classes, got {outside[0]}"
        )
    return labels


def checked_confusion(owner: str, confusion: Any) -> Int[ndarray, "c c"]:
    """Require a confusion matrix: square, integer, without negative counts."""
    matrix = as_array(owner, "confusion", confusion)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InputError(f"{owner}: confusion must have shape (classes, classes), got {matrix.shape}")
    if matrix.dtype.kind not in "iu":
        raise DTypeError(f"{owner}: confusion must hold integers, got {matrix.dtype}")
    if (matrix < 0).any():
        raise InputError(f"{owner}: confusion must hold counts of 0 and more, got {matrix.min()}")
    return matrix.astype(np.int64)


def checked_scores(scores: Any, target: Any) -> tuple[ndarray, Bool[ndarray, " n"]]:
    """Require the scores and binary labels of `npnet.metrics.average_precision`."""
    owner = "average_precision"
    scores, target = as_array(owner, "scores", scores), as_array(owner, "target", target)
    if scores.dtype.kind not in "iuf":
        raise DTypeError(f"{owner}: scores must be numbers, got {scores.dtype}")
    if target.dtype.kind not in "iub":
        raise DTypeError(f"{owner}: target must be integers, got {target.dtype}")
    if scores.ndim != 1 or scores.shape != target.shape:
        raise InputError(
            f"{owner}: scores and target must have one shape (n,), got {scores.shape} and {target.shape}"
        )
    if not np.isin(target, (0, 1)).all():
        raise InputError(f"{owner}: target must be 0 or 1, got {np.setdiff1d(target, (0, 1))[0]}")
    if not target.any():
        raise InputError(f"{owner}: target must have at least one 1, got none")
    if np.isnan(scores).any():
        raise InputError(f"{owner}: scores must be numbers, got NaN")
    return scores, target.astype(bool)
