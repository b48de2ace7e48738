"""Read image files of the usual formats as arrays, resized to one size."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._regular import open_regular
from npnet.errors import DTypeError, InputError, MissingError

MODES = {"L": 1, "RGB": 3}  # number of channels
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm", ".pnm")
KINDS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # Pillow runs programs to read some others
MOST_BYTES = 2**28  # size of a file
MOST_PIXELS = 2**27  # in one image


def pillow(owner: str) -> Any:
    """Return the module PIL.Image."""
    try:
        from PIL import Image  # noqa: PLC0415 - only images need Pillow
    except ImportError:
        raise MissingError(f"{owner}: images need Pillow; install it by `pip install pillow`") from None
    return Image


def read_size(path: Path) -> tuple[int, int]:
    """Return height and width of an image as displayed; only the header of the file is read."""
    image_module = pillow("image_folder")

    def measure(image: Any) -> tuple[int, int]:
        width, height = image.size
        rotated = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # EXIF orientation: a quarter turn
        return (width, height) if rotated else (height, width)

    size: tuple[int, int] = _apply_to_file("image", image_module, path, measure)
    return size


def read_pixels(owner: str, path: Path, size: tuple[int, int], mode: str) -> ndarray:
    """Return the image in a file as float32 in [0, 1], shape (c, h, w)."""
    from PIL import ImageOps  # noqa: PLC0415 - only images need Pillow

    image_module = pillow(owner)
    pixels: ndarray = _apply_to_file(
        owner, image_module, path, lambda image: _convert(ImageOps.exif_transpose(image), size, mode)
    )
    return pixels


def pixels_of(owner: str, value: Any, size: tuple[int, int], mode: str) -> ndarray:
    """Return a Pillow image or an array as float32 in [0, 1], shape (c, h, w)."""
    image_module = pillow(owner)
    if isinstance(value, image_module.Image):
        return _convert(value, size, mode)
    check.array(owner, "images", value)
    if value.ndim == 3 and value.shape[-1] not in (1, 3, 4) and value.shape[0] in (1, 3, 4):
        value = value.transpose(1, 2, 0)
    if value.ndim == 3 and value.shape[-1] == 1:
        value = value[:, :, 0]
    if not (value.ndim == 2 or (value.ndim == 3 and value.shape[-1] in (3, 4))) or not value.size:
        raise InputError(
            f"{owner}: images must have shape (h, w) or (h, w, c) with c of 1, 3 or 4, got {value.shape}"
        )
    if value.dtype.kind == "f":
        return _from_floats(owner, value, size, mode)
    if value.dtype.kind != "b" and value.dtype != np.uint8:
        raise DTypeError(
            f"{owner}: images must be of uint8, 0…255, or of floating-point numbers, 0…1, got {value.dtype}; "
            "write images.astype(np.uint8)"
        )
    bytes_ = value.astype(np.uint8) * np.uint8(255) if value.dtype.kind == "b" else value
    return _convert(image_module.fromarray(np.ascontiguousarray(bytes_)), size, mode)


def _from_floats(owner: str, value: ndarray, size: tuple[int, int], mode: str) -> ndarray:
    if not (value.min() >= 0 and value.max() <= 1):  # also false for NaN
        raise InputError(
            f"{owner}: images must be floating-point numbers 0…1, or bytes 0…255, not standardised, "
            f"got numbers from {value.min():g} to {value.max():g}"
        )
    planes = value[:, :, None] if value.ndim == 2 else value
    if planes.shape[-1] == 4:  # transparent pixels on white, as in _convert
        alpha = planes[:, :, 3:]
        planes = planes[:, :, :3] * alpha + (1 - alpha)
    if mode == "L" and planes.shape[-1] == 3:
        planes = planes @ np.array([[0.299], [0.587], [0.114]], planes.dtype)  # Pillow's weights
    resized = [_resized_floats(planes[:, :, i], size) for i in range(planes.shape[-1])]
    return np.broadcast_to(np.stack(resized), (MODES[mode], *size))


def _resized_floats(plane: ndarray, size: tuple[int, int]) -> ndarray:
    if plane.shape == size:
        return plane.astype(np.float32)
    image_module = pillow("images")
    image = image_module.fromarray(np.ascontiguousarray(plane, np.float32))
    pixels: ndarray = np.asarray(image.resize(size[::-1], image_module.Resampling.BILINEAR))
    return pixels.clip(0, 1)


def _apply_to_file(owner: str, image_module: Any, path: Path, function: Any) -> Any:
    """Return function(image) for the image in a file; any error becomes one message naming the file."""
    with open_regular(owner, path, MOST_BYTES) as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of harmless damage, such as bad metadata
                with image_module.open(file, formats=KINDS) as image:
                    _check_pixels(image)
                    return function(image)
        except image_module.UnidentifiedImageError:
            raise InputError(
                f"{path} is no image, or is damaged, or is of a kind other than {', '.join(KINDS)}"
            ) from None
        except Exception as error:  # noqa: BLE001 - a decoder may raise any error on a damaged file
            shown = str(error) or type(error).__name__
            raise InputError(f"image {path} is damaged: {shown}") from None


def _check_pixels(image: Any) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise InputError(f"it must have at most {MOST_PIXELS} pixels, got {width} times {height}")


def _convert(image: Any, size: tuple[int, int], mode: str) -> ndarray:
    """Return an image as float32 in [0, 1], shape (c, h, w), with transparent pixels on white."""
    image_module = pillow("images")
    if image.mode == "I":
        low, high = image.getextrema()
        image = image.convert("I;16") if low >= 0 and high <= 65535 else image
    if image.mode.startswith("I;16"):  # 16-bit grey, which Pillow would clip at 255
        grey = np.asarray(image).astype(np.float32) / np.float32(65535)
        return np.broadcast_to(_resized_floats(grey, size), (MODES[mode], *size))
    if image.mode in ("I", "F"):
        raise InputError(f"pixels must have 1, 8 or 16 bits, got 32 (mode {image.mode})")
    if image.mode in ("PA", "LA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = image_module.new("RGBA", image.size, "white")
        image = image_module.alpha_composite(background, image)
    image = image.convert(mode)
    if image.size != size[::-1]:
        image = image.resize(size[::-1], image_module.Resampling.BILINEAR)
    pixels = np.asarray(image, np.uint8).reshape(*size, MODES[mode])
    unit: ndarray = np.divide(pixels.transpose(2, 0, 1), np.float32(255), dtype=np.float32)
    return unit
