"""Stack samples into the two arrays of a minibatch."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.errors import InputError

# The modes of Pillow whose channels are intensities 0..255; those of mode "P" are palette indices.
_BYTE_MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV")


def stack(samples: list[Any], indices: list[int]) -> tuple[ndarray, ndarray]:
    """Stack pairs (x, target) into two arrays; `indices` are their positions in the data set."""
    xs, targets = [], []
    for sample, index in zip(samples, indices, strict=True):
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            raise InputError(
                f"minibatches: sample {index} must be a pair (x, target), got {_describe(sample)}"
            )
        xs.append(_array(sample[0], f"x of sample {index}"))
        targets.append(_array(sample[1], f"target of sample {index}"))
    return _stack_equal("x", xs, indices), _stack_equal("target", targets, indices)


def _stack_equal(name: str, arrays: list[ndarray], indices: list[int]) -> ndarray:
    first = arrays[0]
    for array, index in zip(arrays, indices, strict=True):
        if (array.shape, array.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"minibatches: {name} of sample {index} must be {first.dtype} of shape {first.shape}, "
                f"like that of sample {indices[0]}, got {array.dtype} of shape {array.shape}"
            )
    return np.stack(arrays)


def _array(value: Any, where: str) -> ndarray:
    # A caller who passes a PIL image has imported Pillow, so npnet need not import it.
    image_class = getattr(sys.modules.get("PIL.Image"), "Image", ())
    if isinstance(value, image_class):
        return _from_image(value, where)
    try:
        array = np.asarray(value)  # also a tensor on the CPU
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor on a GPU or with a gradient
        raise InputError(f"minibatches: {where} cannot be made an array: {error}") from None
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"minibatches: {where} must be a number, an array of numbers or an image, got {_describe(value)}"
        )
    return array


def _from_image(image: Any, where: str) -> ndarray:
    """Do what torchvision's ToTensor does: (h, w) or (h, w, c) to (c, h, w), and 0..255 to 0..1."""
    if image.mode not in (*_BYTE_MODES, "1", "F"):
        raise InputError(
            f'minibatches: {where} must be an image of mode {", ".join(_BYTE_MODES)}, "1" or "F", '
            f'got mode "{image.mode}"; image.convert("RGB") converts it'
        )
    pixels = np.asarray(image, dtype=np.float32)
    if image.mode in _BYTE_MODES:
        pixels = pixels / np.float32(255)
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


def _describe(value: Any) -> str:
    return f"{type(value).__name__}" + (f" of length {len(value)}" if isinstance(value, tuple | list) else "")
