"""Split a data set into parts at random, stratified by class."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.data.dataset import ArrayDataset
from npnet.errors import InputError
from npnet.shapes import Int

Size = int | float  # a number of samples, or a fraction of them


def split(
    dataset: ArrayDataset, sizes: Sequence[Size], generator: Generator, stratify: bool = True
) -> tuple[ArrayDataset, ...]:
    """Split a data set into parts; every sample goes to exactly one part.

    Parameters
    ----------
    dataset : ArrayDataset
    sizes : sequence of float, or of int
        One for each part: fractions that sum to 1, or numbers of samples that sum to the length.
    generator : numpy.random.Generator
        Assigns the samples to parts; the same state gives the same parts.
    stratify : bool
        Whether each class is divided among the parts in proportion to their sizes; y must then hold
        integer labels.

    Returns
    -------
    tuple of ArrayDataset
        One part for each size. Within a part the samples keep their order.

    Raises
    ------
    InputError
        If the sizes do not fit, a part would be empty, or `stratify` is True and y does not hold labels.

    Notes
    -----
    To stratify, the nₖ samples of class k are shuffled and placed at (i + uₖ)/nₖ in [0, 1), for
    i = 0 … nₖ − 1, with one random offset uₖ in [0, 1) for each class. Each class is then distributed evenly
    over the interval, and the interval is divided in proportion to the sizes. So each part has exactly its
    size, and its number of samples of each class is proportional to within a few samples.

    Examples
    --------
    >>> data = ArrayDataset(np.arange(10.0), np.array([0, 1] * 5))
    >>> train, validation, test = split(data, (0.6, 0.2, 0.2), np.random.default_rng(0))
    >>> len(train), len(validation), len(test)
    (6, 2, 2)
    >>> np.bincount(train.y)
    array([3, 3])
    """
    check.instance("split", "dataset", dataset, ArrayDataset, "an ArrayDataset")
    check.generator("split", generator)
    stratify = check.flag("split", "stratify", stratify)
    cuts = np.cumsum(_counts(len(dataset), sizes))[:-1]
    order = _stratified_order(dataset.y, generator) if stratify else generator.permutation(len(dataset))
    return tuple(dataset.subset(np.sort(part)) for part in np.split(order, cuts))


def hold_out(
    dataset: ArrayDataset, size: Size | None, generator: Generator | None
) -> tuple[ArrayDataset, ArrayDataset | None]:
    """Split a held-out part off a data set, stratified by class; a validation part, for example.

    Parameters
    ----------
    dataset : ArrayDataset
    size : float, int or None
        A fraction between 0 and 1, or a number of samples; None holds nothing out.
    generator : numpy.random.Generator or None
        Decides which samples are held out; required unless `size` is None.

    Returns
    -------
    rest, held_out : ArrayDataset, ArrayDataset or None

    Raises
    ------
    InputError
        If one of the parts would be empty, or a generator is required and missing.

    Examples
    --------
    >>> data = ArrayDataset(np.arange(10.0), np.array([0, 1] * 5))
    >>> rest, held_out = hold_out(data, 0.2, np.random.default_rng(0))
    >>> len(rest), len(held_out)
    (8, 2)
    """
    check.instance("hold_out", "dataset", dataset, ArrayDataset, "an ArrayDataset")
    if size is None:
        return dataset, None
    if generator is None:
        raise InputError("hold_out: generator must be given where a part is held out, got None")
    check.generator("hold_out", generator)
    whole = len(dataset) if check.is_integer(size) else 1
    if not check.is_real(size) or not 0 < size < whole:
        raise InputError(
            f"hold_out: size must be a fraction between 0 and 1 or a number of samples "
            f"below {len(dataset)}, got {check.described(size)}"
        )
    size = int(size) if check.is_integer(size) else float(size)  # whole − size may overflow np.uint8
    rest, held_out = split(dataset, (whole - size, size), generator)
    return rest, held_out


def _counts(n: int, sizes: Sequence[Size]) -> list[int]:
    """Return the sizes as numbers of samples that sum to n, with fractions rounded up or down."""
    given: list[Any] = list(sizes) if isinstance(sizes, tuple | list | ndarray) else []
    counts, fits = [], False
    if all(check.is_integer(size) for size in given):
        counts = [int(size) for size in given]
        fits = sum(counts) == n
    elif all(check.is_real(size) for size in given) and isclose(sum(given), 1, abs_tol=1e-9):
        bounds = np.rint(np.cumsum([0.0, *(float(size) for size in given)]) * n).astype(int)
        counts, fits = np.diff(bounds).tolist(), True
    if not counts or not fits:
        shown = tuple(given) if given else check.described(sizes)
        raise InputError(
            f"split: sizes must be fractions that sum to 1 or integers that sum to {n}, got {shown!r:.60}"
        )
    if min(counts) < 1:
        raise InputError(f"split: every part must hold at least one of {n} samples, got sizes {tuple(given)}")
    return counts


def _stratified_order(y: ndarray, generator: Generator) -> Int[ndarray, " n"]:
    """Return a random order in which every section holds the classes in their proportions."""
    check.class_labels("split with stratify=True", y)
    place = np.empty(len(y))
    for label in np.unique(y):
        members = generator.permutation(np.flatnonzero(y == label))
        place[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(place, kind="stable")
