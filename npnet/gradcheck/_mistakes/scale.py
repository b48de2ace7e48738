"""Gradients that are right but for a factor, or for a term that was added."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy import ndarray

from npnet.gradcheck._mistakes._evidence import Evidence, Finding

CLOSE = 1e-4  # how near a factor must be to a number, relative to it, to be called by its name


def nothing(e: Evidence) -> Iterator[Finding]:
    """Yield the gradient of zeros."""
    if not e.got.any():
        yield Finding("zero", f"it is 0 everywhere, as if y did not depend on {e.name}")


def factor(e: Evidence) -> Iterator[Finding]:
    """Yield one factor for all elements, and the name of the number it is."""
    found = _factor(e)
    if found is not None:
        yield from _named(found, e)


def _factor(e: Evidence) -> float | None:
    expected = e.expected[e.known]
    square = float((expected * expected).sum())
    if not square or np.count_nonzero(expected) == 0:
        return None
    c = float((e.got[e.known] * expected).sum()) / square
    return c if c and abs(c - 1) > CLOSE and e.gives(c * e.expected) else None


def _named(c: float, e: Evidence) -> Iterator[Finding]:
    if _near(c, -1.0):
        yield Finding("sign", "it has the wrong sign")
        return
    sizes = _sizes(e)
    divided = [what for what, size in sizes.items() if size > 1 and _near(c * size, 1.0)]
    multiplied = [what for what, size in sizes.items() if size > 1 and _near(c, float(size))]
    if divided:
        n = sizes[divided[0]]
        yield Finding("divided_by_n", f"it is divided by {n}, {' or '.join(divided)}, once too often")
    if multiplied:
        n = sizes[multiplied[0]]
        yield Finding(
            "multiplied_by_n",
            f"it is {n} times the right gradient; {n} is {' or '.join(multiplied)}: "
            "the division by it is missing",
        )
    if _near(c, 2.0):
        yield Finding(
            "twice",
            "it is twice the right gradient: added up over two calls or steps, or a factor of 1/2 is missing",
        )
    elif _near(c, 0.5):
        yield Finding("factor", "it is half the right gradient: a factor of 2 is missing")
    elif not divided and not multiplied:
        yield Finding("factor", f"it is {c:.4g} times the right gradient: a factor of {1 / c:.4g} is missing")


def _sizes(e: Evidence) -> dict[str, int]:
    """Return the numbers that a mean may have been taken over, by name."""
    x, y = e.x, e.y
    sizes: dict[str, int] = {}
    if x is not None and x.ndim:
        sizes["the number of samples"] = x.shape[0]
        if x.ndim == 2:
            sizes["the number of features"] = x.shape[1]
        if x.ndim > 2:
            sizes["the number of pixels"] = int(np.prod(x.shape[2:]))
            sizes["the number of samples × pixels"] = x.shape[0] * int(np.prod(x.shape[2:]))
        sizes["the number of elements of x"] = x.size
    if y is not None and y.size > 1:
        if y.ndim > 2:
            sizes["the number of output pixels"] = int(np.prod(y.shape[2:]))
        sizes["the number of elements of y"] = y.size
    return sizes


def _near(value: float, target: float) -> bool:
    return abs(value - target) <= CLOSE * abs(target)


# ---- factors that are arrays -------------------------------------------------------------------------


def missing_array(e: Evidence) -> Iterator[Finding]:
    """Yield arrays that the gradient lacks as a factor, or has once too often."""
    for label, array in _arrays(e):
        with np.errstate(all="ignore"):
            product, quotient = e.got * array, e.got / array
        if label == "grad_y" and e.corrects(product):
            yield Finding("ignores_upstream", "it does not depend on grad_y: the factor grad_y is missing")
        elif label == "grad_y" and e.corrects(quotient):
            yield Finding("upstream_squared", "grad_y is a factor twice: the upstream gradient is squared")
        elif e.corrects(product):
            yield Finding("factor_missing", f"the factor {label} is missing")
        elif e.corrects(quotient):
            yield Finding("factor_twice", f"the factor {label} is applied once too often")


def _arrays(e: Evidence) -> Iterator[tuple[str, ndarray]]:
    """Yield what a gradient is often multiplied by, in its shape and without zeros."""
    named: dict[str, ndarray | None] = {"grad_y": e.upstream_like(), **e.values}
    if e.y is not None and e.y.dtype.kind == "f":
        named |= {"y": e.y, "1 − y": np.asarray(1 - e.y), "1 + y": np.asarray(1 + e.y)}
    x = e.x
    if x is not None and x.dtype.kind == "f" and x.ndim >= 2 and x.shape == e.expected.shape:
        for axes in e.reduction_axes():
            deviation = np.broadcast_to(x.std(axis=axes, keepdims=True), x.shape)
            named[f"standard deviation over {_over(axes)}"] = deviation
    for label, value in named.items():
        array = e.like_gradient(value)
        if array is not None and np.all(array) and np.ptp(array):
            yield label, array


def _over(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


# ---- terms that were added ---------------------------------------------------------------------------


def added_term(e: Evidence) -> Iterator[Finding]:
    """Yield a term that is too much or missing: weight decay, the shortcut's gradient, a constant."""
    own = None if e.is_of_data else e.own
    decay = e.multiple(own)
    if decay is not None:
        yield Finding("weight_decay", f"{decay:.4g} · {e.name} is added to it: weight decay")
    upstream = e.multiple(e.upstream_like())
    if upstream is not None and _near(upstream, -1.0):
        yield Finding(
            "shortcut_missing", "grad_y is not added to it: the gradient of the shortcut is missing"
        )
    elif upstream is not None and _near(upstream, 1.0):
        yield Finding("shortcut_twice", "grad_y is added to it once too often")
    yield from _constant(e)


def _constant(e: Evidence) -> Iterator[Finding]:
    if not e.whole or e.expected.size < 2:
        return
    if e.gives(e.expected - e.expected.mean()):
        yield Finding("mean_subtracted", "its mean is subtracted from it")
        return
    for axis in range(e.expected.ndim if e.expected.ndim > 1 else 0):
        if e.gives(e.expected - e.expected.mean(axis=axis, keepdims=True)):
            yield Finding("mean_subtracted", f"its mean over axis {axis} is subtracted from it")
            return
    offset = e.multiple(np.ones(e.expected.shape))
    if offset is not None:
        yield Finding("constant_added", f"{offset:.4g} is added to every element of it")


# ---- functions of single values ----------------------------------------------------------------------


def elementwise(e: Evidence) -> Iterator[Finding]:
    """Yield what was done to each element by itself: sign lost, clipped, rounded."""
    if e.gives(np.abs(e.expected)):
        yield Finding("absolute", "it is the absolute value of the right gradient: the sign is lost")
    most = float(np.abs(e.got).max(initial=0.0))
    at_most = np.abs(e.got) >= most * (1 - e.rtol)
    if at_most.sum() >= 2 and e.gives(np.clip(e.expected, -most, most)):
        yield Finding("clipped", f"it is clipped at ±{most:.4g}")


MISTAKES = (factor, missing_array, added_term, elementwise)
