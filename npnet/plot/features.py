"""Figures of images on their way through a network: how many of each class, templates, features by layer.

What has a sign is drawn in red above zero and in blue below, white being zero, so that after a ReLU no blue
is left. Colours are relative to the largest value of what is drawn together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy import ndarray

from npnet import check
from npnet._words import counted
from npnet.errors import InputError
from npnet.nn import Dropout, Flatten, Layer, Sequential
from npnet.plot._arguments import MOST_PICTURES, Names, caption, mapping, names, names_of, numbers, plain
from npnet.plot._style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    class_ticks,
    draw_picture,
    longest,
    new_figure,
    own_style,
)

SIGNED = "RdBu_r"
MAPS_IN_A_ROW = 16
VALUES_IN_A_ROW = 32
MOST_LAYERS = 50
MOST_NAMED_BARS = 30
LETTERS_IN_A_LINE = 60  # of what is said of the likeliest classes
CELL = 0.3  # inches, the width of a single value
WIDTH, MARGIN, LINE = 8.5, 0.6, 0.28  # of the figure of layers, in inches
PICTURE_HEIGHT, BARS_HEIGHT = 1.3, 1.3


@own_style
def class_histogram(
    parts: Mapping[str, Integer[ndarray, " n"]], class_names: Names, *, title: str = ""
) -> Figure:
    """Draw how the classes are spread in each part of a data set, as shares, so that parts compare.

    Parameters
    ----------
    parts : mapping from name to integer array
        The labels of each part; at most three parts.
    class_names : sequence of str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no part, there are more than three, or one is empty.
    """
    owner = "class_histogram"
    title, class_names = caption(owner, "title", title), names(owner, class_names)
    parts = mapping(owner, "parts", parts, most=3)
    for name, labels in parts.items():
        check.class_labels(owner, labels, f"parts' labels of {name!r}", classes=len(class_names))
        if not len(labels):
            raise InputError(f"{owner}: parts must not be empty, got no label in {name!r}")
    classes = len(class_names)
    figure = new_figure(min(14.0, max(5.0, 1.5 + 0.3 * classes)), 3.2, title)
    axes = figure.subplots()
    width = 0.8 / len(parts)
    for i, (name, labels) in enumerate(parts.items()):
        share = 100 * np.bincount(labels, minlength=classes) / len(labels)
        place = np.arange(classes) + (i - (len(parts) - 1) / 2) * width
        size = f"{len(labels):,}".replace(",", " ")
        axes.bar(place, share, width, color=(BLUE, ORANGE, GREEN)[i], label=f"{name}, {size} images")
    axes.axhline(100 / classes, color=GREY, linestyle=":", linewidth=1, label="all classes alike")
    axes.set_xticks(*class_ticks(class_names), rotation=90 if longest(class_names) > 2 else 0)
    axes.set_xlim(-0.7, classes - 0.3)
    axes.set_xlabel("class")
    axes.set_ylabel("share of the images (%)")
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis="y", color="#DDDDDD", linewidth=0.6)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


@own_style
def templates(weight: Float[ndarray, "classes h w"], class_names: Names, *, title: str = "") -> Figure:
    """Draw the weights that make each class's score of a linear classifier, as images.

    Parameters
    ----------
    weight : array, shape (classes, height, width)
    class_names : sequence of str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the names are not one for each class, or more than 200.
    """
    title = caption("templates", "title", title)
    class_names = names("templates", class_names, most=MOST_PICTURES)
    weight = numbers("templates", "weight", weight, "(classes, h, w)")
    if len(weight) != len(class_names):
        raise InputError(
            f"templates: weight must have shape ({len(class_names)}, h, w) for {len(class_names)} "
            f"class_names, got {weight.shape}"
        )
    columns = min(8, len(weight))
    rows = math.ceil(len(weight) / columns)
    figure = new_figure(1.05 * columns + 1.1, 1.25 * rows + 0.5, title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    largest = float(abs(weight).max()) or 1.0
    for axes, template, name in zip(grid.flat, weight, class_names, strict=False):
        axes.imshow(template, cmap=SIGNED, vmin=-largest, vmax=largest)
        axes.set_title(name, fontsize=10, pad=3)
    scale = ScalarMappable(Normalize(-largest, largest), SIGNED)
    figure.colorbar(scale, ax=grid, label="weight of a pixel", fraction=0.04, pad=0.02)
    return figure


@own_style
def layer_by_layer(
    image: Float[ndarray, "c h w"],
    outputs: Mapping[str, ndarray],
    logits: Float[ndarray, " classes"],
    class_names: Names,
    *,
    title: str = "",
) -> Figure:
    """Draw what becomes of one image: the image, what layers make of it, and the classes' scores.

    Parameters
    ----------
    image : array, shape (channels, height, width)
    outputs : mapping from layer name to array
        Maps of shape (channels, height, width) or vectors, first layer first.
    logits : array, shape (classes,)
        What comes out in the end.
    class_names : sequence of str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the names are not one for each class, or an output is neither maps nor a vector.
    """
    owner = "layer_by_layer"
    title, class_names = caption(owner, "title", title), names(owner, class_names)
    image = numbers(owner, "image", image, "(c, h, w)")
    logits = numbers(owner, "logits", logits, "(classes,)")
    if len(logits) != len(class_names):
        raise InputError(
            f"{owner}: logits must be {len(class_names)}, one for each of class_names, "
            f"got shape {logits.shape}"
        )
    if outputs:
        outputs = mapping(owner, "outputs", outputs, most=MOST_LAYERS)
    return _draw_layers(owner, image, outputs, logits, class_names, title)


@own_style
def feature_maps(
    model: Layer, x: Float[ndarray, "*one c h w"], class_names: Names | None = None, *, title: str = ""
) -> Figure:
    """Draw what becomes of one image in a model of your own: a row for each layer.

    Maps lie side by side; of a vector every value is a cell. Layers that change no value, dropout and
    flatten, are left out. If the last layer gives a vector, it is drawn as the scores of the classes.

    Parameters
    ----------
    model : npnet.nn.Layer
        A `Sequential` is gone through layer by layer; any other layer is one row.
    x : array, shape (channels, height, width)
        One image as the model is to be given it: standardised, if it learnt from standardised ones.
    class_names : sequence of str, optional
        One for each output; their numbers, if absent.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If model is no layer, x is no image or does not fit the model, or a layer gives what cannot be drawn.

    Examples
    --------
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, generator=rng), nn.ReLU())
    >>> figure = feature_maps(model, np.zeros((1, 8, 8), np.float32))
    >>> figure.savefig("maps.png")  # doctest: +SKIP
    """
    owner = "feature_maps"
    check.instance(owner, "model", model, Layer, "a model of npnet.nn")
    title = caption(owner, "title", title)
    image = check.finite(owner, "x", check.array(owner, "x", x, "f"))
    if image.ndim == 4 and len(image) == 1:
        image = image[0]
    if image.ndim != 3 or not image.size:
        raise InputError(f"{owner}: x must be one image of shape (c, h, w), got {image.shape}")
    outputs: dict[str, ndarray] = {}
    _walk(model, "", image[None], outputs)
    if not 1 <= len(outputs) <= MOST_LAYERS:
        raise InputError(
            f"{owner}: model must have 1 to {MOST_LAYERS} layers to be drawn, got {len(outputs)}"
        )
    last = next(reversed(outputs))
    logits = outputs.pop(last) if outputs[last].ndim == 1 else None
    if logits is None:
        return _draw_layers(owner, image, outputs, None, (), title)
    logits = check.finite(owner, f"the output of {last}", logits)
    return _draw_layers(owner, image, outputs, logits, names_of(owner, class_names, len(logits)), title)


def _walk(layer: Layer, place: str, x: ndarray, outputs: dict[str, ndarray]) -> ndarray:
    """Run one image through a layer and note its output, or, of several in a row, the output of each."""
    if isinstance(layer, Sequential):
        for name, child in layer.children().items():
            x = _walk(child, f"{place}.{name}".removeprefix("."), x, outputs)
        return x
    shown = repr(layer) if "\n" not in repr(layer) else type(layer).__name__
    try:
        y = layer(x)
    except InputError as error:
        raise error.inside(f"feature_maps: x must fit the model; layer '{place}' {shown}") from None
    if not isinstance(layer, Flatten | Dropout):
        outputs[plain(f"{place} {shown}".strip())] = y[0]
    return y


def _draw_layers(
    owner: str,
    image: ndarray,
    outputs: Mapping[str, ndarray],
    logits: ndarray | None,
    class_names: Sequence[str],
    title: str,
) -> Figure:
    sheets = {name: _sheet(owner, name, output) for name, output in outputs.items()}
    heights = [PICTURE_HEIGHT, *(_width(sheet) * _aspect(sheet) for sheet in sheets.values())]
    heights += [] if logits is None else [BARS_HEIGHT]
    upright = 0.08 * min(longest(class_names), 30) if logits is not None and _too_long(class_names) else 0.0
    figure = new_figure(WIDTH, sum(heights) + LINE * (len(heights) + 1) + MARGIN + upright, "")
    figure.set_layout_engine("none")  # places are counted in inches here
    figure.suptitle(title, y=1 - 0.1 / figure.get_figheight(), va="top", fontsize=11)
    places = _from_top(figure, heights)

    axes = _place(figure, next(places), PICTURE_HEIGHT)
    draw_picture(axes, image, frame=None)
    _name(axes, "image")
    axes.axis("off")
    if sheets:
        _signed_scale(figure, axes)
    for name, sheet in sheets.items():
        axes = _place(figure, next(places), _width(sheet))
        largest = float(np.nanmax(abs(sheet))) or 1.0
        axes.imshow(sheet, cmap=SIGNED, vmin=-largest, vmax=largest, interpolation="nearest", aspect="auto")
        _name(axes, f"{name}: {_what(outputs[name])}, largest {largest:.3g}")
        axes.axis("off")
    if logits is not None:
        _bars(_place(figure, next(places), WIDTH - 2 * MARGIN), logits, class_names)
    return figure


def _sheet(owner: str, name: str, output: ndarray) -> ndarray:
    """Lay maps side by side, a gap between them, or a vector's values in rows; NaN stays white."""
    check.finite(owner, f"outputs of {name}", check.array(owner, f"outputs of {name}", output))
    if output.ndim not in (1, 3) or not output.size:
        raise InputError(
            f"{owner}: the output of {name} must be maps (c, h, w) or a vector, got {output.shape}; "
            "outputs of other shapes cannot be drawn"
        )
    if output.ndim == 1:
        columns = min(VALUES_IN_A_ROW, len(output))
        rows = math.ceil(len(output) / columns)
        sheet = np.full(rows * columns, np.nan)
        sheet[: len(output)] = output
        return sheet.reshape(rows, columns)
    channels, height, width = output.shape
    columns = min(MAPS_IN_A_ROW, channels)
    rows = math.ceil(channels / columns)
    gap = max(1, round(height / 14))
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for i, picture in enumerate(output):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def _aspect(sheet: ndarray) -> float:
    return float(sheet.shape[0] / sheet.shape[1])


