"""Where data files lie, and reading them only if they are the published ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

from npnet import check
from npnet._regular import kind_of
from npnet.errors import InputError, MissingError

MOST_BYTES = 1 << 28  # 268 MB: more than any published file has, packed or unpacked


def data_folder(folder: str | PathLike[str] | None = None) -> Path:
    """Return the folder data sets are looked for in, and downloaded to.

    That is the first of: the folder given, the environment variable ``NPNET_DATA``, and
    ``~/.cache/npnet``. Inside, the layout is torchvision's: used as its ``root``, the same folder serves
    torchvision's data sets too.

    Parameters
    ----------
    folder : path, optional
        Taken before all else.

    Returns
    -------
    Path
        It need not exist yet.

    Raises
    ------
    InputError
        If it is no path, or there is no home folder to begin it with.

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
            f"data_folder: folder must be named where there is no home folder, which {chosen} needs: "
            "set NPNET_DATA, or give --data or data_folder(folder)"
        ) from None


def named(folder: str | PathLike[str] | None) -> bool:
    """Tell whether a data folder is named: by the argument, or by the environment."""
    return folder not in (None, "") or bool(os.environ.get("NPNET_DATA"))


def as_path(owner: str, name: str, value: Any, *, empty: bool = False) -> Path:
    """Return a path of what is one; an empty one is none, unless it may stand for no path at all."""
    return Path() if empty and value == "" else check.path(owner, name, value)


def exists(path: Path) -> bool:
    """Tell whether something is there; what cannot be looked at, such as a name too long, is not."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where the system cannot tell


def check_readable(path: Path, most: int = MOST_BYTES) -> None:
    """Require a regular file of a size that can be read, before it is opened: a pipe would never answer.

    Parameters
    ----------
    path : Path
    most : int
        How many bytes it may have.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is something else, too large, or cannot be looked at.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from None
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} cannot be read: it must be a file, got {kind_of(status)}")
    if status.st_size > most:
        raise InputError(f"{path} must have at most {most} bytes, got {status.st_size}")


def reason(error: Exception) -> str:
    """Return what the system says, without the path, which the message names already."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def read_bytes(path: Path, md5: str | None = None, *, most: int = MOST_BYTES) -> bytes:
    """Read a whole file, and refuse it unless it has the published checksum.

    Parameters
    ----------
    path : Path
    md5 : str, optional
        The published MD5, in hexadecimal; without one any file is read.
    most : int
        How many bytes it may have: a larger one is not read at all.

    Returns
    -------
    bytes

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is no regular file, too large, cannot be read, or is not the published one.
    """
    check_readable(path, most)
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)  # files of the system itself may say that they are empty
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from None
    _check_size(path, content, most)
    if md5 is not None:
        check_md5(path, content, md5)
    return content


def unzip(path: Path, packed: bytes, *, most: int = MOST_BYTES) -> bytes:
    """Unpack what was packed by gzip, and no more than so many bytes of it: little can unpack to very much.

    Parameters
    ----------
    path : Path
        Where it is from, for the message.
    packed : bytes
    most : int
        How many bytes there may be.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        If it is damaged, or unpacks to more.
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
    # MD5 is what the data sets' authors publish; it tells damage, it is no defence against an attacker.
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise InputError(
            f"{path} must have the published MD5 {md5}, got {actual} ({len(content)} bytes): "
            f"it is damaged or another file; move it away to have it downloaded again"
        )
