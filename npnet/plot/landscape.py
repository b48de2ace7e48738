"""The loss around a model's weights, as a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.errors import InputError
from npnet.nn import Layer, Loss
from npnet.nn.step import check_model
from npnet.plot._style import AMBER, drawing, new_figure
from npnet.shapes import Shaped
from npnet.train.landscape import Direction, flat, loss_plane, principal_directions, random_direction

OWNER = "loss_surface"
MOST_POINTS = 201
LEVELS = 24
BESIDE = 0.25  # of a path's extent, on each side of it
SEED = 0
COLOURS = ListedColormap(colormaps["YlGnBu"](np.linspace(0, 0.65, 256)))  # labels are read on all of it


@drawing
def loss_surface(
    model: Layer,
    loss: Loss,
    x: Shaped[ndarray, "n ..."],
    target: Shaped[ndarray, "n ..."],
    *,
    directions: tuple[Direction, Direction] | None = None,
    trajectory: Sequence[Any] | None = None,
    generator: Generator | None = None,
    span: float = 1.0,
    points: int = 21,
    title: str = "",
) -> Figure:
    """Draw the loss around a model's weights along two directions, as a map with lines of equal loss.

    The directions are random and as long as the weights, filter by filter; or two of your own; or, with a
    trajectory, the two along which the weights moved most, with the path they took. The model keeps its
    weights to the bit: a copy is moved. A map shows two of very many directions: what looks like a basin may
    have a way out along another.

    Parameters
    ----------
    model : Layer
        Its present weights are the centre.
    loss : Loss
    x, target : array
        A minibatch: some hundred samples. It is evaluated points² times, without dropout.
    directions : two dicts from parameter names to arrays, optional
    trajectory : list of dicts from names to arrays, optional
        The weights at three moments or more, such as ``model.state_dict()`` after each epoch.
    generator : numpy.random.Generator, optional
        Draws the random directions; without one, from the seed 0.
    span : float
        How far to go on each side. 1 along a random direction changes each filter by its own size. With a
        trajectory, the map is as large as the path wants it.
    points : int
        Places along each direction, 2 to 201; an odd number has the centre among them.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If an argument does not fit, or both directions and a trajectory are given.
    DTypeError
        If x or target is no array.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein (2018), Visualizing the loss landscape of neural nets.

    Examples
    --------
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Linear(2, 8, generator=rng), nn.Tanh(), nn.Linear(8, 2, generator=rng))
    >>> x, target = rng.normal(size=(50, 2)).astype(np.float32), rng.integers(0, 2, 50)
    >>> figure = loss_surface(model, nn.CrossEntropyLoss(), x, target, points=5)
    >>> figure.savefig("surface.png")  # doctest: +SKIP
    """
    check_model(OWNER, model)
    span = check.number(OWNER, "span", span, above=0.0)
    points = check.integer(OWNER, "points", points, least=2, most=MOST_POINTS)
    if directions is not None and trajectory is not None:
        raise InputError(f"{OWNER}: directions must be left out where a trajectory is given, got both")
    check.finite(OWNER, "x", check.array(OWNER, "x", x, "biuf"))
    check.array(OWNER, "target", target)
    generator = np.random.default_rng(SEED) if generator is None else generator
    check.generator(OWNER, generator)
    path = np.empty((0, 2))
    if trajectory is not None:
        directions, path = _along(model, trajectory)
    elif directions is None:
        directions = _random(model, generator)
    a, b = _axes_of(path, span, points)
    try:
        losses = loss_plane(model, loss, x, target, directions, a, b)
    except InputError as error:
        raise error.inside(OWNER) from None
    figure = new_figure(5.6, 4.6, title)
    _draw(figure, figure.subplots(), a, b, losses, path)
    return figure


def _random(model: Layer, generator: Generator) -> tuple[Direction, Direction]:
    try:
        return random_direction(model, generator), random_direction(model, generator)
    except InputError as error:
        raise error.inside(OWNER) from None


def _along(model: Layer, trajectory: Any) -> tuple[tuple[Direction, Direction], ndarray]:
    """Return the directions of a trajectory, and its places in their plane, seen from the model."""
    centre = dict(model.parameters)
    try:
        first, second = principal_directions(trajectory, centre)
    except InputError as error:
        raise error.inside(OWNER) from None
    plane = np.stack([flat(OWNER, "directions", direction, centre) for direction in (first, second)])
    moments = np.stack([flat(OWNER, "trajectory", moment, centre) for moment in trajectory])
    return (first, second), (moments - flat(OWNER, "model", centre, centre)) @ plane.T


def _axes_of(path: ndarray, span: float, points: int) -> tuple[ndarray, ndarray]:
    """Return the places along each direction: ±span, or with a path what it covers and some more."""
    if not len(path):
        return (np.linspace(-span, span, points),) * 2
    covered = np.concatenate([path, np.zeros((1, 2))])
    low, high = covered.min(axis=0), covered.max(axis=0)
    beside = BESIDE * (high - low).max()
    return tuple(np.linspace(low[k] - beside, high[k] + beside, points) for k in range(2))  # type: ignore[return-value]


def _draw(figure: Figure, axes: Axes, a: ndarray, b: ndarray, losses: ndarray, path: ndarray) -> None:
    finite = losses[np.isfinite(losses)]
    if not finite.size:
        raise InputError(f"{OWNER}: loss must be finite somewhere, got none")
    low, high = float(finite.min()), float(finite.max())
    scale, levels = _scale(low, high)
    shown = np.ma.masked_invalid(losses)
    axes.set_facecolor("#BBBBBB")  # where the loss is not finite
    filled = axes.contourf(a, b, shown, levels=levels, norm=scale, cmap=COLOURS, extend="both")
    lines = axes.contour(
        a, b, shown, levels=levels[:: LEVELS // 8], norm=scale, colors="black", linewidths=0.5
    )
    axes.clabel(lines, fmt=lambda value: f"{value:.3g}", fontsize=7)
    bar = figure.colorbar(filled, ax=axes, label="loss", format=lambda value, _: f"{value:.3g}")
    bar.set_ticks(levels[:: LEVELS // 8].tolist())
    bar.minorticks_off()
    if len(path):
        axes.plot(*path.T, color=AMBER, marker=".", markersize=5, linewidth=1.2)
    axes.plot(0, 0, marker="o", markersize=7, color=AMBER, markeredgecolor="black")
    axes.set_xlabel("along the first direction")
    axes.set_ylabel("along the second")
    axes.set_aspect("equal")
    axes.locator_params(nbins=6)


def _scale(low: float, high: float) -> tuple[Normalize, ndarray]:
    """Return a colour scale and levels: logarithmic where losses are positive and more than double."""
    if low > 0 and high > 2 * low:
        return LogNorm(low, high), np.geomspace(low, high, LEVELS + 1)
    high = high if high > low else low + max(abs(low), 1.0) * 1e-3
    return Normalize(low, high), np.linspace(low, high, LEVELS + 1)
