"""Batch normalization of large images, from per-channel sums that BLAS computes.

Idea: the pixels of a channel are contiguous in runs, so the sums and the sums of products that statistics
and gradients consist of are dot products over runs, which are then added in float64; y and grad_x are sums
of terms factor · (array − origin) with one factor and one origin for each channel, computed in blocks that
stay in the cache. It suits arrays of more than `thresholds.batch_norm_elements` elements whose runs have at
least `thresholds.batch_norm_run` pixels. It is bound by memory traffic: two passes over the arrays in each
direction, three where a channel's mean is far from 0.
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
    origin: Float[ndarray, " c"] | None = None


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
    # Subtracting the mean from each pixel is a pass over the array; near 0 the sums alone may be corrected.
    origin = None if _is_near_zero(mean, var) else mean
    left = mean if origin is None else np.zeros_like(mean)
    _fill(_as_runs(y, order), [Term(scale, runs, origin)], (0 if bias is None else bias) - scale * left)
    training = running is None

    def backward(
        grad_y: Float[ndarray, "n c *spatial"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        g = _as_runs(grad_y, order)
        sum_g = sum_gx = np.zeros_like(mean)
        if training or needs[1] or needs[2]:
            sum_g, sum_gx = _sums(runs, origin, g)  # Σ g, Σ g (x − origin)
            sum_gx = inverse_deviation * (sum_gx - left * sum_g)  # Σ g x̂
        grad_x = None
        if needs[0]:
            grad_x = np.empty_like(x)
            terms, constant = [Term(scale, g)], None
            if training:
                slope = -scale * inverse_deviation * sum_gx / m
                terms.append(Term(slope, runs, origin))
                constant = -scale * sum_g / m - slope * left
            _fill(_as_runs(grad_x, order), terms, constant)
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


def _is_near_zero(mean: Float[ndarray, " c"], var: Float[ndarray, " c"]) -> bool:
    """Say whether x² − mean² loses no more than two bits to cancellation, in any channel."""
    return bool((mean * mean <= 3 * var).all())


def _statistics(x: Runs) -> Statistics:
    """Return the mean and the variance of each channel."""
    m = len(x) * x.shape[2]
    total, squares = _sums(x, None)
    mean = total / m
    var = squares / m - mean * mean
    if _is_near_zero(mean, var):
        return mean, var
    # The mean of x − mean is the rounding error of the mean, and corrects it.
    centre = mean.astype(x.dtype)
    left, squares = _sums(x, centre)
    error = left / m
    return centre + error, np.maximum(squares / m - error * error, 0)


def _sums(x: Runs, origin: Float[ndarray, " c"] | None, g: Runs | None = None) -> Statistics:
    """Return Σ g and Σ g (x − origin) of each channel; without g, that of x − origin takes its place."""
    parts = _parts(x.shape[2])
    ones = np.ones(parts[0].stop, x.dtype)
    per_pixel = None if origin is None else _per_pixel(origin, x)
    sums, products = np.empty((2, *x.shape[:2], len(parts)), x.dtype)

    def add(block: slice) -> None:
        centred = x[block]
        if per_pixel is not None:
            centred = np.subtract(centred, per_pixel, out=workspace(centred.shape, x.dtype))
        factor = centred if g is None else g[block]
        for i, part in enumerate(parts):
            np.vecdot(factor[..., part], ones[: part.stop - part.start], out=sums[block, :, i])
            np.vecdot(factor[..., part], centred[..., part], out=products[block, :, i])

    run_pieces(add, image_blocks(len(x), x.size))
    return _totals(sums), _totals(products)


def _totals(parts: Float[ndarray, "outer c parts"]) -> Float[ndarray, " c"]:
    return np.asarray(parts.sum(axis=(0, 2), dtype=np.float64))


def _parts(inner: int) -> list[slice]:
    """Cut a run into parts whose sums BLAS computes in float32; these sums are then added in float64."""
    return slices_of(inner, thresholds.current.batch_norm_part)


def _fill(out: Runs, terms: Sequence[Term], constant: Float[ndarray, " c"] | None) -> None:
    """Fill `out` with the sum of the terms and one constant for each channel."""
    expanded = [
        (runs, _per_pixel(factor, out), None if origin is None else _per_pixel(origin, out))
        for factor, runs, origin in terms
    ]
    offset = None if constant is None else _per_pixel(constant, out)

    def fill(block: slice) -> None:
        total = out[block]
        for i, (runs, factor, origin) in enumerate(expanded):
            term = workspace(total.shape, total.dtype) if i else total
            if origin is None:
                np.multiply(runs[block], factor, out=term)
            else:
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
