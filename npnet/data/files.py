"""The data folder, and reading data files with published checksums."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

from npnet import check
from npnet._regular import open_regular
from npnet.errors import InputError

MOST_BYTES = 1 << 28  # 268 MB: more than any published file, compressed or not


def data_folder(folder: str | PathLike[str] | None = None) -> Path:
    """Return the folder from which data sets are read, and to which they are downloaded.

    It is the first of these that is set: the argument, the environment variable ``NPNET_DATA``, and
    ``~/.cache/npnet``. Its layout is torchvision's, so torchvision's data sets can use it as ``root``.

    Parameters
    ----------
    folder : path, optional
        Takes precedence over the environment variable.

    Returns
    -------
    Path
        The folder need not exist yet.

    Raises
    ------
    InputError
        If folder is not a path, or the path starts with ``~`` and there is no home folder.

    Examples
    --------
    >>> data_folder("photos").name
    'photos'
    """
    given = None if folder is None else str(as_path("data_folder", "folder", folder, empty=True))
    chosen = given or os.environ.get("NPNET_DATA") or Path("~", ".cache", "npnet")
    try:
        return Path(chosen).expanduser()
    except RuntimeError:  # no such user, or one without a home
        raise InputError(
            f"data_folder: folder must be given, as {chosen} needs a home folder and there is none: "
            "set NPNET_DATA, or give --data or data_folder(folder)"
        ) from None


def is_named(folder: str | PathLike[str] | None) -> bool:
    """Return whether a data folder is named, by the argument or by the environment."""
    return folder not in (None, "") or bool(os.environ.get("NPNET_DATA"))


def as_path(owner: str, name: str, value: Any, *, empty: bool = False) -> Path:
    """Return a path; an empty string is refused, unless `empty` allows it to mean the current folder."""
    return Path() if empty and value == "" else check.path(owner, name, value)


def exists(path: Path) -> bool:
    """Return whether a path exists; False if the system cannot tell, as for a name that is too long."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises if the system cannot tell


def reason(error: Exception) -> str:
    """Return the system's message without the path, which our message already names."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def read_bytes(path: Path, md5: str | None = None, *, most: int = MOST_BYTES) -> bytes:
    """Read a whole file, and refuse it unless it has the published checksum.

    Parameters
    ----------
    path : Path
    md5 : str, optional
        The published MD5, in hexadecimal; by default the content is not compared.
    most : int
        The largest size in bytes; a larger file is not read at all.

    Returns
    -------
    bytes

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is not a regular file, is too large, cannot be read, or is not the published one.
    """
    try:
        with open_regular("", path, most) as file:
            content = file.read(most + 1)  # virtual files, as in /proc, report a size of 0
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from None
    _check_size(path, content, most)
    if md5 is not None:
        check_md5(path, content, md5)
    return content


def unzip(path: Path, packed: bytes, *, most: int = MOST_BYTES) -> bytes:
    """Decompress gzip data; the size limit stops a small file from filling the memory.

    Parameters
    ----------
    path : Path
        The file the data is from, for messages.
    packed : bytes
    most : int
        The largest size of the decompressed data, in bytes.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        If the data is damaged, or larger than `most`.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            content = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is truncated or damaged: {error}") from None
    _check_size(path, content, most, " unpacked")
    return content


def _check_size(path: Path, content: bytes, most: int, state: str = "") -> None:
    if len(content) > most:
        raise InputError(f"{path} must have at most {most} bytes{state}, got more")


def check_md5(path: Path, content: bytes, md5: str) -> None:
    """Refuse content that does not have the published checksum."""
    # The data sets' authors publish MD5. It detects damage; it does not protect against an attacker.
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise InputError(
            f"{path} must have the published MD5 {md5}, got {actual} ({len(content)} bytes): "
            f"it is damaged or another file; move it away to download it again"
        )
