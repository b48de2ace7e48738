"""How good predictions are: accuracy, confusion, precision and recall, average precision."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Integer
from numpy import ndarray

from npnet.errors import DTypeError, InputError


def accuracy(predicted: Integer[ndarray, "*n"], target: Integer[ndarray, "*n"]) -> float:
    """Return the share of labels that were predicted right.

    Parameters
    ----------
    predicted, target : integer arrays of one shape
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
        If the labels are not integers.

    Examples
    --------
    >>> accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1]))
    0.75
    """
    _check_labels("accuracy", predicted, target)
    return float((predicted == target).mean()) if target.size else float("nan")


def confusion_matrix(
    predicted: Integer[ndarray, " n"], target: Integer[ndarray, " n"], classes: int
) -> Integer[ndarray, "classes classes"]:
    """Count how often each class was taken for each other: M[t, p] = #{i : target i = t, predicted i = p}.

    Parameters
    ----------
    predicted, target : integer arrays, shape (n,)
        Labels in 0…classes − 1.
    classes : int
        The number of classes.

    Returns
    -------
    matrix : integer array, shape (classes, classes)
        A row for each true class, a column for each predicted one; what is right stands on the diagonal.

    Raises
    ------
    InputError
        If shapes differ or a label is outside the classes.
    DTypeError
        If the labels are not integers.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), classes=2)
    array([[1, 1],
           [0, 1]])
    """
    _check_labels("confusion_matrix", predicted, target)
    if target.ndim != 1:
        raise InputError(f"confusion_matrix: labels must have shape (n,), got {target.shape}")
    for name, labels in (("predicted", predicted), ("target", target)):
        outside = labels[(labels < 0) | (labels >= classes)]
        if outside.size:
            raise InputError(
                f"confusion_matrix: {name} must be in 0…{classes - 1} for {classes} classes, got {outside[0]}"
            )
    # Each pair (t, p) becomes one number, so that counting pairs is counting numbers.
    pairs = target.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def precision_recall(
    confusion: Integer[ndarray, "classes classes"],
) -> tuple[Float[ndarray, " classes"], Float[ndarray, " classes"]]:
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
        If the matrix is not square.

    Examples
    --------
    >>> precision, recall = precision_recall(np.array([[1, 1], [0, 2]]))
    >>> precision.round(2), recall
    (array([1.  , 0.67]), array([0.5, 1. ]))
    """
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise InputError(
            f"precision_recall: confusion must have shape (classes, classes), got {confusion.shape}"
        )
    right = confusion.diagonal()
    return _ratio(right, confusion.sum(axis=0)), _ratio(right, confusion.sum(axis=1))


def average_precision(
    scores: Float[ndarray, " n"], target: Integer[ndarray, " n"] | Bool[ndarray, " n"]
) -> float:
    """Summarise the precision-recall curve of a two-class scorer: AP = Σₖ (Rₖ − Rₖ₋₁) Pₖ.

    The threshold moves down through the scores; Pₖ and Rₖ are precision and recall when everything from
    the k-th distinct score upwards is called positive. Equal scores enter together, so the order in which
    they stand cannot matter.

    Parameters
    ----------
    scores : array, shape (n,)
        Higher means surer of class 1.
    target : integer or boolean array, shape (n,)
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
        If scores are not floating-point or labels not integers.

    References
    ----------
    Manning, Raghavan, Schütze, *Introduction to information retrieval* (2008), section 8.4.

    Examples
    --------
    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([1, 0, 1])).__round__(4)
    0.8333
    """
    _check_scores(scores, target)
    order = np.argsort(-scores, kind="stable")
    ranked, members = scores[order], target[order].astype(np.int64)
    last_of_its_score = np.append(ranked[1:] != ranked[:-1], True)
    found = members.cumsum()[last_of_its_score]
    called = np.flatnonzero(last_of_its_score) + 1
    precision, recall = found / called, found / members.sum()
    return float(np.diff(recall, prepend=0.0) @ precision)


def _check_scores(scores: ndarray, target: ndarray) -> None:
    if scores.dtype.kind != "f":
        raise DTypeError(f"average_precision: scores must be floating-point, got {scores.dtype}")
    if target.dtype.kind not in "iub":
        raise DTypeError(f"average_precision: target must be integers, got {target.dtype}")
    if scores.ndim != 1 or scores.shape != target.shape:
        raise InputError(
            f"average_precision: scores and target must have one shape (n,), "
            f"got {scores.shape} and {target.shape}"
        )
    if not np.isin(target, (0, 1)).all():
        raise InputError(f"average_precision: target must be 0 or 1, got {np.setdiff1d(target, (0, 1))[0]}")
    if not target.any():
        raise InputError("average_precision: target must have at least one 1, got none")
    if np.isnan(scores).any():
        raise InputError("average_precision: scores must be numbers, got NaN")


def _check_labels(operation: str, predicted: ndarray, target: ndarray) -> None:
    for name, labels in (("predicted", predicted), ("target", target)):
        if labels.dtype.kind not in "iu":
            raise DTypeError(f"{operation}: {name} must be integer labels, got {labels.dtype}")
    if predicted.shape != target.shape:
        raise InputError(
            f"{operation}: predicted must have the shape of target, {target.shape}, got {predicted.shape}"
        )


def _ratio(part: ndarray, whole: ndarray) -> ndarray:
    ratio: ndarray = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratio
