"""Standardise the targets of regression."""

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
    """Standardise each target number with the training part's mean and standard deviation.

    Integer targets stay as they are, and the returned standardization is None, as they may be the labels of
    pixels. So do targets that hold only 0 and 1: they are multi-label targets, which losses on
    probabilities need unchanged.
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
    """Return an array of shape (n,) as (n, 1), and any other as it is."""
    return y[:, None] if y.ndim == 1 else y
