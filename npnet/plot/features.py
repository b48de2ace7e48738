"""What a network makes of one image, layer by layer.

Values are drawn in red above zero, in blue below, and white at zero, so that no blue is left after a ReLU.
Colours are relative to the largest absolute value of a layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy import ndarray

from npnet import check
from npnet._words import counted
from npnet.errors import InputError
from npnet.nn import Dropout, Flatten, Layer, Sequential
from npnet.plot._arguments import Names, caption, names_of, plain
from npnet.plot._style import BLUE, PALE_GREY, SIGNED, class_ticks, draw_picture, drawing, longest, new_figure
from npnet.shapes import Float

MAPS_IN_A_ROW = 16
VALUES_IN_A_ROW = 32
MOST_LAYERS = 50
MOST_NAMED_BARS = 30
LETTERS_IN_A_LINE = 60  # of the title that lists the likeliest classes
CELL = 0.3  # inches, the width of a single value
WIDTH, MARGIN, LINE = 8.5, 0.6, 0.28  # of the figure, in inches
PICTURE_HEIGHT, BARS_HEIGHT = 1.3, 1.3
OWNER = "feature_maps"


@drawing
def feature_maps(
    model: Layer | Mapping[str, ndarray],
    x: Float[ndarray, "*one c h w"],
    class_names: Names | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw what a model makes of one image: a row for each layer.

    The channels of a feature map lie side by side; every value of a vector is a cell. Flatten and dropout,
    which change no value, are left out. If the last layer returns a vector, it is drawn as the scores of the
    classes.

    Parameters
    ----------
    model : npnet.nn.Layer, or dict from names to arrays
        A `Sequential` is drawn layer by layer, any other layer as one row. A dict holds outputs instead,
        first layer first, of shape (channels, height, width) or (values,). At most 50 rows.
    x : array, shape (channels, height, width) or (1, channels, height, width)
        One image, finite, as the model takes it: standardized if the model was trained on such images.
    class_names : sequence of str, optional
        One for each score; without it, their numbers.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If model is neither, x is no image or does not fit the model, or an output is neither a feature map
        nor a vector.

    Examples
    --------
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, generator=rng), nn.ReLU())
    >>> figure = feature_maps(model, np.zeros((1, 8, 8), np.float32))
    >>> figure.savefig("maps.png")  # doctest: +SKIP
    """
    image = check.finite(OWNER, "x", check.array(OWNER, "x", x, "f"))
    if image.ndim == 4 and len(image) == 1:
        image = image[0]
    if image.ndim != 3 or not image.size:
        raise InputError(f"{OWNER}: x must be one image of shape (c, h, w), got {image.shape}")
    outputs = _outputs(model, image[None])
    if not 1 <= len(outputs) <= MOST_LAYERS:
        raise InputError(f"{OWNER}: model must have 1 to {MOST_LAYERS} layers to draw, got {len(outputs)}")
    for name, output in outputs.items():
        _check_output(name, output)
    last = next(reversed(outputs))
    if outputs[last].ndim > 1:
        return _draw_layers(image, outputs, None, (), title)
    scores = outputs.pop(last)
    return _draw_layers(image, outputs, scores, names_of(OWNER, class_names, len(scores)), title)


def _outputs(model: Any, x: ndarray) -> dict[str, ndarray]:
    """Return the output of each layer by name, without the batch axis."""
    if isinstance(model, Mapping):
        return {caption(OWNER, "a name in model", name): output for name, output in model.items()}
    check.instance(OWNER, "model", model, Layer, "a model of npnet.nn, or a dict of outputs")
    outputs: dict[str, ndarray] = {}
    _run(model, "", x, outputs)
    return outputs


def _run(layer: Layer, path: str, x: ndarray, outputs: dict[str, ndarray]) -> ndarray:
    """Run an image through a layer and keep its output; of a `Sequential`, the output of each layer."""
    if isinstance(layer, Sequential):
        for name, child in layer.children.items():
            x = _run(child, f"{path}.{name}".removeprefix("."), x, outputs)
        return x
    shown = repr(layer) if "\n" not in repr(layer) else type(layer).__name__
    try:
        y = layer(x)
    except InputError as error:
        raise error.inside(f"{OWNER}: x must fit the model; layer '{path}' {shown}") from None
    if not isinstance(layer, Flatten | Dropout):
        outputs[plain(f"{path} {shown}".strip())] = y[0]
    return y


def _check_output(name: str, output: Any) -> None:
    what = f"the output of model's layer {name}"
    check.finite(OWNER, what, check.array(OWNER, what, output))
    if output.ndim not in (1, 3) or not output.size:
        raise InputError(
            f"{OWNER}: {what} must have shape (c, h, w) or (values,) to be drawn, got {output.shape}"
        )


# ---- rows of layers ------------------------------------------------------------------------------------


def _draw_layers(
    image: ndarray,
    outputs: Mapping[str, ndarray],
    scores: ndarray | None,
    class_names: Sequence[str],
    title: str,
) -> Figure:
    sheets = {name: _sheet(output) for name, output in outputs.items()}
    heights = [PICTURE_HEIGHT, *(_width(sheet) * _aspect(sheet) for sheet in sheets.values())]
    heights += [] if scores is None else [BARS_HEIGHT]
    upright = 0.08 * min(longest(class_names), 30) if scores is not None and _too_long(class_names) else 0.0
    figure = new_figure(WIDTH, sum(heights) + LINE * (len(heights) + 1) + MARGIN + upright, "")
    figure.set_layout_engine("none")  # places are counted in inches here
    figure.suptitle(title, y=1 - 0.1 / figure.get_figheight(), va="top", fontsize=11)
    places = _from_top(figure, heights)

    axes = _place(figure, next(places), PICTURE_HEIGHT)
    draw_picture(axes, image)
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
    if scores is not None:
        _bars(_place(figure, next(places), WIDTH - 2 * MARGIN), scores, class_names)
    return figure


def _sheet(output: ndarray) -> ndarray:
    """Lay the channels side by side with gaps between them, or a vector's values in rows; gaps are NaN."""
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


def _bars(axes: Axes, scores: ndarray, class_names: Sequence[str]) -> None:
    scores = scores.astype(np.float64)
    certain = scores.min() >= 0 and abs(scores.sum() - 1) < 1e-4  # a softmax was the last layer
    odds = scores if certain else np.exp(scores - scores.max())
    first = np.argsort(-odds, kind="stable")[:3]
    colours = [BLUE if i == first[0] else PALE_GREY for i in range(len(class_names))]
    axes.bar(range(len(class_names)), scores, color=colours)
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