def _width(sheet: ndarray) -> float:
    """Return how wide a sheet is drawn: as wide as there is room, unless it would be too high then."""
    full = WIDTH - 2 * MARGIN
    if len(sheet) == 1:  # a few values
        return float(min(full, CELL * sheet.shape[1]))
    return float(min(full, 2 * PICTURE_HEIGHT / _aspect(sheet)))


def _from_top(figure: Figure, heights: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Yield bottom and height of rows one below the other, a line for the name above each, in inches."""
    top = figure.get_figheight() - LINE
    for height in heights:
        top -= LINE + height
        yield top, height


def _place(figure: Figure, row: tuple[float, float], width: float) -> Axes:
    """Make axes so many inches wide in a row, at the left."""
    bottom, height = row
    full = figure.get_figheight()
    return figure.add_axes((MARGIN / WIDTH, bottom / full, width / WIDTH, height / full))


def _name(axes: Axes, name: str) -> None:
    axes.set_title(name, fontsize=9, loc="left", pad=3)


def _signed_scale(figure: Figure, beside: Axes) -> None:
    """Draw the scale of the sheets, to the right of the image."""
    box = beside.get_position()
    axes = figure.add_axes((0.55, box.y0 + 0.4 * box.height, 0.35, 0.12 / figure.get_figheight()))
    scale = ScalarMappable(Normalize(-1, 1), SIGNED)
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal", ticks=[-1, -0.5, 0, 0.5, 1])
    bar.set_label("value ÷ largest of its layer", fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _what(output: ndarray) -> str:
    if output.ndim == 1:
        return counted(len(output), "value")
    channels, height, width = output.shape
    return f"{channels} map{'s' if channels > 1 else ''} of {height}×{width}"


def _too_long(class_names: Sequence[str]) -> bool:
    """Tell whether names would overlap beneath the bars, so that they must stand upright."""
    return longest(class_names) * len(class_names) > 100


def _bars(axes: Axes, logits: ndarray, class_names: Sequence[str]) -> None:
    logits = logits.astype(np.float64)
    certain = logits.min() >= 0 and abs(logits.sum() - 1) < 1e-4  # a softmax was the last layer
    odds = logits if certain else np.exp(logits - logits.max())
    first = np.argsort(-odds, kind="stable")[:3]
    colours = [BLUE if i == first[0] else "#AAAAAA" for i in range(len(class_names))]
    axes.bar(range(len(class_names)), logits, color=colours)
    axes.axhline(0, color="black", linewidth=0.8)
    ticks, rotation = class_ticks(class_names, MOST_NAMED_BARS), 90 if _too_long(class_names) else 0
    axes.set_xticks(*ticks, fontsize=9, rotation=rotation)
    axes.set_xlim(-0.7, len(class_names) - 0.3)
    axes.set_xlabel("class")
    axes.set_ylabel("probability" if certain else "logit", fontsize=9, labelpad=2)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    shares = [f"{class_names[i]} {100 * odds[i] / odds.sum():.1f} %" for i in first]
    while len(shares) > 1 and len("".join(shares)) > LETTERS_IN_A_LINE:
        shares.pop()
    _name(axes, f"scores of the classes; probabilities: {', '.join(shares)}")
