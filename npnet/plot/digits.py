"""Figures of classifiers of images: weights as pictures, hardest images, several networks side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.plot._arguments import (
    MOST_PICTURES,
    Names,
    caption,
    histories,
    judged,
    mapping,
    names,
    numbers,
    share,
)
from npnet.plot._style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    draw_picture,
    log_axis,
    losses_of,
    new_figure,
    own_style,
)
from npnet.train import Epoch, History

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "black", "#56B4E9", "#E69F00", GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
ACCURACY_TICKS: tuple[tuple[float, ...], ...] = (  # in percent; finer ones where coarse ones are too few
    (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95),
    (*range(0, 80, 20), 80, 85, 90, 92, 94, *range(95, 100), 99.5, 99.7, 99.8, 99.9),
    (*range(90), *np.arange(90, 99, 0.5).tolist(), *np.arange(99, 100, 0.1).tolist()),
)
GRID = "#DDDDDD"
MOST_IN_A_ROW = 40
MOST_SHOWN = 99.98  # percent; what is above is drawn there, as an axis of errors has no place for none


@own_style
def weight_images(
    rows: Mapping[str, Float[ndarray, "classes h w"]], class_names: Names, *, title: str = ""
) -> Figure:
    """Draw the weights of linear classifiers as pictures: a row for each, a column for each class.

    Every row has a scale of its own, white at zero, or those of small weights would be blank.

    Parameters
    ----------
    rows : mapping from labels to arrays of shape (classes, height, width)
    class_names : sequence of str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no row, one has not a picture for each class, or there are more than 40 classes.
    """
    title = caption("weight_images", "title", title)
    class_names = names("weight_images", class_names, most=MOST_IN_A_ROW)
    rows = {
        name: numbers("weight_images", f"rows of {name!r}", weight, "(classes, h, w)")
        for name, weight in mapping("weight_images", "rows", rows).items()
    }
    if any(len(weight) != len(class_names) for weight in rows.values()):
        raise InputError(
            f"weight_images: rows must have {len(class_names)} pictures each, one for each class, "
            f"got {[len(weight) for weight in rows.values()]}"
        )
    columns = len(class_names)
    figure = new_figure(0.95 * columns + 2.2, 1.08 * len(rows) + 0.6, title)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for (label, weight), line in zip(rows.items(), grid, strict=True):
        largest = float(abs(weight).max()) or 1.0
        for axes, picture in zip(line, weight, strict=True):
            shown = axes.imshow(picture, cmap="RdBu_r", vmin=-largest, vmax=largest)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set(color="#BBBBBB", linewidth=0.5)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9, labelpad=8)
        bar = figure.colorbar(shown, ax=line.tolist(), fraction=0.02, pad=0.01, label="weight")
        bar.ax.tick_params(labelsize=8)
    for axes, name in zip(grid[0], class_names, strict=True):
        axes.set_title(name, fontsize=10)
    return figure


@own_style
def hardest(
    images: Float[ndarray, "n c h w"],
    target: Integer[ndarray, " n"],
    probabilities: Float[ndarray, "n classes"],
    class_names: Names | None = None,
    *,
    title: str = "",
    most: int = 24,
) -> Figure:
    """Draw the images that weigh most in the mean loss, with the cross-entropy −log p of their true class.

    Parameters
    ----------
    images : array, shape (n, channels, height, width)
    target : integer array, shape (n,)
        True classes.
    probabilities : array, shape (n, classes)
        What the model takes them for.
    class_names : sequence of str, optional
        One for each class; their numbers, if absent.
    title : str
    most : int
        How many are drawn at most.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the arrays do not speak of the same images.
    """
    images, target, probabilities, class_names = judged("hardest", images, target, probabilities, class_names)
    title = caption("hardest", "title", title)
    most = check.integer("hardest", "most", most, least=1, most=MOST_PICTURES)
    # The smallest float stands for a probability that is rounded to 0.
    tiny = np.finfo(probabilities.dtype).tiny
    losses = -np.log(np.maximum(probabilities[np.arange(len(target)), target], tiny), dtype=np.float64)
    which = np.argsort(-losses, kind="stable")[:most]
    share = 100 * float(losses[which].sum() / losses.sum()) if losses.any() else 0.0
    heading = f"the {len(which)} hardest of {len(target):,} make up {share:.0f} % of the loss".replace(
        ",", " "
    )
    columns = min(8, len(which))
    count = math.ceil(len(which) / columns)
    figure = new_figure(1.3 * columns, 1.85 * count + 0.6, f"{title}\n{heading}".strip())
    grid = figure.subplots(count, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, i in zip(grid.flat, which, strict=False):
        draw_picture(axes, images[i], frame=None)
        taken_for = int(probabilities[i].argmax())
        axes.set_title(
            f"true {class_names[target[i]]}: loss {losses[i]:.2g}\n"
            f"{class_names[taken_for]} to {100 * probabilities[i, taken_for]:.0f} %",
            fontsize=8,
        )
    return figure


@own_style
def curves(
    panels: Mapping[str, Mapping[str, History]], *, loss_label: str = "loss", title: str = ""
) -> Figure:
    """Draw the learning curves of several networks: a row of loss and accuracy for each panel.

    Training is dashed, validation solid; a dot marks the epoch whose weights were kept.

    Parameters
    ----------
    panels : mapping from titles to mappings from names to History
        Of each network at least one epoch, with accuracies and a validation part; at most eight to a panel.
    loss_label : str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, no accuracy in a panel, or more networks in it than colours.
    """
    title, loss_label = caption("curves", "title", title), caption("curves", "loss_label", loss_label)
    panels = {
        name: histories("curves", f"panels of {name!r}", runs, most=len(COLOURS))
        for name, runs in mapping("curves", "panels", panels).items()
    }
    for name, runs in panels.items():
        if not any(_accuracies(epoch) for history in runs.values() for epoch in history.epochs):
            raise InputError(f"curves: panels must have accuracies, got none in {name!r}")
    figure = new_figure(10.0, 3.4 * len(panels) + 0.7, title)
    grid = figure.subplots(len(panels), 2, squeeze=False)
    for (name, runs), (left, right) in zip(panels.items(), grid, strict=True):
        for axes, quantity, scale, most in (
            (left, "loss", 1.0, math.inf),
            (right, "accuracy", 100.0, MOST_SHOWN),
        ):
            for history, colour in zip(runs.values(), COLOURS, strict=False):
                _draw_history(axes, history, quantity, scale, most, colour)
            axes.set_title(name, fontsize=10)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
            axes.grid(visible=True, color=GRID, linewidth=0.6)
        left.set_ylabel(loss_label)
        right.set_ylabel("accuracy (%)")
        shares = [share for history in runs.values() for e in history.epochs for share in _accuracies(e)]
        _error_axis(right, "y", 100 * min(shares), 100 * max(shares))
        log_axis(left, [loss for history in runs.values() for e in history.epochs for loss in losses_of(e)])
        handles = [
            Line2D([], [], color=colour, label=label) for label, colour in zip(runs, COLOURS, strict=False)
        ]
        right.legend(handles=handles, frameon=False, fontsize=8)
    meaning = [
        Line2D([], [], color=GREY, linestyle="--", label="training"),
        Line2D([], [], color=GREY, label="validation"),
        Line2D([], [], color=GREY, linestyle="", marker="o", label="weights kept"),
    ]
    figure.legend(handles=meaning, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _accuracies(epoch: Epoch) -> list[float]:
    return [share for share in (epoch.train_accuracy, epoch.validation_accuracy) if share is not None]


def _draw_history(
    axes: Axes, history: History, quantity: str, scale: float, most: float, colour: str
) -> None:
    for part, style in (("train", "--"), ("validation", "-")):
        points = [(e.epoch, getattr(e, f"{part}_{quantity}")) for e in history.epochs]
        drawn = {epoch: min(scale * value, most) for epoch, value in points if value is not None}
        axes.plot(list(drawn), list(drawn.values()), style, color=colour, linewidth=1.4)
        if part == "validation" and history.best_epoch in drawn:
            axes.plot(history.best_epoch, drawn[history.best_epoch], "o", color=colour, markersize=5)


@own_style
def untrained(scales: Sequence[float], losses: Sequence[float], classes: int, *, title: str = "") -> Figure:
    """Draw the loss of a network that has learnt nothing against the scale of its random weights.

    Parameters
    ----------
    scales : sequence of float
        What the initial weights were multiplied by, ascending from 0.
    losses : sequence of float
        The mean cross-entropy at each.
    classes : int
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is not one loss for each scale.
    """
    title = caption("untrained", "title", title)
    classes = check.integer("untrained", "classes", classes, least=1)
    scales, losses = _column("scales", scales), _column("losses", losses)
    if len(scales) != len(losses):
        raise InputError(
            f"untrained: losses must be one for each scale, got {len(losses)} for {len(scales)} scales"
        )
    figure = new_figure(5.6, 3.8, title)
    axes = figure.subplots()
    axes.axhline(
        math.log(classes), color=ORANGE, linestyle="--", label=f"log {classes} = {math.log(classes):.3f}"
    )
    axes.plot(scales, losses, "o-", color=BLUE, label="measured")
    axes.set_xlabel("factor of the initial weights (1: as they are drawn)")
    axes.set_ylabel("cross-entropy (nats)")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.legend(frameon=False)
    return figure


def _column(name: str, values: Sequence[float]) -> list[float]:
    if not isinstance(values, list | tuple | ndarray) or len(values) == 0:
        raise InputError(f"untrained: {name} must be a list of numbers, got {check.described(values)}")
    return [check.number("untrained", name, value) for value in values]


@own_style
def standings(
    accuracies: Mapping[str, tuple[float, float]], *, must_reach: float | None = None, title: str = ""
) -> Figure:
    """Draw the validation and the test accuracy of several classifiers, a line for each.

    Parameters
    ----------
    accuracies : mapping from names to pairs (validation, test)
        In 0…1.
    must_reach : float, optional
        An accuracy to mark.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, or an accuracy is no share.
    """
    title = caption("standings", "title", title)
    if must_reach is not None:
        must_reach = share("standings", "must_reach", must_reach)
    accuracies = mapping("standings", "accuracies", accuracies, most=MOST_PICTURES)
    for name, pair in accuracies.items():
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            got = check.described(pair)
            raise InputError(f"standings: accuracies must be pairs (validation, test), got {got} for {name}")
        accuracies[name] = tuple(share("standings", f"accuracies of {name}", each) for each in pair)
    figure = new_figure(8.0, 0.36 * len(accuracies) + 1.3, title)
    axes = figure.subplots()
    places = np.arange(len(accuracies))[::-1]
    shares = 100 * np.array(list(accuracies.values()))
    for column, name, colour, marker in ((0, "validation", BLUE, "o"), (1, "test", ORANGE, "D")):
        axes.plot(shares[:, column], places, marker, color=colour, label=name, zorder=3)
    _error_axis(axes, "x", float(shares.min()), float(max(shares.max(), 100 * (must_reach or 0))))
    if must_reach is not None:
        label = f"{100 * must_reach:g} %, to be reached"
        axes.axvline(100 * must_reach, color=GREY, linestyle=":", label=label)
    axes.set_yticks(places, list(accuracies))
    axes.set_ylim(-0.5, len(accuracies) - 0.5)
    axes.set_xlabel("accuracy (%)")
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _error_axis(axes: Axes, which: Literal["x", "y"], low: float, high: float) -> None:
    """Scale an axis of accuracies in percent by their errors: 90 % to 99 % is as far as 99 % to 99.9 %.

    Where the errors differ by no more than a factor of 5 the usual axis shows them as well.
    """
    best, worst = max(100 - high, 100 - MOST_SHOWN), max(100 - low, 0.1)  # errors
    if worst <= 5 * best:
        return
    margin = max((worst / best) ** 0.06, 1.02)
    first, last = 100 - worst * margin, 100 - best / margin
    scale, functions = "function", (_to_error_scale, _from_error_scale)
    if which == "x":
        axes.set_xscale(scale, functions=functions)
        axes.set_xlim(first, last)
    else:
        axes.set_yscale(scale, functions=functions)
        axes.set_ylim(first, last)
    shown = [[tick for tick in ticks if first <= tick <= last] for ticks in ACCURACY_TICKS]
    axis = {"x": axes.xaxis, "y": axes.yaxis}[which]
    axis.set_major_locator(FixedLocator(next((ticks for ticks in shown if len(ticks) >= 5), shown[-1])))
    axis.set_major_formatter("{x:g}")


def _to_error_scale(percent: ndarray) -> ndarray:
    scaled: ndarray = -np.log10(np.maximum(100 - np.asarray(percent, dtype=float), 1e-3))
    return scaled


def _from_error_scale(scaled: ndarray) -> ndarray:
    percent: ndarray = 100 - 10 ** -np.asarray(scaled, dtype=float)
    return percent


@own_style
def against_size(
    panels: Mapping[str, Mapping[str, Mapping[int, float]]], *, size_label: str, title: str = ""
) -> Figure:
    """Draw what several classifiers reach, and what it costs, against how much they learnt from.

    Parameters
    ----------
    panels : mapping from what is measured to mappings from names to mappings from sizes to values
        Values must be positive; both axes are logarithmic.
    size_label : str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, or more classifiers than markers.
    """
    owner = "against_size"
    title, size_label = caption(owner, "title", title), caption(owner, "size_label", size_label)
    panels = {label: _measured(values) for label, values in mapping(owner, "panels", panels).items()}
    named = list(next(iter(panels.values())))
    if any(list(values) != named for values in panels.values()):
        raise InputError(f"{owner}: panels must be of the same classifiers, {', '.join(named)}")
    figure = new_figure(3.9 * len(panels), 3.9, title)
    for axes, (label, values) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for i, name in enumerate(named):
            points = values[name]
            axes.plot(list(points), list(points.values()), marker=MARKERS[i], color=COLOURS[i], label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        sizes = sorted({size for points in values.values() for size in points})
        axes.xaxis.set_major_locator(FixedLocator(sizes))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}".replace(",", " ")))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="x", labelsize=8)
        axes.yaxis.set_major_formatter("{x:g}")
        measured = [value for points in values.values() for value in points.values()]
        axes.yaxis.set_minor_formatter("{x:g}" if max(measured) < 10 * min(measured) else NullFormatter())
        axes.tick_params(axis="y", which="both", labelsize=8)
        axes.set_xlabel(size_label)
        axes.set_ylabel(label)
        axes.grid(visible=True, color=GRID, linewidth=0.6)
    handles = [
        Line2D([], [], marker=MARKERS[i], color=COLOURS[i], label=name) for i, name in enumerate(named)
    ]
    columns = min(5, len(named))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
    return figure


def _measured(values: Mapping[str, Mapping[int, float]]) -> dict[str, dict[int, float]]:
    owner = "against_size"
    found = {}
    for name, points in mapping(owner, "panels", values, most=len(MARKERS)).items():
        if not isinstance(points, Mapping) or not points:
            got = check.described(points)
            raise InputError(f"{owner}: panels must say what {name} reaches at each size, got {got}")
        found[name] = {
            check.integer(owner, "a size in panels", size, least=1): check.number(
                owner, f"panels' value of {name}", value, above=0.0
            )
            for size, value in points.items()
        }
    return found
