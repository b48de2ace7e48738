"""The fully connected layer."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from numpy.typing import DTypeLike

from npnet import check
from npnet import functional as F
from npnet._types import BackwardMany
from npnet.nn.init import initial
from npnet.nn.layer import Layer


class Linear(Layer):
    """A fully connected layer, y = x Wᵀ + b; see `npnet.functional.linear`.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis of x and of y.
    bias : bool
        Whether the layer has a bias b.
    init : str
        How weights are initialised, one of `npnet.nn.init.SCHEMES`; "default" is PyTorch's default.
    generator : numpy.random.Generator
        Draws the initial weights and biases; required, since npnet has no global random state.
    dtype : float32 or float64

    Raises
    ------
    InputError
        If a size is not a positive integer, or `init` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Linear(3, 2, generator=np.random.default_rng(0))
    >>> layer(np.zeros((5, 3), dtype=np.float32)).shape
    (5, 2)
    """

    parameter_names = ("weight", "bias")
    setting_names = ("in_features", "out_features", "bias")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: str = "default",
        generator: Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        self.in_features = check.integer("Linear", "in_features", in_features, least=1)
        self.out_features = check.integer("Linear", "out_features", out_features, least=1)
        self.weight, self.bias = initial(
            (self.out_features, self.in_features),
            bias=bias,
            init=init,
            generator=generator,
            dtype=dtype,
            owner="Linear",
        )

    def apply(
        self, x: ndarray, *, training: bool, generator: Generator | None
    ) -> tuple[ndarray, BackwardMany]:
        """Apply `npnet.functional.linear`."""
        return F.linear(x, self.weight, self.bias)

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """Return in_features multiply-adds for each output value."""
        return prod(y_shape) * self.in_features
