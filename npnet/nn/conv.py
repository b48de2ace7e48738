"""The convolutional layer."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from numpy.typing import DTypeLike

from npnet import check
from npnet import functional as F
from npnet._types import BackwardMany
from npnet.errors import InputError
from npnet.functional.arguments import Padding, Size, convolution_padding, pair, size
from npnet.nn.init import initial
from npnet.nn.layer import Layer


class Conv2d(Layer):
    """A convolutional layer; see `npnet.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of x and of y.
    kernel_size : int or pair
        Height and width of the kernels.
    stride, padding, dilation, groups
        As in `npnet.functional.conv2d`.
    bias : bool
        Whether a learnt number is added to each output channel.
    init : str
        How weights are initialised, one of `npnet.nn.init.SCHEMES`; "default" is PyTorch's default.
    generator : numpy.random.Generator
        Draws the initial weights and biases; required, since npnet has no global random state.
    dtype : float32 or float64

    Raises
    ------
    InputError
        If a size or an option is out of range, or groups do not divide the channels.

    Examples
    --------
    >>> layer = Conv2d(3, 8, 5, padding=2, generator=np.random.default_rng(0))
    >>> layer(np.zeros((2, 3, 32, 32), dtype=np.float32)).shape
    (2, 8, 32, 32)
    """

    parameter_names = ("weight", "bias")
    setting_names = (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        init: str = "default",
        generator: Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        in_channels = check.integer("Conv2d", "in_channels", in_channels, least=1)
        out_channels = check.integer("Conv2d", "out_channels", out_channels, least=1)
        groups = check.integer("Conv2d", "groups", groups, least=1)
        if in_channels % groups or out_channels % groups:
            raise InputError(
                f"Conv2d: groups must divide in_channels {in_channels} and out_channels {out_channels}, "
                f"got {groups}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        kernel = pair("Conv2d", "kernel_size", kernel_size, least=1)
        self.kernel_size = size("Conv2d", "kernel_size", kernel_size, least=1)
        self.stride = size("Conv2d", "stride", stride, least=1)
        self.dilation = size("Conv2d", "dilation", dilation, least=1)
        convolution_padding(
            padding,
            kernel,
            pair("Conv2d", "stride", stride, least=1),
            pair("Conv2d", "dilation", dilation, least=1),
            "Conv2d",
        )
        self.padding: Padding = (
            padding if isinstance(padding, str) else size("Conv2d", "padding", padding, least=0)
        )
        self.weight, self.bias = initial(
            (out_channels, in_channels // groups, *kernel),
            bias=bias,
            init=init,
            generator=generator,
            dtype=dtype,
            owner="Conv2d",
        )

    def apply(
        self, x: ndarray, *, training: bool, generator: Generator | None
    ) -> tuple[ndarray, BackwardMany]:
        """Apply `npnet.functional.conv2d`."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """Return (in_channels/groups)·kh·kw multiply-adds for each output value."""
        return prod(y_shape) * prod(self.weight.shape[1:])
