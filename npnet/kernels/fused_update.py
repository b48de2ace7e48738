"""Fused updates: an update rule is applied to large parameters in blocks, and to small ones all at once.

Idea: a rule makes about ten passes over parameter, gradient and state, so it runs on blocks of a large
parameter that stay in the cache from the first pass to the last, and on one array that holds all small
parameters end to end (a multi-tensor update), where the time of a NumPy call does not depend on its size.
Blocks suit parameters of more than `thresholds.update_block` elements, joining suits contiguous ones of up
to `thresholds.update_small`; everything else is updated whole, parameter by parameter. The bound is one
read of gradient, parameter and state from memory, and one write of the latter two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy import ndarray

from npnet.kernels import thresholds
from npnet.kernels.pieces import run_pieces, slices_of
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users

# Called with (parameter, gradient, state) of one block.
Update = Callable[[ndarray, ndarray, dict[str, ndarray]], object]


def update_in_blocks(
    update: Update,
    parameter: Float[ndarray, " n"],
    grad: Float[ndarray, " n"],
    state: dict[str, ndarray],
) -> None:
    """Call ``update(parameter, grad, state)`` for each block of a large parameter, once for a small one."""
    if parameter.size <= thresholds.current.update_block:
        update(parameter, grad, state)
        return

    def one_block(block: slice) -> None:
        kept = {kind: array[block] for kind, array in state.items()}
        update(parameter[block], grad[block], kept)

    run_pieces(one_block, slices_of(parameter.size, thresholds.current.update_block))


class Group:
    """Parameters of one dtype that are updated together; their optimizer state is stored end to end.

    Parameters
    ----------
    parameters : mapping from names to arrays
        At least one; if several, each is C-contiguous.
    """

    def __init__(self, parameters: Mapping[str, ndarray]) -> None:
        ends = np.cumsum([array.size for array in parameters.values()]).tolist()
        self.parts = {
            name: slice(end - array.size, end)
            for end, (name, array) in zip(ends, parameters.items(), strict=True)
        }
        # Flat views; a single parameter is not copied and needs none.
        self._flat = [array.reshape(-1) for array in parameters.values()] if len(parameters) > 1 else []
        self._shapes = {name: array.shape for name, array in parameters.items()}
        self._size, self._dtype = ends[-1], next(iter(parameters.values())).dtype
        self._state: dict[str, ndarray] = {}  # by kind

    def allocate(self, name: str, kind: str) -> ndarray:
        """Return zeros in the shape of a parameter: its view of the group's state of this kind."""
        if kind not in self._state:
            self._state[kind] = np.zeros(self._size, self._dtype)
        own: ndarray = self._state[kind][self.parts[name]].reshape(self._shapes[name])
        own[...] = 0
        return own

    def state(self, kinds: Collection[str]) -> dict[str, ndarray]:
        """Return the state of all parameters end to end, by kind; shape (n,)."""
        return {kind: self._state[kind] for kind in kinds}

    def gather(self) -> ndarray:
        """Return a copy of all parameters end to end; shape (n,)."""
        return np.concatenate(self._flat)

    def scatter(self, values: ndarray) -> None:
        """Write an array such as `gather` returns back into the parameters."""
        for own, part in zip(self._flat, self.parts.values(), strict=True):
            own[...] = values[part]


def grouped(parameters: Mapping[str, ndarray]) -> list[Group]:
    """Put the small parameters of each dtype into one group, and every other into its own."""
    groups: dict[tuple[object, str], dict[str, ndarray]] = {}
    for name, array in parameters.items():
        small = array.size <= thresholds.current.update_small and array.flags.c_contiguous
        groups.setdefault((array.dtype, "" if small else name), {})[name] = array
    return [Group(group) for group in groups.values()]
