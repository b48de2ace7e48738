"""The arguments that operations share: sizes, strides, padding and images, and the classes of losses.

Each function returns its value as plain Python or NumPy has it, or raises `InputError`. `npnet.nn` checks the
arguments of its layers by the same functions.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.kernels.window import Pair, Window, place_window
from npnet.shapes import Float

__all__ = ()  # for `npnet.functional` and `npnet.nn`, not for users

Size = int | tuple[int, int]
Padding = int | tuple[int, int] | Literal["same", "valid"]

# A last axis of at most this length may hold the colours of an image, and its opacity.
MOST_COLOURS = 4
CHANNELS_LAST = "x looks like (n, h, w, c): write x.transpose(0, 3, 1, 2)"


def pair(operation: str, name: str, value: object, *, least: int) -> Pair:
    """Return (vertical, horizontal) from one number for both or from a pair, each at least `least`."""
    plain = size(operation, name, value, least=least)
    return plain if isinstance(plain, tuple) else (plain, plain)


def size(operation: str, name: str, value: object, *, least: int) -> Size:
    """Return one number for both directions, or a pair, as Python integers.

    A tuple of one number counts as that number, as in PyTorch.
    """
    if type(value) is int and value >= least:
        return value
    several = value if isinstance(value, tuple | list) else (value,)
    try:
        numbers = [check.integer(operation, name, number, least=least) for number in several]
    except InputError:
        numbers = []
    if len(numbers) not in (1, 2):
        kind = "a positive integer" if least == 1 else "an integer of at least 0"
        got = f"{value!r:.60}" if isinstance(value, tuple | list) else check.described(value)
        raise InputError(f"{operation}: {name} must be {kind} or a pair of them, got {got}")
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def pooling_size(operation: str, name: str, value: object, *, least: int) -> Size | None:
    """Return the stride of a pooling window as `size` does; None and () mean the size of the window."""
    if value is None or (isinstance(value, tuple | list) and not value):
        return None
    return size(operation, name, value, least=least)


def convolution_padding(
    padding: Padding, kernel: Pair, stride: Pair, dilation: Pair, operation: str = "conv2d"
) -> tuple[Pair, Pair]:
    """Return the padding before and after the image; for "same", an odd pixel is added after it."""
    if not isinstance(padding, str):
        both = pair(operation, "padding", padding, least=0)
        return both, both
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        raise InputError(f"{operation}: padding must be a number, a pair, 'same' or 'valid', got {padding!r}")
    if stride != (1, 1):
        raise InputError(f"{operation}: padding='same' needs stride 1, got {stride}")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    before = (total[0] // 2, total[1] // 2)
    return before, (total[0] - before[0], total[1] - before[1])


def images(operation: str, x: ndarray) -> Float[ndarray, "n c h w"]:
    """Return x with a batch axis, which is added to a single image (c, h, w)."""
    if x.ndim not in (3, 4):
        raise InputError(f"{operation}: x must have shape (n, c, h, w) or (c, h, w), got {x.shape}")
    if 0 in x.shape[-3:]:
        raise InputError(f"{operation}: x must have at least one channel and one pixel, got {x.shape}")
    return x if x.ndim == 4 else x[np.newaxis]


def pooling_window(
    operation: str,
    batch: Float[ndarray, "n c h w"],
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
) -> Window:
    """Place a pooling window: its stride defaults to its size, its padding is at most half of that."""
    check.flag(operation, "ceil_mode", ceil_mode)
    kernel = pair(operation, "kernel_size", kernel_size, least=1)
    own = pooling_size(operation, "stride", stride, least=1)
    steps = kernel if own is None else pair(operation, "stride", own, least=1)
    border = pair(operation, "padding", padding, least=0)
    gaps = pair(operation, "dilation", dilation, least=1)
    check_border(operation, kernel, border)
    image = (batch.shape[2], batch.shape[3])
    try:
        return place_window(operation, image, kernel, steps, border, gaps, ceil_mode=bool(ceil_mode))
    except InputError as error:
        if batch.shape[3] <= MOST_COLOURS < batch.shape[1]:
            raise InputError(f"{error}; {CHANNELS_LAST}") from None
        raise


def check_border(operation: str, kernel: Pair, border: Pair) -> None:
    """Require padding of at most half a window; with more, a window could lie entirely in the border."""
    if any(2 * p > k for p, k in zip(border, kernel, strict=True)):
        raise InputError(
            f"{operation}: padding must be at most half of kernel_size, got padding {border} for {kernel}"
        )


def channels_last(x: ndarray, channels: int) -> str:
    """Return a hint for a message on how to transpose images whose channels come last, or ""."""
    if x.ndim == 4 and x.shape[3] == channels:
        return f"; {CHANNELS_LAST}"
    if x.ndim == 3 and x.shape[2] == channels:
        return "; x looks like (h, w, c): write x.transpose(2, 0, 1)"
    if x.ndim == 3 and channels == 1:
        return "; if x is (n, h, w), grey images, write x[:, np.newaxis]"
    return ""


def class_axis(operation: str, x: ndarray) -> int:
    """Return the class axis: 1, or 0 without a batch axis."""
    axis = min(x.ndim, 2) - 1
    if x.ndim == 0 or x.shape[axis] == 0:
        raise InputError(
            f"{operation}: x must have shape (C,), (N, C) or (N, C, d1, ...) with C > 0, got {x.shape}"
        )
    return axis
