"""One wrong gradient, with everything about the step it belongs to that can tell why it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy import ndarray

RTOL = 1e-5  # of the largest value: how far a prediction may be off and still count as the gradient given
ENOUGH = 0.4  # of the known elements: a prediction must say something of at least this share

Upstream = Callable[[ndarray], ndarray | None]
Array = ndarray | np.floating[Any]  # arithmetic on an array without axes gives the latter
AtOtherValues = Callable[[Mapping[str, ndarray]], ndarray | None]


@dataclass(frozen=True)
class Finding:
    """One mistake that accounts for the whole error.

    Attributes
    ----------
    kind : str
        For programs, such as "transposed".
    sentence : str
        For readers, such as "it is the transpose of the right gradient".
    """

    kind: str
    sentence: str


@dataclass(frozen=True)
class Evidence:
    """One wrong gradient and its step.

    An unknown element of `expected` is NaN: of large arrays, central differences look at a sample alone.

    Attributes
    ----------
    name : str
        Which gradient it is: the name of the input or parameter.
    got, expected : array of float64
    values : mapping from str to array
        Inputs and parameters by name.
    data_name : str
        The name of the input that holds the minibatch.
    y, grad_y : array or None
        The output and the upstream gradient.
    others : mapping from str to (array, array)
        The other gradients of the step: what was given, and what is right.
    right, given : callable or None
        The right gradient, and the one backward gives, for another upstream gradient.
    elsewhere : callable or None
        The right gradient where some of the inputs and parameters have other values.
    refuted : array of bool, or None
        Where a check that looks closer than `rtol` found the gradient wrong.
    rtol : float
        How far a prediction may be off, relative to the largest value.
    noise : float
        What rounding may amount to where a gradient cancels to nothing.
    """

    name: str
    got: ndarray
    expected: ndarray
    values: Mapping[str, ndarray] = field(default_factory=dict)
    data_name: str = "x"
    y: ndarray | None = None
    grad_y: ndarray | None = None
    others: Mapping[str, tuple[ndarray, ndarray]] = field(default_factory=dict)
    right: Upstream | None = None
    given: Upstream | None = None
    elsewhere: AtOtherValues | None = None
    refuted: ndarray | None = None
    rtol: float = RTOL
    noise: float = 0.0

    # ---- the step --------------------------------------------------------------------------------------

    @property
    def x(self) -> ndarray | None:
        """The minibatch."""
        return self.values.get(self.data_name)

    @property
    def own(self) -> ndarray | None:
        """The input or parameter itself, whose gradient this is."""
        value = self.values.get(self.name)
        return value if value is not None and value.shape == self.expected.shape else None

    @property
    def is_of_data(self) -> bool:
        """Whether axis 0 counts samples, as it does in the gradient of x and not in those of parameters."""
        return self.name == self.data_name

    def axis_names(self) -> tuple[str, ...]:
        """Return what the axes of the gradient count, as a reader calls it."""
        ndim = self.expected.ndim
        if self.is_of_data:
            known = {1: ("sample",), 2: ("sample", "feature"), 3: ("sample", "channel", "position")}
            images = ("sample", "channel", "image row", "image column")
        else:
            known = {1: ("channel",), 2: ("row", "column"), 3: ("output channel", "input channel", "tap")}
            images = ("output channel", "input channel", "kernel row", "kernel column")
        known[4] = images
        return known.get(ndim, tuple(f"axis-{axis} position" for axis in range(ndim)))

    # ---- what differs ----------------------------------------------------------------------------------

    @cached_property
    def known(self) -> ndarray:
        """Where the right gradient is known."""
        return np.asarray(~np.isnan(self.expected))

    @cached_property
    def whole(self) -> bool:
        """Whether the right gradient is known everywhere."""
        return bool(self.known.all())

    @cached_property
    def scale(self) -> float:
        """The largest value of either gradient."""
        return max(_largest(self.got), _largest(self.expected))

    @property
    def tolerance(self) -> float:
        """Up to which a difference counts as rounding."""
        return self.rtol * self.scale + self.noise

    @cached_property
    def difference(self) -> ndarray:
        """What backward gave, minus what is right; NaN where that is not known."""
        return np.asarray(self.got - self.expected)

    @cached_property
    def wrong(self) -> ndarray:
        """Where the two differ by more than rounding."""
        wrong = np.abs(np.nan_to_num(self.difference)) > self.tolerance
        return np.asarray(wrong if self.refuted is None else wrong | self.refuted)

    @cached_property
    def is_zero(self) -> ndarray:
        """Where the right gradient is 0."""
        return np.asarray(self.known & (np.abs(np.nan_to_num(self.expected)) <= self.rtol * self.scale))

    @cached_property
    def is_distinct(self) -> bool:
        """Whether the error is so large that it can be told from the tolerance."""
        return _largest(self.difference) > 10 * self.tolerance

    # ---- predictions -----------------------------------------------------------------------------------

    def gives(self, prediction: Array | None) -> bool:
        """Tell whether a mistake predicts what backward gave."""
        return prediction is not None and self._equal(np.asarray(prediction), self.got)

    def corrects(self, correction: Array | None) -> bool:
        """Tell whether what backward gave becomes right by a correction."""
        return correction is not None and self._equal(np.asarray(correction), self.expected)

    def multiple(self, direction: ndarray | None) -> float | None:
        """Return the c for which the error is c times an array, if there is one."""
        if direction is None or direction.shape != self.difference.shape:
            return None
        both = self.known & np.isfinite(direction)
        c = _slope(direction[both], self.difference[both])
        return c if c is not None and self.corrects(self.got - c * direction) else None

    def _equal(self, one: ndarray, other: ndarray) -> bool:
        if one.shape != other.shape:
            return False
        with np.errstate(all="ignore"):
            off = np.abs(one - other)
            both = ~np.isnan(off)
            if not both.any() or both.sum() < ENOUGH * self.known.sum():
                return False
            return bool(off[both].max() <= self.rtol * max(_largest(one), _largest(other)))

    def within(self, where: tuple[Any, ...]) -> Evidence:
        """Return the evidence of a part of the gradient alone, without what is known of the step."""
        return replace(
            self,
            got=self.got[where],
            expected=self.expected[where],
            others={},
            right=None,
            given=None,
            elsewhere=None,
            refuted=None,
        )

    # ---- arrays that fit the gradient ------------------------------------------------------------------

    def like_gradient(self, array: ndarray | None) -> ndarray | None:
        """Return an array in the gradient's shape: as it is, or one number for each channel; else None."""
        shape = self.expected.shape
        if array is None or array.dtype.kind != "f" or array.ndim == 0:
            return None
        if array.shape == shape:
            return array
        if array.ndim == 1 and len(shape) >= 2 and array.shape[0] == shape[1]:
            return np.broadcast_to(array.reshape(1, -1, *[1] * (len(shape) - 2)), shape)
        return None

    def reduction_axes(self) -> Iterator[tuple[int, ...]]:
        """Yield the sets of axes of x that statistics are taken over: batch norm's, and each axis alone."""
        ndim = self.expected.ndim
        if ndim >= 2:
            yield (0, *range(2, ndim))
        yield from ((axis,) for axis in range(ndim) if ndim > 2 or axis > 0)

    def upstream_like(self) -> ndarray | None:
        """Return grad_y where it has the gradient's shape."""
        same = self.grad_y is not None and self.grad_y.shape == self.expected.shape
        return self.grad_y if same else None


def _largest(array: ndarray) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max(initial=0.0))


def _slope(direction: ndarray, values: ndarray) -> float | None:
    """Return the c of the least-squares fit values ≈ c · direction."""
    square = float((direction * direction).sum())
    return float((direction * values).sum()) / square if square else None
