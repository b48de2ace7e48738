"""An axis of accuracies that is scaled by the error rate, so that small errors can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator
from numpy import ndarray

TICKS: tuple[Sequence[float], ...] = (  # in percent, from coarse to fine
    (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95),
    (*range(0, 80, 20), 85, 92, 94, *range(95, 100), 99.7),
    (*range(0, 100, 5), *range(90, 100)),
    (*range(100), *np.arange(90, 99, 0.5).tolist(), *np.arange(99, 100, 0.1).tolist()),
)
FEWEST_TICKS = 5
GAP = 0.07  # between ticks, relative to the length of the axis
MOST_SHOWN = 99.98  # percent; higher accuracies are drawn here, as 100 % is infinitely far on this axis


def error_axis(axes: Axes, which: Literal["x", "y"], low: float, high: float) -> None:
    """Scale an axis of accuracies in percent by the error rate: 90 % to 99 % is as far as 99 % to 99.9 %.

    If the largest error is at most five times the smallest, a linear axis shows them as well and stays.
    """
    best, worst = max(100 - high, 100 - MOST_SHOWN), max(100 - low, 0.1)  # error rates
    if worst <= 5 * best:
        return
    margin = max((worst / best) ** 0.06, 1.02)
    first, last = 100 - worst * margin, 100 - best / margin
    functions = (_to_error_scale, _from_error_scale)
    if which == "x":
        axes.set_xscale("function", functions=functions)
        axes.set_xlim(first, last)
    else:
        axes.set_yscale("function", functions=functions)
        axes.set_ylim(first, last)
    axis = {"x": axes.xaxis, "y": axes.yaxis}[which]
    axis.set_major_locator(FixedLocator(_ticks(first, last)))
    axis.set_major_formatter("{x:g}")


def _ticks(first: float, last: float) -> list[float]:
    """Choose ticks from coarse to fine until they are enough, none too close to another."""
    low, high = _to_error_scale(np.array([first, last]))
    chosen: dict[float, float] = {}  # from percent to place on the axis, in 0…1
    for ticks in TICKS:
        places = (_to_error_scale(np.array(ticks)) - low) / (high - low)
        for tick, place in zip(ticks, places.tolist(), strict=True):
            if 0 <= place <= 1 and all(abs(place - other) >= GAP for other in chosen.values()):
                chosen[float(tick)] = place
        if len(chosen) >= FEWEST_TICKS:
            break
    return sorted(chosen)


def _to_error_scale(percent: ndarray) -> ndarray:
    scaled: ndarray = -np.log10(np.maximum(100 - np.asarray(percent, dtype=float), 1e-3))
    return scaled


def _from_error_scale(scaled: ndarray) -> ndarray:
    percent: ndarray = 100 - 10 ** -np.asarray(scaled, dtype=float)
    return percent
