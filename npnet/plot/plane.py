"""Figures of the plane: what a classifier says of every point, how that changes, how lines are fitted.

The ground has the colour of the class that is chosen there, the paler the less certain, and black lines
where the choice changes. Classes differ in marker as well as in colour, so that figures read in grey too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Integer
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy import ndarray

from npnet import check
from npnet import functional as F
from npnet.errors import InputError
from npnet.nn import Layer, Sequential, Sigmoid
from npnet.plot._arguments import (
    MOST_GRID,
    MOST_PANELS,
    MOST_PICTURES,
    Names,
    caption,
    mapping,
    names,
    names_of,
    numbers,
    plain,
    sequence,
    shares,
)
from npnet.plot._style import BLUE, GREEN, GREY, ORANGE, PURPLE, log_axis, new_figure, own_style

if TYPE_CHECKING:
    from PIL.Image import Image

CLASS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#56B4E9", "#E69F00", "#F0E442", "#777777")
CURVE_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "black")
AXES = ("$x_1$", "$x_2$")
CLASS_MARKERS = ("o", "s", "^", "D", "v", "<", ">", "p")
POINT_SIZE = 26.0  # area, in points²
STEPS_OF_THE_GRID = 200
POINTS_AT_A_TIME = 8192  # through a model: bounds the memory of wide ones
MOST_FRAMES = 1000

Classifier = Callable[[ndarray], ndarray]  # points (n, 2) to probabilities (n, classes)


@own_style
def surface(
    model: Layer | Callable[[ndarray], Any] | Any,
    x: Float[ndarray, "n 2"] | Integer[ndarray, "n 2"],
    y: Integer[ndarray, " n"] | Bool[ndarray, " n"],
    class_names: Names | None = None,
    *,
    feature_names: Names = AXES,
    title: str = "",
) -> Figure:
    """Draw what a classifier says of every point of the plane, and the points it is judged by.

    The ground has the colour of the class that is chosen there, the paler the less certain; black lines
    stand where the choice changes. Points that are misclassified have a black ring.

    Parameters
    ----------
    model : npnet.nn.Layer, function, or classifier of scikit-learn
        What gives points (n, 2) their logits or probabilities (n, classes). Of two classes one number for
        each point will do, (n, 1) or (n,): the probability of class 1 if a function gives it or a sigmoid
        is the last layer, its logit if any other layer is. A function may also give class labels, integers.
    x : array, shape (n, 2)
        Points, as the model is to be given them.
    y : integer or boolean array, shape (n,)
        Their classes, from 0 on.
    class_names : sequence of str, optional
        One for each class; their numbers, if absent. At most eight.
    feature_names : sequence of two str
        What the two columns of x are.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If an argument does not fit, or the model gives something else.
    DTypeError
        If x or y is no array, or of another kind.

    Examples
    --------
    >>> x, y = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]]), np.array([0, 1, 1])
    >>> figure = surface(lambda points: points[:, 0] > 0.5, x, y, ["left", "right"])
    >>> figure.savefig("halves.png")  # doctest: +SKIP
    """
    owner = "surface"
    title = caption(owner, "title", title)
    x = numbers(owner, "x", x, "(n, 2)")
    if x.shape[1] != 2:
        raise InputError(f"{owner}: x must have shape (n, 2), got {x.shape}")
    if isinstance(y, ndarray) and y.dtype.kind == "b":
        y = y.astype(np.int64)
    check.class_labels(owner, y)
    if len(x) != len(y):
        raise InputError(f"{owner}: y must be one label for each point of x, got {len(y)} for {len(x)}")
    probabilities = _classifier(model, classes=max(int(y.max()) + 1, 2))
    classes = probabilities(x[:1]).shape[1]
    class_names = names_of(owner, class_names, classes, most=len(CLASS_COLOURS))
    check.class_labels(owner, y, classes=classes)
    if feature_names is not AXES:
        feature_names = names(owner, feature_names, "feature_names")
    if len(feature_names) != 2:
        raise InputError(f"{owner}: feature_names must be two, got {len(feature_names)}")
    figure = _surfaces([Surface("", x, y, probabilities)], class_names, 1, title)
    axes = figure.axes[0]
    axes.set_xlabel(feature_names[0])
    axes.set_ylabel(feature_names[1], rotation=0 if len(feature_names[1]) <= 5 else 90)
    return figure


def _classifier(model: Any, classes: int) -> Classifier:
    """Return the function from points to probabilities that a model or any function stands for."""
    is_layer = isinstance(model, Layer)
    given = getattr(model, "predict_proba", model)  # scikit-learn's classifiers
    check.function("surface", "model", given, "a model, or a function of points")
    arrays = list(model.parameters.values()) if is_layer else []
    dtype = arrays[0].dtype if arrays else None
    logits = is_layer and not _ends_in_sigmoid(model)

    def some(points: ndarray) -> ndarray:
        given_points = points if dtype is None else points.astype(dtype)
        return _as_probabilities(given(given_points), len(points), classes, logits=logits)

    def all_of_them(points: ndarray) -> ndarray:
        starts = range(0, len(points), POINTS_AT_A_TIME)
        return np.concatenate([some(points[start : start + POINTS_AT_A_TIME]) for start in starts])

    return all_of_them


def _ends_in_sigmoid(layer: Layer) -> bool:
    while isinstance(layer, Sequential) and len(layer):
        layer = list(layer)[-1]
    return isinstance(layer, Sigmoid)


def _as_probabilities(output: Any, n: int, classes: int, *, logits: bool) -> ndarray:
    """Return probabilities (n, classes) of what a model gave: these, logits, one column, or labels."""
    y = np.asarray(output)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2) or len(y) != n or y.size == 0:
        raise InputError(
            f"surface: model must give numbers of shape ({n}, classes) or ({n},) for {n} points, "
            f"got {check.described(output)}"
        )
    check.finite("surface", "what model gives", y)
    if y.ndim == 1 and y.dtype.kind in "biu":
        if y.min() < 0 or y.max() >= len(CLASS_COLOURS):
            raise InputError(
                f"surface: model must give labels in 0…{len(CLASS_COLOURS) - 1}, got {y.min()} to {y.max()}"
            )
        return np.eye(max(classes, 2))[np.minimum(y.astype(np.int64), max(classes, 2) - 1)]
    y = y.astype(np.float64)
    if y.ndim == 1:
        y = F.sigmoid(y)[0] if logits else y
        shares("surface", "the probability that model gives", y, "(n,)")
        return np.stack([1 - y, y], axis=1)
    if y.min() >= 0 and np.allclose(y.sum(axis=1), 1, atol=1e-3):
        return y
    return F.softmax(y, dim=1)[0]


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

    Raises
    ------
    InputError
        If x and y do not fit each other, or something is of another kind.
    """

    title: str
    x: Float[ndarray, "n 2"]
    y: Integer[ndarray, " n"]
    probabilities: Classifier
    support: Integer[ndarray, " support"] | None = None

    def __post_init__(self) -> None:
        check.text("Surface", "title", self.title)
        x = numbers("Surface", "x", self.x, "(n, 2)")
        check.class_labels("Surface", self.y, classes=len(CLASS_COLOURS))
        if x.shape != (len(self.y), 2):
            raise InputError(
                f"Surface: x must have shape ({len(self.y)}, 2), a row for each label in y, got {x.shape}"
            )
        check.function("Surface", "probabilities", self.probabilities)
        if self.support is not None:
            check.class_labels("Surface", self.support, "support", classes=len(x))


