"""Targets that are numbers, brought to mean 0 and deviation 1 as the samples are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.data.dataset import ArrayDataset
from npnet.data.standardize import Standardization, standardize


def standardized_targets(
    parts: Mapping[str, ArrayDataset],
) -> tuple[dict[str, ArrayDataset], Standardization | None]:
    """Standardise each number that is learnt by the training part's statistics.

    Targets that are no floating-point numbers stay, with None beside them, as integers may be labels of
    places in an image. So do those of nothing but 0 and 1: they say yes or no to several labels at once, and
    losses of probabilities need them so.
    """
    targets_of = [part.y for part in parts.values()]
    if any(y.dtype.kind != "f" for y in targets_of) or all(np.isin(y, (0, 1)).all() for y in targets_of):
        return dict(parts), None
    for title, part in parts.items():
        check.finite("standardize", f"y of {title}", part.y)
    columns = [as_columns(y) for y in targets_of]
    mapped, standardization = standardize(*(ArrayDataset(y, y) for y in columns))
    targets = {
        title: ArrayDataset(part.x, z.x.reshape(part.y.shape))
        for (title, part), z in zip(parts.items(), mapped, strict=True)
    }
    return targets, standardization


def as_columns(y: ndarray) -> ndarray:
    """Return numbers, one for each sample, as an array of shape (n, 1); others as they are."""
    return y[:, None] if y.ndim == 1 else y
