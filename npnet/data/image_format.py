"""The format of a model's images, kept with it so that future images are converted like the training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._regular import path_of
from npnet.data._image_file import MODES, pixels_of, read_pixels
from npnet.errors import InputError

MOST_PIXELS = 2**24  # in one image of a model's input
TEXTS = (".csv", ".tsv", ".txt", ".json", ".xlsx")  # suffixes of files that are not images


@dataclass(frozen=True)
class ImageFormat:
    """The format of a model's images: maps raw images to x.

    Parameters
    ----------
    height, width : int
        Images of other sizes are resized with bilinear interpolation, without keeping their aspect ratio.
    mode : "RGB" or "L"
        Three colour channels, or one grey channel.

    Raises
    ------
    InputError
        If a size is not a positive integer, or the mode is unknown.

    Examples
    --------
    >>> format = ImageFormat(8, 8, "L")
    >>> format(np.full((16, 16), 255, np.uint8)).shape
    (1, 1, 8, 8)
    >>> ImageFormat.from_json(format.to_json()) == format
    True
    """

    height: int
    width: int
    mode: str = "RGB"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            size = check.integer("ImageFormat", name, getattr(self, name), least=1, most=MOST_PIXELS)
            object.__setattr__(self, name, size)
        if self.height * self.width > MOST_PIXELS:
            pixels = self.height * self.width
            raise InputError(f"ImageFormat: height times width must be at most {MOST_PIXELS}, got {pixels}")
        check.choice("ImageFormat", "mode", self.mode, tuple(MODES))

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one sample of x."""
        return MODES[self.mode], self.height, self.width

    def __call__(self, images: Any, *, owner: str = "ImageFormat") -> ndarray:
        """Return images as x, float32 in [0, 1] of shape (n, c, h, w), not standardised.

        Parameters
        ----------
        images : path, Pillow image, array, or sequence of these
            An array has shape (h, w), (h, w, c), (n, h, w) or (n, h, w, c), or channels before h; it holds
            bytes 0…255 or floating-point numbers 0…1.
        owner : str
            The name of the function, for messages.

        Raises
        ------
        InputError
            If an image has another type, or a file cannot be read or is damaged.
        """
        sequence = _as_sequence(images)
        if not sequence:
            raise InputError(f"{owner}: images must be at least one image, got none")
        x = np.empty((len(sequence), *self.shape), np.float32)
        for i, image in enumerate(sequence):
            x[i] = self.one(image, owner=owner)
        return x

    def one(self, image: Any, *, owner: str = "ImageFormat") -> ndarray:
        """Return one image as float32 in [0, 1] of shape (c, h, w).

        Raises
        ------
        InputError
            As for a call.
        """
        if isinstance(image, str | PathLike):
            path = path_of(owner, image)
            if path.suffix.lower() in TEXTS:
                raise InputError(f"{owner}: this model takes images, got {path}")
            return read_pixels(owner, path, (self.height, self.width), self.mode)
        return pixels_of(owner, image, (self.height, self.width), self.mode)

    def to_json(self) -> dict[str, Any]:
        """Return the format as a dict, which `from_json` reads."""
        return {"kind": "images", "height": self.height, "width": self.width, "mode": self.mode}

    @classmethod
    def from_json(cls, value: Any) -> ImageFormat:
        """Return the format that `to_json` wrote.

        Raises
        ------
        InputError
            If the value is not one of its results.
        """
        if not isinstance(value, dict):
            raise InputError(f"ImageFormat: format must be an object, got {check.described(value)}")
        settings: dict[str, Any] = {name: value.get(name) for name in ("height", "width", "mode")}
        return cls(**settings)


def _as_sequence(images: Any) -> Sequence[Any]:
    """Return a sequence of images; an array may hold one image or several."""
    if isinstance(images, list | tuple):
        return images
    if isinstance(images, ndarray) and images.dtype.kind in "buif":
        colour = images.ndim == 3 and (images.shape[-1] in (1, 3, 4) or images.shape[0] in (1, 3, 4))
        if images.ndim == 4 or (images.ndim == 3 and not colour):
            return list(images)
    return [images]
