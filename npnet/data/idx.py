"""The IDX format, in which MNIST is published."""

from __future__ import annotations

from math import prod
from os import PathLike
from pathlib import Path

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.data.files import as_path, read_bytes, unzip
from npnet.errors import InputError
from npnet.shapes import Num

# The third byte of a file gives the type of its elements, which are stored in big-endian order.
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | PathLike[str], md5: str | None = None) -> Num[ndarray, "*shape"]:
    """Read an array from an IDX file, packed with gzip or not.

    ======  ==========================================================
    bytes   meaning
    ======  ==========================================================
    0, 1    zero
    2       type of the elements: 0x08 uint8, 0x09 int8, 0x0B int16,
            0x0C int32, 0x0D float32, 0x0E float64
    3       number of axes, d
    4 …     length of each axis, d big-endian unsigned 32-bit integers
    after   the elements, big-endian, last axis fastest
    ======  ==========================================================

    Parameters
    ----------
    path : path
        A file whose name ends in ``.gz`` is decompressed while it is read.
    md5 : str, optional
        The published MD5 of the file as stored, before decompression.

    Returns
    -------
    array
        In native byte order.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is not a regular file or not an IDX file, its checksum is wrong, or its length does not fit its
        header; the message names the file and the byte.

    References
    ----------
    LeCun, Cortes, Burges, *The MNIST database of handwritten digits*, which defines the format.
    """
    path = as_path("read_idx", "path", path)
    content = read_bytes(path, None if md5 is None else check.text("read_idx", "md5", md5))
    if path.suffix == ".gz":
        content = unzip(path, content)
    return _parse(path, content)


def _parse(path: Path, content: bytes) -> ndarray:
    if len(content) < 4:
        raise InputError(f"{path}: an IDX file has at least 4 bytes, got {len(content)}")
    if content[:2] != b"\0\0":
        raise InputError(f"{path}: bytes 0 and 1 of an IDX file are 0, got {content[0]} and {content[1]}")
    if content[2] not in _DTYPES:
        raise InputError(f"{path}: byte 2 of an IDX file names a type, got 0x{content[2]:02X}")
    dtype, axes = np.dtype(_DTYPES[content[2]]), content[3]

    start = 4 + 4 * axes
    if len(content) < start:
        raise InputError(f"{path}: the header ends at byte {start}, but the file at byte {len(content)}")
    shape = [int(length) for length in np.frombuffer(content, ">u4", axes, offset=4)]
    end = start + prod(shape) * dtype.itemsize
    if len(content) != end:
        raise InputError(
            f"{path}: elements of shape {tuple(shape)} end at byte {end}, but the file at byte {len(content)}"
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
