"""Figures for a light page and for a dark one: lines and words change with the page, data stays."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy import ndarray

EDGE = 0.1  # inches of paper around what is drawn
PAPER, INK = 0.077, 0.9  # of a dark page: what is white on a light one, and what is black there
TINT = 0.15  # the largest less the smallest of red, green and blue, up to which a colour counts as grey
LUMINANCE = 0.17  # that colours have at least on a dark page, for a contrast of 4 to 1
WEIGHTS = np.array([0.2126, 0.7152, 0.0722])  # of red, green and blue in the luminance
INK_ON_PAPER = {"gray_r": "gray", "Greys": "Greys_r", "binary": "binary_r"}  # images that are drawn in ink


def drawn(figure: Any) -> dict[str, str]:
    """Draw a figure for both kinds of page; it is left as it was.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    pictures : dict
        Of a "light" page and of a "dark" one, as PNG files in base64.
    """
    light = _png(figure, "white", "tight")
    # The same box serves again: to find it takes as long as to draw.
    box = figure.get_tightbbox().padded(EDGE)
    changed = list({id(artist): artist for artist in _artists(figure)}.values())  # some are found twice
    before = [(dict(vars(artist)), getattr(artist, "cmap", None)) for artist in changed]
    try:
        for artist in changed:
            _recolour(artist)
        return {"light": light, "dark": _png(figure, "none", box)}
    finally:
        for artist, (old, colours) in zip(changed, before, strict=True):
            vars(artist).clear()
            vars(artist).update(old)
            if colours is not None:  # kept in an object of its own
                artist.set_cmap(colours)


def in_dark(colours: ndarray) -> ndarray:
    """Return colours as a dark page needs them: greys change places, others become bright enough.

    Parameters
    ----------
    colours : array (..., 4)
        Red, green, blue and opacity, from 0 to 1.

    Returns
    -------
    changed : array (..., 4)

    Examples
    --------
    >>> in_dark(np.array([1.0, 1.0, 1.0, 0.5])).round(2)
    array([0.08, 0.08, 0.08, 0.5 ])
    """
    rgb = colours[..., :3]
    least, most = rgb.min(axis=-1, keepdims=True), rgb.max(axis=-1, keepdims=True)
    turned = PAPER + (INK - PAPER) * (rgb + 1 - most - least).clip(0, 1)
    luminance = (rgb**2.2 @ WEIGHTS)[..., None]
    paler = (LUMINANCE - luminance).clip(0) / (1 - luminance).clip(0.5)  # so much white makes up for it
    brighter = (rgb**2.2 * (1 - paler) + paler) ** (1 / 2.2)
    return np.concatenate([np.where(most - least <= TINT, turned, brighter), colours[..., 3:]], axis=-1)


def _png(figure: Any, paper: str, box: Any) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches=box, pad_inches=EDGE, facecolor=paper)
    return base64.b64encode(file.getvalue()).decode()


def _artists(figure: Any) -> Iterable[Any]:
    """Yield all that a figure is drawn of, but for words and lines that lie on an image."""
    on_images = {
        id(part)
        for axes in figure.axes
        if axes.images or any(_is_filled_by_data(one) for one in axes.collections)
        for one in (*axes.texts, *axes.lines)
        for part in (one, *one.findobj())
    }
    for artist in figure.findobj():
        if id(artist) not in on_images and not hasattr(artist, "patch"):  # axes: their patch comes by itself
            yield artist
            # Text hides its frame and its arrow from `findobj`.
            yield from (
                part
                for name in ("_bbox_patch", "arrow_patch")
                if (part := vars(artist).get(name)) is not None
            )


def _is_filled_by_data(collection: Any) -> bool:
    """Tell whether a collection is an image, such as a filled contour."""
    from matplotlib.collections import PathCollection  # noqa: PLC0415 - only once there is a figure

    is_scatter = isinstance(collection, PathCollection)
    return collection.get_array() is not None and not is_scatter and getattr(collection, "filled", True)


def _recolour(artist: Any) -> None:
    """Change the colours of one artist, but those that stand for numbers."""
    if hasattr(artist, "cmap") and artist.get_array() is not None:
        _recolour_map(artist)
        return
    for change, colour in [  # all are read before one is changed: markers have the colour of their line
        (change, get())
        for name in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
        if (get := getattr(artist, f"get_{name}", None)) and (change := getattr(artist, f"set_{name}", None))
    ]:
        _set(colour, change)


def _set(colour: Any, change: Any) -> None:
    from matplotlib.colors import to_rgba_array  # noqa: PLC0415 - as above

    if isinstance(colour, str) and colour in ("none", "auto", "face"):
        return
    changed = in_dark(to_rgba_array(colour))
    if len(changed):
        change(changed if len(changed) > 1 else changed[0])


def _recolour_map(artist: Any) -> None:
    """Change a colour map that is a list of greys, or ink on paper."""
    from matplotlib.colors import ListedColormap, to_rgba_array  # noqa: PLC0415 - as above

    if artist.cmap.name in INK_ON_PAPER:
        artist.set_cmap(INK_ON_PAPER[artist.cmap.name])
    elif isinstance(artist.cmap, ListedColormap) and artist.cmap.N < 32:  # longer ones are scales
        artist.set_cmap(ListedColormap(in_dark(to_rgba_array(artist.cmap.colors))))
