"""What all figures share: their ground, their colours, their axes."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import matplotlib.figure
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import NullFormatter
from numpy import ndarray

from npnet.train import Epoch

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#555555"
DOTS_PER_INCH = 150

DOTS_PER_INCH_SHOWN = 80  # in a notebook: so that a figure is sharp on screens of twice as many dots
MOST_LABELS = 100  # along an axis

own_style = matplotlib.style.context("default")  # so that a dark style set elsewhere leaves text readable


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows where it is the last value of a cell, whatever the backend."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        drawn = io.BytesIO()
        with matplotlib.style.context("default"):
            self.savefig(drawn, format="png")
        width, height = (round(inches * DOTS_PER_INCH_SHOWN) for inches in self.get_size_inches())
        return drawn.getvalue(), {"width": width, "height": height}


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


def class_ticks(class_names: Sequence[str], most: int = MOST_LABELS) -> tuple[range, list[str]]:
    """Return where classes are named along an axis, and the names: of very many some are left out."""
    places = range(0, len(class_names), math.ceil(len(class_names) / most))
    return places, [class_names[i] for i in places]


def longest(class_names: Sequence[str]) -> int:
    """Return the number of letters of the longest name."""
    return max(map(len, class_names))


def losses_of(epoch: Epoch) -> list[float]:
    """Return the losses an epoch has: in training and, where there is validation data, there."""
    return [loss for loss in (epoch.train_loss, epoch.validation_loss) if loss is not None]


def log_axis(axes: Axes, losses: list[float]) -> None:
    """Show losses by their share: late progress is small in size. Numbers are written out, not as powers."""
    losses = [loss for loss in losses if math.isfinite(loss)]  # a run that diverged is drawn up to there
    if not losses or min(losses) <= 0:
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    within_a_decade = max(losses) < 10 * min(losses)
    axes.yaxis.set_minor_formatter("{x:g}" if within_a_decade else NullFormatter())
