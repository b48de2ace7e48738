"""Images with what a classifier takes them for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.plot._arguments import MOST_PICTURES, Names, names, names_of, numbers, shares
from npnet.plot._style import (
    BLUE,
    ORANGE,
    PALE_GREY,
    draw_picture,
    drawing,
    frame,
    grouped,
    longest,
    new_figure,
    panels,
)
from npnet.shapes import Float, Integer

FEWEST_SHOWN = 8  # if there are fewer mistakes, images that were nearly mistaken are added
MOST_IN_A_ROW = 40


@drawing
def predictions(
    images: Float[ndarray, "n c h w"],
    target: Integer[ndarray, " n"],
    probabilities: Float[ndarray, "n classes"],
    class_names: Names | None = None,
    *,
    select: str = "first",
    most: int = 24,
    likeliest: int = 0,
    row_names: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """Draw images with their predicted and their true class: a blue frame if they agree, else an orange one.

    Parameters
    ----------
    images : array, shape (n, channels, height, width)
        Finite, of any range.
    target : integer array, shape (n,)
        True classes, in 0…classes − 1.
    probabilities : array, shape (n, classes)
        Of the model, in 0…1.
    class_names : sequence of str, optional
        One for each class; without it, their numbers.
    select : "first", "misclassified" or "hardest"
        "misclassified" draws the mistakes, the most confident first; if there are fewer than eight, the
        correct predictions of lowest confidence follow. "hardest" draws the images of largest cross-entropy,
        −log p of the true class.
    most : int
        How many images are drawn at most, in 1…200.
    likeliest : int
        How many of the likeliest classes are shown as bars below each image, in 0…200.
    row_names : sequence of str
        If there are any, the images fill rows of these names, the same number in each, at most 40.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the arrays do not belong together, or an argument is out of range.
    """
    owner = "predictions"
    made = _checked(images, target, probabilities, class_names)
    check.choice(owner, "select", select, SELECTIONS)
    most = check.integer(owner, "most", most, least=1, most=MOST_PICTURES)
    likeliest = check.integer(owner, "likeliest", likeliest, least=0, most=MOST_PICTURES)
    row_names = names(owner, row_names, "row_names", least=0)
    which, heading = SELECTIONS[select](made, most)
    columns = _columns(len(which), row_names) if row_names else min(4 if likeliest else 8, len(which))
    width = max(2.5 if likeliest else 1.3, 0.08 * (15 + min(longest(made.class_names), 40)))  # of a column
    side, bars = (1.6, 0.25 * min(likeliest, len(made.class_names))) if likeliest else (width, 0.0)
    height = side + bars + (0.9 if likeliest else 0.45)  # of a row, in inches, its text included
    heading = f"{title}\n{heading}".strip()
    figure = new_figure(width * columns, height * math.ceil(len(which) / columns) + 0.6, heading)
    grid = _pairs_of_axes(figure, len(which), columns, bars / side)
    for (above, under), i in zip(grid, which.tolist(), strict=True):
        _draw_image(above, made, i, with_loss=select == "hardest")
        if under is not None:
            _draw_likeliest(under, made, i, likeliest)
    for row, name in enumerate(row_names):
        grid[row * columns][0].set_ylabel(name, fontsize=10)
    return figure


def _columns(images: int, row_names: Sequence[str]) -> int:
    columns, left = divmod(images, len(row_names))
    if left or not 1 <= columns <= MOST_IN_A_ROW:
        raise InputError(
            f"predictions: row_names must name rows of 1 to {MOST_IN_A_ROW} images each, "
            f"got {len(row_names)} for {images} images"
        )
    return columns


# ---- what is drawn -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Predictions:
    """Images, their true classes, and what a model takes them for."""

    images: ndarray
    target: ndarray
    probabilities: ndarray
    class_names: tuple[str, ...]

    @cached_property
    def predicted(self) -> ndarray:
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def confidence(self) -> ndarray:
        return np.asarray(self.probabilities.max(axis=1))

    @cached_property
    def wrong(self) -> ndarray:
        return np.asarray(self.predicted != self.target)

    @cached_property
    def losses(self) -> ndarray:
        """−log p of the true class; a probability that was rounded to 0 counts as the smallest float."""
        p = self.probabilities[np.arange(len(self.target)), self.target]
        return np.asarray(-np.log(np.maximum(p, np.finfo(p.dtype).tiny), dtype=np.float64))


def _checked(images: Any, target: Any, probabilities: Any, class_names: Any) -> _Predictions:
    owner = "predictions"
    images = numbers(owner, "images", images, "(n, c, h, w)")
    probabilities = shares(owner, "probabilities", probabilities, "(n, classes)")
    class_names = names_of(owner, class_names, probabilities.shape[1])
    target = check.class_labels(owner, target, "target", classes=len(class_names))
    if not len(images) == len(target) == len(probabilities):
        raise InputError(
            f"{owner}: images (n, c, h, w), target (n,) and probabilities (n, classes) must be of one n, "
            f"got {images.shape}, {target.shape} and {probabilities.shape}"
        )
    return _Predictions(images, target, probabilities, class_names)


def _first(made: _Predictions, most: int) -> tuple[ndarray, str]:
    shown = np.arange(min(most, len(made.target)))
    return shown, f"{len(shown) - made.wrong[shown].sum()} of {len(shown)} recognised (blue)"


def _misclassified(made: _Predictions, most: int) -> tuple[ndarray, str]:
    """Choose mistakes, the most confident first, and if they are few the least confident of the rest."""
    confidence, wrong = made.confidence, made.wrong
    mistakes = np.flatnonzero(wrong)[np.argsort(-confidence[wrong], kind="stable")]
    rest = np.flatnonzero(~wrong)[np.argsort(confidence[~wrong], kind="stable")]
    shown = mistakes[:most]
    added = rest[: max(0, min(FEWEST_SHOWN, most) - len(shown))]
    heading = f"{grouped(len(mistakes))} of {grouped(len(wrong))} misclassified"
    if len(mistakes) > most:
        heading += f": the {most} most confident mistakes"
    elif len(added):
        heading += f"{' (orange)' if len(shown) else ''}, and the predictions of lowest confidence"
    return np.append(shown, added), heading


def _hardest(made: _Predictions, most: int) -> tuple[ndarray, str]:
    losses = made.losses
    shown = np.argsort(-losses, kind="stable")[:most]
    percent = 100 * float(losses[shown].sum() / losses.sum()) if losses.any() else 0.0
    return shown, f"the {len(shown)} hardest of {grouped(len(losses))} make up {percent:.0f} % of the loss"


SELECTIONS = {"first": _first, "misclassified": _misclassified, "hardest": _hardest}


# ---- how it is drawn -----------------------------------------------------------------------------------


def _pairs_of_axes(figure: Figure, count: int, columns: int, below: float) -> list[tuple[Axes, Axes | None]]:
    """Return axes for each image and, if `below` is above 0, for bars of this relative height under it."""
    if not below:
        return [(axes, None) for axes in panels(figure, count, columns)]
    rows = math.ceil(count / columns)
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[1, below] * rows)
    pairs = [
        (above, under) for i in range(rows) for above, under in zip(*grid[2 * i : 2 * i + 2], strict=True)
    ]
    for axes in (axes for pair in pairs[count:] for axes in pair):
        axes.axis("off")
    return pairs[:count]


def _draw_image(axes: Axes, made: _Predictions, i: int, *, with_loss: bool) -> None:
    draw_picture(axes, made.images[i])
    frame(axes, ORANGE if made.wrong[i] else BLUE, 2.5)
    predicted = f"predicted {made.class_names[made.predicted[i]]}, {100 * made.confidence[i]:.0f} %"
    loss = f", loss {made.losses[i]:.2g}" if with_loss else ""
    axes.set_title(f"{predicted}\ntrue {made.class_names[made.target[i]]}{loss}", fontsize=8)


def _draw_likeliest(axes: Axes, made: _Predictions, i: int, most: int) -> None:
    p = made.probabilities[i]
    order = np.argsort(-p, kind="stable")[:most]
    places = np.arange(len(order))
    colours = [BLUE if c == made.target[i] else PALE_GREY for c in order]
    axes.barh(places, 100 * p[order], color=colours, height=0.7)
    axes.set_yticks(places, [made.class_names[c] for c in order], fontsize=9)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 50, 100])
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel("probability (%)", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
