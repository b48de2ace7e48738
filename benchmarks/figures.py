"""Figures of benchmark results."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, NullLocator, StrMethodFormatter

from benchmarks import ceiling_report, gpu_report
from benchmarks.peers import JAX
from benchmarks.report import NPNET, record_ratio
from benchmarks.results import Results, axes, write_whole
from benchmarks.samples import summary

TRAINING = "training step"
GPU_LINES = {
    gpu_report.NPNET: ("#0f5c8a", "o-"),
    gpu_report.EAGER: ("#e08214", "o-"),
    gpu_report.CUDA: ("#2a7f3f", "s-"),
    gpu_report.CUDA_SENT: ("#2a7f3f", "s:"),
    gpu_report.GRAPHS: ("#8c2d84", "^-"),
    gpu_report.GRAPHS_SENT: ("#8c2d84", "^:"),
    gpu_report.BF16: ("#555555", "v-"),
}
TICKS = (0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.4, 2)


def draw(results: Results, folder: Path) -> Path | None:
    """Draw the figure of a suite and return its file; None if the suite has no figure or no results."""
    figure = figure_of(results)
    if figure is None:
        return None
    path = folder / f"{results.suite}.png"
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150, facecolor="white")
    return write_whole(path, picture.getvalue())


def figure_of(results: Results) -> Figure | None:
    """Return the figure of a suite; None if the suite has no figure or no results."""
    drawing = {"step": _ratios, "scaling": _scaling, "gpu": _gpu, "ceiling": _shares}.get(results.suite)
    return None if drawing is None or not results.records else drawing(results)


def _ratios(results: Results) -> Figure:
    """Draw each ratio with its confidence interval and its target; of a noisy one the interval alone.

    Ratios to JAX are hollow squares, for training steps only. Ratios to autograd are too small for the scale.
    """
    kinds = list(dict.fromkeys(record.about["kind"] for record in results.records))
    works = list(dict.fromkeys(record.about["work"] for record in results.records))[::-1]
    figure = Figure(figsize=(7.5, 1 + 0.42 * len(works)), layout="constrained")
    plot = figure.subplots()
    for shift, kind, colour in zip((0.13, -0.13), kinds, ("#0f5c8a", "#e08214"), strict=False):
        for record in results.records:
            found = record_ratio(record)
            if record.about["kind"] != kind or found is None:
                continue
            height = works.index(record.about["work"]) + shift
            error = [[found.value - found.low], [found.high - found.value]]
            mark = "o" if found.is_reliable else "none"
            plot.errorbar(
                found.value, height, xerr=error, fmt=mark, ecolor=colour, color=colour, capsize=2, ms=5
            )
        plot.plot([], [], "o", color=colour, label=kind)
    for row, work in enumerate(works):
        targets = [record.at_most for record in results.records if record.about["work"] == work]
        if targets[0] is not None:
            plot.plot([targets[0]] * 2, [row - 0.35, row + 0.35], color="#777777", linewidth=1.5)
    _jax(plot, results, works)
    plot.plot([], [], color="#777777", label="target")
    plot.errorbar([], [], xerr=[], fmt="none", ecolor="black", capsize=2, label="too noisy for one number")
    plot.axvline(1, color="black", linewidth=0.8)
    plot.set_xscale("log")
    plot.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    plot.minorticks_off()
    plot.set_yticks(range(len(works)), works)
    threads = results.environment["threads"]
    plot.set_xlabel(
        f"time of npnet ÷ time of PyTorch on the CPU\n(its faster memory format; threads: {threads})"
    )
    figure.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    plot.grid(axis="x", alpha=0.3)
    return figure


def _jax(plot: Axes, results: Results, works: list[str]) -> None:
    """Mark the ratios to JAX, if there are any."""
    ratios = [
        (found.value, works.index(record.about["work"]))
        for record in results.records
        if record.about["kind"] == "training step"
        and (found := record_ratio(record, (JAX,))) is not None
        and found.is_reliable
    ]
    if ratios:
        values, rows = zip(*ratios, strict=True)
        label = f"npnet ÷ {JAX}, training step"
        plot.plot(values, rows, "s", color="#555555", fillstyle="none", markersize=5, label=label)


def _shares(results: Results) -> Figure:
    """Draw for each work the share of the machine's ceiling that npnet and PyTorch reach."""
    found = ceiling_report.shares(results)
    kinds = list(dict.fromkeys(kind for _, kind in found))
    works = list(dict.fromkeys(work for work, _ in found))[::-1]
    figure = Figure(figsize=(8.5, 1.1 + 0.3 * len(works)), layout="constrained")
    plots = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
    for plot, kind in zip(plots, kinds, strict=True):
        for engine, colour, mark in ((NPNET, "#0f5c8a", "o"), (gpu_report.EAGER, "#e08214", "D")):
            values = [100 * found[work, kind].get(engine, float("nan")) for work in works]
            plot.plot(values, range(len(works)), mark, color=colour, markersize=5, label=engine)
        plot.axvline(100, color="black", linewidth=0.8)
        plot.set_xscale("log")
        plot.set_xticks([0.1, 1, 10, 100], ["0.1 %", "1 %", "10 %", "100 %"])
        plot.set_title(kind, fontsize=9)
        plot.grid(alpha=0.3)
    plots[0].set_yticks(range(len(works)), works, fontsize=8)
    handles, names = plots[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    figure.supxlabel("share of what the processor reaches in large products and copies", fontsize=9)
    return figure


def _scaling(results: Results) -> Figure:
    """Draw the time of a training step against each size, on logarithmic axes."""
    found = axes(results)
    figure = Figure(figsize=(3.2 * len(found), 3.2), layout="constrained")
    plots = figure.subplots(1, len(found), squeeze=False)[0]
    for plot, (axis, records) in zip(plots, found.items(), strict=True):
        sizes = [size for size, _ in records]
        for engine in records[0][1].samples:
            medians = [1e3 * summary(record.samples[engine]).median for _, record in records]
            plot.plot(sizes, medians, "o-", label=engine, linewidth=2 if engine == NPNET else 1, markersize=4)
        plot.set_xscale("log", base=2)
        plot.set_yscale("log")
        plot.set_xticks(sizes, [str(size) for size in sizes])
        plot.xaxis.set_minor_locator(NullLocator())
        plot.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        plot.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
        plot.set_xlabel(axis)
        plot.set_title(records[0][1].about["work"].split(",")[0], fontsize=9)
        plot.grid(alpha=0.3)
    plots[0].set_ylabel("ms for a training step")
    plots[0].legend(fontsize=8)
    return figure


def _gpu(results: Results) -> Figure:
    """Draw the time of a training step per sample against the minibatch, a panel for each model."""
    found = {work: curves for (work, kind), curves in gpu_report.curves(results).items() if kind == TRAINING}
    across = 4 if len(found) > 4 else 2
    down = -(-len(found) // across)
    figure = Figure(figsize=(3 * across, 2.5 * down), layout="constrained")
    plots = figure.subplots(down, across, squeeze=False, sharex=True)
    for plot, (work, curves) in zip(plots.flat, found.items(), strict=False):
        for engine, (colour, line) in GPU_LINES.items():
            curve = curves.get(engine, {})
            sizes = sorted(curve)
            times = [1e6 * curve[n] / n for n in sizes]
            plot.plot(sizes, times, line, color=colour, label=engine, markersize=3, linewidth=1.2)
        plot.set_title(work, fontsize=9)
        plot.set_xscale("log", base=4)
        plot.set_yscale("log")
        plot.grid(alpha=0.3)
    for plot in list(plots.flat)[len(found) :]:
        plot.set_visible(False)
    figure.supxlabel("minibatch", fontsize=9)
    figure.supylabel("µs for a sample, training", fontsize=9)
    handles, names = plots.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=across, fontsize=8, frameon=False)
    return figure
