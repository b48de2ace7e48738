"""Pooling layers."""

from __future__ import annotations

from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet import functional as F
from npnet._types import Backward
from npnet.functional.arguments import Size, check_border, pair, pooling_size, size
from npnet.functional.avg_pool2d import checked_divisor, checked_output_size
from npnet.nn.layer import Layer


def _sizes(
    layer: str, kernel_size: Size, stride: Size | None, padding: Size, dilation: Size
) -> tuple[Size, Size | None, Size, Size]:
    """Return kernel size, stride, padding and dilation, checked, as Python integers or pairs of them."""
    kernel = size(layer, "kernel_size", kernel_size, least=1)
    stride = pooling_size(layer, "stride", stride, least=1)
    padding = size(layer, "padding", padding, least=0)
    dilation = size(layer, "dilation", dilation, least=1)
    check_border(layer, pair(layer, "kernel_size", kernel, least=1), pair(layer, "padding", padding, least=0))
    return kernel, stride, padding, dilation


class MaxPool2d(Layer):
    """Keep the maximum of each window; see `npnet.functional.max_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, ceil_mode
        As in `npnet.functional.max_pool2d`.
    """

    setting_names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = _sizes(
            "MaxPool2d", kernel_size, stride, padding, dilation
        )
        self.ceil_mode = check.flag("MaxPool2d", "ceil_mode", ceil_mode)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.max_pool2d`."""
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class AvgPool2d(Layer):
    """Average the pixels of each window; see `npnet.functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in `npnet.functional.avg_pool2d`.
    """

    setting_names = (
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
        "divisor_override",
    )

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, _ = _sizes("AvgPool2d", kernel_size, stride, padding, 1)
        self.ceil_mode = check.flag("AvgPool2d", "ceil_mode", ceil_mode)
        self.count_include_pad = check.flag("AvgPool2d", "count_include_pad", count_include_pad)
        self.divisor_override = checked_divisor("AvgPool2d", divisor_override)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.avg_pool2d`."""
        return F.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AdaptiveAvgPool2d(Layer):
    """Average into an output of a given size; see `npnet.functional.adaptive_avg_pool2d`.

    Parameters
    ----------
    output_size
        As in `npnet.functional.adaptive_avg_pool2d`.
    """

    setting_names = ("output_size",)

    def __init__(self, output_size: int | tuple[int | None, int | None] | None) -> None:
        super().__init__()
        self.output_size = checked_output_size("AdaptiveAvgPool2d", output_size)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.adaptive_avg_pool2d`."""
        return F.adaptive_avg_pool2d(x, self.output_size)
