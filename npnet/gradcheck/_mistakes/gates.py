"""Mistakes that are made at some elements and not at others: gates, ties, slices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy import ndarray

from npnet.gradcheck._mistakes import scale
from npnet.gradcheck._mistakes._evidence import Evidence, Finding

FEW = 3  # wrong elements of a sample: fewer may share a slice by accident


def gate(e: Evidence) -> Iterator[Finding]:
    """Yield a gate that is closed where it should be open, open where it should be closed, or the inverse."""
    closed = e.wrong & (e.got == 0)
    opened = e.wrong & e.is_zero
    right = e.known & ~e.wrong
    if not (closed | opened)[e.wrong].all():
        return
    for side, where in _sides(e):
        # Where the right gradient is 0 anyway, it does not show on which side of the gate an element is.
        shows = e.known & ~e.is_zero
        if not opened.any() and _matches(closed, where & shows):
            yield Finding("zero_where", f"it is 0 where {side}, and should not be")
            return
        if not closed.any() and not (opened & ~where).any() and not (right & where & (e.got != 0)).any():
            yield Finding("gate_missing", f"it is not 0 where {side}: the gate is missing")
            return
        passed = e.known & (e.got != 0)
        if closed.any() and opened.any() and not (passed & ~where).any() and not (closed & where).any():
            yield Finding(
                "gate_inverted", f"it is 0 everywhere but where {side}: the gate is the wrong way round"
            )
            return


def zeros(e: Evidence) -> Iterator[Finding]:
    """Yield errors at elements that are 0, or should be, wherever they are."""
    closed = e.wrong & (e.got == 0)
    opened = e.wrong & e.is_zero
    if opened.any() and not (e.wrong & ~opened).any():
        yield Finding("passes_where_zero", "where it should be 0 it is not; everywhere else it is right")
    elif closed.any() and not (e.wrong & ~closed).any():
        yield Finding(
            "zero_in_places", "it is 0 in places where it should not be; everywhere else it is right"
        )


def _sides(e: Evidence) -> Iterator[tuple[str, ndarray]]:
    """Yield what a gate may depend on: the sign of the input."""
    x = e.own if e.own is not None else None
    if x is None or x.dtype.kind != "f":
        return
    called = "the input" if e.is_of_data else e.name
    yield f"{called} was negative", x < 0
    yield f"{called} was positive", x > 0
    yield f"{called} was 0", x == 0
    yield f"{called} was 0 or negative", x <= 0


def _matches(found: ndarray, predicted: ndarray) -> bool:
    return bool(found.any()) and np.array_equal(found, predicted)


def ties(e: Evidence) -> Iterator[Finding]:
    """Yield errors at ties alone: inputs that equal another of their image, or stand at a kink."""
    x = e.own
    if not e.is_of_data or x is None or x.dtype.kind != "f" or not e.wrong.any():
        return
    if not (e.wrong & (x != 0)).any():
        yield Finding("ties", "it is right except at the kink, where the input is 0")
        return
    tied = ties_in(x)
    if tied.any() and not tied.all() and not (e.wrong & ~tied).any():
        yield Finding("ties", "it is right except at ties, where two inputs are equal")


def ties_in(x: ndarray) -> ndarray:
    """Return where an element has an equal in its image; where there are no images, in its row.

    Parameters
    ----------
    x : array

    Returns
    -------
    tied : boolean array of the same shape
    """
    width = int(np.prod(x.shape[-2:])) if x.ndim > 2 else x.shape[-1] if x.ndim else 1
    rows = x.reshape(-1, width)
    tied = np.zeros(rows.shape, bool)
    for row, values in zip(tied, rows, strict=True):
        different, counts = np.unique(values, return_counts=True)
        row[:] = np.isin(values, different[counts > 1])
    return tied.reshape(x.shape)


def slices(e: Evidence) -> Iterator[Finding]:
    """Yield errors in one slice along an axis: the last row of the batch, one channel, a border."""
    if not e.whole and e.wrong.sum() < FEW:
        return
    single = {
        axis: int(places[0])
        for axis, size in enumerate(e.expected.shape)
        if size > 1 and len(places := _places(e.wrong, axis)) == 1
    }
    if not single:
        return
    names, shape = e.axis_names(), e.expected.shape
    where = [slice(None)] * len(shape)
    for axis, k in single.items():
        where[axis] = slice(k, k + 1)
    part = e.within(tuple(where))
    called = ", ".join(_called(names[axis], k, shape[axis]) for axis, k in single.items())
    if e.wrong.sum() == 1 and e.wrong.ndim > 1:
        called = f"one element, {tuple(int(i) for i in np.argwhere(e.wrong)[0])}"
    yield Finding("one_slice", f"it is right except for {called}{_there(part)}")


def _places(wrong: ndarray, axis: int) -> ndarray:
    others = tuple(other for other in range(wrong.ndim) if other != axis)
    return np.flatnonzero(wrong.any(axis=others))


def _called(name: str, k: int, size: int) -> str:
    if name == "sample":
        if k == size - 1:
            return "the last row of the batch"
        return "the first row of the batch" if k == 0 else f"row {k} of the batch"
    if "image" in name or "kernel" in name:
        place = {0: "first ", size - 1: "last "}.get(k, "")
        return f"the {place}{name}" if place else f"{name} {k}"
    return f"one {name}, {k} of 0…{size - 1}"


def _there(part: Evidence) -> str:
    """Say what the gradient is in the one slice that is wrong, if that is plain."""
    found = next((finding for mistake in (scale.nothing, scale.factor) for finding in mistake(part)), None)
    if found is None:
        return ""
    return ", where it is 0" if found.kind == "zero" else f", where {found.sentence}"
