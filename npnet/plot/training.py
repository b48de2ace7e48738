"""Figures of any training: learning curves, confusion matrices, filters, images not recognised."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Integer, Num
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.plot._arguments import (
    MOST_PICTURES,
    Names,
    caption,
    judged,
    names_of,
    numbers,
)
from npnet.plot._arguments import runs as checked_runs
from npnet.plot._style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    class_ticks,
    draw_picture,
    log_axis,
    longest,
    losses_of,
    new_figure,
    own_style,
)
from npnet.train import History

MOST_CLASSES_WITH_NUMBERS = 30
MOST_CLASSES_WITH_LINES = 150
MOST_COLUMNS, MOST_FILTERS = 16, 128


@own_style
def learning_curves(
    runs: History | Mapping[str, History], *, title: str = "", loss_label: str = "loss"
) -> Figure:
    """Draw loss and, where there is one, accuracy against epochs.

    Parameters
    ----------
    runs : History, or several by name
        Several are drawn in one figure, a colour each.
    title : str
        What was trained.
    loss_label : str
        What the loss is, with its unit.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If runs are none, or no epoch was finished.
    """
    owner = "learning_curves"
    if not isinstance(runs, Mapping):
        runs = {"": check.instance(owner, "runs", runs, History, "a History, or several by name")}
    named = checked_runs(owner, "runs", runs)
    title, loss_label = caption(owner, "title", title), caption(owner, "loss_label", loss_label)
    with_accuracy = any(epoch.train_accuracy is not None for h in named.values() for epoch in h.epochs)
    figure = new_figure(4.6 * (1 + with_accuracy), 3.6, title)
    panels = figure.subplots(1, 1 + with_accuracy, squeeze=False)[0]
    _curves(panels[0], named, "loss", 1.0)
    panels[0].set_ylabel(loss_label)
    log_axis(panels[0], [loss for h in named.values() for e in h.epochs for loss in losses_of(e)])
    if with_accuracy:
        _curves(panels[1], named, "accuracy", 100.0)
        panels[1].set_ylabel("accuracy (%)")
    return figure


def _curves(axes: Axes, runs: Mapping[str, History], quantity: str, scale: float) -> None:
    """Draw training dashed and validation solid, and mark the epoch whose weights were kept."""
    several = len(runs) > 1
    palette = (BLUE, ORANGE, GREEN, PURPLE)
    for i, (name, history) in enumerate(runs.items()):
        for j, (part, style) in enumerate((("train", "--"), ("validation", "-"))):
            points = [(e.epoch, getattr(e, f"{part}_{quantity}")) for e in history.epochs]
            drawn = [(epoch, scale * value) for epoch, value in points if value is not None]
            if drawn:
                axes.plot(
                    *zip(*drawn, strict=True),
                    style,
                    color=palette[i % 4] if several else (ORANGE, BLUE)[j],
                    # Runs that agree lie on one another: those below are wider, and paler, so that all show.
                    linewidth=1.5 * (len(runs) - i) ** 1.4,
                    alpha=1.0 if i == len(runs) - 1 else 0.45,
                    marker="o" if len(drawn) <= 3 else None,
                    label=f"{name} {'training' if part == 'train' else part}".strip(),
                )
        if history.best_epoch is not None and not several:
            axes.axvline(history.best_epoch, color=GREY, linestyle=":", linewidth=1, label="weights kept")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.legend(frameon=False)


@own_style
def confusion(
    matrix: Integer[ndarray, "classes classes"], class_names: Names | None = None, *, title: str = ""
) -> Figure:
    """Draw a confusion matrix: what is right in blue along the diagonal, each kind of mistake in orange.

    Mistakes have a scale of their own, or the few of a good model would not be seen beside what is right.

    Parameters
    ----------
    matrix : integer array, shape (classes, classes)
        A row for each true class, as `npnet.metrics.confusion_matrix` gives it.
    class_names : sequence of str, optional
        One for each class; their numbers, if absent.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the matrix is not square or holds no counts, or the names are not one for each class.
    DTypeError
        If the matrix does not hold integers.
    """
    title = caption("confusion", "title", title)
    matrix = check.array("confusion", "matrix", matrix, "iu").astype(np.int64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size or matrix.min() < 0:
        lowest = f", the lowest {matrix.min()}" if matrix.size else ""
        raise InputError(
            f"confusion: matrix must be counts of 0 and more of shape (classes, classes), "
            f"got {matrix.shape}{lowest}"
        )
    class_names = names_of("confusion", class_names, len(matrix))
    classes = len(class_names)
    side = float(np.clip(2 + 0.42 * classes, 4.5, 14))
    figure = new_figure(side, side, title)
    axes = figure.subplots()
    axes.imshow(_confusion_colours(matrix))
    if classes <= MOST_CLASSES_WITH_NUMBERS:
        for true, predicted in np.argwhere(matrix):
            axes.text(
                predicted,
                true,
                str(matrix[true, predicted]),
                ha="center",
                va="center",
                color="black",
                fontsize=9 if classes <= 15 else 7,
            )
    size = 9 if classes <= MOST_CLASSES_WITH_NUMBERS else 5
    axes.set_xticks(*class_ticks(class_names), fontsize=size, rotation=90 if longest(class_names) > 2 else 0)
    axes.set_yticks(*class_ticks(class_names), fontsize=size)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if classes <= MOST_CLASSES_WITH_LINES:
        # Lines between the cells, drawn by the minor ticks that lie there.
        axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.grid(visible=True, which="minor", color="#BBBBBB", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
    return figure


def _confusion_colours(matrix: ndarray) -> ndarray:
    """Return an image: diagonal and rest each on a scale of their own, pale enough for black numbers."""
    right = np.eye(len(matrix), dtype=bool)
    image = np.ones((*matrix.shape, 4))
    for cells, colour in ((right, BLUE), (~right, ORANGE)):
        shade = LinearSegmentedColormap.from_list("", ["white", colour])
        most = max(matrix[cells].max(initial=0), 1)
        share = matrix[cells] / most
        image[cells] = shade(np.where(share > 0, 0.15 + 0.45 * share, 0))
    return image


@own_style
def filters(weight: Num[ndarray, "filters channels h w"], *, title: str = "") -> Figure:
    """Draw the filters of a layer that looks at images.

    Those of three channels are drawn as the colours they answer to, others one channel beside the next.

    Parameters
    ----------
    weight : array, shape (filters, channels, height, width)
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If weight is not a stack of filters, or not finite.

    Notes
    -----
    Of more than 128 pictures the first are drawn, which the title says.
    """
    title = caption("filters", "title", title)
    weight = numbers("filters", "weight", weight, "(filters, channels, h, w)")
    largest = float(abs(weight).max()) or 1.0
    if weight.shape[1] == 3:
        pictures = (0.5 + weight / (2 * largest)).transpose(0, 2, 3, 1)
    else:
        pictures = weight.reshape(-1, *weight.shape[2:])
    columns = min(8, len(pictures)) if weight.shape[1] in (1, 3) else min(weight.shape[1], MOST_COLUMNS)
    whole, pictures = len(pictures), pictures[: MOST_FILTERS // columns * columns]
    if len(pictures) < whole:
        title = f"{title}\nthe first {len(pictures)} of {whole:,}".replace(",", " ").strip()
    rows = math.ceil(len(pictures) / columns)
    figure = new_figure(max(4.0, 0.85 * columns + 1.2), 0.95 * rows + 0.5, title)
    grid = figure.subplots(rows, columns, squeeze=False)
    shown = None
    for axes in grid.flat:
        axes.axis("off")
    for i, picture in enumerate(pictures):
        axes = grid.flat[i]
        shown = axes.imshow(picture, cmap="RdBu_r", vmin=-largest, vmax=largest)
        axes.set_title(f"{i}", fontsize=8, color=GREY, pad=2)
    if weight.shape[1] != 3 and shown is not None:
        figure.colorbar(shown, ax=grid, label="weight", fraction=0.05, pad=0.03)
    return figure


@own_style
def misclassified(
    images: Float[ndarray, "n c h w"],
    target: Integer[ndarray, " n"],
    probabilities: Float[ndarray, "n classes"],
    class_names: Names | None = None,
    *,
    title: str = "",
    most: int = 24,
) -> Figure:
    """Draw the images that were taken for something else, the surest mistakes first.

    If they are few, those follow that were recognised with the least certainty.

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
        How many are drawn at most; 200 or fewer.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the arrays do not speak of the same images.
    """
    owner = "misclassified"
    images, target, probabilities, class_names = judged(owner, images, target, probabilities, class_names)
    title = caption(owner, "title", title)
    most = check.integer(owner, "most", most, least=1, most=MOST_PICTURES)
    predicted = probabilities.argmax(axis=1)
    sureness = probabilities.max(axis=1)
    wrong = predicted != target
    surest_mistakes = np.flatnonzero(wrong)[np.argsort(-sureness[wrong], kind="stable")]
    unsure_successes = np.flatnonzero(~wrong)[np.argsort(sureness[~wrong], kind="stable")]
    mistakes = surest_mistakes[:most]
    which = np.append(mistakes, unsure_successes[: max(0, min(8, most) - len(mistakes))])
    heading = f"{len(surest_mistakes)} of {len(target)} misclassified"
    if len(surest_mistakes) > most:
        heading += f": the {most} surest mistakes"
    elif len(which) > len(mistakes):
        heading += f"{' (framed)' if len(mistakes) else ''}, and what else the model was least sure of"

    columns = min(8, len(which))
    rows = math.ceil(len(which) / columns)
    width = max(1.3, 0.08 * (15 + min(longest(class_names), 40)))
    figure = new_figure(width * columns, (width + 0.45) * rows + 0.6, f"{title}\n{heading}".strip())
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, i in zip(grid.flat, which, strict=False):
        draw_picture(axes, images[i], frame=ORANGE if wrong[i] else None)
        taken_for = f"predicted {class_names[predicted[i]]}, {100 * sureness[i]:.0f} %"
        axes.set_title(f"{taken_for}\ntrue {class_names[target[i]]}", fontsize=8)
    return figure
