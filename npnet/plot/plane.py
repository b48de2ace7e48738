"""Figures of the plane: what a classifier says of every point, how that changes, how lines are fitted.

The ground has the colour of the class that is chosen there, the paler the less certain, and black lines
where the choice changes. Classes differ in marker as well as in colour, so that figures read in grey too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy import ndarray

from npnet.errors import InputError
from npnet.plot._style import BLUE, GREEN, GREY, ORANGE, PURPLE, log_axis, new_figure, own_style

if TYPE_CHECKING:
    from PIL.Image import Image

CLASS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
CURVE_COLOURS = (*CLASS_COLOURS, "black")
CLASS_MARKERS = ("o", "s", "^", "D")
POINT_SIZE = 26.0  # area, in points²
STEPS_OF_THE_GRID = 200

Classifier = Callable[[ndarray], ndarray]  # points (n, 2) to probabilities (n, classes)


@dataclass(frozen=True, eq=False)
class Surface:
    """A classifier of the plane, and the labelled points it is shown with.

    Parameters
    ----------
    title : str
    x : array, shape (n, 2)
    y : integer array, shape (n,)
        The classes of the points.
    probabilities : callable
        Gives points of shape (n, 2) their class probabilities of shape (n, classes).
    support : integer array, optional
        Which points are support vectors; they are drawn double size.
    """

    title: str
    x: Float[ndarray, "n 2"]
    y: Integer[ndarray, " n"]
    probabilities: Classifier
    support: Integer[ndarray, " support"] | None = None


@own_style
def surfaces(
    shown: Sequence[Surface | None],
    class_names: Sequence[str],
    *,
    columns: int | None = None,
    title: str = "",
) -> Figure:
    """Draw decision surfaces side by side.

    Parameters
    ----------
    shown : sequence of Surface
        In place of one None may stand, which leaves its place empty.
    class_names : sequence of str
        At most four.
    columns : int, optional
        How many stand in a row; all, if absent.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, or there are more classes than markers.
    """
    if not shown or len(class_names) > len(CLASS_COLOURS):
        raise InputError(
            f"surfaces: needs at least one surface and at most {len(CLASS_COLOURS)} classes, "
            f"got {len(shown)} and {len(class_names)}"
        )
    columns = len(shown) if columns is None else min(columns, len(shown))
    rows = math.ceil(len(shown) / columns)
    width = max(3.3 * columns, 4.4)
    figure = new_figure(width, 3.35 * rows + 0.8, title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, surface in zip_longest(grid.flat, shown):
        if surface is None:
            axes.axis("off")
        else:
            _draw_surface(axes, surface)
    figure.legend(
        handles=_legend(
            class_names, support=any(each is not None and each.support is not None for each in shown)
        ),
        loc="outside lower center",
        ncols=2 if width < 6 else len(class_names) + 2,
        frameon=False,
        fontsize=9,
    )
    return figure


def _draw_surface(axes: Axes, surface: Surface) -> None:
    low, high = surface.x.min(axis=0), surface.x.max(axis=0)
    margin = 0.08 * max(float((high - low).max()), 1.0)
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    across, up = (np.linspace(a, b, STEPS_OF_THE_GRID) for a, b in ((left, right), (bottom, top)))
    plane = np.stack(np.meshgrid(across, up), axis=-1)  # (rows, columns, 2)
    p = surface.probabilities(plane.reshape(-1, 2).astype(surface.x.dtype))
    p = p.reshape(*plane.shape[:2], -1)
    axes.imshow(
        _ground(p), origin="lower", extent=(left, right, bottom, top), aspect="auto", interpolation="bilinear"
    )
    for ahead in _lead(p):
        if ahead.min() < 0 < ahead.max():
            axes.contour(across, up, ahead, levels=[0.0], colors="black", linewidths=1.0)
    _draw_points(axes, surface)
    axes.set_title(surface.title, fontsize=9)
    axes.set_xlabel("$x_1$")
    axes.set_ylabel("$x_2$", rotation=0, labelpad=8)
    axes.tick_params(labelsize=8)


def _ground(p: ndarray) -> ndarray:
    """Return an image: the colour of the likeliest class, white where none is likelier than another."""
    classes = p.shape[-1]
    colours = np.array([to_rgb(colour) for colour in CLASS_COLOURS[:classes]])
    certainty = (p.max(axis=-1, keepdims=True) - 1 / classes) / (1 - 1 / classes)
    depth = 0.05 + 0.4 * certainty
    image: ndarray = 1 - depth * (1 - colours[p.argmax(axis=-1)])
    return image


def _lead(p: ndarray) -> list[ndarray]:
    """Return by how much each class is ahead of the best other; of two classes one says it all."""
    classes = p.shape[-1]
    if classes == 2:
        return [p[..., 1] - p[..., 0]]
    others = (np.delete(p, c, axis=-1).max(axis=-1) for c in range(classes))
    return [p[..., c] - other for c, other in enumerate(others)]


def _draw_points(axes: Axes, surface: Surface) -> None:
    chosen = surface.probabilities(surface.x).argmax(axis=1)
    size = np.full(len(surface.x), POINT_SIZE)
    if surface.support is not None:
        size[surface.support] *= 2
    for c in np.unique(surface.y):
        for wrong in (False, True):
            which = (surface.y == c) & ((chosen != c) == wrong)
            axes.scatter(
                surface.x[which, 0],
                surface.x[which, 1],
                s=size[which],
                marker=CLASS_MARKERS[c],
                color=CLASS_COLOURS[c],
                edgecolors="black" if wrong else "white",
                linewidths=1.6 if wrong else 0.6,
                zorder=3 if wrong else 2,
            )


def _legend(class_names: Sequence[str], *, support: bool) -> list[Line2D]:
    def handle(label: str, marker: str, colour: str, *, edge: str = "white", area: float = 1.0) -> Line2D:
        size = math.sqrt(area * POINT_SIZE)
        return Line2D(
            [], [], linestyle="", marker=marker, color=colour, label=label, markersize=size,
            markeredgecolor=edge, markeredgewidth=0.6 if edge == "white" else 1.6,
        )  # fmt: skip

    handles = [handle(name, CLASS_MARKERS[c], CLASS_COLOURS[c]) for c, name in enumerate(class_names)]
    handles.append(handle("misclassified", "o", "#CCCCCC", edge="black"))
    if support:
        handles.append(handle("support vector (double size)", "o", "#999999", area=2.0))
    return handles


# ---- films ---------------------------------------------------------------------------------------------


@own_style
def film(frames: Sequence[Surface], class_names: Sequence[str], *, title: str = "") -> bytes:
    """Make an animation of a decision surface, a frame after the other.

    The last frame stays for a while, then the film begins anew.

    Parameters
    ----------
    frames : sequence of Surface
    class_names : sequence of str
    title : str

    Returns
    -------
    gif : bytes
        The contents of an animated GIF file.

    Raises
    ------
    InputError
        As `surfaces` does.
    """
    from PIL.Image import Dither  # noqa: PLC0415 - matplotlib brings it; only films need it

    if not frames:
        raise InputError("film: frames must not be empty, got none")
    images = [_image(surfaces([frame], class_names, title=title)) for frame in frames]
    # One palette for all frames, or their colours would flicker; its nearly white is made white, or the
    # ground, which is mixed with the palest colours of the surface, would be greyish.
    palette = images[-1].quantize(256)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[(colours > 247).all(axis=1)] = 255
    palette.putpalette(colours.ravel().tolist())
    pictures = [image.quantize(palette=palette, dither=Dither.NONE) for image in images]
    durations = [120] * (len(pictures) - 1) + [2500]  # milliseconds

    gif = io.BytesIO()
    pictures[0].save(gif, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return gif.getvalue()


def _image(figure: Figure) -> Image:
    from PIL.Image import open as read  # noqa: PLC0415 - as above

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=100)  # a film needs no print quality
    return read(drawn).convert("RGB")


# ---- lines and losses ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Fit:
    """Points, and lines y = slope · x + intercept through them by name.

    Parameters
    ----------
    title : str
    x, y : arrays, shape (n,)
    lines : mapping from names to pairs (slope, intercept)
        In the order they were found; drawn the darker the later.
    reference : pair of float, optional
        The line that is sought, drawn dashed.
    reference_name : str
    """

    title: str
    x: Float[ndarray, " n"]
    y: Float[ndarray, " n"]
    lines: Mapping[str, tuple[float, float]]
    reference: tuple[float, float] | None = None
    reference_name: str = ""


@own_style
def fits(shown: Sequence[Fit], *, title: str = "") -> Figure:
    """Draw points and the lines fitted to them.

    Parameters
    ----------
    shown : sequence of Fit
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw.
    """
    if not shown:
        raise InputError("fits: shown must not be empty, got none")
    figure = new_figure(4.8 * len(shown), 4.0, title)
    for axes, fit in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        ends = np.array([fit.x.min(), fit.x.max()])
        ends += np.array([-0.15, 0.15]) * (ends[1] - ends[0])
        depths = np.linspace(0.25, 1, len(fit.lines))
        for (name, (slope, intercept)), depth in zip(fit.lines.items(), depths, strict=True):
            colour = tuple(1 - depth * (1 - channel) for channel in to_rgb(BLUE))
            axes.plot(ends, slope * ends + intercept, color=colour, linewidth=1 + depth, label=name)
        if fit.reference is not None:
            slope, intercept = fit.reference
            style = {"color": "black", "linestyle": (0, (3, 3)), "linewidth": 1.2}
            axes.plot(ends, slope * ends + intercept, label=fit.reference_name, **style)
        axes.scatter(fit.x, fit.y, s=POINT_SIZE, color=ORANGE, edgecolors="white", linewidths=0.5, zorder=3)
        axes.set_title(fit.title, fontsize=10)
        axes.set_xlabel("x")
        axes.set_ylabel("y", rotation=0, labelpad=8)
        axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
        axes.legend(frameon=False, fontsize=8)
    return figure


@own_style
def losses(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    loss_label: str,
    columns: int = 3,
    title: str = "",
) -> Figure:
    """Draw losses against the number of the step, several curves to a panel, both axes logarithmic.

    Parameters
    ----------
    panels : mapping from titles to mappings from names to losses
    loss_label : str
    columns : int
        How many panels stand in a row at most.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw.
    """
    if not panels:
        raise InputError("losses: panels must not be empty, got none")
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(4.8 * columns, 3.5 * rows + 0.3, title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, name in zip_longest(grid.flat, panels):
        if name is None:
            axes.axis("off")
        else:
            _draw_losses(axes, panels[name])
            axes.set_title(name, fontsize=10)
            axes.set_ylabel(loss_label)
    return figure


def _draw_losses(axes: Axes, curves: Mapping[str, Sequence[float]]) -> None:
    styles: tuple[Any, ...] = ("-", (0, (5, 3)), (0, (1, 2)), "-.")
    for i, (label, values) in enumerate(curves.items()):
        # Of two, the second is the narrower, so that both are seen where they coincide.
        width = 1.6 if len(curves) != 2 else (3.4, 1.6)[i]
        steps = np.arange(1, len(values) + 1)
        colour, style = CURVE_COLOURS[i % len(CURVE_COLOURS)], styles[i % len(styles)]
        axes.plot(steps, values, color=colour, linestyle=style, linewidth=width, label=label)
    everything = [value for values in curves.values() for value in values]
    axes.set_xscale("log")
    log_axis(axes, everything)
    if 10 * min(everything) <= max(everything) < 1000 * min(everything):
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.set_xlabel("step")
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.legend(frameon=False, fontsize=8)


@own_style
def duel(scores: Mapping[str, Mapping[str, Float[ndarray, " data_sets"]]], *, title: str = "") -> Figure:
    """Compare two classifiers that were judged on the same data sets.

    Each data set is a line from what one reaches to what the other reaches; beside the lines stand means
    and deviations. Last, the differences are counted.

    Parameters
    ----------
    scores : mapping from measures to mappings from two names to arrays
        Shares in 0…1, one for each data set.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a measure does not compare two classifiers on the same number of data sets.
    """
    for measure, pair in scores.items():
        if len(pair) != 2 or len({len(values) for values in pair.values()}) != 1:
            raise InputError(f"duel: {measure} must have two names with as many scores, got {list(pair)}")
    figure = new_figure(3.6 * (len(scores) + 1), 4.0, title)
    panels = figure.subplots(1, len(scores) + 1, squeeze=False)[0]
    for axes, (measure, pair) in zip(panels, scores.items(), strict=False):
        _draw_pairs(axes, measure, pair)
    _draw_differences(panels[-1], *next(iter(scores.items())))
    return figure


def _draw_pairs(axes: Axes, measure: str, pair: Mapping[str, ndarray]) -> None:
    (_, first), (_, second) = pair.items()
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
    axes.set_ylabel(f"{measure} (%)")
    axes.grid(visible=True, axis="y", color="#DDDDDD", linewidth=0.6)


def _draw_differences(axes: Axes, measure: str, pair: Mapping[str, ndarray]) -> None:
    """Draw a bar for each data set, in order of the difference, in the colour of the better one."""
    (name, first), (other, second) = pair.items()
    difference = np.sort(100 * (first - second))
    place = np.arange(1, len(difference) + 1)
    for better, colour in ((difference > 0, BLUE), (difference < 0, ORANGE)):
        axes.bar(place[better], difference[better], color=colour, width=0.8)
    axes.axhline(0, color="black", linewidth=1)
    mean = f"{difference.mean():+.1f}".replace("-", "−")
    axes.axhline(difference.mean(), color=GREY, linestyle="--", linewidth=1.2, label=f"mean {mean}")
    axes.set_xlim(0, len(difference) + 1)
    axes.set_xlabel("data sets, in order")
    axes.set_ylabel(f"{measure}: {name} − {other} (points)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8, loc="upper left")
