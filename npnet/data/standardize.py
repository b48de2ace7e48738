"""Standardise data with the statistics of the training part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._words import counted
from npnet.data.dataset import ArrayDataset
from npnet.errors import InputError
from npnet.shapes import Float, Float64, Num

_ROWS_AT_A_TIME = 256  # bounds the memory for temporary float64 arrays


@dataclass(frozen=True, eq=False)
class Standardization:
    """The map x ↦ (x − mean) / deviation, channel by channel; `undo` is its inverse.

    Parameters
    ----------
    mean, deviation : array of float64, shape (c,)
        The mean and standard deviation of each channel, which is axis 1 of x.

    Raises
    ------
    InputError
        If they differ in length, a number is not finite, or a deviation is not positive.
    DTypeError
        If one is not an array of numbers.

    Examples
    --------
    >>> to_standard = Standardization(mean=np.array([10.0]), deviation=np.array([2.0]))
    >>> z = to_standard(np.array([[12.0], [10.0]]))
    >>> z.ravel(), to_standard.undo(z).ravel()
    (array([1., 0.]), array([12., 10.]))
    """

    mean: Float64[ndarray, " c"]
    deviation: Float64[ndarray, " c"]

    def __post_init__(self) -> None:
        for name in ("mean", "deviation"):
            statistic = check.array("Standardization", name, getattr(self, name))
            if statistic.ndim != 1 or len(statistic) != len(self.mean) or not np.isfinite(statistic).all():
                raise InputError(
                    f"Standardization: {name} must be one finite number for each channel, "
                    f"got {np.array2string(statistic, threshold=3)} of shape {statistic.shape}"
                )
            object.__setattr__(self, name, statistic.astype(np.float64))
        if not (self.deviation > 0).all():
            raise InputError(f"Standardization: deviation must be positive, got {self.deviation.min()}")

    def __call__(self, x: Num[ndarray, "n c *size"]) -> Float[ndarray, "n c *size"]:
        """Return (x − mean) / deviation, in the dtype of x; integers become float32.

        The result is computed in float64 and rounded once, so that a large mean costs no accuracy.

        Raises
        ------
        InputError
            If the number of channels of x differs from that of the statistics.
        DTypeError
            If x is not an array of numbers.
        """
        mean, deviation = self._along("x", x)
        return _in_float64(x, lambda rows: (rows - mean) / deviation)

    def undo(self, z: Float[ndarray, "n c *size"]) -> Float[ndarray, "n c *size"]:
        """Return z · deviation + mean, the data before standardisation.

        Raises
        ------
        InputError
            If the number of channels of z differs from that of the statistics.
        DTypeError
            If z is not an array of numbers.
        """
        mean, deviation = self._along("z", z)
        return _in_float64(z, lambda rows: rows * deviation + mean)

    def _along(self, name: str, x: ndarray) -> tuple[ndarray, ndarray]:
        """Return mean and deviation, reshaped to broadcast along axis 1 of x."""
        check.array("standardize", name, x, "iuf")
        if x.ndim < 2 or x.shape[1] != len(self.mean):
            raise InputError(
                f"standardize: {name} must have shape (n, {len(self.mean)}, ...), as the statistics have "
                f"{counted(len(self.mean), 'channel')}, got {x.shape}"
            )
        shape = (-1, *[1] * (x.ndim - 2))
        return self.mean.reshape(shape), self.deviation.reshape(shape)


def standardize(
    train: ArrayDataset, *others: ArrayDataset
) -> tuple[tuple[ArrayDataset, ...], Standardization]:
    """Scale each channel of the training part to mean 0 and deviation 1, and other parts by the same map.

    z[n,c] = (x[n,c] − μ[c]) / σ[c], where μ and σ are the mean and the standard deviation (divided by n, not
    n − 1) of channel c **in the training part alone**: validation and test data must not influence the
    preprocessing.

    Parameters
    ----------
    train : ArrayDataset, x of shape (n, c) or (n, c, ...)
        Axis 1 holds features or channels; statistics are taken over all other axes.
    *others : ArrayDataset
        Validation and test parts.

    Returns
    -------
    parts : tuple of ArrayDataset
        Train and the others, standardised; float32 and float64 stay so, integers become float32.
    standardization : Standardization
        The map that was applied, to use on future data.

    Raises
    ------
    InputError
        If x has no axis 1, a number is not finite, or the parts differ in their number of channels.

    Notes
    -----
    A constant channel has σ = 0 and is divided by 1 instead, so that it becomes 0 everywhere. Means,
    deviations and differences are computed in float64, and the result is rounded once: a large offset costs
    no accuracy as long as float64 can represent the differences.

    Examples
    --------
    >>> train = ArrayDataset(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([0, 1]))
    >>> test = ArrayDataset(np.array([[5.0, 6.0]]), np.array([0]))
    >>> (train, test), standardization = standardize(train, test)
    >>> train.x.tolist(), test.x.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 1.0]])
    """
    parts = {"train": train, **{f"others[{i}]": part for i, part in enumerate(others)}}
    for name, part in parts.items():
        check.instance("standardize", name, part, ArrayDataset, "an ArrayDataset")
    if train.x.ndim < 2 or train.x.dtype.kind not in "iuf":
        raise InputError(
            f"standardize: x of train must be numbers of shape (n, c, ...), "
            f"got {train.x.dtype} of shape {train.x.shape}"
        )
    for name, part in parts.items():
        _check_finite(name, part.x)
    standardization = _statistics(train.x)
    return tuple(ArrayDataset(standardization(part.x), part.y) for part in parts.values()), standardization


def _check_finite(name: str, x: ndarray) -> None:
    """Require finite numbers: a single other one would make its whole channel NaN."""
    for start in range(0, len(x), _ROWS_AT_A_TIME) if x.dtype.kind == "f" else ():
        rows = x[start : start + _ROWS_AT_A_TIME]
        if not np.isfinite(rows).all():
            sample, *place = (int(i) for i in np.argwhere(~np.isfinite(rows))[0])
            where = place[0] if len(place) == 1 else tuple(place)
            raise InputError(
                f"standardize: x of {name} must hold finite numbers, got {rows[sample, *place]} at sample "
                f"{start + sample}, {'feature' if len(place) == 1 else 'place'} {where}"
            )


def _statistics(x: ndarray) -> Standardization:
    """Return mean and deviation of each channel, in two float64 passes over blocks of rows."""
    axes = (0, *range(2, x.ndim))
    per_channel = x.size / x.shape[1]
    # Differences from the first sample stay small if the numbers are large but close to each other.
    first = x[:1].astype(np.float64).mean(axis=axes, keepdims=True)
    low, high = (f(x, axis=axes, keepdims=True).astype(np.float64) for f in (np.min, np.max))
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        scale = np.maximum(high - first, first - low)
        scale[scale == 0] = 1
        totals, squares = np.zeros((2, *first.shape))
        for rows in _rows(x):
            totals += ((rows - first) / scale).sum(axis=axes, keepdims=True)
        mean = totals / per_channel
        for rows in _rows(x):
            squares += np.square((rows - first) / scale - mean).sum(axis=axes, keepdims=True)
        deviation = np.sqrt(squares / per_channel) * scale
        mean = first + mean * scale
    # Compared exactly: the rounded mean of equal numbers would leave a tiny false deviation.
    deviation[(low == high) | (deviation == 0)] = 1
    if not np.isfinite([mean, deviation]).all():
        raise InputError("standardize: x of train must hold numbers whose differences float64 can represent")
    return Standardization(mean.reshape(-1), deviation.reshape(-1))


def _rows(x: ndarray) -> Iterator[ndarray]:
    for start in range(0, len(x), _ROWS_AT_A_TIME):
        yield x[start : start + _ROWS_AT_A_TIME].astype(np.float64)


def _in_float64(x: ndarray, f: Callable[[ndarray], ndarray]) -> ndarray:
    """Apply a function in float64 to blocks of rows, and round the result to the dtype of x."""
    y = np.empty(x.shape, _float_dtype(x))
    for start, rows in zip(range(0, len(x), _ROWS_AT_A_TIME), _rows(x), strict=True):
        y[start : start + _ROWS_AT_A_TIME] = f(rows)
    return y


def _float_dtype(x: ndarray) -> np.dtype[np.floating]:
    return np.dtype(np.float64 if x.dtype.kind == "f" and x.dtype.itemsize >= 8 else np.float32)
