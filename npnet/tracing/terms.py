"""The sum that one element is: its terms, each a product of elements of other arrays.

Every function here takes an operation, the name of a result (``y`` or a gradient) and the place of one element,
and yields the products whose sum that element is, as the equations in `npnet.tracing.kinds` have them. The same
sums stand in ``page/terms.js``, which works them out where someone clicks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import exp, inf, isnan, log, log1p, nan, prod, tanh
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.tracing.operation import Operation

Index = tuple[int, ...]
LEAST_LOG, LEAST_DENOMINATOR = -100.0, 1e-12  # of binary cross-entropy, see its notes


class Factor(NamedTuple):
    """One factor of a term: an element of an array, or a number that follows from elements of it.

    Parameters
    ----------
    label : str
        How it is written, such as "x[0,3]" or "1/m".
    value : float
    tensor : str
        The array it comes from; "" of a plain number.
    index : tuple of int
        Which element of that.
    """

    label: str
    value: float
    tensor: str = ""
    index: Index = ()


Term = tuple[Factor, ...]


@dataclass(frozen=True)
class Sum:
    """One element of an array, written out.

    Parameters
    ----------
    label : str
        The element, such as "grad_weight[3,5]".
    element : float
        What the array holds.
    terms : tuple of terms
        Each a tuple of `Factor`, to be multiplied.
    note : str
        What is special about this element: a tie, a kink, a gate that is shut.

    Examples
    --------
    >>> from npnet import nn
    >>> import npnet
    >>> model = nn.Linear(2, 1, generator=np.random.default_rng(0), dtype=np.float64)
    >>> model.weight[...], model.bias[...] = [[3.0, 4.0]], 5.0
    >>> trace = npnet.trace(model, nn.MSELoss(), np.array([[1.0, 2.0]]), np.array([[15.0]]))
    >>> print(trace.sum("model", "y", (0, 0)))
    y[0,0] = 16
        x[0,0] · weight[0,0] =   1 · 3 =   3
        x[0,1] · weight[0,1] =   2 · 4 =   8
                     bias[0] =       5 =   5
                                   sum =  16
    """

    label: str
    element: float
    terms: tuple[Term, ...]
    note: str = ""

    @property
    def values(self) -> tuple[float, ...]:
        """The value of each term."""
        return tuple(prod((factor.value for factor in term), start=1.0) + 0.0 for term in self.terms)

    @property
    def total(self) -> float:
        """The sum of all terms, in float64."""
        return sum(self.values)

    def __str__(self) -> str:
        rows = [
            (
                " · ".join(factor.label for factor in term),
                " · ".join(f"{factor.value:.6g}" for factor in term),
                f"{value:.6g}",
            )
            for term, value in zip(self.terms, self.values, strict=True)
        ]
        rows.append(("", "sum", f"{self.total:.6g}"))
        wide = [max(len(row[place]) for row in rows) for place in range(3)]
        lines = [
            f"    {labels:>{wide[0]}} {'=' if labels else ' '} {numbers:>{wide[1]}} = {value:>{wide[2]}}"
            for labels, numbers, value in rows
        ]
        said = [f"    {self.note}"] if self.note else []
        return "\n".join([f"{self.label} = {self.element:.7g}", *lines, *said])


def sum_of(operation: Operation, name: str, index: Index) -> Sum:
    """Write one element of an operation's output or of a gradient out as the sum it is.

    Parameters
    ----------
    operation : Operation
    name : str
        "y", or a gradient such as "grad_weight".
    index : tuple of int
        Which element.

    Returns
    -------
    written : Sum

    Raises
    ------
    InputError
        If there is no such array or element, or the operation has no equation.
    """
    owner = f"operation '{operation.name}'"
    array = operation[name]
    if name not in operation.equations:
        known = ", ".join(key for key in operation.equations if key in operation.tensors)
        raise InputError(
            f"{owner}: name must be one with an equation ({known or 'there is none'}), got {name!r}"
        )
    index = _checked_index(owner, array, index)
    ways = _Ways(operation)
    rule = _update if name.startswith("new_") else _RULES[operation.kind]
    terms = tuple(rule(ways, name, index))
    return Sum(label(name, index), float(array[index]), terms, ways.note)


def label(name: str, index: Index) -> str:
    """Write an element, as "x[0,3]".

    Examples
    --------
    >>> label("x", (0, 3)), label("y", ())
    ('x[0,3]', 'y')
    """
    return f"{name}[{','.join(map(str, index))}]" if index else name


def _checked_index(owner: str, array: ndarray, index: Any) -> Index:
    several = index if isinstance(index, tuple | list) else (index,)
    numbers = tuple(check.integer(owner, "index", number) for number in several)
    fits = len(numbers) == array.ndim and all(-n <= i < n for i, n in zip(numbers, array.shape, strict=True))
    if not fits:
        raise InputError(f"{owner}: index must be one of an array of shape {array.shape}, got {numbers}")
    return tuple(i % n for i, n in zip(numbers, array.shape, strict=True))


class _Ways:
    """An operation's arrays as factors, and what is to be said of the element."""

    def __init__(self, operation: Operation) -> None:
        self.tensors, self.settings = operation.tensors, operation.settings
        self.note = ""

    def at(self, name: str, *index: int) -> Factor:
        """Return an element as a factor."""
        return Factor(label(name, index), float(self.tensors[name][index]), name, index)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name].shape


