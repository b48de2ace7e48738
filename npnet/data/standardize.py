"""Standardisation with the statistics of the training part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Num
from numpy import ndarray

from npnet.data.dataset import ArrayDataset
from npnet.errors import InputError

_ROWS_AT_A_TIME = 1024  # bounds the memory taken beside a large data set


@dataclass(frozen=True, eq=False)
class Standardization:
    """The map x ↦ (x − mean) / deviation, channel by channel; `undo` is its inverse.

    Parameters
    ----------
    mean, deviation : array of float64, shape (c,)
        One of each for every channel, that is for every place along axis 1 of x.

    Examples
    --------
    >>> to_standard = Standardization(mean=np.array([10.0]), deviation=np.array([2.0]))
    >>> z = to_standard(np.array([[12.0], [10.0]]))
    >>> z.ravel(), to_standard.undo(z).ravel()
    (array([1., 0.]), array([12., 10.]))
    """

    mean: Float64[ndarray, " c"]
    deviation: Float64[ndarray, " c"]

    def __call__(self, x: Num[ndarray, "n c *size"]) -> Float[ndarray, "n c *size"]:
        """Return (x − mean) / deviation, in the dtype of x; whole numbers become float32."""
        z: ndarray = np.subtract(x, self._along(x, self.mean), dtype=_float_dtype(x))
        z /= self._along(x, self.deviation)
        return z

    def undo(self, z: Float[ndarray, "n c *size"]) -> Float[ndarray, "n c *size"]:
        """Return z · deviation + mean: what was standardised, as when it is to be shown."""
        x: ndarray = np.multiply(z, self._along(z, self.deviation))
        x += self._along(z, self.mean)
        return x

    def _along(self, x: ndarray, statistic: ndarray) -> ndarray:
        """Give a statistic per channel the axes of x."""
        if x.ndim < 2 or x.shape[1] != len(statistic):
            raise InputError(
                f"standardize: x must have shape (n, {len(statistic)}, ...), as the statistics have "
                f"{len(statistic)} channels, got {x.shape}"
            )
        return statistic.astype(_float_dtype(x)).reshape(-1, *[1] * (x.ndim - 2))


def standardize(
    train: ArrayDataset, *others: ArrayDataset
) -> tuple[tuple[ArrayDataset, ...], Standardization]:
    """Give every channel of the training part mean 0 and deviation 1, and map other parts alike.

    z[n,c] = (x[n,c] − μ[c]) / σ[c], with μ and σ the mean and the standard deviation (over n, not n − 1)
    of channel c **in the training part alone**: a validation or test part must not have a say in how
    a model sees its data.

    Parameters
    ----------
    train : ArrayDataset, x of shape (n, c) or (n, c, ...)
        Axis 1 holds features or channels; all other axes are averaged over.
    *others : ArrayDataset
        Validation and test parts.

    Returns
    -------
    parts : tuple of ArrayDataset
        Train and the others, standardised; float32 and float64 stay so, whole numbers become float32.
    standardization : Standardization
        The map that was applied, for data yet to come.

    Raises
    ------
    InputError
        If x has no axis 1, or another part has other channels.

    Notes
    -----
    A channel that never varies has σ = 0 and is divided by 1 instead, so that it becomes 0 everywhere.
    Means and deviations are accumulated in float64.

    Examples
    --------
    >>> train = ArrayDataset(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([0, 1]))
    >>> test = ArrayDataset(np.array([[5.0, 6.0]]), np.array([0]))
    >>> (train, test), standardization = standardize(train, test)
    >>> train.x.tolist(), test.x.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 1.0]])
    """
    if train.x.ndim < 2 or train.x.dtype.kind not in "iuf":
        raise InputError(
            f"standardize: x must be numbers of shape (n, c, ...), "
            f"got {train.x.dtype} of shape {train.x.shape}"
        )
    standardization = _statistics(train.x)
    parts = tuple(ArrayDataset(standardization(part.x), part.y) for part in (train, *others))
    return parts, standardization


def _statistics(x: ndarray) -> Standardization:
    axes = (0, *range(2, x.ndim))
    per_channel = x.size / x.shape[1]
    mean = x.mean(axis=axes, dtype=np.float64, keepdims=True)
    squares = np.zeros(x.shape[1])
    for start in range(0, len(x), _ROWS_AT_A_TIME):
        squares += np.square(x[start : start + _ROWS_AT_A_TIME] - mean).sum(axis=axes)
    deviation = np.sqrt(squares / per_channel)
    # Compared exactly: the mean of equal numbers is rounded, which would leave a tiny false deviation.
    deviation[x.min(axis=axes) == x.max(axis=axes)] = 1
    return Standardization(mean.reshape(-1), deviation)


def _float_dtype(x: ndarray) -> np.dtype[np.floating]:
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
