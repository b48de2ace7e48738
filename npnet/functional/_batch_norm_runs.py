"""Batch normalization in runs of pixels: the fast form for large images.

In memory the pixels of a channel stand together in runs. Of each run BLAS finds the sum, and the sum of
products with another, in one go; the runs of a channel are then added up in float64. What is the same for a
whole channel is worked out once, so that y and grad_x are sums of terms, each an array less a number, times a
number, made block by block while it is in the cache. Threads share the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet import check
from npnet._spread import in_blocks, spread
from npnet.functional._cache import scratch
from npnet.functional._elementwise import image_blocks, order_in_memory
from npnet.functional._quiet import quiet
from npnet.functional._types import BackwardMany

Statistics = tuple[Float[ndarray, " c"], Float[ndarray, " c"]]
Runs = Float[ndarray, "outer c inner"]

# More elements than this are many, and fewer pixels than this a short run.
LARGE = 32 * 1024
SHORT = 16
# So many pixels are added up in float32.
PART = 4096


class Term(NamedTuple):
    """A term of a sum, factor · (runs − origin), with one factor and one origin for each channel."""

    factor: Float[ndarray, " c"]
    runs: Runs
    origin: Float[ndarray, " c"]


def suits(x: Float[ndarray, "n c *spatial"]) -> bool:
    """Say whether there are many elements, in runs that are not short."""
    return x.size > LARGE and _run(x, order_in_memory(x)) >= SHORT


def normalise(
    x: Float[ndarray, "n c *spatial"],
    given: Statistics | None,
    weight: Float[ndarray, " c"] | None,
    bias: Float[ndarray, " c"] | None,
    eps: float,
) -> tuple[Float[ndarray, "n c *spatial"], BackwardMany, Statistics]:
    """Normalise by the given mean and variance, or by those of x, which are also returned."""
    m = x.size // x.shape[1]
    y = np.empty_like(x)
    order = order_in_memory(y)
    runs = _as_runs(x, order)
    mean, var = _statistics(runs) if given is None else (a.astype(np.float64) for a in given)
    inverse_deviation = 1 / np.sqrt(var + eps)  # (c,)
    scale = inverse_deviation if weight is None else inverse_deviation * weight
    _fill(_as_runs(y, order), [Term(scale, runs, mean)], bias)
    form, training = check.form(y), given is None

    def backward(
        grad_y: Float[ndarray, "n c *spatial"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        check.upstream("batch_norm", grad_y, form)
        check.needs("batch_norm", needs)
        with quiet():
            return gradients(grad_y, needs)

    def gradients(
        grad_y: Float[ndarray, "n c *spatial"], needs: tuple[bool, bool, bool]
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        g = _as_runs(grad_y, order)
        through_statistics = needs[0] and training
        sum_g = sum_gx = np.zeros_like(mean)  # Σ g, Σ g x̂
        if through_statistics or needs[2]:
            sum_g = _sum(g)
        if through_statistics or needs[1]:
            sum_gx = inverse_deviation * _sum_of_products(g, runs, mean)
        grad_x = None
        if needs[0]:
            grad_x = np.empty_like(x)
            terms = [Term(scale, g, sum_g / m if training else np.zeros_like(mean))]
            if training:
                terms.append(Term(-scale * inverse_deviation * sum_gx / m, runs, mean))
            _fill(_as_runs(grad_x, order), terms, None)
        grad_weight = sum_gx.astype(x.dtype) if needs[1] and weight is not None else None
        grad_bias = sum_g.astype(x.dtype) if needs[2] and bias is not None else None
        return grad_x, grad_weight, grad_bias

    return y, backward, (mean, var)


def _as_runs(array: Float[ndarray, "n c *spatial"], order: list[int]) -> Runs:
    """View an array as (outer, c, inner), its axes in an order; images in their usual one are (n, c, h·w)."""
    return array.transpose(order).reshape(-1, array.shape[1], _run(array, order))


def _run(array: Float[ndarray, "n c *spatial"], order: list[int]) -> int:
    """Return how many pixels of a channel stand together, its axes being in an order."""
    return prod(array.shape[axis] for axis in order[order.index(1) + 1 :])


def _statistics(x: Runs) -> Statistics:
    """Return the mean and the variance of each channel.

    What is left of the first mean's error shows in the mean of x − mean, by which it is put right.
    """
    m = len(x) * x.shape[2]
    mean = _sum(x) / m
    left, squares = _sums_of_centred(x, mean)
    error = left / m
    return mean.astype(x.dtype) + error, np.maximum(squares / m - error * error, 0)


def _sum(g: Runs) -> Float[ndarray, " c"]:
    """Return Σ g of each channel."""
    parts = _parts(g.shape[2])
    ones = np.ones(parts[0].stop, g.dtype)
    sums = np.empty((*g.shape[:2], len(parts)), g.dtype)

    def add(some: slice) -> None:
        for i, part in enumerate(parts):
            np.vecdot(g[some, :, part], ones[: part.stop - part.start], out=sums[some, :, i])

    spread(add, image_blocks(len(g), g.size))
    return np.asarray(sums.sum(axis=(0, 2), dtype=np.float64))


def _sum_of_products(g: Runs, x: Runs, mean: Float[ndarray, " c"]) -> Float[ndarray, " c"]:
    """Return Σ g (x − mean) of each channel."""
    parts, origin = _parts(x.shape[2]), _beside(mean, x)
    sums = np.empty((*x.shape[:2], len(parts)), x.dtype)

    def products(some: slice) -> None:
        centred = np.subtract(x[some], origin, out=scratch(x[some].shape, x.dtype))
        for i, part in enumerate(parts):
            np.vecdot(g[some, :, part], centred[..., part], out=sums[some, :, i])

    spread(products, image_blocks(len(x), x.size))
    return np.asarray(sums.sum(axis=(0, 2), dtype=np.float64))


def _sums_of_centred(
    x: Runs, mean: Float[ndarray, " c"]
) -> tuple[Float[ndarray, " c"], Float[ndarray, " c"]]:
    """Return Σ (x − mean) and Σ (x − mean)² of each channel."""
    parts, origin = _parts(x.shape[2]), _beside(mean, x)
    ones = np.ones(parts[0].stop, x.dtype)
    sums, squares = np.empty((2, *x.shape[:2], len(parts)), x.dtype)

    def add(some: slice) -> None:
        centred = np.subtract(x[some], origin, out=scratch(x[some].shape, x.dtype))
        for i, part in enumerate(parts):
            values = centred[..., part]
            np.vecdot(values, ones[: part.stop - part.start], out=sums[some, :, i])
            np.vecdot(values, values, out=squares[some, :, i])

    spread(add, image_blocks(len(x), x.size))
    return np.asarray(sums.sum(axis=(0, 2), dtype=np.float64)), np.asarray(
        squares.sum(axis=(0, 2), dtype=np.float64)
    )


def _parts(inner: int) -> list[slice]:
    """Cut a run into parts that BLAS adds up in float32; these sums are then added up in float64."""
    return in_blocks(inner, PART)


def _fill(out: Runs, terms: Sequence[Term], constant: Float[ndarray, " c"] | None) -> None:
    """Fill out with the sum of terms and, for each channel, a constant."""
    beside = [(term.runs, _beside(term.origin, out), _beside(term.factor, out)) for term in terms]
    last = None if constant is None else _beside(constant, out)

    def fill(some: slice) -> None:
        total = out[some]
        for i, (runs, origin, factor) in enumerate(beside):
            term = scratch(total.shape, total.dtype) if i else total
            np.subtract(runs[some], origin, out=term)
            term *= factor
            if i:
                total += term
        if last is not None:
            total += last

    spread(fill, image_blocks(len(out), out.size))


def _beside(values: Float[ndarray, " c"], runs: Runs) -> Float[ndarray, "c inner"]:
    """Repeat one number for each channel to stand beside its runs: NumPy is then twice as fast."""
    return np.repeat(values.astype(runs.dtype), runs.shape[2]).reshape(runs.shape[1:])