Rule = Callable[[_Ways, str, Index], Iterator[Term]]


# ---- sums of products ----------------------------------------------------------------------------------


def _linear(o: _Ways, name: str, index: Index) -> Iterator[Term]:
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


def _conv2d(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    kernel = [range(size) for size in o.shape("weight")[2:]]
    outs, per_group = o.shape("weight")[:2]
    outs_per_group = outs // o.settings["groups"]
    places = list(product(*map(range, o.shape("y")[-2:])))
    batch = list(np.ndindex(o.shape("x")[:-3]))
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
    elif name == "grad_weight":
        out, c, k, l = index
        first = out // outs_per_group * per_group
        for n, (i, j) in product(batch, places):
            pixel = _pixel(o, (i, j), (k, l))
            if pixel is not None:
                yield o.at("grad_y", *n, out, i, j), o.at("x", *n, first + c, *pixel)
    else:
        yield from ((o.at("grad_y", *n, *index, i, j),) for n, (i, j) in product(batch, places))


def _pixel(o: _Ways, place: Index, cell: Index) -> Index | None:
    """Return the pixel under a cell of the window at a place, None on the border."""
    pixel = tuple(
        i * step + k * spread - lead
        for i, k, step, spread, lead in zip(
            place, cell, o.settings["stride"], o.settings["dilation"], o.settings["padding"], strict=True
        )
    )
    return pixel if all(0 <= p < size for p, size in zip(pixel, o.shape("x")[-2:], strict=True)) else None


def _place(o: _Ways, pixel: Index, cell: Index) -> Index | None:
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


def _max_pool2d(o: _Ways, name: str, index: Index) -> Iterator[Term]:
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


def _winner(o: _Ways, channel: Index, place: Index) -> tuple[Index, int]:
    """Return the pixel a window chose, and how many others are as large."""
    cells = product(*map(range, o.settings["kernel"]))
    pixels = [pixel for cell in cells if (pixel := _pixel(o, place, cell)) is not None]
    values = [float(o.tensors["x"][(*channel, *pixel)]) for pixel in pixels]
    best = 0
    for number, value in enumerate(values):
        if value > values[best] or isnan(value):
            best = number
    return pixels[best], sum(value == values[best] for value in values) - 1 if not isnan(values[best]) else 0


def _average(o: _Ways, name: str, index: Index) -> Iterator[Term]:
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


def _relu(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    x = o.at("x", *index)
    is_open = not x.value <= 0  # NaN passes
    if x.value == 0:
        o.note = "a kink: at x = 0 the slope is taken to be 0"
    elif not is_open:
        o.note = "x < 0: the gate is shut"
    gate = Factor(f"[{x.label} > 0]", float(is_open), "x", index)
    if is_open:
        yield (x if name == "y" else o.at("grad_y", *index)), gate


def _leaky_relu(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    x = o.at("x", *index)
    if x.value == 0:
        o.note = "a kink: at x = 0 the slope of the negative side is taken"
    slope = Factor(f"slope({x.label})", o.settings["slope"] if x.value <= 0 else 1.0, "x", index)
    yield (x if name == "y" else o.at("grad_y", *index)), slope


def _tanh(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    if name == "y":
        x = o.at("x", *index)
        yield (Factor(f"tanh({x.label})", tanh(x.value), "x", index),)
        return
    y = o.at("y", *index)
    yield o.at("grad_y", *index), Factor(f"(1 − {y.label}²)", 1 - y.value**2, "y", index)


def _sigmoid(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    if name == "y":
        x = o.at("x", *index)
        yield (Factor(f"σ({x.label})", _sigma(x.value), "x", index),)
        return
    y = o.at("y", *index)
    yield o.at("grad_y", *index), y, Factor(f"(1 − {y.label})", 1 - y.value, "y", index)


def _sigma(x: float) -> float:
    return 1 / (1 + exp(-x)) if x >= 0 else exp(max(x, -800.0)) / (1 + exp(max(x, -800.0))) if x < 0 else x


def _dropout(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    factor = o.at("factor", *index)
    if factor.value == 0:
        o.note = "this element was dropped"
    yield o.at("x" if name == "y" else "grad_y", *index), factor


def _reshape(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    source, result = ("x", "y") if name == "y" else ("grad_y", "x")
    flat = np.ravel_multi_index(index, o.shape(result)) if index else 0
    place = np.unravel_index(flat, o.shape(source)) if o.shape(source) else ()
    yield (o.at(source, *map(int, place)),)


def _split(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    if name == "y":
        yield (o.at("x", *index),)
    else:
        yield from (
            (o.at(branch, *index),) for branch in ("grad_body", "grad_shortcut") if branch in o.tensors
        )


def _add(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    yield from ((o.at(each, *index),) for each in (("body", "shortcut") if name == "y" else ("grad_y",)))


def _update(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    """Write out what the optimizer did: of its rules, plain gradient descent is a product."""
    parameter = name.removeprefix("new_")
    old = o.at(parameter, *index)
    yield (old,)
    if o.settings["plain"]:
        yield Factor("−lr", -o.settings["lr"]), o.at(f"grad_{parameter}", *index)
    else:
        yield (Factor(f"the step of {o.settings['optimizer']}", float(o.tensors[name][index]) - old.value),)


# ---- along an axis -------------------------------------------------------------------------------------


def _line(o: _Ways, index: Index) -> list[Index]:
    """Return the places along the axis that an element's probabilities sum to 1 on."""
    if not index:
        return [index]
    axis = o.settings["axis"]
    return [(*index[:axis], i, *index[axis + 1 :]) for i in range(o.shape("x")[axis])]


def _exponentials(o: _Ways, index: Index) -> tuple[float, float]:
    """Return the maximum along the line, and the sum of exponentials less it."""
    values = np.array([o.tensors["x"][place] for place in _line(o, index)], np.float64)
    largest = float(values.max())
    with np.errstate(all="ignore"):
        return largest, float(np.exp(values - largest).sum())


def _softmax(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    if name == "y":
        x, (largest, total) = o.at("x", *index), _exponentials(o, index)
        power = Factor(f"e^({x.label} − max)", _exp(x.value - largest), "x", index)
        yield power, Factor("1/Σe^(x − max)", 1 / total)
        return
    y = o.at("y", *index)
    yield y, o.at("grad_y", *index)
    for i in _line(o, index):
        yield Factor("−1", -1.0), y, o.at("y", *i), o.at("grad_y", *i)


def _log_softmax(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    if name == "y":
        largest, total = _exponentials(o, index)
        yield (o.at("x", *index),)
        yield (Factor("−max", -largest),)
        yield (Factor("−log Σe^(x − max)", -log(total) if total > 0 else nan),)
        return
    y = o.at("y", *index)
    power = Factor(f"−e^{y.label}", -_exp(y.value), "y", index)
    yield (o.at("grad_y", *index),)
    yield from ((power, o.at("grad_y", *i)) for i in _line(o, index))


def _exp(x: float) -> float:
    return exp(x) if x < 709 else inf if x == x else nan  # noqa: PLR0124 - NaN alone differs from itself


def _batch_norm(o: _Ways, name: str, index: Index) -> Iterator[Term]:
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


# ---- losses --------------------------------------------------------------------------------------------


def _share(o: _Ways) -> Term:
    """Return the factor of a mean; none of a sum."""
    m = o.settings.get("m")
    return () if m is None else (Factor("1/m", 1 / m if m else nan),)


def _cross_entropy(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    axis, shape = o.settings["axis"], o.shape("x")
    positions = list(np.ndindex(shape[:axis] + shape[axis + 1 :]))
    share = _share(o)
    if name == "y":
        for position in positions:
            for c in range(shape[axis]):
                q = _wanted(o, position, c)
                if q.value:
                    yield Factor("−1", -1.0), *share, q, _log_probability(o, position, c)
        return
    position, c = index[:axis] + index[axis + 1 :], index[axis]
    here = [_wanted(o, position, each) for each in range(shape[axis])]
    counted, log_p = sum(q.value for q in here), _log_probability(o, position, c)
    probability = Factor(label("p", index), _exp(log_p.value) if counted else 0.0, "x", index)
    weights = () if abs(counted - 1) < 1e-9 else (Factor("Σq", counted),)
    if not counted:
        o.note = "this target is ignored"
    yield o.at("grad_y"), *share, *weights, probability
    yield o.at("grad_y"), *share, Factor("−1", -1.0), here[c]


def _wanted(o: _Ways, position: Index, c: int) -> Factor:
    """Return q, what the target wants the probability of a class to be, with weights and smoothing."""
    axis, target = o.settings["axis"], o.tensors["target"]
    place = (*position[:axis], c, *position[axis:])
    if target.dtype.kind == "f":
        t, where = float(target[place]), place
    else:
        t, where = float(target[position] == c), position
        if target[position] == o.settings["ignore_index"]:
            return Factor(label("q", place), 0.0, "target", where)
    smoothing = o.settings["label_smoothing"]
    q = (1 - smoothing) * t + smoothing / o.shape("x")[axis]
    if "weight" in o.tensors:
        q *= float(o.tensors["weight"][c])
    return Factor(label("q", place), q, "target", where)


def _log_probability(o: _Ways, position: Index, c: int) -> Factor:
    axis = o.settings["axis"]
    place = (*position[:axis], c, *position[axis:])
    largest, total = _exponentials(o, place)
    value = float(o.tensors["x"][place]) - largest - log(total) if total > 0 else nan
    return Factor(f"log {label('p', place)}", value, "x", place)


def _nll_loss(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    axis, shape, target = o.settings["axis"], o.shape("x"), o.tensors["target"]
    positions = list(np.ndindex(shape[:axis] + shape[axis + 1 :]))
    share, minus = _share(o), Factor("−1", -1.0)

    def weight(c: int) -> Term:
        return (o.at("weight", c),) if "weight" in o.tensors else ()

    if name == "y":
        for position in positions:
            c = int(target[position])
            if c != o.settings["ignore_index"]:
                yield minus, *share, *weight(c), o.at("x", *position[:axis], c, *position[axis:])
        return
    position, c = index[:axis] + index[axis + 1 :], index[axis]
    if target[position] == c != o.settings["ignore_index"]:
        yield minus, *share, *weight(c), o.at("grad_y")
    else:
        o.note = "this class is not the target"


def _mse_loss(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    def difference(place: Index) -> Factor:
        x, target = o.at("x", *place), o.at("target", *place)
        return Factor(f"({x.label} − {target.label})", x.value - target.value, "x", place)

    if name == "y":
        share = _share(o)
        for place in np.ndindex(o.shape("x")):
            yield *share, difference(place), difference(place)
        return
    twice = Factor("2/m", 2 / o.settings["m"]) if "m" in o.settings else Factor("2", 2.0)
    yield o.at("grad_y"), twice, difference(index)


def _binary(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    share = _share(o)
    if name == "y":
        for place in np.ndindex(o.shape("x")):
            weight, (x, t) = _weight_at(o, "weight", place), (o.at("x", *place), o.at("target", *place))
            yes = Factor(f"−log {x.label}", -max(_log(x.value), LEAST_LOG), "x", place)
            no = Factor(f"−log(1 − {x.label})", -max(_log(1 - x.value), LEAST_LOG), "x", place)
            yield *share, *weight, t, yes
            yield *share, *weight, Factor(f"(1 − {t.label})", 1 - t.value, "target", place), no
        return
    x, t = o.at("x", *index), o.at("target", *index)
    if x.value in (0, 1):
        o.note = "an edge: the logarithm is cut off at −100, the denominator at 1e−12"
    slope = Factor(
        f"1/({x.label} · (1 − {x.label}))", 1 / max(x.value * (1 - x.value), LEAST_DENOMINATOR), "x", index
    )
    difference = Factor(f"({x.label} − {t.label})", x.value - t.value, "x", index)
    yield o.at("grad_y"), *share, *_weight_at(o, "weight", index), difference, slope


def _binary_with_logits(o: _Ways, name: str, index: Index) -> Iterator[Term]:
    share = _share(o)
    for place in np.ndindex(o.shape("x")) if name == "y" else [index]:
        weight, positive = _weight_at(o, "weight", place), _weight_at(o, "pos_weight", place)
        x, t = o.at("x", *place), o.at("target", *place)
        unwanted = Factor(f"(1 − {t.label})", 1 - t.value, "target", place)
        if name == "y":
            yield *share, *weight, unwanted, Factor(f"log(1 + e^{x.label})", _softplus(x.value), "x", place)
            cost = Factor(f"log(1 + e^−{x.label})", _softplus(-x.value), "x", place)
            yield *share, *weight, *positive, t, cost
        else:
            up = (o.at("grad_y"), *share, *weight)
            yield *up, unwanted, Factor(f"σ({x.label})", _sigma(x.value), "x", place)
            yield (
                *up,
                Factor("−1", -1.0),
                *positive,
                t,
                Factor(f"σ(−{x.label})", _sigma(-x.value), "x", place),
            )


def _weight_at(o: _Ways, name: str, index: Index) -> Term:
    """Return the element of a weight that is broadcast to the shape of x; nothing if it is absent."""
    if name not in o.tensors:
        return ()
    shape = o.shape(name)
    lead = len(index) - len(shape)
    return (o.at(name, *(0 if size == 1 else i for i, size in zip(index[lead:], shape, strict=True))),)


def _log(x: float) -> float:
    return log(x) if x > 0 else -inf if x == 0 else nan


def _softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


# ---- words ---------------------------------------------------------------------------------------------


def _times(count: int) -> str:
    return "another x is" if count == 1 else f"{count} others are"


def _windows(count: int) -> str:
    return "one window" if count == 1 else f"{count} windows"


_RULES: Mapping[str, Rule] = {
    "linear": _linear,
    "conv2d": _conv2d,
    "max_pool2d": _max_pool2d,
    "average": _average,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "dropout": _dropout,
    "reshape": _reshape,
    "split": _split,
    "add": _add,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "batch_norm": _batch_norm,
    "cross_entropy": _cross_entropy,
    "nll_loss": _nll_loss,
    "mse_loss": _mse_loss,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary_with_logits,
}
