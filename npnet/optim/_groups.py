"""Small parameters grouped together, so that a rule is applied once to all of them.

An update rule calls NumPy up to twenty times. With a handful of numbers each call takes the same time however
many they are, and a network has many small parameters: every bias is one. Laid end to end they are updated
in the time of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy import ndarray

# Elements of a small parameter at most: to copy it there and back takes less than a call of NumPy.
SMALL = 4096


class Group:
    """Parameters of one dtype, and what is kept for them, which stands end to end for good.

    Parameters
    ----------
    parameters : mapping from names to arrays
        At least one; of several, each stands in memory as it is read.
    """

    def __init__(self, parameters: Mapping[str, ndarray]) -> None:
        ends = np.cumsum([array.size for array in parameters.values()]).tolist()
        self.parts = {
            name: slice(end - array.size, end)
            for end, (name, array) in zip(ends, parameters.items(), strict=True)
        }
        # Views, which only several need.
        self._flat = [array.reshape(-1) for array in parameters.values()] if len(parameters) > 1 else []
        self._shapes = {name: array.shape for name, array in parameters.items()}
        self._size, self._dtype = ends[-1], next(iter(parameters.values())).dtype
        self._kept: dict[str, ndarray] = {}  # by kind

    def room(self, name: str, kind: str) -> ndarray:
        """Return an array of zeros to keep something for a parameter, in its shape."""
        if kind not in self._kept:
            self._kept[kind] = np.zeros(self._size, self._dtype)
        own: ndarray = self._kept[kind][self.parts[name]].reshape(self._shapes[name])
        own[...] = 0
        return own

    def kept(self, kinds: Collection[str]) -> dict[str, ndarray]:
        """Return what is kept for all of them, by kind; shape (n,)."""
        return {kind: self._kept[kind] for kind in kinds}

    def end_to_end(self) -> ndarray:
        """Return a copy of all parameters; shape (n,)."""
        return np.concatenate(self._flat)

    def put_back(self, flat: ndarray) -> None:
        """Write what became of that copy to the parameters."""
        for own, part in zip(self._flat, self.parts.values(), strict=True):
            own[...] = flat[part]


def grouped(parameters: Mapping[str, ndarray]) -> list[Group]:
    """Put the small parameters of each dtype together, and every other by itself."""
    together: dict[tuple[object, str], dict[str, ndarray]] = {}
    for name, array in parameters.items():
        small = array.size <= SMALL and array.flags.c_contiguous
        together.setdefault((array.dtype, "" if small else name), {})[name] = array
    return [Group(group) for group in together.values()]
