"""Minibatches of a data set, in order or shuffled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from numpy.random import Generator

from npnet.data import _check
from npnet.data._stack import stack
from npnet.data.dataset import ArrayDataset, Dataset
from npnet.errors import InputError


def minibatches(
    dataset: Dataset,
    batch_size: int,
    generator: Generator | None = None,
    drop_last: bool = False,
    *,
    start: int = 0,
) -> Iterator[tuple[ndarray, ndarray]]:
    """Go through a data set once, some samples at a time.

    Parameters
    ----------
    dataset : ArrayDataset, or any object with ``__len__`` and ``__getitem__``
        Items are pairs (x, target). Arrays, tensors and numbers are stacked as they are; PIL images
        become float32 arrays of shape (channels, height, width) with values in [0, 1], as
        torchvision's ``ToTensor`` makes them.
    batch_size : int
        Samples in a minibatch; the last one is smaller where the length is no multiple of it.
    generator : numpy.random.Generator, optional
        Shuffles. Without one the samples come in their order.
    drop_last : bool
        Whether a last minibatch that is not full is left out.
    start : int
        How many minibatches to pass over without loading them.

    Returns
    -------
    iterator of (x, target)
        Arrays of their own: changing them does not change the data set.

    Raises
    ------
    InputError
        If the data set is empty or is none, `batch_size` or `start` does not fit, no minibatch would be
        left, or, while iterating, a sample differs from the first of its minibatch in shape or dtype.

    Notes
    -----
    Exactly one permutation is drawn, when the function is called. The order of an epoch is therefore a
    function of the generator's state at its start: with that state and the number of minibatches done
    (`start`), an interrupted epoch goes on exactly where it stood.

    Examples
    --------
    >>> data = ArrayDataset(np.arange(5.0), np.arange(5))
    >>> [target.tolist() for x, target in minibatches(data, 2)]
    [[0, 1], [2, 3], [4]]
    >>> shuffled = minibatches(data, 2, np.random.default_rng(0), drop_last=True)
    >>> [target.tolist() for x, target in shuffled]
    [[2, 4], [3, 0]]
    """
    number = count_minibatches(dataset, batch_size, drop_last)
    if not _check.is_integer(start) or not 0 <= start <= number:
        raise InputError(f"minibatches: start must be 0..{number}, got {start!r}")
    if generator is None:
        order = np.arange(len(dataset))
    else:
        _check.generator("minibatches", generator)
        order = generator.permutation(len(dataset))
    return (_gather(dataset, order[i * batch_size : (i + 1) * batch_size]) for i in range(start, number))


def count_minibatches(dataset: Dataset, batch_size: int, drop_last: bool = False) -> int:
    """Return how many minibatches `minibatches` gives.

    Parameters
    ----------
    dataset : ArrayDataset, or any object with ``__len__`` and ``__getitem__``
    batch_size : int
        Samples in a minibatch.
    drop_last : bool
        Whether a last minibatch that is not full is left out.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If the data set is empty or is none, `batch_size` is not a positive integer, or no minibatch
        would be left.

    Examples
    --------
    >>> data = ArrayDataset(np.arange(5.0), np.arange(5))
    >>> count_minibatches(data, 2), count_minibatches(data, 2, drop_last=True)
    (3, 2)
    """
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"minibatches: dataset must have __len__ and __getitem__, got {type(dataset).__name__}"
        )
    _check.positive("minibatches", batch_size=batch_size)
    n = len(dataset)
    if n == 0:
        raise InputError("minibatches: dataset must hold at least one sample, got an empty one")
    if drop_last and n < batch_size:
        raise InputError(
            f"minibatches: batch_size must be at most {n} with drop_last=True, "
            f"or no minibatch is left, got {batch_size}"
        )
    return n // batch_size if drop_last else -(-n // batch_size)


def _gather(dataset: Dataset, indices: Int[ndarray, " n"]) -> tuple[ndarray, ndarray]:
    # Only this very class: a subclass may have a __getitem__ of its own.
    if type(dataset) is ArrayDataset:
        return dataset.x[indices], dataset.y[indices]
    places = indices.tolist()
    return stack([dataset[i] for i in places], places)
