"""Dropout that drops on PyTorch what it drops on npnet."""

from __future__ import annotations

import numpy as np
import torch
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor, nn

from npnet.nn import Layer
from npnet.parallel import generators_for as shard_generators
from npnet.parallel import plan


class Noise:
    """The random numbers npnet's layers draw for a minibatch, for PyTorch's layers to draw.

    npnet may cut a minibatch into shards, each with a generator of its own, and see it whole again in the
    layers at the end, which draw from the given one; so does this.

    Parameters
    ----------
    model : Layer
        The npnet model whose noise it is.
    """

    def __init__(self, model: Layer) -> None:
        self.model = model
        self._rows = slice(0)
        self._sharded: list[tuple[int, Generator]] = []  # sizes of the shards, and what each draws from
        self._whole: list[tuple[int, Generator]] = []
        self._head: set[str] = set()

    def begin(self, x: ndarray, generator: Generator, rows: slice) -> None:
        """Begin a minibatch, of which some rows alone are wanted."""
        division = plan(self.model, x, training=True)
        sizes = [part.stop - part.start for part in division.shards]
        self._sharded = list(zip(sizes, shard_generators(generator, len(sizes)), strict=True))
        self._whole = [(len(x), generator)]
        self._head = set(division.head.children)
        self._rows = rows

    def kept(self, layer: str, sample: tuple[int, ...], p: float) -> ndarray:
        """Draw which values a layer keeps, for samples of a shape; see `npnet.functional.dropout`."""
        parts = self._whole if layer.partition(".")[0] in self._head else self._sharded
        drawn = [generator.random((size, *sample), dtype=np.float32) for size, generator in parts]
        kept: ndarray = np.concatenate(drawn)[self._rows] >= p
        return kept


class SharedDropout(nn.Module):
    """Dropout that drops what npnet's drops.

    Parameters
    ----------
    p : float
        Probability of being dropped.
    noise : Noise
        Draws what is dropped.
    name : str
        The layer's dotted name in the model whose noise it is.
    """

    def __init__(self, p: float, noise: Noise, name: str = "") -> None:
        super().__init__()
        self.p, self.noise, self.name = p, noise, name

    def forward(self, x: Tensor) -> Tensor:
        """Zero values in training and enlarge the others to make up for it."""
        if not self.training or self.p == 0:
            return x
        scale = 0.0 if self.p == 1 else 1 / (1 - self.p)
        kept = self.noise.kept(self.name, tuple(x.shape[1:]), self.p)
        return x * (torch.from_numpy(kept).to(x.device, x.dtype) * scale)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"p={self.p}"


def share_dropout(module: nn.Module, noise: Noise, name: str = "") -> nn.Module:
    """Return the module with every ``nn.Dropout`` in it replaced by `SharedDropout`.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    noise : Noise
        What the masks are drawn from.
    name : str
        The module's dotted name in the model.

    Returns
    -------
    module : torch.nn.Module
    """
    if type(module) is nn.Dropout:
        return SharedDropout(module.p, noise, name)
    for own, child in module.named_children():
        setattr(module, own, share_dropout(child, noise, f"{name}.{own}".removeprefix(".")))
    return module
