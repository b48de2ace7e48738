"""How good predictions are: accuracy, confusion, precision, recall and F1, average precision.

Labels come in arrays, lists, tuples or series, as in scikit-learn; but first what was predicted, then what is
true. They are whole numbers from 0 on, booleans, or text.

Precision of a class that was never predicted is 0 ÷ 0, and so is recall of a class without members: both are
NaN here, as with ``zero_division=np.nan`` in scikit-learn, and left out of averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from numpy import ndarray

from npnet import check
from npnet._words import counted
from npnet.errors import DTypeError, InputError
from npnet.table import html_table, table

__all__ = [
    "Report",
    "accuracy",
    "average_precision",
    "confusion_matrix",
    "f1",
    "precision_recall",
    "report",
]

Labels = Any  # an array, a list, a tuple, or a series of pandas
Classes = int | np.integer[Any] | Sequence[str] | ndarray

MOST_CLASSES = 10_000  # a matrix of 10 000² counts takes 0.8 GB
LARGEST = np.iinfo(np.int64).max


def accuracy(predicted: Labels, target: Labels) -> float:
    """Return the share of labels that were predicted right.

    Parameters
    ----------
    predicted, target : integer, boolean or text labels of one shape
        Labels, not scores: take ``scores.argmax(axis=1)`` first.

    Returns
    -------
    accuracy : float
        In 0…1; NaN where there is nothing to judge.

    Raises
    ------
    InputError
        If the shapes differ.
    DTypeError
        If the labels are of another kind, or text on one side alone.

    Examples
    --------
    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 1])
    0.75
    >>> accuracy(["cat", "dog"], ["cat", "cat"])
    0.5
    """
    predicted, target = _labels("accuracy", predicted, target)
    return float((predicted == target).mean()) if target.size else float("nan")


def confusion_matrix(
    predicted: Labels, target: Labels, classes: Classes
) -> Integer[ndarray, "classes classes"]:
    """Count how often each class was taken for each other: M[t, p] = #{i : target i = t, predicted i = p}.

    Parameters
    ----------
    predicted, target : labels, shape (n,)
        In 0…classes − 1, or names of classes.
    classes : int, or sequence of str
        The number of classes, or their names in the order of the labels.

    Returns
    -------
    matrix : integer array, shape (classes, classes)
        A row for each true class, a column for each predicted one; what is right stands on the diagonal.

    Raises
    ------
    InputError
        If shapes differ, a label is outside the classes, or `classes` is neither a number nor names.
    DTypeError
        If the labels are of another kind.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 1, 0], classes=2)
    array([[1, 1],
           [0, 1]])
    >>> confusion_matrix(["owl", "cat"], ["owl", "owl"], classes=["cat", "owl"])
    array([[0, 0],
           [1, 1]])
    """
    names = _class_names("confusion_matrix", classes)
    return _counted("confusion_matrix", predicted, target, names)


def precision_recall(confusion: Any) -> tuple[Float[ndarray, " classes"], Float[ndarray, " classes"]]:
    """Return precision and recall of each class, from the confusion matrix.

    Precision is the share of a class's predictions that are right, M[c,c] / Σₜ M[t,c]; recall is the share
    of its members that were found, M[c,c] / Σₚ M[c,p].

    Parameters
    ----------
    confusion : integer array, shape (classes, classes)
        As `confusion_matrix` gives it.

    Returns
    -------
    precision, recall : arrays, shape (classes,)
        NaN for a class that was never predicted, or has no members.

    Raises
    ------
    InputError
        If the matrix is not square, or a count is negative.
    DTypeError
        If it does not hold integers.

    Examples
    --------
    >>> precision, recall = precision_recall([[1, 1], [0, 2]])
    >>> precision.round(2), recall
    (array([1.  , 0.67]), array([0.5, 1. ]))
    """
    matrix = _confusion("precision_recall", confusion)
    right = matrix.diagonal()
    return _ratio(right, matrix.sum(axis=0)), _ratio(right, matrix.sum(axis=1))


def f1(confusion: Any) -> Float[ndarray, " classes"]:
    """Return the F1 score of each class: the harmonic mean of precision and recall.

    F₁ = 2·M[c,c] / (Σₜ M[t,c] + Σₚ M[c,p]).

    Parameters
    ----------
    confusion : integer array, shape (classes, classes)
        As `confusion_matrix` gives it.

    Returns
    -------
    f1 : array, shape (classes,)
        NaN for a class that was never predicted and has no members.

    Raises
    ------
    InputError
        If the matrix is not square, or a count is negative.
    DTypeError
        If it does not hold integers.

    Examples
    --------
    >>> f1([[1, 1], [0, 2]]).round(2)
    array([0.67, 0.8 ])
    """
    matrix = _confusion("f1", confusion)
    return _ratio(2 * matrix.diagonal(), matrix.sum(axis=0) + matrix.sum(axis=1))


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What `report` found of each class; printed, and in a notebook, it is a table.

    Attributes
    ----------
    classes : tuple of str
        The classes' names.
    precision, recall, f1 : arrays, shape (classes,)
        NaN where 0 would be divided by 0.
    support : integer array, shape (classes,)
        How many members each class has.
    accuracy : float
        The share of all that is right; NaN of nothing.
    """

    classes: tuple[str, ...]
    precision: Float[ndarray, " classes"]
    recall: Float[ndarray, " classes"]
    f1: Float[ndarray, " classes"]
    support: Int[ndarray, " classes"]
    accuracy: float

    def averages(self) -> dict[str, tuple[float, float, float]]:
        """Return the means of precision, recall and F1: of all classes alike, and weighted by their members.

        What is not a number for a class is left out.
        """
        columns = (self.precision, self.recall, self.f1)
        precision, recall, of_both = (_mean(column, np.ones(len(column))) for column in columns)
        weighted = [_mean(column, self.support) for column in columns]
        return {
            "mean of the classes": (precision, recall, of_both),
            "weighted by members": (weighted[0], weighted[1], weighted[2]),
        }

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        columns: tuple[ndarray, ...] = (self.precision, self.recall, self.f1)
        members = int(self.support.sum())
        named: dict[str, tuple[float, ...]] = {
            name: tuple(float(column[i]) for column in columns) for i, name in enumerate(self.classes)
        }
        rows = [
            [name, *map(_Share, values), int(count)]
            for (name, values), count in zip(named.items(), self.support, strict=True)
        ]
        rows += [[name, *map(_Share, values), members] for name, values in self.averages().items()]
        samples = f"{members:,} sample{'' if members == 1 else 's'}".replace(",", " ")
        title = f"accuracy {_Share(self.accuracy)} of {samples}"
        return title, ["class", "precision", "recall", "F1", "members"], rows

    def __str__(self) -> str:
        title, columns, rows = self._table()
        return table(columns, rows, title=title)

    def __repr__(self) -> str:
        samples = counted(int(self.support.sum()), "sample")
        return f"Report({len(self.classes)} classes, {samples}, accuracy {self.accuracy:.4f})"

    def _repr_html_(self) -> str:
        title, columns, rows = self._table()
        return html_table(columns, rows, title=title)


