"""Weights drawn as images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy import ndarray

from npnet.errors import InputError
from npnet.plot._arguments import Names, caption, mapping, names_of, numbers
from npnet.plot._style import GREY, SIGNED, drawing, frame, grouped, new_figure, panels
from npnet.shapes import Num

MOST_IN_A_ROW = 40
MOST_SHOWN = 128


@drawing
def weight_images(
    weight: Num[ndarray, "*shape"] | Mapping[str, Num[ndarray, "n h w"]],
    names: Names | None = None,
    *,
    label: str = "weight",
    title: str = "",
) -> Figure:
    """Draw weights as images: filters of a convolution, or the rows of a linear classifier of images.

    Red is above zero, white is zero, blue is below. Filters of three channels are drawn in the colours that
    they respond to, those of other numbers of channels one channel beside the next. Of more than 128 images
    the first are drawn, which the title says.

    Parameters
    ----------
    weight : array, shape (n, h, w) or (n, channels, h, w), or dict from labels to arrays, shape (n, h, w)
        Finite. The arrays of a dict are drawn in a row each, on a colour scale of their own; n is at most 40
        there.
    names : sequence of str, optional
        One for each of the n, such as the classes; without it, numbers.
    label : str
        What the values are, with their unit.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If weight has another shape or is not finite, or the names are not one for each image.
    """
    label = caption("weight_images", "label", label)
    if isinstance(weight, Mapping):
        return _rows(weight, names, label, title)
    layout = "(n, h, w)" if getattr(weight, "ndim", 4) == 3 else "(n, channels, h, w)"
    weight = numbers("weight_images", "weight", weight, layout)
    return _grid(weight[:, None] if weight.ndim == 3 else weight, names, label, title)


def _grid(weight: ndarray, given: Any, label: str, title: str) -> Figure:
    """Draw an array (n, channels, h, w): eight images in a row, or the channels of a filter."""
    n, channels = weight.shape[:2]
    largest = _largest(weight)
    in_colour = channels == 3
    images = (
        (0.5 + weight / (2 * largest)).transpose(0, 2, 3, 1)
        if in_colour
        else weight.reshape(-1, *weight.shape[2:])
    )
    columns = min(8, len(images)) if channels in (1, 3) else min(channels, 16)
    shown = names_of("weight_images", given, n, "names")
    shown = shown if len(images) == n else tuple(f"{name}, {c}" for name in shown for c in range(channels))
    count = min(len(images), MOST_SHOWN // columns * columns)
    if count < len(images):
        title = f"{title}\nthe first {count} of {grouped(len(images))}".strip()

    figure = new_figure(max(4.0, 0.95 * columns + 1.2), 1.1 * math.ceil(count / columns) + 0.6, title)
    grid = panels(figure, count, columns)
    for axes, image, name in zip(grid, images, shown, strict=False):
        axes.axis("off")
        _draw(axes, image, largest)
        axes.set_title(
            name, fontsize=8 if given is None else 10, color=GREY if given is None else "black", pad=2
        )
    if not in_colour:
        scale = ScalarMappable(Normalize(-largest, largest), SIGNED)
        figure.colorbar(scale, ax=figure.axes, label=label, fraction=0.04, pad=0.02)
    return figure


def _rows(weights: Mapping[str, ndarray], given: Any, label: str, title: str) -> Figure:
    """Draw arrays (n, h, w) below one another, their members in columns."""
    rows = {
        name: numbers("weight_images", f"weight of {name!r}", array, "(n, h, w)")
        for name, array in mapping("weight_images", "weight", weights).items()
    }
    columns = len(next(iter(rows.values())))
    if any(len(array) != columns for array in rows.values()) or columns > MOST_IN_A_ROW:
        got = [len(array) for array in rows.values()]
        raise InputError(
            f"weight_images: weight must hold arrays of one length of at most {MOST_IN_A_ROW}, got {got}"
        )
    figure = new_figure(0.95 * columns + 2.2, 1.08 * len(rows) + 0.6, title)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, name in zip(grid[0], names_of("weight_images", given, columns, "names"), strict=True):
        axes.set_title(name, fontsize=10)
    for (name, array), row in zip(rows.items(), grid, strict=True):
        for axes, image in zip(row, array, strict=True):
            _draw(axes, image, _largest(array))
            frame(axes, "#BBBBBB", 0.5)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, labelpad=8)
        bar = figure.colorbar(row[0].images[0], ax=row.tolist(), fraction=0.02, pad=0.01, label=label)
        bar.ax.tick_params(labelsize=8)
    return figure


def _draw(axes: Axes, image: ndarray, largest: float) -> None:
    axes.imshow(image, cmap=SIGNED, vmin=-largest, vmax=largest)


def _largest(weight: ndarray) -> float:
    return float(np.abs(weight).max()) or 1.0
