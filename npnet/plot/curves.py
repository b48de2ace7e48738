"""Curves: loss and accuracy over epochs, and any quantity against another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.plot._arguments import MOST_PANELS, caption, mapping, plain, sequence
from npnet.plot._errors import MOST_SHOWN, error_axis
from npnet.plot._style import (
    BLUE,
    CURVE_COLOURS,
    GREY,
    HANDLE,
    LETTER,
    ORANGE,
    drawing,
    grid_lines,
    grouped,
    legend_below,
    log_axis,
    longest,
    new_figure,
    panels,
    whole_numbers,
)
from npnet.train import History

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (5, 3)), (0, (1, 2)), "-.")
MOST_CURVES = len(CURVE_COLOURS)  # in one panel
MOST_MARKED = 40  # points of a curve that have a marker each
MOST_TICKS = 8  # sizes on a logarithmic axis that are labelled each

Scale = Literal["linear", "log"]
Curve = Mapping[int, float] | Mapping[float, float] | Sequence[float] | ndarray


@drawing
def learning_curves(
    runs: History | Mapping[str, History] | Mapping[str, Mapping[str, History]],
    *,
    loss_label: str = "loss",
    title: str = "",
) -> Figure:
    """Draw loss and, where there is one, accuracy against epochs.

    Training is dashed, validation solid; a dot marks the epoch whose weights were kept. If accuracies differ
    much, their axis is scaled by the error rate: 90 % to 99 % is as far as 99 % to 99.9 %.

    Parameters
    ----------
    runs : History, dict of History by name, or dict of such dicts by panel
        Up to eight runs share a panel, a colour each; up to 20 panels stand below one another. A run without
        a finished epoch is left out.
    loss_label : str
        What the loss is, with its unit.
    title : str
        What was trained.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If runs are something else, there are too many, or no run of a panel has finished an epoch.
    """
    loss_label = caption("learning_curves", "loss_label", loss_label)
    shown = _runs_by_panel(runs)
    every = [history for panel in shown.values() for history in panel.values()]
    with_accuracy = any(_values(history, "accuracy") for history in every)
    colours = (ORANGE, BLUE) if len(every) == 1 else (GREY, GREY)  # of training and validation

    names = [name for named in shown.values() for name in named]
    beside = 0.0 if names == [""] else LETTER * min(longest(names), 60) + HANDLE  # room for the legends
    figure = new_figure(4.8 * (1 + with_accuracy) + beside, 3.3 * len(shown) + 0.7, title)
    grid = figure.subplots(len(shown), 1 + with_accuracy, squeeze=False)
    for (panel, named), row in zip(shown.items(), grid, strict=True):
        pairs = [colours] if len(every) == 1 else [(colour, colour) for colour in CURVE_COLOURS[: len(named)]]
        _draw_panel(row[0], named, "loss", pairs)
        row[0].set_ylabel(loss_label)
        if with_accuracy:
            _draw_panel(row[1], named, "accuracy", pairs)
            row[1].set_ylabel("accuracy (%)")
        for axes in row:
            axes.set_title(panel, fontsize=10)
        if names != [""]:
            handles = [
                Line2D([], [], color=pair[1], label=run) for run, pair in zip(named, pairs, strict=True)
            ]
            style = {"frameon": False, "fontsize": 8, "loc": "upper left", "bbox_to_anchor": (1, 1)}
            row[-1].legend(handles=handles, **style)
    legend_below(figure, _meaning(every, colours))
    return figure


def _runs_by_panel(runs: Any) -> dict[str, dict[str, History]]:
    owner = "learning_curves"
    if isinstance(runs, History):
        runs = {"": runs}
    if not isinstance(runs, Mapping):
        expected = "a History, or several by name"
        raise InputError(f"{owner}: runs must be {expected}, got {check.described(runs)}")
    if any(isinstance(value, Mapping) for value in runs.values()):
        by_panel = mapping(owner, "runs", runs)
        return {panel: _finished(f"runs of {panel!r}", named) for panel, named in by_panel.items()}
    return {"": _finished("runs", runs)}


def _finished(name: str, runs: Any) -> dict[str, History]:
    """Return the runs that have finished an epoch."""
    owner = "learning_curves"
    named = mapping(owner, name, runs, most=MOST_CURVES)
    for run, history in named.items():
        check.instance(owner, f"{name}, {run!r},", history, History, "a History")
    finished = {run: history for run, history in named.items() if history.epochs}
    if not finished:
        raise InputError(f"{owner}: {name} must have finished an epoch or more, got none")
    return finished


def _values(history: History, quantity: str) -> list[float]:
    """Return a quantity of every epoch, in training and validation, as far as it was measured."""
    both = (getattr(e, f"{part}_{quantity}") for e in history.epochs for part in ("train", "validation"))
    return [value for value in both if value is not None]


def _draw_panel(
    axes: Axes, runs: Mapping[str, History], quantity: str, colours: Sequence[tuple[str, str]]
) -> None:
    """Draw a quantity of several runs, each in its colours of training and validation."""
    widths = _widths([np.array([epoch.train_loss for epoch in history.epochs]) for history in runs.values()])
    for history, pair, width in zip(runs.values(), colours, widths, strict=True):
        _draw_history(axes, history, quantity, pair, width)
    values = [value for history in runs.values() for value in _values(history, quantity)]
    if quantity == "loss":
        log_axis(axes, values)
    elif values:
        error_axis(axes, "y", 100 * min(values), 100 * max(values))
    axes.set_xlabel("epoch")
    whole_numbers(axes)
    grid_lines(axes)


def _draw_history(
    axes: Axes, history: History, quantity: str, colours: tuple[str, str], width: float
) -> None:
    for part, dashes, colour in zip(("train", "validation"), ("--", "-"), colours, strict=True):
        values = {e.epoch: getattr(e, f"{part}_{quantity}") for e in history.epochs}
        drawn = {epoch: value for epoch, value in values.items() if value is not None}
        if quantity == "accuracy":
            drawn = {epoch: min(100 * value, MOST_SHOWN) for epoch, value in drawn.items()}
        marker = "." if len(drawn) <= 3 else ""
        axes.plot(
            list(drawn), list(drawn.values()), linestyle=dashes, color=colour, linewidth=width, marker=marker
        )
        if part == "validation" and history.best_epoch in drawn:
            axes.plot(history.best_epoch, drawn[history.best_epoch], "o", color=colour, markersize=5)


def _widths(curves: Sequence[ndarray]) -> list[float]:
    """Return the width of each curve: wider if later curves cover it, so that all of them are seen."""

    def covers(later: ndarray, curve: ndarray) -> bool:
        return len(later) == len(curve) and bool(np.allclose(curve, later, rtol=0.01))

    return [
        1.5 + 1.5 * sum(covers(later, curve) for later in curves[i + 1 :]) for i, curve in enumerate(curves)
    ]


def _meaning(runs: Sequence[History], colours: tuple[str, str]) -> list[Line2D]:
    handles = [Line2D([], [], color=colours[0], linestyle="--", label="training")]
    if any(epoch.validation_loss is not None for history in runs for epoch in history.epochs):
        handles.append(Line2D([], [], color=colours[1], label="validation"))
        if any(history.best_epoch is not None for history in runs):
            kept = Line2D([], [], color=colours[1], linestyle="", marker="o", label="weights kept")
            handles.append(kept)
    return handles


@dataclass(frozen=True, eq=False)
class LinePlot:
    """Up to eight curves that share axes.

    Parameters
    ----------
    curves : dict from names to values y, or to dicts from x to y
        A list or an array of y is drawn against x = 1, 2, …; x must be finite, and above 0 on a logarithmic
        axis. A y that is not finite, of a training run that diverged, leaves a gap.
    x_label, y_label, title : str
    x_scale, y_scale : "linear" or "log"
        A logarithmic vertical axis stays linear if a y is 0 or less.
    references : dict from labels to y, optional
        Horizontal lines.
    from_zero : bool
        Whether the vertical axis begins at 0.

    Raises
    ------
    InputError
        If an argument is something else.
    """

    curves: Mapping[str, Curve]
    x_label: str = "step"
    y_label: str = ""
    title: str = ""
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    references: Mapping[str, float] | None = None
    from_zero: bool = False

    def __post_init__(self) -> None:
        for name in ("x_label", "y_label", "title"):
            check.text("LinePlot", name, getattr(self, name))
        for name in ("x_scale", "y_scale"):
            check.choice("LinePlot", name, getattr(self, name), ("linear", "log"))
        check.flag("LinePlot", "from_zero", self.from_zero)
        for name, curve in mapping("LinePlot", "curves", self.curves, most=MOST_CURVES).items():
            self._check_curve(f"curves, {name!r},", curve)
        if self.references is not None:
            for name, y in mapping("LinePlot", "references", self.references, most=MOST_CURVES).items():
                check.number("LinePlot", f"references, {name!r},", y)

    def _check_curve(self, name: str, curve: Any) -> None:
        if not isinstance(curve, Mapping | list | tuple | ndarray) or len(curve) == 0:
            expected = "a list of numbers, or a dict from x to y"
            raise InputError(f"LinePlot: {name} must be {expected}, got {check.described(curve)}")
        x, y = _pairs(curve)
        for value in x:
            check.number("LinePlot", f"{name} x,", value, above=0.0 if self.x_scale == "log" else None)
        for value in y:
            check.real("LinePlot", f"{name} y,", value)


def _pairs(curve: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the x and the y of a curve."""
    if isinstance(curve, Mapping):
        return list(curve), list(curve.values())
    return range(1, len(curve) + 1), list(curve)