def report(predicted: Labels, target: Labels, classes: Classes) -> Report:
    """Judge every class: precision, recall, F1, and how many members it has.

    Parameters
    ----------
    predicted, target : labels, shape (n,)
        In 0…classes − 1, or names of classes.
    classes : int, or sequence of str
        The number of classes, or their names in the order of the labels, such as ``splits.classes``.

    Returns
    -------
    report : Report
        Its arrays are ``precision``, ``recall``, ``f1`` and ``support``; ``print`` shows a table.

    Raises
    ------
    InputError
        If shapes differ, a label is outside the classes, or `classes` is neither a number nor names.
    DTypeError
        If the labels are of another kind.

    Examples
    --------
    >>> print(report([0, 1, 1, 1], [0, 0, 1, 1], classes=["cat", "dog"]))
    accuracy 0.750 of 4 samples
    class                 precision   recall      F1   members
    ──────────────────────────────────────────────────────────
    cat                       1.000    0.500   0.667         2
    dog                       0.667    1.000   0.800         2
    mean of the classes       0.833    0.750   0.733         4
    weighted by members       0.833    0.750   0.733         4
    """
    names = _class_names("report", classes)
    matrix = _counted("report", predicted, target, names)
    precision, recall = precision_recall(matrix)
    samples = int(matrix.sum())
    share = float(matrix.trace() / samples) if samples else float("nan")
    return Report(names, precision, recall, f1(matrix), matrix.sum(axis=1), share)


def average_precision(scores: Any, target: Labels) -> float:
    """Summarise the precision-recall curve of a two-class scorer: AP = Σₖ (Rₖ − Rₖ₋₁) Pₖ.

    The threshold moves down through the scores; Pₖ and Rₖ are precision and recall when everything from
    the k-th distinct score upwards is called positive. Equal scores enter together, so the order in which
    they stand cannot matter.

    Parameters
    ----------
    scores : numbers, shape (n,)
        Higher means surer of class 1.
    target : integer or boolean labels, shape (n,)
        1 for members of the class, 0 for the others.

    Returns
    -------
    average_precision : float
        In 0…1, and 1 when every member stands above every other.

    Raises
    ------
    InputError
        If shapes differ, a label is neither 0 nor 1, no label is 1, or a score is NaN.
    DTypeError
        If scores are not numbers or labels not integers.

    References
    ----------
    Manning, Raghavan, Schütze, *Introduction to information retrieval* (2008), section 8.4.

    Examples
    --------
    >>> round(average_precision([0.9, 0.8, 0.7], [1, 0, 1]), 4)
    0.8333
    """
    scores, target = _scores(scores, target)
    # Ranked in rising order and turned round: the negative of the lowest integer is no integer.
    order = np.argsort(scores, kind="stable")[::-1]
    ranked, members = scores[order], target[order]
    last_of_its_score = np.append(ranked[1:] != ranked[:-1], True)
    found = members.cumsum()[last_of_its_score]
    called = np.flatnonzero(last_of_its_score) + 1
    precision, recall = found / called, found / members.sum()
    return float(np.diff(recall, prepend=0.0) @ precision)


