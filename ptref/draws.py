"""What a module draws from PyTorch's own generators while it learns, as ``nn.Dropout`` does.

Several processes must draw different numbers, for each has other samples; and a run that is resumed must draw
those it would have drawn. So each process seeds PyTorch before every step, from its number and from the
loop's own generator, which checkpoints keep. What a module draws depends on the number of processes, then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from npnet._words import counted
from npnet.errors import InputError


class Draws:
    """Seeds PyTorch's generators for each step of several processes, and sees whether a module uses them.

    Parameters
    ----------
    device : torch.device
        The module's.
    rank, processes : int
        The number of this process, and how many there are.
    watched : bool
        False for a module that draws nothing by itself.

    Attributes
    ----------
    seen : bool
        Whether the module has drawn.

    Examples
    --------
    >>> draws = Draws(torch.device("cpu"), rank=1, processes=2)
    >>> with draws.within(np.random.default_rng(0)):
    ...     first = torch.rand(3)
    >>> with draws.within(np.random.default_rng(0)):
    ...     again = torch.rand(3)
    >>> torch.equal(first, again), draws.seen
    (True, True)
    """

    def __init__(self, device: torch.device, rank: int, processes: int, *, watched: bool = True) -> None:
        self.device, self.rank, self.processes, self.watched = device, rank, processes, watched
        self.seen = False

    @contextmanager
    def within(self, generator: Generator) -> Iterator[None]:
        """Surround a training step, for which several processes are seeded from the same generator."""
        if not self.watched or (self.seen and self.processes == 1):
            yield
            return
        before = begun = self._states()
        if self.processes > 1:
            begun = self._seeded(int(generator.integers(2**63)))
        try:
            yield
        finally:
            ended = self._states()
            self.seen |= _bytes(begun) != _bytes(ended)
            if self.processes > 1:
                self._restore(before)

    def go_on(self, *, seen: bool, processes: int) -> None:
        """Go on with a run of so many processes.

        Parameters
        ----------
        seen : bool
            Whether its module has drawn.
        processes : int

        Raises
        ------
        InputError
            If it has, and there are more processes now, or fewer.
        """
        if seen and processes != self.processes:
            then = counted(processes, "process", "processes")
            raise InputError(
                f"its module draws random numbers by itself, as nn.Dropout does, and {then} drew other "
                f"numbers than {self.processes} would; resume it with {processes}, or train a model of npnet "
                "(ptref.engine.engine_for), whose dropout does not depend on their number"
            )
        self.seen = seen

    def _seeded(self, drawn: int) -> list[Tensor]:
        seed = np.random.SeedSequence([drawn, self.rank]).generate_state(1, np.uint64)[0]
        torch.default_generator.manual_seed(int(seed))  # torch.manual_seed would note each call for CUDA
        if self.device.type == "cuda":
            with torch.cuda.device(self.device):
                torch.cuda.manual_seed(int(seed))
        return self._states()

    def _states(self) -> list[Tensor]:
        on_device = [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        return [torch.get_rng_state(), *on_device]

    def _restore(self, states: list[Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(states[1], self.device)


def _bytes(states: list[Tensor]) -> list[bytes]:
    return [state.numpy().tobytes() for state in states]
