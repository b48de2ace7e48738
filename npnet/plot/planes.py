"""Classifiers of points in the plane: decision surfaces and the points themselves.

The background has the colour of the predicted class, paler where the model is less certain; black lines are
decision boundaries. Classes differ in marker as well as in colour, so that figures read in grey too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.nn import Layer
from npnet.plot._arguments import Names, names, names_of, numbers, plain, sequence
from npnet.plot._classifier import Classifier, classifier, predictor
from npnet.plot._style import (
    AMBER,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    drawing,
    legend_below,
    new_figure,
    panels,
)
from npnet.shapes import Bool, Integer, Num

__all__ = ["Surface", "surface", "surfaces"]

CLASS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER, "#F0E442", "#777777")
CLASS_MARKERS = ("o", "s", "^", "D", "v", "<", ">", "p")
AXES = ("$x_1$", "$x_2$")
POINT_SIZE = 26.0  # area, in points²
GRID_POINTS = 200  # along each axis, at which the model is evaluated
MOST_SURFACES = 64


@drawing
def surface(
    model: Layer | Callable[[ndarray], Any] | Any,
    x: Num[ndarray, "n 2"],
    y: Integer[ndarray, " n"] | Bool[ndarray, " n"],
    class_names: Names | None = None,
    *,
    feature_names: Names = AXES,
    title: str = "",
) -> Figure:
    """Draw the decision surface of a classifier of points in the plane, and labelled points.

    The background has the colour of the predicted class, paler where the model is less certain; black lines
    are decision boundaries. Misclassified points have a black ring.

    Parameters
    ----------
    model : npnet.nn.Layer, function, or scikit-learn classifier
        Takes points (n, 2) and returns logits or probabilities (n, classes). With two classes one number for
        each point is enough, (n, 1) or (n,): the probability of class 1 if a function or a last sigmoid layer
        returns it, its logit if any other layer does. A function may also return class labels, integers.
    x : array, shape (n, 2)
        Points, as the model takes them.
    y : integer or boolean array, shape (n,)
        Their classes, in 0…classes − 1.
    class_names : sequence of str, optional
        One for each class, at most eight; without it, their numbers.
    feature_names : sequence of two str
        The names of the two columns of x.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If an argument does not fit, or the model returns something else.
    DTypeError
        If x or y is no array, or of another kind.

    Examples
    --------
    >>> x, y = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]]), np.array([0, 1, 1])
    >>> figure = surface(lambda points: points[:, 0] > 0.5, x, y, ["left", "right"])
    >>> figure.savefig("halves.png")  # doctest: +SKIP
    """
    owner = "surface"
    x, y = _points(owner, x, y)
    named = 0 if class_names is None else len(names(owner, class_names, most=len(CLASS_COLOURS)))
    probabilities = classifier(owner, model, classes=max(named, int(y.max()) + 1, 2))
    classes = probabilities(x[:1]).shape[1]
    class_names = names_of(owner, class_names, classes, most=len(CLASS_COLOURS))
    check.class_labels(owner, y, classes=classes)
    if feature_names is not AXES:
        feature_names = names(owner, feature_names, "feature_names", least=2, most=2)
    figure = draw_surfaces(owner, [Surface("", x, y, probabilities)], class_names, 1, title)
    axes = figure.axes[0]
    axes.set_xlabel(feature_names[0])
    axes.set_ylabel(feature_names[1], rotation=0 if len(feature_names[1]) <= 5 else 90)
    return figure


def _points(owner: str, x: Any, y: Any) -> tuple[ndarray, ndarray]:
    """Return points (n, 2) and an integer label for each."""
    x = numbers(owner, "x", x, "(n, 2)")
    if x.shape[1] != 2:
        raise InputError(f"{owner}: x must have shape (n, 2), got {x.shape}")
    if isinstance(y, ndarray) and y.dtype.kind == "b":
        y = y.astype(np.int64)
    check.class_labels(owner, y, classes=len(CLASS_COLOURS))
    if len(x) != len(y):
        raise InputError(f"{owner}: x and y must be as many points as labels, got {len(x)} and {len(y)}")
    return x, y


@dataclass(frozen=True, eq=False)
class Surface:
    """A classifier of points in the plane, and labelled points to draw with it.

    Parameters
    ----------
    title : str
    x : array, shape (n, 2)
        Finite.
    y : integer or boolean array, shape (n,)
        The classes of the points, in 0…7.
    model : npnet.nn.Layer, function, or scikit-learn classifier
        As `surface` takes it.
    support : integer array, optional
        Which points are support vectors; they are drawn double size.

    Raises
    ------
    InputError
        If x and y do not fit each other, or something is of another kind.
    """

    title: str
    x: Num[ndarray, "n 2"]
    y: Integer[ndarray, " n"] | Bool[ndarray, " n"]
    model: Layer | Callable[[ndarray], Any] | Any
    support: Integer[ndarray, " support"] | None = None

    def __post_init__(self) -> None:
        check.text("Surface", "title", self.title)
        x, y = _points("Surface", self.x, self.y)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)
        predictor("Surface", self.model)
        if self.support is not None:
            check.class_labels("Surface", self.support, "support", classes=len(x))


@drawing
def surfaces(
    shown: Sequence[Surface | None],
    class_names: Names,
    *,
    columns: int | None = None,
    title: str = "",
) -> Figure:
    """Draw decision surfaces side by side, as `surface` draws one.

    Parameters
    ----------
    shown : sequence of Surface or None
        1 to 64; None leaves its place empty.
    class_names : sequence of str
        Up to eight.
    columns : int, optional
        How many stand in a row, 1 or more; without it, all.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, too much, or something else.
    """
    owner = "surfaces"
    class_names = names(owner, class_names, most=len(CLASS_COLOURS))
    for each in sequence(owner, "shown", shown, most=MOST_SURFACES):
        if each is not None:
            check.instance(owner, "shown", each, Surface, "a list of Surface")
    columns = len(shown) if columns is None else check.integer(owner, "columns", columns, least=1)
    return draw_surfaces(owner, shown, class_names, columns, title)


def draw_surfaces(
    owner: str, shown: Sequence[Surface | None], class_names: Sequence[str], columns: int, title: str
) -> Figure:
    """Draw surfaces whose arguments have been checked."""
    columns = min(columns, len(shown))
    width = max(3.3 * columns, 4.4)
    figure = new_figure(width, 3.35 * math.ceil(len(shown) / columns) + 0.8, title)
    for axes, each in zip(panels(figure, len(shown), columns), shown, strict=True):
        if each is None:
            axes.axis("off")
        else:
            _draw_surface(axes, each, classifier(owner, each.model, max(len(class_names), 2)))
    support = any(each is not None and each.support is not None for each in shown)
    legend_below(figure, _legend(class_names, support=support))
    return figure


def _draw_surface(axes: Axes, drawn: Surface, probabilities: Classifier) -> None:
    points = drawn.x.astype(np.float64)  # so that the margin of large numbers is not rounded away
    low, high = points.min(axis=0), points.max(axis=0)
    border = 0.08 * np.where(high > low, high - low, 1.0)
    (left, bottom), (right, top) = (low - border).tolist(), (high + border).tolist()
    across, up = (np.linspace(a, b, GRID_POINTS) for a, b in ((left, right), (bottom, top)))
    plane = np.stack(np.meshgrid(across, up), axis=-1)  # (rows, columns, 2)
    p = probabilities(plane.reshape(-1, 2).astype(drawn.x.dtype))
    p = p.reshape(*plane.shape[:2], -1)
    axes.imshow(
        _background(p),
        origin="lower",
        extent=(left, right, bottom, top),
        aspect="auto",
        interpolation="bilinear",
    )
    for margin in _margins(p):
        if margin.min() < 0 < margin.max():
            axes.contour(across, up, margin, levels=[0.0], colors="black", linewidths=1.0)
    _draw_points(axes, drawn, probabilities(drawn.x).argmax(axis=1))
    axes.set_title(plain(drawn.title), fontsize=9)
    axes.set_xlabel(AXES[0])
    axes.set_ylabel(AXES[1], rotation=0, labelpad=8)
    axes.tick_params(labelsize=8)


def _background(p: ndarray) -> ndarray:
    """Return an image: the colour of the likeliest class, nearly white where all are equally likely."""
    classes = p.shape[-1]
    colours = np.array([to_rgb(colour) for colour in CLASS_COLOURS[:classes]])
    certainty = (p.max(axis=-1, keepdims=True) - 1 / classes) / (1 - 1 / classes)
    depth = 0.05 + 0.4 * certainty
    image: ndarray = 1 - depth * (1 - colours[p.argmax(axis=-1)])
    return image


def _margins(p: ndarray) -> list[ndarray]:
    """Return p of each class minus p of the best other class; two classes have one margin."""
    classes = p.shape[-1]
    if classes == 2:
        return [p[..., 1] - p[..., 0]]
    others = (np.delete(p, c, axis=-1).max(axis=-1) for c in range(classes))
    return [p[..., c] - other for c, other in enumerate(others)]


def _draw_points(axes: Axes, drawn: Surface, predicted: ndarray) -> None:
    size = np.full(len(drawn.x), POINT_SIZE)
    if drawn.support is not None:
        size[drawn.support] *= 2
    for c in np.unique(drawn.y):
        for wrong in (False, True):
            which = (drawn.y == c) & ((predicted != c) == wrong)
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
