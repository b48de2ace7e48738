"""Mistakes in operations whose outputs depend on many inputs: softmax, normalization and their losses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy import ndarray

from npnet.gradcheck._mistakes._evidence import Evidence, Finding


def softmax(e: Evidence) -> Iterator[Finding]:
    """Yield mistakes in grad_x = y (grad_y − Σ y grad_y)."""
    y, g = e.y, e.upstream_like()
    if y is None or g is None or y.dtype.kind != "f":
        return
    for axis in range(y.ndim):
        if e.corrects(e.got - y * e.got.sum(axis=axis, keepdims=True)):
            yield Finding(
                "sum_missing", f"its term − y · Σ (y · grad_y) is missing, with the sum over axis {axis}"
            )
            return
        log_correction = np.exp(np.minimum(y, 50.0)) * g.sum(axis=axis, keepdims=True)
        if e.corrects(e.got - log_correction):
            yield Finding(
                "sum_missing", f"its term − exp(y) · Σ grad_y is missing, with the sum over axis {axis}"
            )
            return
    right = [axis for axis in range(y.ndim) if e.corrects(y * (g - (y * g).sum(axis=axis, keepdims=True)))]
    given = [axis for axis in range(y.ndim) if e.gives(y * (g - (y * g).sum(axis=axis, keepdims=True)))]
    if right and given:
        yield Finding("wrong_axis", f"its sum runs over axis {given[0]} in place of axis {right[0]}")


def x_for_y(e: Evidence) -> Iterator[Finding]:
    """Yield derivatives written in y, tanh's 1 − y² and the sigmoid's y (1 − y), that are given x."""
    x, y, g = e.x, e.y, e.upstream_like()
    if x is None or y is None or g is None or x.shape != y.shape or x.dtype.kind != "f":
        return
    derivatives = {"1 − y²": (1 - y * y, 1 - x * x), "y (1 − y)": (y * (1 - y), x * (1 - x))}
    for called, (of_y, of_x) in derivatives.items():
        if e.corrects(g * of_y) and e.gives(g * of_x):
            yield Finding("x_in_place_of_y", f"x stands in the place of y in its factor {called}")


def normalization(e: Evidence) -> Iterator[Finding]:
    """Yield mistakes in grad_x = (ĝ − mean ĝ − x̂ mean(ĝ x̂)) / s: statistics taken for constants."""
    x = e.x
    if not e.is_of_data or x is None or x.dtype.kind != "f" or x.shape != e.expected.shape:
        return
    for axes in e.reduction_axes():
        centred = e.got - e.got.mean(axis=axes, keepdims=True)
        if e.corrects(centred):
            yield Finding(
                "mean_constant",
                f"its mean over {_axes(axes)} is not subtracted: the mean of x is taken for a constant",
            )
            return
        for normalized in _normalized(e, axes):
            if e.corrects(e.got - normalized * (e.got * normalized).mean(axis=axes, keepdims=True)):
                yield Finding(
                    "variance_constant",
                    f"the variance over {_axes(axes)} is taken for a constant: x̂ mean(ĝ x̂) is not subtracted",
                )
                return
            if e.corrects(centred - normalized * (e.got * normalized).mean(axis=axes, keepdims=True)):
                yield Finding(
                    "statistics_constant",
                    f"mean and variance over {_axes(axes)} are taken for constants, but they depend on x",
                )
                return


def _normalized(e: Evidence, axes: tuple[int, ...]) -> Iterator[ndarray]:
    """Yield x normalized: from y, which knows the eps, and from x itself."""
    x, y = e.x, e.y
    assert x is not None
    if y is not None and y.shape == x.shape:
        yield from _unscaled(e, y)
    deviation = x.std(axis=axes, keepdims=True)
    if np.all(deviation):
        yield (x - x.mean(axis=axes, keepdims=True)) / deviation


def _unscaled(e: Evidence, y: ndarray) -> Iterator[ndarray]:
    weight, bias = (e.like_gradient(_ending(e, name)) for name in ("weight", "bias"))
    if weight is not None and np.all(weight):
        yield (y - (0.0 if bias is None else bias)) / weight
    else:
        yield y if bias is None else y - bias


def _ending(e: Evidence, name: str) -> ndarray | None:
    """Return the parameter of a name, in whatever layer it is."""
    found = [value for key, value in e.values.items() if key.rpartition(".")[2] == name]
    return found[0] if len(found) == 1 else None


def target(e: Evidence) -> Iterator[Finding]:
    """Yield losses whose gradient lacks the target, or has logits for probabilities."""
    x = e.x
    if not e.is_of_data or x is None or x.dtype.kind != "f" or x.shape != e.expected.shape:
        return
    for name, value in e.values.items():
        hot = _one_hot(value, x)
        if hot is None or name == e.data_name:
            continue
        if e.corrects(e.got - hot * e.got.sum(axis=1, keepdims=True)) or e.multiple(hot) is not None:
            yield Finding("target_missing", f"{name} is not subtracted from the prediction")
        elif value.dtype.kind in "iu" and e.multiple(x - _probabilities(x)) is not None:
            yield Finding("logits_for_probabilities", "logits x stand where probabilities softmax(x) should")


def _one_hot(value: ndarray, x: ndarray) -> ndarray | None:
    """Return a target in the shape of x: labels as 0 and 1."""
    if value.dtype.kind == "f":
        return value if value.shape == x.shape else None
    if value.dtype.kind not in "iu" or value.ndim != 1 or x.ndim != 2 or len(value) != len(x):
        return None
    inside = (value >= 0) & (value < x.shape[1])
    return np.asarray((np.arange(x.shape[1]) == value[:, np.newaxis]) & inside[:, np.newaxis], np.float64)


def _probabilities(x: ndarray) -> ndarray:
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


MISTAKES = (softmax, x_for_y, normalization, target)
