"""Split the user's own samples into training, validation and test parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._words import counted
from npnet.data.dataset import ArrayDataset
from npnet.data.image_format import ImageFormat
from npnet.data.report import Report
from npnet.data.row_format import RowFormat
from npnet.data.split import Size, split
from npnet.data.splits import Splits
from npnet.errors import InputError


def default_generator(owner: str, generator: Generator | None) -> Generator:
    """Return the given generator, or one with seed 0."""
    return np.random.default_rng(0) if generator is None else check.generator(owner, generator)


def cut(
    owner: str, y: ndarray, sizes: Mapping[str, Size | None], generator: Generator, *, stratify: bool
) -> dict[str, ndarray]:
    """Return the indices of each part's samples; train gets all samples that `sizes` leaves."""
    n = len(y)
    counts = {name: _count(owner, name, size, n) for name, size in sizes.items() if size is not None}
    rest = n - sum(counts.values())
    if rest < 1:
        shown = ", ".join(f"{name} of {count}" for name, count in counts.items())
        raise InputError(f"{owner}: {shown} must leave samples to learn from, there are {n} in all")
    counts = {"train": rest, **counts}
    indices = ArrayDataset(np.arange(n), y)
    parts = split(indices, tuple(counts.values()), generator, stratify)
    return {name: part.x for name, part in zip(counts, parts, strict=True)}


def check_size(owner: str, name: str, size: Any) -> None:
    """Require a fraction, a number of samples, or None."""
    fits = size is None or (check.is_real(size) and (size >= 1 if check.is_integer(size) else 0 < size < 1))
    if not fits:
        raise InputError(
            f"{owner}: {name} must be a fraction between 0 and 1, a number of samples, or None, "
            f"got {check.described(size)}"
        )


def _count(owner: str, name: str, size: Size, n: int) -> int:
    count = int(size) if check.is_integer(size) else round(float(size) * n)
    if count < 1:
        raise InputError(
            f"{owner}: {name} of {size} must hold at least one of {counted(n, 'sample')}; "
            f"{name}=None makes no such part"
        )
    return count


def splits_of(
    owner: str,
    parts: Mapping[str, ArrayDataset],
    *,
    classes: tuple[str, ...],
    name: str,
    standardized: bool,
    format: RowFormat | ImageFormat | None,  # noqa: A002 - its name in Splits
    report: Report,
) -> Splits[ArrayDataset]:
    """Assemble float64 or float32 parts, standardise them, and round to float32 once at the end."""
    missing = _without_samples(parts["train"].y, classes)
    if missing:
        remark = f"no training sample: {', '.join(missing)}"
        report = replace(report, remarks=(*report.remarks, remark))
    splits = Splits(
        parts["train"],
        parts.get("validation"),
        parts.get("test"),
        classes=classes,
        name=name,
        format=format,
        report=report,
    )
    splits = splits.standardized() if standardized else splits
    rounded = {title: _float32(owner, title, part) for title, part in splits.parts().items()}
    return replace(splits, **rounded)  # type: ignore[arg-type] # train, validation and test


def _without_samples(y: ndarray, classes: tuple[str, ...]) -> list[str]:
    if not classes:
        return []
    counts = np.bincount(y, minlength=len(classes))
    return [name for name, count in zip(classes, counts, strict=True) if not count]


def _float32(owner: str, title: str, part: ArrayDataset) -> ArrayDataset:
    with np.errstate(over="ignore"):  # checked below
        x = part.x.astype(np.float32, copy=False)
        y = part.y.astype(np.float32) if part.y.dtype.kind == "f" else part.y
    for name, array in (("x", x), ("y", y)):
        if not np.isfinite(array).all():
            raise InputError(
                f"{owner}: {name} of {title} must hold numbers that float32 can hold; standardise them"
            )
    return ArrayDataset(x, y)
