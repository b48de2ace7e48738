"""What all figures share: background, colours, panels, axes and legends."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib.figure
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy import ndarray

from npnet.plot._arguments import caption

BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
GREY, PALE_GREY, GRID = "#555555", "#AAAAAA", "#DDDDDD"
CURVE_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "black", SKY, AMBER, GREY)
SIGNED = "RdBu_r"  # colour map: red above zero, white at zero, blue below

DOTS_PER_INCH = 150
DOTS_PER_INCH_SHOWN = 80  # in a notebook, about half of the above: sharp on high-density screens too
MOST_LABELS = 100  # along an axis
LETTER, HANDLE = 0.08, 0.55  # inches, of a legend: a letter of a label, a handle with its gaps

P = ParamSpec("P")
T = TypeVar("T")


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows if it is the last value of a cell, whatever the backend."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        drawn = io.BytesIO()
        with matplotlib.style.context("default"):
            self.savefig(drawn, format="png")
        width, height = (round(inches * DOTS_PER_INCH_SHOWN) for inches in self.get_size_inches())
        return drawn.getvalue(), {"width": width, "height": height}


def drawing(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function in matplotlib's default style; check its argument `title` and escape it."""

    @wraps(function)
    def draw(*args: P.args, **kwargs: P.kwargs) -> T:
        kwargs["title"] = caption(function.__name__, "title", kwargs.get("title", ""))
        with matplotlib.style.context("default"):
            return function(*args, **kwargs)

    return draw


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure on a white background, sizes in inches, that belongs to no window."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def panels(figure: matplotlib.figure.Figure, count: int, columns: int, **options: Any) -> list[Axes]:
    """Return `count` axes in rows of so many columns; places beyond them stay empty."""
    grid = figure.subplots(math.ceil(count / columns), columns, squeeze=False, **options).ravel().tolist()
    for axes in grid[count:]:
        axes.axis("off")
    used: list[Axes] = grid[:count]
    return used


def frame(axes: Axes, colour: str, width: float) -> None:
    """Draw a frame around a picture, without ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=colour, linewidth=width)


def draw_picture(axes: Axes, image: ndarray) -> None:
    """Draw an image (c, h, w) of any range, standardized or not: darkest value black, lightest white."""
    low, high = float(image.min()), float(image.max())
    scaled = (image - low) / ((high - low) or 1)
    if len(image) == 3:
        axes.imshow(scaled.transpose(1, 2, 0))
    else:
        axes.imshow(scaled[0], cmap="gray", vmin=0, vmax=1)


def legend_below(figure: Figure, handles: Sequence[Any]) -> None:
    """Put a legend below all axes, with as many columns as are sure to fit."""
    widths = [LETTER * len(str(handle.get_label())) + HANDLE for handle in handles]
    in_a_row = len(handles) if sum(widths) <= figure.get_figwidth() else figure.get_figwidth() // max(widths)
    columns = max(1, int(in_a_row))
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def labelled(figure: Figure) -> list[Any]:
    """Return what is drawn in the first axes and has a label."""
    handles: list[Any] = figure.axes[0].get_legend_handles_labels()[0]
    return handles


def grid_lines(axes: Axes, **options: Any) -> None:
    """Draw pale grid lines behind everything else."""
    axes.set_axisbelow(True)
    axes.grid(visible=True, color=GRID, linewidth=0.6, **options)


def whole_numbers(axes: Axes) -> None:
    """Put the ticks of the horizontal axis at whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def log_axis(axes: Axes, values: Sequence[float]) -> None:
    """Make the vertical axis logarithmic, with written-out numbers, if the finite values are positive."""
    finite = [value for value in values if math.isfinite(value)]  # a run may have diverged
    if not finite or min(finite) <= 0:
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    within_a_decade = max(finite) < 10 * min(finite)
    axes.yaxis.set_minor_formatter("{x:g}" if within_a_decade else NullFormatter())
    if not within_a_decade and max(finite) < 1000 * min(finite):
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))


def class_ticks(class_names: Sequence[str], most: int = MOST_LABELS) -> tuple[range, list[str]]:
    """Return the places and names of class labels along an axis; if there are many, of every k-th class."""
    places = range(0, len(class_names), math.ceil(len(class_names) / most))
    return places, [class_names[i] for i in places]


def longest(names: Sequence[str]) -> int:
    """Return the number of characters of the longest name."""
    return max(map(len, names))


def grouped(count: int) -> str:
    """Write a count with a space between its thousands."""
    return f"{count:,}".replace(",", " ")