@own_style
def surfaces(
    shown: Sequence[Surface | None],
    class_names: Names,
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
        At most eight.
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
    owner = "surfaces"
    title = caption(owner, "title", title)
    shown = _checked(owner, "shown", shown, most=MOST_GRID)
    class_names = names(owner, class_names, most=len(CLASS_COLOURS))
    if columns is not None:
        columns = check.integer(owner, "columns", columns, least=1)
    return _surfaces(shown, class_names, columns, title)


def _checked(owner: str, name: str, shown: Any, *, most: int) -> list[Surface | None]:
    """Return surfaces to be drawn, their titles to be drawn as they stand."""
    found: list[Surface | None] = []
    for each in sequence(owner, name, shown, most=most):
        if each is None:
            found.append(None)
            continue
        check.instance(owner, name, each, Surface, "a list of Surface")
        found.append(replace(each, title=caption(owner, f"{name}'s title", each.title)))
    return found


def _surfaces(
    shown: Sequence[Surface | None], class_names: Sequence[str], columns: int | None, title: str
) -> Figure:
    columns = len(shown) if columns is None else min(columns, len(shown))
    rows = math.ceil(len(shown) / columns)
    width = max(3.3 * columns, 4.4)
    legend = len(class_names) + 2 if width >= 6 else 4 if max(map(len, class_names)) <= 8 else 2  # columns
    lines = math.ceil((len(class_names) + 1) / legend)
    figure = new_figure(width, 3.35 * rows + 0.4 + 0.2 * lines, title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, each in zip_longest(grid.flat, shown):
        if each is None:
            axes.axis("off")
        else:
            _draw_surface(axes, each)
    figure.legend(
        handles=_legend(
            class_names, support=any(each is not None and each.support is not None for each in shown)
        ),
        loc="outside lower center",
        ncols=legend,
        frameon=False,
        fontsize=9,
    )
    return figure


def _draw_surface(axes: Axes, drawn: Surface) -> None:
    points = drawn.x.astype(np.float64)  # so that the margin of large numbers is not rounded away
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.08 * np.where(high > low, high - low, 1.0)
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    across, up = (np.linspace(a, b, STEPS_OF_THE_GRID) for a, b in ((left, right), (bottom, top)))
    plane = np.stack(np.meshgrid(across, up), axis=-1)  # (rows, columns, 2)
    p = drawn.probabilities(plane.reshape(-1, 2).astype(drawn.x.dtype))
    p = p.reshape(*plane.shape[:2], -1)
    axes.imshow(
        _ground(p), origin="lower", extent=(left, right, bottom, top), aspect="auto", interpolation="bilinear"
    )
    for ahead in _lead(p):
        if ahead.min() < 0 < ahead.max():
            axes.contour(across, up, ahead, levels=[0.0], colors="black", linewidths=1.0)
    _draw_points(axes, drawn)
    axes.set_title(drawn.title, fontsize=9)
    axes.set_xlabel(AXES[0])
    axes.set_ylabel(AXES[1], rotation=0, labelpad=8)
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


def _draw_points(axes: Axes, drawn: Surface) -> None:
    chosen = drawn.probabilities(drawn.x).argmax(axis=1)
    size = np.full(len(drawn.x), POINT_SIZE)
    if drawn.support is not None:
        size[drawn.support] *= 2
    for c in np.unique(drawn.y):
        for wrong in (False, True):
            which = (drawn.y == c) & ((chosen != c) == wrong)
            axes.scatter(
                drawn.x[which, 0],
                drawn.x[which, 1],
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
def film(frames: Sequence[Surface], class_names: Names, *, title: str = "") -> bytes:
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

    caption("film", "title", title)
    names("film", class_names, most=len(CLASS_COLOURS))
    for frame in sequence("film", "frames", frames, most=MOST_FRAMES):
        check.instance("film", "frames", frame, Surface, "a list of Surface")
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

    Raises
    ------
    InputError
        If x and y do not fit each other, or a line is no pair of numbers.
    """

    title: str
    x: Float[ndarray, " n"]
    y: Float[ndarray, " n"]
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
    title = caption("fits", "title", title)
    for each in sequence("fits", "shown", shown, most=MOST_PANELS):
        check.instance("fits", "shown", each, Fit, "a list of Fit")
    figure = new_figure(4.8 * len(shown), 4.0, title)
    for axes, fit in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        ends = np.array([fit.x.min(), fit.x.max()])
        ends += np.array([-0.15, 0.15]) * (ends[1] - ends[0])
        depths = np.linspace(0.25, 1, len(fit.lines))
        for (name, (slope, intercept)), depth in zip(fit.lines.items(), depths, strict=True):
            colour = tuple(1 - depth * (1 - channel) for channel in to_rgb(BLUE))
            axes.plot(ends, slope * ends + intercept, color=colour, linewidth=1 + depth, label=plain(name))
        if fit.reference is not None:
            slope, intercept = fit.reference
            style = {"color": "black", "linestyle": (0, (3, 3)), "linewidth": 1.2}
            axes.plot(ends, slope * ends + intercept, label=plain(fit.reference_name), **style)
        axes.scatter(fit.x, fit.y, s=POINT_SIZE, color=ORANGE, edgecolors="white", linewidths=0.5, zorder=3)
        axes.set_title(plain(fit.title), fontsize=10)
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
    title, loss_label = caption("losses", "title", title), caption("losses", "loss_label", loss_label)
    panels = {
        name: _loss_curves(name, curves) for name, curves in mapping("losses", "panels", panels).items()
    }
    columns = check.integer("losses", "columns", columns, least=1)
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


def _loss_curves(panel: str, curves: Any) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, values in mapping("losses", f"panels of {panel!r}", curves).items():
        if not isinstance(values, list | tuple | ndarray) or len(values) == 0:
            raise InputError(f"losses: panels must hold lists of losses, got {check.described(values)}")
        found[name] = [check.number("losses", f"panels of {panel!r}, {name}", value) for value in values]
    return found


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
    title = caption("duel", "title", title)
    scores = {
        measure: {
            name: numbers("duel", f"scores of {name}", values, "(data_sets,)").astype(np.float64)
            for name, values in mapping("duel", f"scores of {measure!r}", pair).items()
        }
        for measure, pair in mapping("duel", "scores", scores).items()
    }
    for measure, pair in scores.items():
        if len(pair) != 2 or len({len(values) for values in pair.values()}) != 1:
            raise InputError(
                f"duel: {measure} scores must be of two names, as many of each, got {list(pair)}"
            )
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
