"""Arrays that share memory, which updates in place would change twice."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy import ndarray


def overlapping(arrays: Mapping[str, ndarray]) -> tuple[str, str] | None:
    """Return the names of the first two arrays that share an element, or None.

    Examples
    --------
    >>> x = np.zeros(6)
    >>> overlapping({"even": x[::2], "odd": x[1::2]})
    >>> overlapping({"first": x[:4], "last": x[3:]})
    ('first', 'last')
    """
    for (name, array), (other_name, other) in combinations(arrays.items(), 2):
        if np.shares_memory(array, other):
            return name, other_name
    return None


def overlaps_itself(array: ndarray) -> bool:
    """Say whether an axis repeats one element, as in a broadcast array."""
    return array.size > 1 and any(
        size > 1 and stride == 0 for size, stride in zip(array.shape, array.strides, strict=True)
    )
