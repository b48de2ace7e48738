"""What the layers of a model give for a minibatch, as histograms."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.nn import Layer, ReLU
from npnet.nn.outputs import layer_outputs, which_are_dead
from npnet.nn.step import check_model
from npnet.plot._arguments import plain
from npnet.plot._style import BLUE, GREY, ORANGE, drawing, grid_lines, new_figure, panels
from npnet.shapes import Shaped

OWNER = "activation_histograms"
BINS = 60
MOST_LAYERS = 60
COLUMNS = 4
WIDEST_TITLE = 6.0  # inches
OUTLIERS = 0.001  # on either side: the axis ends where so many values lie beyond


@drawing
def activation_histograms(model: Layer, x: Shaped[ndarray, "n ..."], *, title: str = "") -> Figure:
    """Draw a histogram of the outputs of each layer for a minibatch, in evaluation mode.

    Above each stand mean, standard deviation, and the share of outputs that are exactly 0, which are left out
    of the histogram. For a ReLU, dead units are counted: those that are 0 for every sample. Deviations that
    shrink from layer to layer, sigmoids and tanhs that are all at their limits, and dead units are signs of
    gradients that do not arrive.

    Parameters
    ----------
    model : Layer
    x : array, shape (n, ...)
        A minibatch, as the model takes it: some hundred samples.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the model is none or has more than 60 layers, x does not fit it, or an output is not finite.
    DTypeError
        If x is no array.

    Examples
    --------
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Linear(3, 5, generator=rng, dtype=np.float64), nn.ReLU())
    >>> figure = activation_histograms(model, rng.normal(size=(100, 3)))
    >>> [axes.get_title("left").split()[0] for axes in figure.axes]
    ['0', '1']
    """
    check_model(OWNER, model)
    check.finite(OWNER, "x", check.array(OWNER, "x", x, "biuf"))
    if x.ndim == 0 or not x.size:
        raise InputError(f"{OWNER}: x must hold at least one sample, got shape {x.shape}")
    try:
        outputs = layer_outputs(model, x)
    except InputError as error:
        raise error.inside(f"{OWNER}: x must fit the model") from None
    if not 1 <= len(outputs) <= MOST_LAYERS:
        raise InputError(f"{OWNER}: model must have 1 to {MOST_LAYERS} layers to draw, got {len(outputs)}")
    columns = min(COLUMNS, len(outputs))
    rows = math.ceil(len(outputs) / columns)
    figure = new_figure(max(2.9 * columns + 0.3, WIDEST_TITLE), 2.1 * rows + (0.4 if title else 0.1), title)
    for axes, (name, (layer, y)) in zip(panels(figure, len(outputs), columns), outputs.items(), strict=True):
        check.finite(OWNER, f"the output of model's layer '{name}'", y)
        _draw(axes, f"{name} {type(layer).__name__}".strip(), layer, y)
    return figure


def _draw(axes: Axes, name: str, layer: Layer, y: ndarray) -> None:
    values = y.astype(np.float64).ravel()
    zeros = values == 0
    words = f"mean {values.mean():.2g}, deviation {values.std():.2g}"
    if zeros.any():
        words += f", {100 * zeros.mean():.0f} % are 0"
    is_relu = isinstance(layer, ReLU) and y.ndim > 1
    dead = which_are_dead(y) if is_relu else np.zeros(0, bool)
    if is_relu:
        words += f"\n{int(dead.sum())} of {len(dead)} units dead"
    axes.set_title(f"{plain(name)}\n{words}", fontsize=7.5, loc="left")
    shown = values[~zeros]
    if shown.size:
        low, high = np.quantile(shown, [OUTLIERS, 1 - OUTLIERS])
        margin = (high - low) * 0.02 or abs(high) * 0.1
        bins = np.linspace(low - margin, high + margin, BINS + 1)
        axes.hist(np.clip(shown, bins[0], bins[-1]), bins=bins.tolist(), color=ORANGE if dead.any() else BLUE)
    else:
        axes.text(0.5, 0.5, "all are 0", ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.tick_params(labelsize=7)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    grid_lines(axes, axis="x")
