"""Curves over epochs as SVG, whose lines, grid and words take their colours from the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 400, 236
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 10, 30  # room around the lines
MOST_POINTS = 240  # of a curve
FEW_POINTS = 40  # so many can each be pointed at
TICKS = 5


@dataclass(frozen=True)
class Curve:
    """A number for each epoch.

    Parameters
    ----------
    name : str
    values : sequence of float
        NaN and infinities leave a gap.
    part : str
        "training" or "validation", which gives the colour.
    number : int
        Of the engine, which gives the dashes.
    """

    name: str
    values: Sequence[float]
    part: str
    number: int = 0

    @property
    def style(self) -> str:
        """Its classes in the style sheet."""
        return f"{self.part} engine-{self.number}"


@dataclass(frozen=True)
class Axis:
    """Where numbers stand along one direction of a chart."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return the place of a number."""
        low, high, at = (
            (map(math.log10, (self.low, self.high, value))) if self.log else (self.low, self.high, value)
        )
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round numbers, some five of them."""
        if self.log:
            return _log_ticks(self.low, self.high)
        step = _round_up((self.high - self.low) / TICKS)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def chart(
    title: str, curves: Sequence[Curve], *, unit: str = "", log: bool = False, marked: int | None = None
) -> str:
    """Return a figure with a line for each curve and a legend below.

    Parameters
    ----------
    title : str
    curves : sequence of Curve
    unit : str
        Follows numbers that are read out.
    log : bool
        Whether the vertical axis is logarithmic, if all numbers are positive.
    marked : int, optional
        An epoch that has a vertical line.

    Returns
    -------
    html : str
        A ``<figure>``; "" if there is no finite number.
    """
    finite = [value for curve in curves for value in curve.values if math.isfinite(value)]
    if not finite:
        return ""
    log = log and min(finite) > 0 and max(finite) > 4 * min(finite)
    epochs = max(len(curve.values) for curve in curves)
    across = Axis(1.0, float(max(epochs, 2)), float(LEFT), float(WIDTH - RIGHT))
    upwards = _vertical(min(finite), max(finite), log=log)
    drawn = [*_grid(across, upwards, epochs), *(_mark(across, marked) if marked else [])]
    for curve in curves:
        drawn += _line(curve, across, upwards, unit)
    keys = "".join(
        '<span class="key"><svg viewBox="0 0 24 8" aria-hidden="true">'
        f'<path class="{curve.style}" d="M0 4H24"/></svg> {escape(curve.name)}</span>'
        for curve in curves
    )
    said = f"{title}, {epochs} epochs. " + " ".join(_described(curve, unit) for curve in curves)
    return (
        f'<figure class="chart"><h4>{escape(title)}</h4>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">{"".join(drawn)}</svg>'
        f"<figcaption>{keys}</figcaption></figure>"
    )


def _vertical(low: float, high: float, *, log: bool) -> Axis:
    """Return the vertical axis with some room below and above."""
    if log:
        room = (high / low) ** 0.04
        return Axis(low / room, high * room, float(HEIGHT - BOTTOM), float(TOP), log=True)
    room = 0.04 * (high - low) or 0.5 * (abs(high) or 1.0)
    return Axis(low - room, high + room, float(HEIGHT - BOTTOM), float(TOP))


def _grid(across: Axis, upwards: Axis, epochs: int) -> Iterator[str]:
    for value in upwards.ticks():
        y = upwards.place(value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="left" x="{LEFT - 6}" y="{y + 4:.1f}">{shown(value)}</text>'
    whole = dict.fromkeys(round(value) for value in across.ticks() if 1 <= round(value) <= epochs)
    for epoch in whole if epochs > 1 else [1]:
        x = across.place(float(epoch))
        yield f'<text class="below" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}">{epoch}</text>'
    yield f'<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 2}">epoch</text>'


def _mark(across: Axis, epoch: int) -> Iterator[str]:
    x = across.place(float(epoch))
    yield (
        f'<path class="mark" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}">'
        f"<title>weights of epoch {epoch} kept</title></path>"
    )


def _line(curve: Curve, across: Axis, upwards: Axis, unit: str) -> Iterator[str]:
    """Yield a path with a gap wherever a number is missing, and few points that can be pointed at."""
    places = _some(len(curve.values))
    steps, pen = [], "M"
    for place in places:
        value = curve.values[place]
        if not math.isfinite(value):
            pen = "M"
            continue
        steps.append(f"{pen}{across.place(place + 1.0):.1f} {upwards.place(value):.1f}")
        pen = "L"
    yield f'<path class="{curve.style}" d="{"".join(steps)}"/>'
    if len(places) > FEW_POINTS:
        return
    for place in places:
        value = curve.values[place]
        if math.isfinite(value):
            x, y = across.place(place + 1.0), upwards.place(value)
            said = f"epoch {place + 1}: {curve.name} {shown(value)}{unit}"
            yield (
                f'<circle class="{curve.style}" cx="{x:.1f}" cy="{y:.1f}" r="2.5">'
                f"<title>{escape(said)}</title></circle>"
            )


def _some(count: int) -> list[int]:
    """Return places in a curve: all, or of many evenly spread ones, the first and last among them."""
    return sorted(set(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int).tolist()))


def _described(curve: Curve, unit: str) -> str:
    """Say where a curve begins and ends."""
    finite = [value for value in curve.values if math.isfinite(value)]
    if not finite:
        return f"{curve.name}: no number."
    return f"{curve.name}: from {shown(finite[0])}{unit} to {shown(finite[-1])}{unit}."


def _round_up(step: float) -> float:
    """Return the next of 1, 2, 5, 10, … at or above a number.

    Examples
    --------
    >>> _round_up(0.13), _round_up(3.0), _round_up(70.0)
    (0.2, 5.0, 100.0)
    """
    tens = float(10.0 ** math.floor(math.log10(step)))
    return next(round(factor * tens, 12) for factor in (1, 2, 5, 10) if factor * tens >= step * (1 - 1e-9))


def _log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, of few decades with 2 and 5 between them, of many not each.

    Examples
    --------
    >>> _log_ticks(0.15, 3.0)
    [0.2, 0.5, 1.0, 2.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(decades) <= 3 else (1,)
    every = max(1, round(len(decades) / TICKS))
    ticks = [factor * 10.0**decade for decade in decades if decade % every == 0 for factor in factors]
    return [tick for tick in ticks if low <= tick <= high]


def shown(value: float) -> str:
    """Write a number to four digits.

    Examples
    --------
    >>> shown(-0.123456), shown(1500.0), shown(2.0)
    ('−0.1235', '1500', '2')
    """
    return f"{value:.4g}".replace("-", "−")
