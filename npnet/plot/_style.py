"""What all figures share: their ground, their colours, their axes."""

from __future__ import annotations

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy import ndarray

from npnet.errors import InputError
from npnet.train import Epoch

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#555555"
DOTS_PER_INCH = 150

own_style = matplotlib.style.context("default")  # so that a dark style set elsewhere leaves text readable


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure on a white ground, sizes in inches, that no window belongs to."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def draw_picture(axes: Axes, image: ndarray, *, frame: str | None) -> None:
    """Draw an image whatever its standardisation was: darkest value black, lightest white."""
    if frame is not None:
        axes.axis("on")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set(color=frame, linewidth=2.5)
    low, high = float(image.min()), float(image.max())
    scaled = (image - low) / ((high - low) or 1)
    if len(image) == 3:
        axes.imshow(scaled.transpose(1, 2, 0))
    else:
        axes.imshow(scaled[0], cmap="gray", vmin=0, vmax=1)


def check_judged(
    figure: str, images: ndarray, target: ndarray, probabilities: ndarray, *, least: int = 0
) -> None:
    """Require images (n, c, h, w), their classes, and what they were taken for, of as many as `least`."""
    if images.ndim != 4 or not least <= len(images) == len(target) == len(probabilities):
        raise InputError(
            f"{figure}: images (n, c, h, w), target (n,) and probabilities (n, classes) must fit, "
            f"got {images.shape}, {target.shape} and {probabilities.shape}"
        )


def losses_of(epoch: Epoch) -> list[float]:
    """Return the losses an epoch has: in training and, where there is validation data, there."""
    return [loss for loss in (epoch.train_loss, epoch.validation_loss) if loss is not None]


def log_axis(axes: Axes, losses: list[float]) -> None:
    """Show losses by their share: late progress is small in size. Numbers are written out, not as powers."""
    if min(losses) <= 0:
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    within_a_decade = max(losses) < 10 * min(losses)
    axes.yaxis.set_minor_formatter("{x:g}" if within_a_decade else NullFormatter())
