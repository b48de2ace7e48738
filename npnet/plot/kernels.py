"""Convolution kernels and their responses to images: a column for each kernel, a row for each image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from npnet.errors import InputError
from npnet.plot._arguments import mapping, numbers
from npnet.plot._style import SIGNED, drawing, frame, new_figure
from npnet.shapes import Float

COLUMN = 1.75  # inches
IN_RANGE = 98.0  # percent of the values, so that a few strong edges do not make the rest pale
OWNER = "kernel_responses"


@drawing
def kernel_responses(
    kernels: Mapping[str, Float[ndarray, "kh kw"]],
    images: Mapping[str, Float[ndarray, "h w"]],
    responses: Mapping[str, Mapping[str, Float[ndarray, "h_out w_out"]]],
    *,
    title: str = "",
) -> Figure:
    """Draw kernels as numbers, and below each its response to every image.

    The response of a kernel whose elements sum to about 0, such as an edge detector, is drawn in red above
    zero, white at zero and blue below. Any other response is an image again, drawn in grey from 0 to 1.

    Parameters
    ----------
    kernels : dict from names to arrays, shape (kh, kw)
        Up to 20.
    images : dict from names to arrays, shape (h, w)
        Up to 20; brightness in 0…1.
    responses : dict from names of images to dicts from names of kernels to arrays, shape (h_out, w_out)
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no kernel or no image, or a response is missing.
    """
    kernels = {
        name: numbers(OWNER, f"kernels of {name!r}", kernel, "(kh, kw)")
        for name, kernel in mapping(OWNER, "kernels", kernels).items()
    }
    images = {
        name: numbers(OWNER, f"images of {name!r}", image, "(h, w)")
        for name, image in mapping(OWNER, "images", images).items()
    }
    found = {name: _responses(name, each) for name, each in mapping(OWNER, "responses", responses).items()}
    missing = [(i, k) for i in images for k in kernels if k not in found.get(i, {})]
    if missing:
        raise InputError(f"{OWNER}: responses must be there for every image and kernel, missing {missing}")
    heights = [0.62, *(image.shape[0] / image.shape[1] for image in images.values())]
    figure = new_figure(COLUMN * len(kernels) + 0.4, COLUMN * sum(heights) + 0.9, title)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    grid = figure.subplots(len(heights), len(kernels), squeeze=False, height_ratios=heights)
    for axes, (name, kernel) in zip(grid[0], kernels.items(), strict=True):
        _draw_kernel(axes, kernel)
        axes.set_title(name, fontsize=10)
    for row, name in zip(grid[1:], images, strict=True):
        for axes, (kernel_name, kernel) in zip(row, kernels.items(), strict=True):
            _draw_response(axes, found[name][kernel_name], signed=bool(abs(kernel.sum()) < 0.5))
        row[0].set_ylabel(name, fontsize=10)
    return figure


def _responses(image: str, value: Mapping[str, ndarray]) -> dict[str, ndarray]:
    return {
        name: numbers(OWNER, f"responses of {image!r} to {name!r}", response, "(h_out, w_out)")
        for name, response in mapping(OWNER, f"responses of {image!r}", value).items()
    }


def _draw_kernel(axes: Axes, kernel: ndarray) -> None:
    largest = 2 * float(abs(kernel).max())  # pale enough for black numbers
    axes.imshow(kernel, cmap=SIGNED, vmin=-largest, vmax=largest)
    for (row, column), value in np.ndenumerate(kernel):
        axes.text(column, row, f"{value:g}".replace("-", "−"), ha="center", va="center", fontsize=9)
    frame(axes, "#999999", 0.6)


def _draw_response(axes: Axes, response: ndarray, *, signed: bool) -> None:
    if signed:
        largest = float(np.percentile(abs(response), IN_RANGE)) or 1.0
        axes.imshow(response, cmap=SIGNED, vmin=-largest, vmax=largest, interpolation="nearest")
    else:
        axes.imshow(response, cmap="gray", vmin=0, vmax=1)
    frame(axes, "#999999", 0.6)
