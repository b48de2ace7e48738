"""Data sets: a length, and samples by index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.shapes import Shaped


@runtime_checkable
class Dataset(Protocol):
    """Any object with a length whose items are pairs (x, target), such as a list of pairs."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, index: int, /) -> Any:
        """Return one sample, (x, target)."""


@dataclass(frozen=True, eq=False, repr=False)
class ArrayDataset:
    """A data set held in two arrays.

    Parameters
    ----------
    x : array, shape (n, ...)
        The samples.
    y : array, shape (n, ...)
        The target of each sample, such as a class label.

    Raises
    ------
    InputError
        If there are no samples, or x and y differ in length.
    DTypeError
        If x or y is not a plain NumPy array; subclasses such as masked arrays are refused.

    Examples
    --------
    >>> data = ArrayDataset(np.array([[1.0], [2.0], [3.0]]), np.array([0, 1, 0]))
    >>> len(data)
    3
    >>> data[1]
    (array([2.]), np.int64(1))
    >>> data.subset([2, 0]).x
    array([[3.],
           [1.]])
    """

    x: Shaped[ndarray, "n ..."]
    y: Shaped[ndarray, "n ..."]

    def __post_init__(self) -> None:
        for name, array in (("x", self.x), ("y", self.y)):
            check.array("ArrayDataset", name, array, "biufcOSUMm")
            if array.ndim == 0 or len(array) == 0:
                raise InputError(
                    f"ArrayDataset: {name} must hold at least one sample, got shape {array.shape}"
                )
        if len(self.x) != len(self.y):
            raise InputError(
                f"ArrayDataset: x and y must be of equal length, got {len(self.x)} and {len(self.y)}"
            )

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.x[index], self.y[index]

    def subset(self, indices: Any) -> ArrayDataset:
        """Return a data set of the samples at the given indices, in that order.

        Parameters
        ----------
        indices : sequence of int

        Raises
        ------
        InputError
            If there are no indices, or one is out of range; negative indices are refused.
        """
        try:
            places = np.asarray(indices)
        except ValueError:  # lists of different lengths
            places = np.empty(0)
        if places.ndim != 1 or places.dtype.kind not in "iu" or places.size == 0:
            raise InputError(
                f"ArrayDataset: indices must be a non-empty sequence of integers, "
                f"got {places.dtype} of shape {places.shape}"
            )
        outside = places[(places < 0) | (places >= len(self))]
        if outside.size:
            raise InputError(f"ArrayDataset: indices must be 0..{len(self) - 1}, got {outside[0]}")
        return ArrayDataset(self.x[places], self.y[places])

    def __repr__(self) -> str:
        return f"ArrayDataset(x: {self.x.dtype} {self.x.shape}, y: {self.y.dtype} {self.y.shape})"
