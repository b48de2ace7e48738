"""Mistakes in what is done with the upstream gradient, told by the right gradient for other ones.

The right gradient is linear in grad_y. So a backward that uses another upstream gradient in its place, or
leaves out a part of it, gives exactly the right gradient of that other one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy import ndarray

from npnet.gradcheck._mistakes._evidence import Evidence, Finding

MOST_OUTPUTS = 512  # up to which each output is looked at by itself
OTHER = 0x6F74686572  # a seed that grad_y will not have been drawn from
MOST_PLACES = 144  # of a window, looked at one by one

REPLACED: tuple[tuple[str, str, Callable[[ndarray], ndarray]], ...] = (
    ("ignores_upstream", "it does not depend on grad_y, which is taken for 1", np.ones_like),
    ("upstream_squared", "it is the gradient for grad_y²: the upstream gradient is squared", np.square),
    (
        "upstream_absolute",
        "it is the gradient for |grad_y|: the sign of the upstream gradient is lost",
        np.abs,
    ),
    ("upstream_sign", "it is the gradient for the sign of grad_y alone", np.sign),
)


def replaced(e: Evidence) -> Iterator[Finding]:
    """Yield another upstream gradient than the one given."""
    if e.right is None or e.grad_y is None:
        return
    g = e.grad_y
    for kind, sentence, change in REPLACED:
        if e.gives(e.right(np.asarray(change(g)))):
            yield Finding(kind, sentence)
            return
    if g.ndim >= 2 and g.shape[0] == g.shape[1] and e.gives(e.right(np.swapaxes(g, 0, 1))):
        yield Finding("upstream_transposed", "it is the gradient for the transpose of grad_y")
    for axis in range(g.ndim):
        if g.shape[axis] > 1 and e.gives(e.right(np.flip(g, axis))):
            yield Finding("upstream_flipped", f"it is the gradient for grad_y reversed along axis {axis}")
        mean = g.mean(axis=axis, keepdims=True)
        if g.shape[axis] > 1 and e.gives(e.right(g - mean)):
            yield Finding("upstream_centred", f"it is the gradient for grad_y less its mean over axis {axis}")
        if g.shape[axis] > 1 and e.gives(e.right(np.broadcast_to(mean, g.shape))):
            yield Finding("upstream_averaged", f"it is the gradient for the mean of grad_y over axis {axis}")


def twice(e: Evidence) -> Iterator[Finding]:
    """Yield a backward that is applied to its own result."""
    if e.right is None or e.grad_y is None or e.expected.shape != e.grad_y.shape or not e.whole:
        return
    if e.gives(e.right(e.expected)):
        yield Finding("applied_twice", "it is the gradient of a backward that is applied twice")


def partly_summed(e: Evidence) -> Iterator[Finding]:
    """Yield a sum over the batch that is missing, or lacks a sample."""
    g = e.grad_y
    if e.right is None or g is None or g.ndim == 0 or e.is_of_data or len(g) < 2:
        return
    n = len(g)
    for sample in (0, n - 1):
        alone = np.zeros(g.shape)
        alone[sample] = g[sample]
        called = "first" if sample == 0 else "last"
        if e.gives(e.right(alone)):
            yield Finding(
                "sum_over_batch_missing",
                f"the sum over the batch is missing: the {called} sample alone counts",
            )
        elif e.gives(e.right(g - alone)):
            yield Finding("sample_left_out", f"the {called} sample of the batch is left out of the sum")
    yield from _one_position(e, g)


def _one_position(e: Evidence, g: ndarray) -> Iterator[Finding]:
    """Yield a sum over output pixels of which one alone is taken."""
    if e.right is None or g.ndim != 4:
        return
    for place in ((0, 0), (-1, -1)):
        alone = np.zeros(g.shape)
        alone[..., place[0], place[1]] = g[..., place[0], place[1]]
        if g.shape[2] * g.shape[3] > 1 and e.gives(e.right(alone)):
            where = "first" if place == (0, 0) else "last"
            yield Finding(
                "sum_over_pixels_missing",
                f"the sum over the output pixels is missing: the {where} one alone counts",
            )


def wrong_axis(e: Evidence) -> Iterator[Finding]:
    """Yield a vector that is a sum or a mean of grad_y over other axes than it should be."""
    g = e.grad_y
    if g is None or e.expected.ndim != 1 or g.ndim < 2 or e.is_of_data:
        return
    sums = {
        axis: g.sum(axis=tuple(other for other in range(g.ndim) if other != axis))
        for axis in range(g.ndim)
        if g.shape[axis] == e.expected.shape[0]
    }
    if any(e.corrects(total) for total in sums.values()):
        for axis, total in sums.items():
            if e.gives(total):
                sentence = f"grad_y is summed over the wrong axes: it keeps axis {axis}"
                yield Finding("summed_over_wrong_axis", sentence)


def diagonal(e: Evidence) -> Iterator[Finding]:
    """Yield the diagonal of the Jacobian in place of all of it."""
    g = e.grad_y
    if e.right is None or g is None or g.shape != e.expected.shape or not 1 < g.size <= MOST_OUTPUTS:
        return
    found = np.full(g.shape, np.nan)
    for index in np.ndindex(*g.shape):
        alone = np.zeros(g.shape)
        alone[index] = g[index]
        gradient = e.right(alone)
        if gradient is None:
            return
        found[index] = gradient[index]
    if e.gives(found):
        yield Finding(
            "diagonal",
            "only the diagonal of the Jacobian counts: what other elements of y owe to x is missing",
        )


def overwritten(e: Evidence) -> Iterator[Finding]:
    """Yield gradients of overlapping windows that overwrite each other where they should be added."""
    g = e.grad_y
    if e.right is None or g is None or g.ndim != 4 or not e.is_of_data:
        return
    if not 1 < g.shape[2] * g.shape[3] <= MOST_PLACES:
        return
    last, first = np.zeros(e.expected.shape), np.zeros(e.expected.shape)
    for i, j in np.ndindex(*g.shape[2:]):
        alone = np.zeros(g.shape)
        alone[..., i, j] = g[..., i, j]
        part = e.right(alone)
        if part is None:
            return
        last = np.where(part == 0, last, part)
        first = np.where(first == 0, part, first)
    for kept, which in ((last, "last"), (first, "first")):
        if e.gives(kept):
            yield Finding(
                "overwritten",
                f"where windows overlap, the {which} one stands alone: their gradients are not added up",
            )
            return


def elsewhere(e: Evidence) -> Iterator[Finding]:
    """Yield the gradient of another point: a weight transposed or flipped, y in the place of x."""
    if e.elsewhere is None:
        return
    for name, value in e.values.items():
        if value.dtype.kind != "f" or name == e.data_name:
            continue
        if value.ndim == 2 and value.shape[0] == value.shape[1] and e.gives(e.elsewhere({name: value.T})):
            yield Finding("weight_transposed", f"it is computed with the transpose of {name}")
        if value.ndim == 4 and e.gives(e.elsewhere({name: value[..., ::-1, ::-1]})):
            yield Finding("kernel_flipped", f"it is computed with {name} flipped: the kernel runs backwards")
        if np.ptp(value) and e.gives(e.elsewhere({name: np.ones(value.shape)})):
            yield Finding(
                "factor_missing", f"it is computed as if {name} were 1: the factor {name} is missing"
            )
    x, y = e.x, e.y
    if x is None or y is None or x.dtype.kind != "f" or y.shape != x.shape or np.array_equal(x, y):
        return
    if e.gives(e.elsewhere({e.data_name: y})):
        yield Finding("taken_at_y", f"the derivative is taken at y and not at {e.data_name}")


def ignores(e: Evidence) -> bool:
    """Tell whether backward gives the same for another grad_y, whatever else is wrong with it."""
    if e.given is None or e.grad_y is None or not e.got.any():
        return False
    other = np.random.default_rng(OTHER).standard_normal(e.grad_y.shape)
    again = e.given(other)
    return again is not None and again.shape == e.got.shape and bool(np.array_equal(again, e.got))


MISTAKES = (wrong_axis, replaced, twice, partly_summed, diagonal, overwritten, elsewhere)
