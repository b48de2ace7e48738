"""The terms of losses, and of their gradients: what was said less what should have been said."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, inf, log, log1p, nan

import numpy as np

from npnet.tracing._layer_terms import exponential, exponentials, sigma
from npnet.tracing.sums import Factor, Factors, Index, Term, label

LEAST_LOG, LEAST_DENOMINATOR = -100.0, 1e-12  # of binary cross-entropy, see its notes


def _share(o: Factors) -> Term:
    """Return the factor of a mean; none of a sum."""
    m = o.settings.get("m")
    return () if m is None else (Factor("1/m", 1 / m if m else nan),)


def cross_entropy(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield −q log p of each class that counts for y, and p less q for grad_x."""
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
    probability = Factor(label("p", index), exponential(log_p.value), "x", index)
    weights = () if abs(counted - 1) < 1e-9 else (Factor("Σq", counted),)
    if not counted:
        o.note = "this target is ignored"
        return
    yield o.at("grad_y"), *share, *weights, probability
    yield o.at("grad_y"), *share, Factor("−1", -1.0), here[c]


def _wanted(o: Factors, position: Index, c: int) -> Factor:
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


def _log_probability(o: Factors, position: Index, c: int) -> Factor:
    axis = o.settings["axis"]
    place = (*position[:axis], c, *position[axis:])
    largest, total = exponentials(o, place)
    value = float(o.tensors["x"][place]) - largest - log(total) if total > 0 else nan
    return Factor(f"log {label('p', place)}", value, "x", place)


def nll_loss(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield the log-probability of each target for y, and for grad_x the weight of a target."""
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


def mse_loss(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield each squared difference for y, and twice this one for grad_x."""

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


def binary(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield the costs of yes and no of each element for y, and (x − t) over x (1 − x) for grad_x."""
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


def binary_with_logits(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Yield the costs of yes and no of each element for y, and for grad_x the pull of either."""
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
            yield *up, unwanted, Factor(f"σ({x.label})", sigma(x.value), "x", place)
            yield (
                *up,
                Factor("−1", -1.0),
                *positive,
                t,
                Factor(f"σ(−{x.label})", sigma(-x.value), "x", place),
            )


def _weight_at(o: Factors, name: str, index: Index) -> Term:
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
