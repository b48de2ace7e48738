"""What a run recorded of its steps: gradients and updates layer by layer, and dead units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.plot._arguments import plain
from npnet.plot._style import CURVE_COLOURS, GREY, drawing, grid_lines, new_figure, whole_numbers
from npnet.train import Recorder
from npnet.train.diagnosis import LIMITS

USUAL_RATIO = 1e-3
MOST_NAMED = 8  # curves that are told apart by colour and dashes; of more, by their place in a scale
MOST_IN_LEGEND = 16
DASHES = ("-", "--", "-.", ":")
LOWEST = 1e-6  # of an axis on which nothing is to be seen
SCALE = "viridis"  # from the first layer, dark, to the last, light; also for colour-blind readers and in grey


@drawing
def gradient_flow(recorder: Recorder, *, title: str = "") -> Figure:
    """Draw how large the gradient of each layer's weights is: over training, and from layer to layer.

    The size is the root mean square, √(Σ g² / size), on a logarithmic axis. Curves that run side by side are
    well: all layers learn. Where those of the first layers lie orders of magnitude below the last ones',
    gradients vanish on their way back; where they lie far above, they explode.

    Parameters
    ----------
    recorder : Recorder
        That a run was given: ``fit(…, recorder=recorder)``.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If it is no recorder, or nothing was recorded.

    Examples
    --------
    >>> from npnet import fit, nn, optim, train
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Linear(1, 8, generator=rng), nn.ReLU(), nn.Linear(8, 1, generator=rng))
    >>> x, recorder = rng.normal(size=(99, 1)).astype(np.float32), train.Recorder()
    >>> sgd = optim.SGD(model.parameters, lr=0.1)
    >>> history = fit(model, nn.MSELoss(), sgd, (x, x**2), recorder=recorder, progress=False)
    >>> gradient_flow(recorder).savefig("gradients.png")  # doctest: +SKIP
    """
    _check("gradient_flow", recorder)
    curves = {name: [moment.grads[name] for moment in recorder.moments] for name in recorder.weights}
    figure = new_figure(9.5, 3.9, title)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2), sharey=True)
    _draw_curves(left, recorder, curves)
    _log_axis(left, curves)
    left.set_ylabel("gradient (root mean square)")
    _draw_through_layers(right, recorder, curves)
    return figure


@drawing
def update_ratios(recorder: Recorder, *, title: str = "") -> Figure:
    """Draw how far each step moves each layer's weights, relative to their size: ‖Δw‖ / ‖w‖.

    About 1e-3 is usual. Far above, a few steps undo what was learnt before; far below, nothing is learnt.

    Parameters
    ----------
    recorder : Recorder
        That a run was given: ``fit(…, recorder=recorder)``.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If it is no recorder, or nothing was recorded.

    References
    ----------
    A. Karpathy, CS231n, Neural networks part 3, "Ratio of weights:updates".
    """
    _check("update_ratios", recorder)
    curves = {name: [moment.updates[name] for moment in recorder.moments] for name in recorder.weights}
    figure = new_figure(9.5, 3.9, title)
    axes = figure.subplots()
    _draw_curves(axes, recorder, curves)
    _log_axis(axes, curves)
    low, high = LIMITS["small updates"].value, LIMITS["large updates"].value
    for height, label in ((high, "too large"), (USUAL_RATIO, "usual"), (low, "too small")):
        _mark(axes, height, label, "-" if height == USUAL_RATIO else ":")
    low_shown, high_shown = axes.get_ylim()
    axes.set_ylim(min(low_shown, low / 2), max(high_shown, 2 * high))
    axes.set_ylabel("update ÷ weight, ‖Δw‖ / ‖w‖")
    return figure


@drawing
def dead_units(recorder: Recorder, *, title: str = "") -> Figure:
    """Draw the share of dead units of each ReLU over training: those that are 0 for every sample.

    They get no gradient and learn nothing any more. A unit of a convolution is a channel, dead if it is 0 at
    every pixel. The samples are the recorder's probe.

    Parameters
    ----------
    recorder : Recorder
        That a run was given: ``fit(…, recorder=recorder)``.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If it is no recorder, or it recorded no ReLU.
    """
    _check("dead_units", recorder)
    names = list(dict.fromkeys(name for moment in recorder.moments for name in moment.dead))
    if not names:
        raise InputError("dead_units: recorder must have recorded a model with ReLU layers, got none")
    curves = {name: [100 * moment.dead.get(name, np.nan) for moment in recorder.moments] for name in names}
    figure = new_figure(9.5, 3.9, title)
    axes = figure.subplots()
    _draw_curves(axes, recorder, curves)
    _mark(axes, 100 * LIMITS["dead"].value, "too many", ":")
    axes.set_ylim(-3, 103)
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.set_ylabel("dead units")
    return figure


def _check(owner: str, recorder: Any) -> None:
    check.instance(owner, "recorder", recorder, Recorder, "a train.Recorder() that fit was given")
    if not recorder.moments:
        raise InputError(f"{owner}: recorder must have recorded a step, got none; give it to fit(recorder=…)")


# ---- curves --------------------------------------------------------------------------------------------


def _draw_curves(axes: Any, recorder: Recorder, curves: Mapping[str, Sequence[float]]) -> None:
    """Draw a curve for each layer over the steps, and a legend above the axes."""
    steps = [moment.step for moment in recorder.moments]
    marker = "." if len(steps) == 1 else ""
    for i, (name, values) in enumerate(curves.items()):
        shown = i % _legend_step(len(curves)) == 0 or i == len(curves) - 1
        axes.plot(
            steps, values, marker=marker, label=plain(name) if shown else None, linewidth=1.5,
            **_look(i, len(curves)),
        )  # fmt: skip
    axes.set_xlabel("step")
    whole_numbers(axes)
    grid_lines(axes)
    _legend_above(axes, min(4, len(curves)))


def _legend_step(curves: int) -> int:
    return -(-curves // MOST_IN_LEGEND)


def _look(i: int, curves: int) -> dict[str, Any]:
    """Return the colour and the dashes of a curve: its own of a few, of many its place from first to last."""
    if curves <= MOST_NAMED:
        return {"color": CURVE_COLOURS[i], "linestyle": DASHES[i // 4 % len(DASHES)]}
    return {"color": colormaps[SCALE](0.9 * i / (curves - 1)), "linestyle": "-"}


def _log_axis(axes: Any, curves: Mapping[str, Sequence[float]]) -> None:
    """Make the vertical axis logarithmic; what is 0 leaves a gap, and is not drawn."""
    values = np.array(list(curves.values()), dtype=float)
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = (positive.min(), positive.max()) if positive.size else (LOWEST, 1.0)
    axes.set_ylim(low / 2, high * 2)
    axes.set_yscale("log")


def _draw_through_layers(axes: Any, recorder: Recorder, curves: Mapping[str, Sequence[float]]) -> None:
    """Draw the sizes layer by layer: at the first step, at the last one, and the median of all."""
    names = list(curves)
    sizes = np.array([curves[name] for name in names], dtype=float)
    last = recorder.moments[-1].step
    places = np.arange(len(names))
    looks = {
        f"step {recorder.moments[0].step}": (sizes[:, 0], {"marker": "o", "linestyle": ":"}),
        "median": (_medians(sizes), {"marker": "s", "linestyle": "-"}),
        f"step {last}": (sizes[:, -1], {"marker": "^", "linestyle": "--"}),
    }
    for (label, (values, look)), colour in zip(looks.items(), CURVE_COLOURS, strict=False):
        axes.plot(places, values, label=label, color=colour, markersize=4.5, linewidth=1.2, **look)
    every = -(-len(names) // 12)
    shown = [plain(name) for name in names][::every]
    axes.set_xticks(places[::every], shown, rotation=40, ha="right", fontsize=8)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xlabel("layer, from the input to the loss")
    grid_lines(axes)
    _legend_above(axes, 3)


def _mark(axes: Any, height: float, label: str, style: str) -> None:
    """Draw a line across the axes, and beside it what it means."""
    axes.axhline(height, color=GREY, linewidth=0.9, linestyle=style)
    axes.annotate(
        label, (1, height), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        va="center", fontsize=8, color=GREY,
    )  # fmt: skip


def _legend_above(axes: Any, columns: int) -> None:
    axes.legend(
        frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=columns,
        columnspacing=1.2,
    )  # fmt: skip


def _medians(sizes: ndarray) -> ndarray:
    medians: ndarray = np.nanmedian(np.where(np.isfinite(sizes), sizes, np.nan), axis=1)
    return medians