@drawing
def line_plots(shown: Sequence[LinePlot], *, columns: int = 3, title: str = "") -> Figure:
    """Draw curves in several panels; if the curves of all panels have the same names, with one legend.

    Parameters
    ----------
    shown : sequence of LinePlot
        At most 20.
    columns : int
        How many panels stand in a row at most; 1 or more.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, too much, or something else.
    """
    shown = sequence("line_plots", "shown", shown, most=MOST_PANELS)
    for each in shown:
        check.instance("line_plots", "shown", each, LinePlot, "a list of LinePlot")
    columns = min(check.integer("line_plots", "columns", columns, least=1), len(shown))
    named = list(shown[0].curves)
    common = len(shown) > 1 and all(named) and all(list(each.curves) == named for each in shown)
    figure = new_figure(4.6 * columns, 3.5 * math.ceil(len(shown) / columns) + 0.4, title)
    for axes, each in zip(panels(figure, len(shown), columns), shown, strict=True):
        _draw_lines(axes, each)
        handles, _ = axes.get_legend_handles_labels()
        curves, own = handles[: len(named)], handles[len(named) :] if common else handles
        if own:
            axes.legend(handles=own, frameon=False, fontsize=8)
    if common:
        legend_below(figure, curves)
    return figure


def _draw_lines(axes: Axes, plot: LinePlot) -> None:
    points = {
        plain(name): tuple(np.asarray(each, float) for each in _pairs(curve))
        for name, curve in plot.curves.items()
    }
    widths = _widths([y for _, y in points.values()])
    marked = all(len(x) <= MOST_MARKED for x, _ in points.values())
    for i, (name, (x, y)) in enumerate(points.items()):
        style = (
            {"marker": MARKERS[i], "markersize": 4.5} if marked else {"linestyle": DASHES[i % len(DASHES)]}
        )
        axes.plot(x, y, color=CURVE_COLOURS[i], linewidth=widths[i], label=name, **style)
    for i, (label, height) in enumerate((plot.references or {}).items()):
        axes.axhline(height, color=GREY, linestyle=(":", "--")[i % 2], label=plain(label))
    _scale_x(axes, np.concatenate([x for x, _ in points.values()]), plot.x_scale)
    if plot.y_scale == "log":
        log_axis(axes, np.concatenate([y for _, y in points.values()]).tolist())
    if plot.from_zero:
        axes.set_ylim(bottom=0)
    axes.set_title(plain(plot.title), fontsize=10)
    axes.set_xlabel(plain(plot.x_label))
    axes.set_ylabel(plain(plot.y_label))
    grid_lines(axes)


def _scale_x(axes: Axes, x: ndarray, scale: Scale) -> None:
    distinct = np.unique(x)
    whole = bool((distinct == np.rint(distinct)).all())
    if scale == "log":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _written(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if len(distinct) <= MOST_TICKS:
            axes.xaxis.set_major_locator(FixedLocator(distinct.tolist()))
            axes.xaxis.set_minor_locator(NullLocator())
        elif distinct[-1] < 100 * distinct[0]:
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    elif whole:
        whole_numbers(axes)


def _written(value: float) -> str:
    return grouped(round(value)) if value >= 1000 else f"{value:g}"
