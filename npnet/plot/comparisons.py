"""Classifiers side by side: several on one data set, two on many data sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy import ndarray

from npnet.errors import InputError
from npnet.plot._arguments import MOST_PICTURES, mapping, numbers, share
from npnet.plot._errors import error_axis
from npnet.plot._style import (
    BLUE,
    CURVE_COLOURS,
    GREY,
    ORANGE,
    drawing,
    grid_lines,
    labelled,
    legend_below,
    new_figure,
)
from npnet.shapes import Float

MARKERS = ("o", "D", "s")


@drawing
def accuracies(
    scores: Mapping[str, Mapping[str, float]], *, must_reach: float | None = None, title: str = ""
) -> Figure:
    """Draw the accuracies of several classifiers, a line for each and a marker for each part of the data.

    Parameters
    ----------
    scores : dict from classifiers to dicts from parts to accuracies
        In 0…1; up to 200 classifiers, judged on the same parts, at most three.
    must_reach : float, optional
        An accuracy to mark, in 0…1.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, the parts differ, or an accuracy is not in 0…1.
    """
    owner = "accuracies"
    if must_reach is not None:
        must_reach = share(owner, "must_reach", must_reach)
    rows = {
        name: {
            part: share(owner, f"scores of {name!r}, {part!r},", value)
            for part, value in mapping(owner, f"scores of {name!r}", parts, most=len(MARKERS)).items()
        }
        for name, parts in mapping(owner, "scores", scores, most=MOST_PICTURES).items()
    }
    parts = list(next(iter(rows.values())))
    for name, row in rows.items():
        if list(row) != parts:
            raise InputError(f"{owner}: scores of {name!r} must be of {parts}, got those of {list(row)}")
    percent = 100 * np.array([list(row.values()) for row in rows.values()])  # (classifiers, parts)

    figure = new_figure(8.0, 0.36 * len(rows) + 1.3, title)
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1]
    for values, part, colour, marker in zip(percent.T, parts, CURVE_COLOURS, MARKERS, strict=False):
        axes.plot(values, places, marker, color=colour, label=part, zorder=3)
    error_axis(axes, "x", float(percent.min()), float(max(percent.max(), 100 * (must_reach or 0))))
    if must_reach is not None:
        label = f"to be reached: {100 * must_reach:g} %"
        axes.axvline(100 * must_reach, color=GREY, linestyle=":", label=label)
    axes.set_yticks(places, list(rows))
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.set_xlabel("accuracy (%)")
    grid_lines(axes)
    legend_below(figure, labelled(figure))
    return figure


@drawing
def paired_comparison(
    scores: Mapping[str, Mapping[str, Float[ndarray, " data_sets"]]], *, title: str = ""
) -> Figure:
    """Compare two classifiers that were judged on the same data sets.

    Each data set is a line from the score of one to the score of the other; beside the lines stand means and
    standard deviations. The last panel shows the difference on every data set, in ascending order.

    Parameters
    ----------
    scores : dict from measures to dicts from the names of two classifiers to arrays, shape (data_sets,)
        In 0…1; up to 20 measures.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a measure does not compare two classifiers on the same number of data sets.
    """
    measured = {
        measure: _pair(measure, pair)
        for measure, pair in mapping("paired_comparison", "scores", scores).items()
    }
    figure = new_figure(3.6 * (len(measured) + 1), 4.0, title)
    panels = figure.subplots(1, len(measured) + 1, squeeze=False)[0]
    for axes, (measure, pair) in zip(panels, measured.items(), strict=False):
        _draw_pairs(axes, measure, pair)
    _draw_differences(panels[-1], *next(iter(measured.items())))
    return figure


def _pair(measure: str, pair: Mapping[str, ndarray]) -> dict[str, ndarray]:
    owner = "paired_comparison"
    found = {
        name: numbers(owner, f"{measure} scores of {name!r}", values, "(data_sets,)").astype(np.float64)
        for name, values in mapping(owner, f"scores of {measure!r}", pair).items()
    }
    sizes = {name: len(values) for name, values in found.items()}
    if len(sizes) != 2 or len(set(sizes.values())) != 1:
        raise InputError(f"{owner}: {measure} scores must be of two names, as many of each, got {sizes}")
    return found


def _draw_pairs(axes: Axes, measure: str, pair: Mapping[str, ndarray]) -> None:
    first, second = pair.values()
    axes.plot([0, 1], 100 * np.stack([first, second]), color=GREY, alpha=0.35, linewidth=0.8, zorder=1)
    for place, (values, colour) in enumerate(((first, BLUE), (second, ORANGE))):
        axes.scatter(np.full(len(values), place), 100 * values, s=12, color=colour, alpha=0.6, zorder=2)
        mean, deviation = 100 * values.mean(), 100 * values.std(ddof=1) if len(values) > 1 else 0.0
        beside = place + (0.34 if place else -0.34)
        axes.errorbar(beside, mean, deviation, fmt="o", color=colour, capsize=4, zorder=3)
        axes.annotate(
            f"{mean:.1f} ± {deviation:.1f}", (beside, mean - deviation), (0, -6), ha="center", va="top",
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axes.set_xticks([0, 1], list(pair))
    axes.set_xlim(-0.8, 1.8)
    axes.margins(y=0.12)  # room for the labels
    axes.set_ylabel(f"{measure} (%)")
    grid_lines(axes, axis="y")


def _draw_differences(axes: Axes, measure: str, pair: Mapping[str, ndarray]) -> None:
    """Draw a bar for each data set, in ascending order, in the colour of the better classifier."""
    (name, first), (other, second) = pair.items()
    difference = np.sort(100 * (first - second))
    place = np.arange(1, len(difference) + 1)
    for better, colour in ((difference > 0, BLUE), (difference < 0, ORANGE)):
        axes.bar(place[better], difference[better], color=colour, width=0.8)
    axes.axhline(0, color="black", linewidth=1)
    mean = f"{difference.mean():+.1f}".replace("-", "−")
    axes.axhline(difference.mean(), color=GREY, linestyle="--", linewidth=1.2, label=f"mean {mean}")
    axes.set_xlim(0, len(difference) + 1)
    axes.set_xlabel("data sets, by difference")
    axes.set_ylabel(f"{measure}: {name} − {other} (points)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8, loc="upper left")
