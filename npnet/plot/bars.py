"""Bars for each class: how frequent it is, how well it is recognised."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.plot._arguments import Names, mapping, names, numbers, share, shares
from npnet.plot._style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    class_ticks,
    drawing,
    grid_lines,
    grouped,
    labelled,
    legend_below,
    longest,
    new_figure,
)
from npnet.shapes import Float, Integer


@drawing
def class_histogram(
    parts: Mapping[str, Integer[ndarray, " n"]], class_names: Names, *, title: str = ""
) -> Figure:
    """Draw how frequent each class is in the parts of a data set, in percent, so that parts compare.

    Parameters
    ----------
    parts : dict from names to integer arrays, shape (n,)
        The labels of up to three parts, in 0…classes − 1.
    class_names : sequence of str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no part, there are more than three, or one is empty.
    """
    owner = "class_histogram"
    class_names = names(owner, class_names)
    parts = mapping(owner, "parts", parts, most=3)
    for name, labels in parts.items():
        check.class_labels(owner, labels, f"parts' labels of {name!r}", classes=len(class_names))
        if not len(labels):
            raise InputError(f"{owner}: parts must not be empty, got no label in {name!r}")
    classes = len(class_names)
    figure = new_figure(min(14.0, max(5.0, 1.5 + 0.3 * classes)), 3.2, title)
    axes = figure.subplots()
    width = 0.8 / len(parts)
    for i, (name, labels) in enumerate(parts.items()):
        percent = 100 * np.bincount(labels, minlength=classes) / len(labels)
        place = np.arange(classes) + (i - (len(parts) - 1) / 2) * width
        label = f"{name}, {grouped(len(labels))} samples"
        axes.bar(place, percent, width, color=(BLUE, ORANGE, GREEN)[i], label=label)
    axes.axhline(100 / classes, color="black", linestyle=":", linewidth=1, label="all classes alike")
    axes.set_xticks(*class_ticks(class_names), rotation=90 if longest(class_names) > 2 else 0)
    axes.set_xlim(-0.7, classes - 0.3)
    axes.set_xlabel("class")
    axes.set_ylabel("share of the samples (%)")
    grid_lines(axes, axis="y")
    legend_below(figure, labelled(figure))
    return figure


@drawing
def accuracy_by_class(
    accuracies: Float[ndarray, " classes"],
    class_names: Names,
    *,
    overall: float,
    most: int = 30,
    title: str = "",
) -> Figure:
    """Draw the accuracy on the samples of each class, best class first.

    Parameters
    ----------
    accuracies : array, shape (classes,)
        In 0…1; a class without samples has NaN and is left out.
    class_names : sequence of str
    overall : float
        The accuracy over all classes, in 0…1, drawn as a line.
    most : int
        2 or more. If there are more classes, the best and the worst are drawn, half of it each.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is not one accuracy for each name, none is a number, or one is not in 0…1.
    """
    owner = "accuracy_by_class"
    class_names = names(owner, class_names)
    overall, most = share(owner, "overall", overall), check.integer(owner, "most", most, least=2)
    accuracies = numbers(owner, "accuracies", accuracies, "(classes,)", finite=False)
    known = np.flatnonzero(np.isfinite(accuracies))
    if len(accuracies) != len(class_names) or not len(known):
        raise InputError(
            f"{owner}: accuracies must be {len(class_names)}, one for each of class_names, "
            f"got {len(accuracies)}, of which {len(known)} are numbers"
        )
    shares(owner, "accuracies", accuracies[known], "(classes,)")

    order = known[np.argsort(-accuracies[known], kind="stable")]
    places = np.arange(len(order))
    left_out = len(order) - most // 2 * 2 if len(order) > most else 0
    if left_out:
        order = np.concatenate([order[: most // 2], order[-(most // 2) :]])
        places = np.arange(len(order)) + (np.arange(len(order)) >= most // 2)  # a gap in the middle
    percent = 100 * accuracies[order]

    figure = new_figure(7.0, 1.7 + 0.26 * (places[-1] + 1), title)
    axes = figure.subplots()
    axes.barh(places, percent, color=BLUE, height=0.75)
    for place, value in zip(places, percent, strict=True):
        label = axes.text(value + 0.5, float(place), f"{value:.1f} %", va="center", fontsize=9)
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})  # the line passes behind it
    if left_out:
        axes.text(0, most // 2, f"  … {left_out} classes between …", va="center", fontsize=9, color=GREY)
    together = f"all classes together: {100 * overall:.1f} %"
    axes.axvline(100 * overall, color=ORANGE, linestyle="--", label=together, zorder=0)
    axes.set_yticks(places, [class_names[i] for i in order])
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_xlim(0, 1.15 * max(float(percent.max()), 100 * overall, 1))
    axes.set_xlabel("accuracy (%)")
    axes.set_ylabel("class")
    axes.spines[["top", "right"]].set_visible(False)
    legend_below(figure, labelled(figure))
    return figure
