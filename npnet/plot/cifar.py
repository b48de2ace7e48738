"""Figures of photographs' classifiers: accuracy by class, shifted images, predictions, kinds of descent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
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
    shares,
)
from npnet.plot._style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    draw_picture,
    new_figure,
    own_style,
)
from npnet.train import History

COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
GRID = "#DDDDDD"
MOST_SIDE_BY_SIDE = 40


@own_style
def accuracy_by_class(
    accuracies: Float[ndarray, " classes"],
    class_names: Names,
    *,
    overall: float,
    most: int = 30,
    title: str = "",
) -> Figure:
    """Draw what share of each class was recognised, the easiest class first.

    Parameters
    ----------
    accuracies : array, shape (classes,)
        In 0…1; NaN for a class without members, which is left out.
    class_names : sequence of str
    overall : float
        The accuracy over all classes, drawn as a line.
    most : int
        Of more classes than this, the easiest and the hardest are drawn, half of it each.
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
    title, class_names = caption(owner, "title", title), names(owner, class_names)
    overall, most = share(owner, "overall", overall), check.integer(owner, "most", most, least=2)
    accuracies = numbers(owner, "accuracies", accuracies, "(classes)", finite=False)
    known = np.flatnonzero(np.isfinite(accuracies))
    if len(accuracies) != len(class_names) or not len(known):
        raise InputError(
            f"accuracy_by_class: accuracies must be {len(class_names)}, one for each of class_names, "
            f"got {len(accuracies)}, of which {len(known)} are numbers"
        )
    shares(owner, "accuracies", accuracies[known], "(classes)")
    order = known[np.argsort(-accuracies[known], kind="stable")]
    places = np.arange(len(order))
    left_out = len(order) - most
    if left_out > 0:
        ends = np.r_[: most // 2, len(order) - most // 2 : len(order)]
        order = order[ends]
        places = np.arange(most // 2 * 2) + (np.arange(most // 2 * 2) >= most // 2)  # a gap between the ends
    percent = 100 * accuracies[order]
    figure = new_figure(7.0, 1.7 + 0.26 * (places[-1] + 1), title)
    axes = figure.subplots()
    axes.barh(places, percent, color=BLUE, height=0.75)
    for place, width in zip(places, percent, strict=True):
        label = axes.text(width + 0.5, float(place), f"{width:.1f} %", va="center", fontsize=9)
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})  # the line passes behind it
    if left_out > 0:
        axes.text(0, most // 2, f"  … {left_out} classes between …", va="center", fontsize=9, color=GREY)
    together = f"all classes together: {100 * overall:.1f} %"
    axes.axvline(100 * overall, color=ORANGE, linestyle="--", label=together, zorder=0)
    axes.set_yticks(places, [class_names[i] for i in order])
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_xlim(0, 1.15 * max(float(percent.max()), 100 * overall, 1))
    axes.set_xlabel("accuracy (%)")
    axes.set_ylabel("class")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", frameon=False, fontsize=9)
    return figure


@own_style
def shifts(
    accuracies: Mapping[int, float], changed: Mapping[int, float], *, guessing: float = 0.5, title: str = ""
) -> Figure:
    """Draw how a classifier takes it when all images are moved by some pixels.

    Parameters
    ----------
    accuracies : mapping from pixels to the right to accuracies in 0…1
        Ascending, 0 among them.
    changed : mapping from pixels to shares in 0…1
        Of how many images another class is predicted than without moving them.
    guessing : float
        The accuracy that needs no network.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the two do not speak of the same shifts, 0 is not among them, or something is no share.
    """
    title, guessing = caption("shifts", "title", title), share("shifts", "guessing", guessing)
    accuracies = _by_pixels("accuracies", accuracies)
    changed = _by_pixels("changed", changed)
    if list(accuracies) != list(changed) or 0 not in accuracies:
        raise InputError(
            f"shifts: accuracies and changed must have the same shifts with 0 among them, "
            f"got {list(accuracies)} and {list(changed)}"
        )
    figure = new_figure(9.2, 3.6, title)
    left, right = figure.subplots(1, 2)
    pixels = list(accuracies)
    left.plot(pixels, [100 * share for share in accuracies.values()], "o-", color=BLUE, markersize=4)
    left.axhline(
        100 * accuracies[0], color=GREY, linestyle=":", label=f"not shifted: {100 * accuracies[0]:.1f} %"
    )
    left.set_ylabel("accuracy (%)")
    lowest = min(*accuracies.values(), accuracies[0])
    if lowest - guessing < 0.1:
        left.axhline(100 * guessing, color=ORANGE, linestyle="--", label=f"guessing: {100 * guessing:.0f} %")
    left.legend(frameon=False, fontsize=9, loc="lower center")
    right.plot(pixels, [100 * share for share in changed.values()], "o-", color=ORANGE, markersize=4)
    right.set_ylabel("predictions that change (%)")
    right.set_ylim(0)
    for axes in (left, right):
        axes.set_xlabel("shift to the right (pixels)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.grid(visible=True, color=GRID, linewidth=0.6)
    low, high = left.get_ylim()
    left.set_ylim(low - 0.25 * (high - low), high)  # room for the legend
    return figure


def _by_pixels(name: str, value: Mapping[int, float]) -> dict[int, float]:
    if not isinstance(value, Mapping):
        raise InputError(f"shifts: {name} must be a dict from pixels, got {check.described(value)}")
    return {
        check.integer("shifts", f"a shift in {name}", pixels): share("shifts", f"{name} of {pixels}", each)
        for pixels, each in value.items()
    }


@own_style
def turned(
    images: Sequence[tuple[ndarray, ndarray]],
    probabilities: Float[ndarray, "n 2 classes"],
    target: Integer[ndarray, " n"],
    class_names: Names,
    *,
    title: str = "",
) -> Figure:
    """Draw images beside the same ones changed a little, each with what it was taken for.

    Parameters
    ----------
    images : sequence of pairs of arrays, shape (channels, height, width)
        Before and after.
    probabilities : array, shape (n, 2, classes)
        Of both.
    target : integer array, shape (n,)
        True classes.
    class_names : sequence of str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no image, more than 40, or not the probabilities of each.
    """
    title, class_names = caption("turned", "title", title), names("turned", class_names)
    if not isinstance(images, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in images
    ):
        raise InputError(f"turned: images must be a list of pairs of arrays, got {check.described(images)}")
    pairs = [[numbers("turned", "images", image, "(c, h, w)") for image in pair] for pair in images]
    probabilities = check.array("turned", "probabilities", probabilities, "f")
    check.class_labels("turned", target, "target", classes=len(class_names))
    if not len(images) == len(probabilities) == len(target) > 0:
        raise InputError(
            f"turned: images, probabilities and target must be of one length above 0, "
            f"got {len(images)}, {len(probabilities)} and {len(target)}"
        )
    if len(images) > MOST_SIDE_BY_SIDE:
        raise InputError(f"turned: images must be at most {MOST_SIDE_BY_SIDE}, got {len(images)}")
    if shares("turned", "probabilities", probabilities, "(n, 2, classes)").shape[1:] != (2, len(class_names)):
        raise InputError(
            f"turned: probabilities must have shape (n, 2, {len(class_names)}), as class_names are, "
            f"got {probabilities.shape}"
        )
    figure = new_figure(1.5 * len(images) + 0.6, 4.0, title)
    grid = figure.subplots(2, len(images), squeeze=False)
    for column, (pair, given) in enumerate(zip(pairs, probabilities, strict=True)):
        for axes, image, p in zip(grid[:, column], pair, given, strict=True):
            predicted = int(p.argmax())
            draw_picture(axes, image, frame=BLUE if predicted == target[column] else ORANGE)
            axes.set_title(f"{class_names[predicted]}, {100 * p[predicted]:.0f} %", fontsize=9)
    for axes, name in zip(grid[:, 0], ("as it is", "shifted"), strict=True):
        axes.set_ylabel(name, fontsize=10)
    return figure


@own_style
def predictions(
    images: Float[ndarray, "n c h w"],
    target: Integer[ndarray, " n"],
    probabilities: Float[ndarray, "n classes"],
    class_names: Names | None = None,
    *,
    title: str = "",
    most: int = 3,
) -> Figure:
    """Draw images, each with the classes it was most probably taken for.

    Parameters
    ----------
    images : array, shape (n, channels, height, width)
    target : integer array, shape (n,)
        True classes: theirs are the blue bars.
    probabilities : array, shape (n, classes)
    class_names : sequence of str, optional
        One for each class; their numbers, if absent.
    title : str
    most : int
        How many classes are shown.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the arrays do not speak of the same images.
    """
    images, target, probabilities, class_names = judged(
        "predictions", images, target, probabilities, class_names
    )
    title = caption("predictions", "title", title)
    most = check.integer("predictions", "most", most, least=1, most=MOST_PICTURES)
    if len(images) > MOST_PICTURES:
        raise InputError(f"predictions: images must be at most {MOST_PICTURES}, got {len(images)}")
    columns = min(4, len(images))
    rows = math.ceil(len(images) / columns)
    figure = new_figure(2.5 * columns, 2.75 * rows + 0.5, title)
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[1.6, 0.9] * rows)
    for axes in grid.flat:
        axes.axis("off")
    for i, (image, true, p) in enumerate(zip(images, target, probabilities, strict=True)):
        above, below = (grid[2 * (i // columns) + j, i % columns] for j in range(2))
        draw_picture(above, image, frame=BLUE if p.argmax() == true else ORANGE)
        above.set_title(f"true {class_names[true]}", fontsize=10)
        _likeliest(below, p, int(true), class_names, most)
    return figure


def _likeliest(axes: Axes, p: ndarray, true: int, class_names: Names, most: int) -> None:
    order = np.argsort(-p, kind="stable")[:most]
    places = np.arange(len(order))
    axes.axis("on")
    axes.barh(places, 100 * p[order], color=[BLUE if i == true else "#AAAAAA" for i in order], height=0.7)
    axes.set_yticks(places, [class_names[i] for i in order], fontsize=9)
    axes.set_ylim(most - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 50, 100])
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel("probability (%)", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


@own_style
def descents(
    runs: Mapping[str, History], updates: Mapping[str, int], *, loss_label: str = "loss", title: str = ""
) -> Figure:
    """Draw the validation loss of several kinds of descent, against passes through the data and against time.

    Parameters
    ----------
    runs : mapping from names to History
        Each of at least one epoch, with a validation part.
    updates : mapping from names to int
        How many updates of the weights each made in an epoch.
    loss_label : str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, more than there are colours, or an epoch without validation.
    """
    title, loss_label = caption("descents", "title", title), caption("descents", "loss_label", loss_label)
    runs = histories("descents", "runs", runs, most=len(COLOURS))
    counts = mapping("descents", "updates", updates)
    if counts.keys() != runs.keys():
        raise InputError(
            f"descents: updates must be given of {', '.join(runs)}, got those of {', '.join(counts)}"
        )
    updates = {name: check.integer("descents", "updates", n, least=1) for name, n in counts.items()}
    figure = new_figure(9.6, 4.0, title)
    left, right = figure.subplots(1, 2, sharey=True)
    for (name, history), colour in zip(runs.items(), COLOURS, strict=False):
        losses = [epoch.validation_loss for epoch in history.epochs]
        if None in losses:
            raise InputError(f"descents: runs must have a validation loss for each epoch, {name} has not")
        count = f"{updates[name]:,}".replace(",", " ")
        label = f"{name}: {count} update{'' if updates[name] == 1 else 's'} an epoch"
        marker = "o" if len(losses) <= 40 else None
        left.plot(
            [e.epoch for e in history.epochs], losses, color=colour, marker=marker, markersize=4, label=label
        )
        seconds = np.cumsum([epoch.seconds for epoch in history.epochs])
        right.plot(seconds, losses, color=colour, marker=marker, markersize=4)
    left.set_xlabel("epoch (pass through the data)")
    left.set_ylabel(f"validation {loss_label}")
    left.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    right.set_xlabel("seconds of training")
    right.set_xscale("log")
    right.xaxis.set_major_formatter("{x:g}")
    for axes in (left, right):
        axes.grid(visible=True, color=GRID, linewidth=0.6)
    figure.legend(loc="outside lower center", ncols=len(runs), frameon=False, fontsize=9)
    return figure
