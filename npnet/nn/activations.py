"""Layers that apply an elementwise function."""

from __future__ import annotations

from numpy import ndarray
from numpy.random import Generator

from npnet import functional as F
from npnet.functional._types import Backward
from npnet.nn.layer import Layer


class ReLU(Layer):
    """y = max(x, 0); see `npnet.functional.relu`."""

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.relu`."""
        return F.relu(x)