# ---- what comes in -------------------------------------------------------------------------------------


def _array(owner: str, name: str, value: Any) -> ndarray:
    """Return an array of what may come in a list, a tuple or a series; texts as an array of objects."""
    if isinstance(value, list | tuple):
        try:
            found = np.array(value)
        except ValueError:
            raise InputError(
                f"{owner}: {name} must be of one length in each row, got a ragged list"
            ) from None
        # A list of numbers and texts becomes all texts: so it is looked at as it was.
        mixed = np.array(value, dtype=object) if found.dtype.kind in "US" else found
        value = found.astype(np.int64) if not found.size else mixed
    elif hasattr(value, "to_numpy"):
        value = value.to_numpy()
    found = check.array(owner, name, value, "biufUTO")
    return found.astype(object) if found.dtype.kind in "UT" else found


def _label_array(owner: str, name: str, value: Any) -> ndarray:
    labels = _array(owner, name, value)
    if labels.dtype == object:
        if not all(isinstance(each, str) for each in labels.flat):
            raise DTypeError(
                f"{owner}: {name} must be integer labels or all text, got other things among them"
            )
        return labels
    if labels.dtype.kind not in "biu":
        raise DTypeError(f"{owner}: {name} must be integer labels, got {labels.dtype}")
    if labels.ndim == 0:
        raise InputError(f"{owner}: {name} must be one label for each sample, got {labels}")
    if labels.dtype.kind == "u" and labels.size and int(labels.max()) > LARGEST:
        raise InputError(f"{owner}: {name} must be below 2⁶³, got {labels.max()}")
    return labels.astype(np.int64)


def _labels(owner: str, predicted: Any, target: Any) -> tuple[ndarray, ndarray]:
    p, t = _label_array(owner, "predicted", predicted), _label_array(owner, "target", target)
    if p.shape != t.shape:
        raise InputError(f"{owner}: predicted must have the shape of target, {t.shape}, got {p.shape}")
    if p.dtype != t.dtype and p.size:
        kinds = ("text", "integers") if p.dtype == object else ("integers", "text")
        raise DTypeError(
            f"{owner}: predicted and target must be labels of one kind, got {' and '.join(kinds)}"
        )
    return p, t


def _class_names(owner: str, classes: Any) -> tuple[str, ...]:
    """Return the names of the classes: as they are given, or else their numbers."""
    if isinstance(classes, Sequence | ndarray) and not isinstance(classes, str):
        names = check.names(owner, "classes", classes, most=MOST_CLASSES)
        if len(set(names)) < len(names):
            raise InputError(f"{owner}: classes must have different names, got one twice")
        return names
    number = check.integer(owner, "classes", classes, least=1, most=MOST_CLASSES)
    return tuple(str(i) for i in range(number))


def _counted(owner: str, predicted: Any, target: Any, names: tuple[str, ...]) -> Integer[ndarray, "c c"]:
    both = dict(zip(("predicted", "target"), _labels(owner, predicted, target), strict=True))
    numbers = [_numbered(owner, name, labels, names) for name, labels in both.items()]
    # Each pair (t, p) becomes one number, so that counting pairs is counting numbers.
    classes = len(names)
    pairs = numbers[1] * classes + numbers[0]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _numbered(owner: str, name: str, labels: ndarray, names: tuple[str, ...]) -> Int[ndarray, " n"]:
    """Return labels as numbers in 0…classes − 1."""
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


def _confusion(owner: str, confusion: Any) -> Int[ndarray, "c c"]:
    matrix = _array(owner, "confusion", confusion)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InputError(f"{owner}: confusion must have shape (classes, classes), got {matrix.shape}")
    if matrix.dtype.kind not in "iu":
        raise DTypeError(f"{owner}: confusion must hold integers, got {matrix.dtype}")
    if (matrix < 0).any():
        raise InputError(f"{owner}: confusion must hold counts of 0 and more, got {matrix.min()}")
    return matrix.astype(np.int64)


def _scores(scores: Any, target: Any) -> tuple[ndarray, Bool[ndarray, " n"]]:
    owner = "average_precision"
    scores, target = _array(owner, "scores", scores), _array(owner, "target", target)
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


def _ratio(part: ndarray, whole: ndarray) -> ndarray:
    ratio: ndarray = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratio


def _mean(values: ndarray, weights: ndarray) -> float:
    known = ~np.isnan(values)
    if not known.any():
        return float("nan")
    # Where no known value has a weight, all have the same, as in scikit-learn.
    weights = weights[known] if weights[known].any() else np.ones(known.sum())
    return float(np.average(values[known], weights=weights))


class _Share(float):
    """A number of 0…1, shown in three digits; a number, so that its column is aligned like one."""

    def __str__(self) -> str:
        return "–" if self != self else f"{float(self):.3f}"  # noqa: PLR0124 - NaN alone is not itself
