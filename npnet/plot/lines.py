"""Points, and lines fitted to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.plot._arguments import MOST_PANELS, MOST_PICTURES, mapping, numbers, plain, sequence
from npnet.plot._style import BLUE, ORANGE, drawing, grid_lines, new_figure
from npnet.shapes import Num

POINT_SIZE = 26.0  # area, in points²


@dataclass(frozen=True, eq=False)
class Fit:
    """Points (x, y), and lines y = slope · x + intercept.

    Parameters
    ----------
    title : str
    x, y : arrays, shape (n,)
        Finite.
    lines : dict from names to pairs (slope, intercept)
        1 to 200, in the order they were found; later ones are drawn darker.
    reference : pair (slope, intercept), optional
        The line that is sought, drawn dashed.
    reference_name : str

    Raises
    ------
    InputError
        If x and y differ in length, or a line is no pair of finite numbers.
    """

    title: str
    x: Num[ndarray, " n"]
    y: Num[ndarray, " n"]
    lines: Mapping[str, tuple[float, float]]
    reference: tuple[float, float] | None = None
    reference_name: str = ""

    def __post_init__(self) -> None:
        check.text("Fit", "title", self.title)
        check.text("Fit", "reference_name", self.reference_name)
        x, y = numbers("Fit", "x", self.x, "(n,)"), numbers("Fit", "y", self.y, "(n,)")
        if len(x) != len(y):
            raise InputError(f"Fit: x and y must be of one length, got {len(x)} and {len(y)}")
        for name, line in mapping("Fit", "lines", self.lines, most=MOST_PICTURES).items():
            _check_line(f"lines of {name!r}", line)
        if self.reference is not None:
            _check_line("reference", self.reference)


def _check_line(name: str, line: Any) -> None:
    if not isinstance(line, list | tuple) or len(line) != 2:
        raise InputError(f"Fit: {name} must be a pair (slope, intercept), got {check.described(line)}")
    for each in line:
        check.number("Fit", name, each)


@drawing
def fits(shown: Sequence[Fit], *, title: str = "") -> Figure:
    """Draw points and the lines fitted to them, panels side by side.

    Parameters
    ----------
    shown : sequence of Fit
        1 to 20.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, too much, or something else.
    """
    for each in sequence("fits", "shown", shown, most=MOST_PANELS):
        check.instance("fits", "shown", each, Fit, "a list of Fit")
    figure = new_figure(4.8 * len(shown), 4.0, title)
    for axes, fit in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _draw_fit(axes, fit)
    return figure


def _draw_fit(axes: Axes, fit: Fit) -> None:
    low, high = float(fit.x.min()), float(fit.x.max())
    ends = np.array([low, high]) + 0.15 * (high - low) * np.array([-1, 1])
    depths = np.linspace(0.25, 1, len(fit.lines))
    for (name, (slope, intercept)), depth in zip(fit.lines.items(), depths, strict=True):
        colour = tuple(1 - depth * (1 - channel) for channel in to_rgb(BLUE))
        axes.plot(ends, slope * ends + intercept, color=colour, linewidth=1 + depth, label=plain(name))
    if fit.reference is not None:
        slope, intercept = fit.reference
        label = plain(fit.reference_name)
        axes.plot(ends, slope * ends + intercept, "k", linestyle=(0, (3, 3)), linewidth=1.2, label=label)
    axes.scatter(fit.x, fit.y, s=POINT_SIZE, color=ORANGE, edgecolors="white", linewidths=0.5, zorder=3)
    axes.set_title(plain(fit.title), fontsize=10)
    axes.set_xlabel("x")
    axes.set_ylabel("y", rotation=0, labelpad=8)
    grid_lines(axes)
    axes.legend(frameon=False, fontsize=8)
