"""The terms of layers: sums of products, pooling, elementwise functions, and what works along an axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from math import exp, inf, isnan, log, nan

import numpy as np

from npnet.tracing.sums import Factor, Factors, Index, Term, label


def linear(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield products over the inputs for y, over the outputs for grad_x, over the rows for the rest."""
    out_features, in_features = o.shape("weight")
    if name == "y":
        *n, out = index
        yield from ((o.at("x", *n, i), o.at("weight", out, i)) for i in range(in_features))
        if "bias" in o.tensors:
            yield (o.at("bias", out),)
    elif name == "grad_x":
        *n, i = index
        yield from ((o.at("grad_y", *n, out), o.at("weight", out, i)) for out in range(out_features))
    else:
        rows = list(np.ndindex(o.shape("x")[:-1]))
        if name == "grad_weight":
            out, i = index
            yield from ((o.at("grad_y", *n, out), o.at("x", *n, i)) for n in rows)
        else:
            yield from ((o.at("grad_y", *n, *index),) for n in rows)


def conv2d(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield the products under the window for y, and under all windows that cover it for grad_x."""
    kernel = [range(size) for size in o.shape("weight")[2:]]
    outs, per_group = o.shape("weight")[:2]
    outs_per_group = outs // o.settings["groups"]
    if name == "y":
        *n, out, i, j = index
        first = out // outs_per_group * per_group
        for c, k, l in product(range(per_group), *kernel):
            pixel = _pixel(o, (i, j), (k, l))
            if pixel is not None:
                yield o.at("x", *n, first + c, *pixel), o.at("weight", out, c, k, l)
        if "bias" in o.tensors:
            yield (o.at("bias", out),)
    elif name == "grad_x":
        *n, c, h, w = index
        group, within = divmod(c, per_group)
        for out, k, l in product(range(group * outs_per_group, (group + 1) * outs_per_group), *kernel):
            place = _place(o, (h, w), (k, l))
            if place is not None:
                yield o.at("grad_y", *n, out, *place), o.at("weight", out, within, k, l)
    else:
        yield from _shared(o, index)


def _shared(o: Factors, index: Index) -> Iterator[Term]:
    """Yield the terms of a kernel's or a bias's gradient: both have a part in the output at every place."""
    outs, per_group = o.shape("weight")[:2]
    out, *cell = index
    for (*n,), place in product(np.ndindex(o.shape("x")[:-3]), np.ndindex(o.shape("y")[-2:])):
        upstream = o.at("grad_y", *n, out, *place)
        if not cell:
            yield (upstream,)
            continue
        channel = out // (outs // o.settings["groups"]) * per_group + cell[0]
        pixel = _pixel(o, place, (cell[1], cell[2]))
        if pixel is not None:
            yield upstream, o.at("x", *n, channel, *pixel)


def _pixel(o: Factors, place: Index, cell: Index) -> Index | None:
    """Return the pixel under a cell of the window at a place, None on the border."""
    pixel = tuple(
        i * step + k * spread - lead
        for i, k, step, spread, lead in zip(
            place, cell, o.settings["stride"], o.settings["dilation"], o.settings["padding"], strict=True
        )
    )
    return pixel if all(0 <= p < size for p, size in zip(pixel, o.shape("x")[-2:], strict=True)) else None


def _place(o: Factors, pixel: Index, cell: Index) -> Index | None:
    """Return the place of the window whose cell is on a pixel, None if it never is."""
    place = []
    for p, k, step, spread, lead, places in zip(
        pixel,
        cell,
        o.settings["stride"],
        o.settings["dilation"],
        o.settings["padding"],
        o.shape("y")[-2:],
        strict=True,
    ):
        i, rest = divmod(p + lead - k * spread, step)
        if rest or not 0 <= i < places:
            return None
        place.append(i)
    return tuple(place)


# ---- pooling -------------------------------------------------------------------------------------------


def max_pool2d(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield the winner of the window for y, and for grad_x the gradients of the windows it won."""
    *channel, i, j = index
    if name == "y":
        winner, ties = _winner(o, (*channel,), (i, j))
        if ties:
            o.note = f"a tie: {_times(ties)} as large, and the first in reading order is chosen"
        yield (o.at("x", *channel, *winner),)
        return
    cells = product(*map(range, o.settings["kernel"]))
    places = sorted({place for cell in cells if (place := _place(o, (i, j), cell)) is not None})
    lost = tied = 0
    for place in places:
        winner, ties = _winner(o, (*channel,), place)
        if winner == (i, j):
            tied += ties > 0
            yield (o.at("grad_y", *channel, *place),)
        else:
            lost += 1
    if lost:
        o.note = f"under {_windows(lost)} another x was larger, and takes the whole gradient"
    elif tied:
        o.note = "a tie: others are as large, and the first in reading order takes the whole gradient"
    elif not places:
        o.note = "no window covers this x"


def _winner(o: Factors, channel: Index, place: Index) -> tuple[Index, int]:
    """Return the pixel a window chose, and how many others are as large."""
    cells = product(*map(range, o.settings["kernel"]))
    pixels = [pixel for cell in cells if (pixel := _pixel(o, place, cell)) is not None]
    values = [float(o.tensors["x"][(*channel, *pixel)]) for pixel in pixels]
    best = 0
    for number, value in enumerate(values):
        if value > values[best] or isnan(value):
            best = number
    return pixels[best], sum(value == values[best] for value in values) - 1 if not isnan(values[best]) else 0


def average(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield each pixel's share of the average for y, and each window's share of its gradient for grad_x."""
    rows, columns, divisor = (o.settings[key] for key in ("rows", "columns", "divisor"))
    *channel, i, j = index
    if name == "y":
        share = Factor("1/m", 1 / divisor[i][j])
        yield from ((share, o.at("x", *channel, h, w)) for h in range(*rows[i]) for w in range(*columns[j]))
        return
    for (r, row), (c, column) in product(enumerate(rows), enumerate(columns)):
        if row[0] <= i < row[1] and column[0] <= j < column[1]:
            yield Factor("1/m", 1 / divisor[r][c]), o.at("grad_y", *channel, r, c)


# ---- elementwise ---------------------------------------------------------------------------------------


def relu(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield what the gate lets through: x for y, grad_y for grad_x."""
    x = o.at("x", *index)
    is_open = not x.value <= 0  # NaN passes
    if x.value == 0:
        o.note = "a kink: at x = 0 the slope is taken to be 0"
    elif not is_open:
        o.note = "x < 0: the gate is shut"
    gate = Factor(f"[{x.label} > 0]", float(is_open), "x", index)
    if is_open:
        yield (x if name == "y" else o.at("grad_y", *index)), gate


def leaky_relu(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield x or grad_y times the slope on its side of 0."""
    x = o.at("x", *index)
    if x.value == 0:
        o.note = "a kink: at x = 0 the slope of the negative side is taken"
    slope = Factor(f"slope({x.label})", o.settings["slope"] if x.value <= 0 else 1.0, "x", index)
    yield (x if name == "y" else o.at("grad_y", *index)), slope


def tanh(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield tanh(x), or grad_y (1 − y²)."""
    if name == "y":
        x = o.at("x", *index)
        yield (Factor(f"tanh({x.label})", math.tanh(x.value), "x", index),)
        return
    y = o.at("y", *index)
    yield o.at("grad_y", *index), Factor(f"(1 − {y.label}²)", 1 - y.value**2, "y", index)


def sigmoid(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield σ(x), or grad_y y (1 − y)."""
    if name == "y":
        x = o.at("x", *index)
        yield (Factor(f"σ({x.label})", sigma(x.value), "x", index),)
        return
    y = o.at("y", *index)
    yield o.at("grad_y", *index), y, Factor(f"(1 − {y.label})", 1 - y.value, "y", index)


def sigma(x: float) -> float:
    """Return σ(x) without overflow."""
    return 1 / (1 + exp(-x)) if x >= 0 else exponential(x) / (1 + exponential(x))


def softplus(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield log(1 + e^βx) / β, or grad_y (1 − e^−βy); above the threshold x, or grad_y."""
    x, y, beta = o.at("x", *index), o.at("y", *index), o.settings["beta"]
    if beta * x.value > o.settings["threshold"]:
        o.note = "β·x is above the threshold: y = x"
        yield (x if name == "y" else o.at("grad_y", *index),)
    elif name == "y":
        value = math.log1p(exponential(beta * x.value)) / beta
        yield (Factor(f"log(1 + e^(β·{x.label})) / β", value, "x", index),)
    else:
        yield (
            o.at("grad_y", *index),
            Factor(f"(1 − e^(−β·{y.label}))", -math.expm1(-beta * y.value), "y", index),
        )


def dropout(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield x or grad_y times what was drawn."""
    factor = o.at("factor", *index)
    if factor.value == 0:
        o.note = "this element was dropped"
    yield o.at("x" if name == "y" else "grad_y", *index), factor


def reshape(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield the element at the same place in row-major order."""
    source, result = ("x", "y") if name == "y" else ("grad_y", "x")
    flat = np.ravel_multi_index(index, o.shape(result)) if index else 0
    place = np.unravel_index(flat, o.shape(source)) if o.shape(source) else ()
    yield (o.at(source, *map(int, place)),)


def split(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield x for y, and for grad_x what came back from either branch."""
    if name == "y":
        yield (o.at("x", *index),)
    else:
        yield from (
            (o.at(branch, *index),) for branch in ("grad_body", "grad_shortcut") if branch in o.tensors
        )


def add(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield what either branch gave for y; its gradient goes to both as it is."""
    yield from ((o.at(each, *index),) for each in (("body", "shortcut") if name == "y" else ("grad_y",)))


# ---- along an axis -------------------------------------------------------------------------------------


def _line(o: Factors, index: Index) -> list[Index]:
    """Return the places along the axis that an element's probabilities sum to 1 on."""
    if not index:
        return [index]
    axis = o.settings["axis"]
    return [(*index[:axis], i, *index[axis + 1 :]) for i in range(o.shape("x")[axis])]


def exponentials(o: Factors, index: Index) -> tuple[float, float]:
    """Return the maximum along the line, and the sum of exponentials less it."""
    values = np.array([o.tensors["x"][place] for place in _line(o, index)], np.float64)
    largest = float(values.max())
    with np.errstate(all="ignore"):
        return largest, float(np.exp(values - largest).sum())


def softmax(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield a power over the sum of powers for y, and for grad_x a product for each output of the line."""
    if name == "y":
        x, (largest, total) = o.at("x", *index), exponentials(o, index)
        power = Factor(f"e^({x.label} − max)", exponential(x.value - largest), "x", index)
        yield power, Factor("1/Σe^(x − max)", 1 / total)
        return
    y = o.at("y", *index)
    yield y, o.at("grad_y", *index)
    for i in _line(o, index):
        yield Factor("−1", -1.0), y, o.at("y", *i), o.at("grad_y", *i)


def log_softmax(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield x less the logarithm of the sum for y, and for grad_x a product for each output of the line."""
    if name == "y":
        largest, total = exponentials(o, index)
        yield (o.at("x", *index),)
        yield (Factor("−max", -largest),)
        yield (Factor("−log Σe^(x − max)", -log(total) if total > 0 else nan),)
        return
    y = o.at("y", *index)
    power = Factor(f"−e^{y.label}", -exponential(y.value), "y", index)
    yield (o.at("grad_y", *index),)
    yield from ((power, o.at("grad_y", *i)) for i in _line(o, index))


def exponential(x: float) -> float:
    """Return eˣ, ∞ where that is too large."""
    return exp(x) if x < 709 else inf if x == x else nan  # noqa: PLR0124 - NaN alone differs from itself


def batch_norm(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield γ x̂ + β for y, and for grad_x the direct part and what comes back through mean and variance."""
    c = index[0] if name in ("grad_weight", "grad_bias") else index[1]
    training = o.settings["training"]
    said = "" if training else "running_"
    mean, var = float(o.tensors[f"{said}mean"][c]), float(o.tensors[f"{said}var"][c])
    deviation = (var + o.settings["eps"]) ** 0.5
    places = [(n, c, *rest) for n, *rest in np.ndindex(*o.shape("x")[:1], *o.shape("x")[2:])]

    def normalised(place: Index) -> Factor:
        value = (float(o.tensors["x"][place]) - mean) / deviation
        return Factor(label("x̂", place), value, "x", place)

    gamma = (o.at("weight", c),) if "weight" in o.tensors else ()
    if name == "y":
        yield *gamma, normalised(index)
        if "bias" in o.tensors:
            yield (o.at("bias", c),)
    elif name == "grad_bias":
        yield from ((o.at("grad_y", *place),) for place in places)
    elif name == "grad_weight":
        yield from ((o.at("grad_y", *place), normalised(place)) for place in places)
    else:
        scale = (*gamma, Factor(f"1/√({said}var[{c}] + ε)", 1 / deviation, f"{said}var", (c,)))
        yield *scale, o.at("grad_y", *index)
        if training:
            upstream = np.array([o.tensors["grad_y"][place] for place in places], np.float64)
            hats = np.array([normalised(place).value for place in places])
            yield *scale, Factor("−mean(grad_y)", -float(upstream.mean()))
            along = Factor("−mean(grad_y · x̂)", -float((upstream * hats).mean()))
            yield *scale, normalised(index), along


# ---- words ---------------------------------------------------------------------------------------------


def _times(count: int) -> str:
    return "another x is" if count == 1 else f"{count} others are"


def _windows(count: int) -> str:
    return "one window" if count == 1 else f"{count} windows"
