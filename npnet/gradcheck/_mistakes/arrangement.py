"""Gradients that hold the right numbers in the wrong places."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np
from numpy import ndarray

from npnet._words import counted
from npnet.gradcheck._mistakes._evidence import Evidence, Finding

MOST_SLICES = 64  # along an axis, of which each is compared with each


def exchanged(e: Evidence) -> Iterator[Finding]:
    """Yield another gradient of the same step that stands in this one's place."""
    for other, (other_got, other_expected) in e.others.items():
        if not e.gives(other_expected):
            continue
        if other_got.shape == e.expected.shape and e.corrects(other_got):
            yield Finding("exchanged", f"the gradients of {e.name} and {other} are exchanged")
        else:
            yield Finding("anothers", f"it is the gradient of {other}")


def transposed(e: Evidence) -> Iterator[Finding]:
    """Yield the transpose, and any other order of the axes."""
    expected = e.expected
    if expected.ndim < 2:
        return
    names = e.axis_names()
    for order in permutations(range(expected.ndim)):
        if order == tuple(range(expected.ndim)):
            continue
        turned = expected.transpose(order)
        if e.gives(turned):
            if expected.ndim == 2:
                yield Finding("transposed", "it is the transpose of the right gradient")
            else:
                moved = " and ".join(f"{names[axis]}" for axis, new in enumerate(order) if axis != new)
                yield Finding("axes_permuted", f"its axes are in the wrong order: {moved} are permuted")
            return
        # The same numbers read in another order of the axes, then cut to shape: reshape for transpose.
        back = e.got.reshape(turned.shape).transpose(np.argsort(order))
        if turned.shape != expected.shape and e.corrects(back):
            yield _reshaped()
            return
        if e.gives(expected.reshape(turned.shape).transpose(np.argsort(order))):
            yield _reshaped()
            return


def _reshaped() -> Finding:
    return Finding(
        "reshaped", "its numbers are in the memory order of other axes: reshape stands for transpose"
    )


def flipped(e: Evidence) -> Iterator[Finding]:
    """Yield an axis that runs backwards; for kernels and images both of the last two."""
    ndim, names = e.expected.ndim, e.axis_names()
    sets: list[tuple[int, ...]] = [(axis,) for axis in range(ndim)]
    sets += [(ndim - 2, ndim - 1)] if ndim > 2 else []
    for axes in sets:
        if e.corrects(np.flip(e.got, axes)):
            kernel = len(axes) == 2 and not e.is_of_data
            what = "the kernel is flipped" if kernel else "it is reversed"
            yield Finding("flipped", f"{what}: {' and '.join(names[axis] for axis in axes)} run backwards")


def shifted(e: Evidence) -> Iterator[Finding]:
    """Yield a shift along one axis or along both axes of an image; what is pushed over the edge is lost."""
    names, ndim = e.axis_names(), e.expected.ndim
    spatial = range(2, ndim) if ndim > 2 else range(ndim)
    moves: list[dict[int, int]] = [{axis: by} for axis in spatial for by in (1, -1, 2, -2)]
    if ndim > 2:
        moves += [{ndim - 2: a, ndim - 1: b} for a in (1, -1) for b in (1, -1)]
    for move in moves:
        if any(e.expected.shape[axis] < abs(by) + 2 for axis, by in move.items()):
            continue
        if _moved(e, move):
            amount = max(abs(by) for by in move.values())
            unit = "pixel" if ndim > 2 and e.is_of_data else "place"
            ways = " and ".join(_way(names[axis], by) for axis, by in move.items())
            yield Finding("shifted", f"it is shifted by {counted(amount, unit)}, {ways}")
            return


def _way(axis: str, by: int) -> str:
    """Say which way a shift goes: an image's rows are counted downwards."""
    if axis.endswith("row"):
        return "down" if by > 0 else "up"
    if axis.endswith("column"):
        return "to the right" if by > 0 else "to the left"
    return f"towards {'higher' if by > 0 else 'lower'} {axis}s"


def _moved(e: Evidence, move: dict[int, int]) -> bool:
    """Tell whether got[i + by] = expected[i] wherever both exist.

    What came in over the edge must be zeros, or what was pushed out on the other side. An image may have
    anything there: a crop that is off by a pixel takes it from the border.
    """
    kept, source = [slice(None)] * e.got.ndim, [slice(None)] * e.got.ndim
    for axis, by in move.items():
        size = e.got.shape[axis]
        kept[axis] = slice(max(by, 0), size + min(by, 0))
        source[axis] = slice(max(-by, 0), size + min(-by, 0))
    overlap, right = e.got[tuple(kept)], e.expected[tuple(source)]
    # Where the numbers vary, an overlap that agrees is no accident.
    if len(np.unique(np.round(overlap[np.isfinite(right)], 12))) <= 2:
        return False
    anything = np.full(e.got.shape, np.nan)
    zeros, around = np.zeros(e.got.shape), np.roll(e.expected, tuple(move.values()), tuple(move))
    edges = (zeros, around, anything) if e.got.ndim > 2 else (zeros, around)
    for prediction in edges:
        prediction[tuple(kept)] = right
        if e.gives(prediction):
            return True
    return False


def reordered(e: Evidence) -> Iterator[Finding]:
    """Yield slices along an axis that are all there, in the wrong order."""
    names = e.axis_names()
    for axis, size in enumerate(e.expected.shape):
        if not e.whole or not 2 <= size <= MOST_SLICES:
            continue
        order = _order(np.moveaxis(e.got, axis, 0), np.moveaxis(e.expected, axis, 0), e.rtol * e.scale)
        if order is not None:
            shown = ", ".join(map(str, order[:8])) + (", …" if size > 8 else "")
            yield Finding(
                "reordered", f"it is right {names[axis]} by {names[axis]}, but in the order {shown}"
            )


def _order(got: ndarray, expected: ndarray, tolerance: float) -> list[int] | None:
    """Return which slice of the right gradient stands at each place, if they are a permutation."""
    size = len(got)
    got, expected = got.reshape(size, -1), expected.reshape(size, -1)
    off = np.array([np.abs(expected - row).max(axis=1, initial=0.0) for row in got])
    order = [int(i) for i in off.argmin(axis=1)]
    fits = off.min(axis=1).max() <= tolerance
    return order if fits and sorted(order) == list(range(size)) and order != sorted(order) else None


MISTAKES = (exchanged, transposed, flipped, shifted)
