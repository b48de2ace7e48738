"""Batch normalization of large images, from per-channel sums that BLAS computes.

Idea: the pixels of a channel are contiguous in runs, so the sums and the sums of products that statistics
and gradients consist of are dot products over runs, which are then added in float64; y and grad_x are sums
of terms factor · (array − origin) with one factor and one origin for each channel, computed in blocks that
stay in the cache. It suits arrays of more than `thresholds.batch_norm_elements` elements whose runs have at
least `thresholds.batch_norm_run` pixels. It is bound by memory traffic: three passes over the arrays in
each direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from npnet._types import BackwardMany
from npnet.kernels import thresholds
from npnet.kernels.blocks import image_blocks, order_in_memory
from npnet.kernels.pieces import run_pieces, slices_of
from npnet.kernels.workspace import workspace
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users

Statistics = tuple[Float[ndarray, " c"], Float[ndarray, " c"]]
Runs = Float[ndarray, "outer c inner"]


class Term(NamedTuple):
    """One term of a sum: factor · (runs − origin), with one factor and one origin for each channel."""

    factor: Float[ndarray, " c"]
    runs: Runs
    origin: Float[ndarray, " c"]


def suits(x: Float[ndarray, "n c *spatial"]) -> bool:
    """Say whether x is large and its runs are not too short."""
    limits = thresholds.current
    return x.size > limits.batch_norm_elements and _run_length(x, order_in_memory(x)) >= limits.batch_norm_run


def batch_norm(
    x: Float[ndarray, "n c *spatial"],
    running: Statistics | None,
    weight: Float[ndarray, " c"] | None,
    bias: Float[ndarray, " c"] | None,
    eps: float,
) -> tuple[Float[ndarray, "n c *spatial"], BackwardMany, Statistics]:
    """Normalize by the running mean and variance, or else by those of x; also return the two."""
    m = x.size // x.shape[1]
    y = np.empty_like(x)
    order = order_in_memory(y)
    runs = _as_runs(x, order)
    mean, var = _statistics(runs) if running is None else (a.astype(np.float64) for a in running)
    inverse_deviation = 1 / np.sqrt(var + eps)  # (c,)
    scale = inverse_deviation if weight is None else inverse_deviation * weight
    _fill(_as_runs(y, order), [Term(scale, runs, mean)], bias)
    training = running is None

    def backward(
        grad_y: Float[ndarray, "n c *spatial"], needs: tuple[bool, bool, bool] = (True, True, True)
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
    """View an array as (outer, c, inner), with its axes in this order; NCHW images become (n, c, h·w)."""
    return array.transpose(order).reshape(-1, array.shape[1], _run_length(array, order))


def _run_length(array: Float[ndarray, "n c *spatial"], order: list[int]) -> int:
    """Return how many pixels of one channel are contiguous, with the axes in this order."""
    return prod(array.shape[axis] for axis in order[order.index(1) + 1 :])


def _statistics(x: Runs) -> Statistics:
    """Return the mean and the variance of each channel.

    The mean of x − mean is the rounding error of the mean, and corrects it.
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

    def add(block: slice) -> None:
        for i, part in enumerate(parts):
            np.vecdot(g[block, :, part], ones[: part.stop - part.start], out=sums[block, :, i])

    run_pieces(add, image_blocks(len(g), g.size))
    return np.asarray(sums.sum(axis=(0, 2), dtype=np.float64))


def _sum_of_products(g: Runs, x: Runs, mean: Float[ndarray, " c"]) -> Float[ndarray, " c"]:
    """Return Σ g (x − mean) of each channel."""
    parts, origin = _parts(x.shape[2]), _per_pixel(mean, x)
    sums = np.empty((*x.shape[:2], len(parts)), x.dtype)

    def add(block: slice) -> None:
        centred = np.subtract(x[block], origin, out=workspace(x[block].shape, x.dtype))
        for i, part in enumerate(parts):
            np.vecdot(g[block, :, part], centred[..., part], out=sums[block, :, i])

    run_pieces(add, image_blocks(len(x), x.size))
    return np.asarray(sums.sum(axis=(0, 2), dtype=np.float64))


def _sums_of_centred(
    x: Runs, mean: Float[ndarray, " c"]
) -> tuple[Float[ndarray, " c"], Float[ndarray, " c"]]:
    """Return Σ (x − mean) and Σ (x − mean)² of each channel."""
    parts, origin = _parts(x.shape[2]), _per_pixel(mean, x)
    ones = np.ones(parts[0].stop, x.dtype)
    sums, squares = np.empty((2, *x.shape[:2], len(parts)), x.dtype)

    def add(block: slice) -> None:
        centred = np.subtract(x[block], origin, out=workspace(x[block].shape, x.dtype))
        for i, part in enumerate(parts):
            values = centred[..., part]
            np.vecdot(values, ones[: part.stop - part.start], out=sums[block, :, i])
            np.vecdot(values, values, out=squares[block, :, i])

    run_pieces(add, image_blocks(len(x), x.size))
    return np.asarray(sums.sum(axis=(0, 2), dtype=np.float64)), np.asarray(
        squares.sum(axis=(0, 2), dtype=np.float64)
    )


def _parts(inner: int) -> list[slice]:
    """Cut a run into parts whose sums BLAS computes in float32; these sums are then added in float64."""
    return slices_of(inner, thresholds.current.batch_norm_part)


def _fill(out: Runs, terms: Sequence[Term], constant: Float[ndarray, " c"] | None) -> None:
    """Fill `out` with the sum of the terms and one constant for each channel."""
    expanded = [(term.runs, _per_pixel(term.origin, out), _per_pixel(term.factor, out)) for term in terms]
    offset = None if constant is None else _per_pixel(constant, out)

    def fill(block: slice) -> None:
        total = out[block]
        for i, (runs, origin, factor) in enumerate(expanded):
            term = workspace(total.shape, total.dtype) if i else total
            np.subtract(runs[block], origin, out=term)
            term *= factor
            if i:
                total += term
        if offset is not None:
            total += offset

    run_pieces(fill, image_blocks(len(out), out.size))


def _per_pixel(values: Float[ndarray, " c"], runs: Runs) -> Float[ndarray, "c inner"]:
    """Repeat each channel's number along its run: NumPy is twice as fast as with broadcasting."""
    return np.repeat(values.astype(runs.dtype), runs.shape[2]).reshape(runs.shape[1:])
