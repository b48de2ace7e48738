"""Metrics of classification: accuracy, confusion matrix, precision, recall, F1 and average precision.

Labels are integers from 0, booleans or text, in arrays, lists, tuples or series. Predicted labels come first
and true labels second; in scikit-learn the order is the reverse.

The precision of a class that was never predicted is 0/0, as is the recall of a class without members. Both
are NaN, as with ``zero_division=np.nan`` in scikit-learn, and left out of averages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from npnet._metric_arguments import (
    Classes,
    Labels,
    checked_confusion,
    checked_scores,
    class_names,
    counted_pairs,
    label_pair,
)
from npnet._words import counted
from npnet.shapes import Float, Int, Integer
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


def accuracy(predicted: Labels, target: Labels) -> float:
    """Return the fraction of labels that were predicted correctly.

    Parameters
    ----------
    predicted, target : integer, boolean or text labels of one shape
        Of scores, pass ``scores.argmax(axis=1)``.

    Returns
    -------
    accuracy : float
        In 0…1; NaN if there are no labels.

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
    predicted, target = label_pair("accuracy", predicted, target)
    return float((predicted == target).mean()) if target.size else float("nan")


def confusion_matrix(
    predicted: Labels, target: Labels, classes: Classes
) -> Integer[ndarray, "classes classes"]:
    """Count each pair of true and predicted class: M[t, p] = #{i : target i = t, predicted i = p}.

    Parameters
    ----------
    predicted, target : labels, shape (n,)
        In 0…classes − 1, or names of classes.
    classes : int, or sequence of str
        The number of classes, or their names in the order of the labels.

    Returns
    -------
    matrix : integer array, shape (classes, classes)
        A row for each true class, a column for each predicted one; correct predictions are on the diagonal.

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
    names = class_names("confusion_matrix", classes)
    return counted_pairs("confusion_matrix", predicted, target, names)


def precision_recall(confusion: Any) -> tuple[Float[ndarray, " classes"], Float[ndarray, " classes"]]:
    """Return the precision and recall of each class, from the confusion matrix.

    Precision is the fraction of a class's predictions that are correct, M[c,c] / Σₜ M[t,c]; recall is the
    fraction of its members that were predicted as such, M[c,c] / Σₚ M[c,p].

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
    matrix = checked_confusion("precision_recall", confusion)
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
    matrix = checked_confusion("f1", confusion)
    return _ratio(2 * matrix.diagonal(), matrix.sum(axis=0) + matrix.sum(axis=1))


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Precision, recall and F1 of each class; printed, or in a notebook, a table.

    Attributes
    ----------
    classes : tuple of str
        The classes' names.
    precision, recall, f1 : arrays, shape (classes,)
        NaN for 0/0.
    support : integer array, shape (classes,)
        The number of members of each class.
    accuracy : float
        The fraction of correct predictions; NaN if there are none.
    """

    classes: tuple[str, ...]
    precision: Float[ndarray, " classes"]
    recall: Float[ndarray, " classes"]
    f1: Float[ndarray, " classes"]
    support: Int[ndarray, " classes"]
    accuracy: float

    def averages(self) -> dict[str, tuple[float, float, float]]:
        """Return the means of precision, recall and F1 over classes, plain and weighted by members.

        Classes with NaN are left out.
        """
        columns = (self.precision, self.recall, self.f1)
        precision, recall, f1_score = (_mean(column, np.ones(len(column))) for column in columns)
        weighted = [_mean(column, self.support) for column in columns]
        return {
            "mean of the classes": (precision, recall, f1_score),
            "weighted by members": (weighted[0], weighted[1], weighted[2]),
        }

    def _table(self) -> tuple[str, list[str], list[list[object]]]:
        columns: tuple[ndarray, ...] = (self.precision, self.recall, self.f1)
        members = int(self.support.sum())
        named: dict[str, tuple[float, ...]] = {
            name: tuple(float(column[i]) for column in columns) for i, name in enumerate(self.classes)
        }
        rows = [
            [name, *map(_Fraction, values), int(count)]
            for (name, values), count in zip(named.items(), self.support, strict=True)
        ]
        rows += [[name, *map(_Fraction, values), members] for name, values in self.averages().items()]
        samples = f"{members:,} sample{'' if members == 1 else 's'}".replace(",", " ")
        title = f"accuracy {_Fraction(self.accuracy)} of {samples}"
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
    """Compute precision, recall, F1 and the number of members of every class.

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
    names = class_names("report", classes)
    matrix = counted_pairs("report", predicted, target, names)
    precision, recall = precision_recall(matrix)
    samples = int(matrix.sum())
    share = float(matrix.trace() / samples) if samples else float("nan")
    return Report(names, precision, recall, f1(matrix), matrix.sum(axis=1), share)


def average_precision(scores: Any, target: Labels) -> float:
    """Return the average precision of a binary classifier's scores: AP = Σₖ (Rₖ − Rₖ₋₁) Pₖ.

    Pₖ and Rₖ are precision and recall if all samples with at least the k-th largest distinct score are
    predicted positive. Equal scores count together, so their order does not matter.

    Parameters
    ----------
    scores : numbers, shape (n,)
        Higher scores stand for class 1.
    target : integer or boolean labels, shape (n,)
        1 for members of the class, 0 for the others.

    Returns
    -------
    average_precision : float
        In 0…1; 1 if every member of the class has a higher score than every other sample.

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
    scores, target = checked_scores(scores, target)
    # Sorted in ascending order and reversed, since the lowest integer cannot be negated.
    order = np.argsort(scores, kind="stable")[::-1]
    ranked, members = scores[order], target[order]
    last_of_its_score = np.append(ranked[1:] != ranked[:-1], True)
    true_positives = members.cumsum()[last_of_its_score]
    positives = np.flatnonzero(last_of_its_score) + 1
    precision, recall = true_positives / positives, true_positives / members.sum()
    return float(np.diff(recall, prepend=0.0) @ precision)


def _ratio(part: ndarray, whole: ndarray) -> ndarray:
    """Return part/whole, with NaN for 0/0."""
    ratio: ndarray = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratio


def _mean(values: ndarray, weights: ndarray) -> float:
    known = ~np.isnan(values)
    if not known.any():
        return float("nan")
    # If all known values have weight 0, they are weighted equally, as in scikit-learn.
    weights = weights[known] if weights[known].any() else np.ones(known.sum())
    return float(np.average(values[known], weights=weights))


class _Fraction(float):
    """A fraction in 0…1, shown with three digits; a float, so that tables align it as a number."""

    def __str__(self) -> str:
        return "–" if self != self else f"{float(self):.3f}"  # noqa: PLR0124 - NaN alone is not itself
