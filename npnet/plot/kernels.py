"""A figure of kernels and what they make of images: a column for each kernel, a row for each image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from npnet.errors import InputError
from npnet.plot._arguments import caption, mapping, numbers
from npnet.plot._style import new_figure, own_style

COLUMN = 1.75  # inches
SATURATED = 98.0  # percent of the values are within the scale: a few strong edges must not darken the rest


@own_style
def kernel_grid(
    kernels: Mapping[str, Float[ndarray, "kh kw"]],
    images: Mapping[str, Float[ndarray, "h w"]],
    responses: Mapping[str, Mapping[str, Float[ndarray, "h_out w_out"]]],
    *,
    title: str = "",
) -> Figure:
    """Draw kernels as numbers, and below each what it makes of every image.

    What a kernel of sum 1 makes is an image again, drawn in grey from 0 to 1. One of sum 0 tells light from
    dark: red where it answers positively, blue where negatively, white where there is nothing to answer to.

    Parameters
    ----------
    kernels : mapping from name to array, shape (kh, kw)
    images : mapping from name to array, shape (h, w)
        Brightness from 0 to 1.
    responses : mapping from image name to mapping from kernel name to array
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no kernel or no image, or a response is missing.
    """
    owner = "kernel_grid"
    title = caption(owner, "title", title)
    kernels = {
        name: numbers(owner, f"kernels of {name!r}", kernel, "(kh, kw)")
        for name, kernel in mapping(owner, "kernels", kernels).items()
    }
    images = {
        name: numbers(owner, f"images of {name!r}", image, "(h, w)")
        for name, image in mapping(owner, "images", images).items()
    }
    answers = {name: _answers(name, each) for name, each in mapping(owner, "responses", responses).items()}
    missing = [(i, k) for i in images for k in kernels if k not in answers.get(i, {})]
    if missing:
        raise InputError(f"{owner}: responses must be there for every image and kernel, missing {missing}")
    heights = [0.62, *(image.shape[0] / image.shape[1] for image in images.values())]
    figure = new_figure(COLUMN * len(kernels) + 0.4, COLUMN * sum(heights) + 0.9, title)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    grid = figure.subplots(len(heights), len(kernels), squeeze=False, height_ratios=heights)
    for axes, (name, kernel) in zip(grid[0], kernels.items(), strict=True):
        _draw_kernel(axes, kernel)
        axes.set_title(name, fontsize=10)
    for row, name in zip(grid[1:], images, strict=True):
        for axes, (kernel_name, kernel) in zip(row, kernels.items(), strict=True):
            _draw_response(axes, answers[name][kernel_name], signed=bool(abs(kernel.sum()) < 0.5))
        row[0].set_ylabel(name, fontsize=10)
    return figure


def _answers(image: str, value: Mapping[str, ndarray]) -> dict[str, ndarray]:
    owner = "kernel_grid"
    return {
        name: numbers(owner, f"responses of {image!r} to {name!r}", response, "(h_out, w_out)")
        for name, response in mapping(owner, f"responses of {image!r}", value).items()
    }


def _draw_kernel(axes: Axes, kernel: ndarray) -> None:
    largest = 2 * float(abs(kernel).max())  # pale enough for black numbers
    axes.imshow(kernel, cmap="RdBu_r", vmin=-largest, vmax=largest)
    for (row, column), value in np.ndenumerate(kernel):
        axes.text(column, row, f"{value:g}".replace("-", "−"), ha="center", va="center", fontsize=9)
    _frame(axes)


def _draw_response(axes: Axes, response: ndarray, *, signed: bool) -> None:
    if signed:
        largest = float(np.percentile(abs(response), SATURATED)) or 1.0
        axes.imshow(response, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    else:
        axes.imshow(response, cmap="gray", vmin=0, vmax=1)
    _frame(axes)


def _frame(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color="#999999", linewidth=0.6)
