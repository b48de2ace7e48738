"""Minibatches of a data set, in order or shuffled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.data._stack import stack
from npnet.data.convert import dataset_of
from npnet.data.dataset import ArrayDataset, Dataset
from npnet.errors import InputError
from npnet.shapes import Int


def minibatches(
    dataset: Dataset | Mapping[str, Any],
    batch_size: int,
    generator: Generator | None = None,
    drop_last: bool = False,
    *,
    start: int = 0,
) -> Iterator[tuple[ndarray, ndarray]]:
    """Iterate over a data set once, in minibatches.

    Parameters
    ----------
    dataset : ArrayDataset, any object with ``__len__`` and ``__getitem__``, or what `as_dataset` takes
        Items are pairs (x, target). Arrays, tensors and numbers are stacked as they are; PIL images
        become float32 arrays of shape (channels, height, width) with values in [0, 1], like those of
        torchvision's ``ToTensor``.
    batch_size : int
        Samples in a minibatch; the last one is smaller if the number of samples is not a multiple of it.
    generator : numpy.random.Generator, optional
        Shuffles the samples. By default they keep their order.
    drop_last : bool
        Whether to leave out a last minibatch that is not full.
    start : int
        How many minibatches to skip without loading them.

    Returns
    -------
    iterator of (x, target)
        The arrays are copies: changing them does not change the data set.

    Raises
    ------
    InputError
        If the data set is empty or not a data set, `batch_size` or `start` does not fit, no minibatch would
        be left, or, while iterating, a sample differs from the first of its minibatch in shape or dtype.

    Notes
    -----
    The call draws exactly one permutation. The order of an epoch therefore depends only on the generator's
    state before the call: with that state and the number of completed minibatches as `start`, an interrupted
    epoch continues exactly where it stopped.

    Examples
    --------
    >>> data = ArrayDataset(np.arange(5.0), np.arange(5))
    >>> [target.tolist() for x, target in minibatches(data, 2)]
    [[0, 1], [2, 3], [4]]
    >>> shuffled = minibatches(data, 2, np.random.default_rng(0), drop_last=True)
    >>> [target.tolist() for x, target in shuffled]
    [[2, 4], [3, 0]]
    """
    dataset, size = dataset_of("minibatches", "dataset", dataset), _size(batch_size)
    number = count_minibatches(dataset, size, drop_last)
    start = check.integer("minibatches", "start", start, least=0, most=number)
    if generator is None:
        order = np.arange(len(dataset))
    else:
        order = check.generator("minibatches", generator).permutation(len(dataset))
    return (_gather(dataset, order[i * size : (i + 1) * size]) for i in range(start, number))


def count_minibatches(dataset: Dataset | Mapping[str, Any], batch_size: int, drop_last: bool = False) -> int:
    """Return the number of minibatches that `minibatches` yields.

    Parameters
    ----------
    dataset : ArrayDataset, or any object with ``__len__`` and ``__getitem__``
    batch_size : int
        Samples in a minibatch.
    drop_last : bool
        Whether to leave out a last minibatch that is not full.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If the data set is empty or not a data set, `batch_size` is not a positive integer, or no minibatch
        would be left.

    Examples
    --------
    >>> data = ArrayDataset(np.arange(5.0), np.arange(5))
    >>> count_minibatches(data, 2), count_minibatches(data, 2, drop_last=True)
    (3, 2)
    """
    n, size = len(dataset_of("minibatches", "dataset", dataset)), _size(batch_size)
    drop_last = check.flag("minibatches", "drop_last", drop_last)
    if n == 0:
        raise InputError("minibatches: dataset must hold at least one sample, got an empty one")
    if drop_last and n < size:
        raise InputError(
            f"minibatches: batch_size must be at most {n} with drop_last=True, "
            f"or no minibatch is left, got {size}"
        )
    return n // size if drop_last else -(-n // size)


def _size(batch_size: int) -> int:
    return check.integer("minibatches", "batch_size", batch_size, least=1)


def _gather(dataset: Dataset, indices: Int[ndarray, " n"]) -> tuple[ndarray, ndarray]:
    # Not for subclasses, which may override __getitem__.
    if type(dataset) is ArrayDataset:
        return dataset.x[indices], dataset.y[indices]
    places = indices.tolist()
    return stack([dataset[i] for i in places], places)
