"""Where data files lie, and reading them only if they are the published ones."""

from __future__ import annotations

import hashlib
import os
from os import PathLike
from pathlib import Path

from npnet.errors import InputError, MissingError


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

    Examples
    --------
    >>> data_folder("photos").name
    'photos'
    """
    chosen = folder or os.environ.get("NPNET_DATA") or Path("~", ".cache", "npnet")
    return Path(chosen).expanduser()


def read_bytes(path: Path, md5: str | None = None) -> bytes:
    """Read a whole file, and refuse it unless it has the published checksum.

    Parameters
    ----------
    path : Path
    md5 : str, optional
        The published MD5, in hexadecimal; without one any file is read.

    Returns
    -------
    bytes

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it cannot be read, or is not the published one.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MissingError(f"{path} is missing") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if md5 is not None:
        check_md5(path, content, md5)
    return content


def check_md5(path: Path, content: bytes, md5: str) -> None:
    """Refuse content that does not have the published checksum."""
    # MD5 is what the data sets' authors publish; it tells damage, it is no defence against an attacker.
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise InputError(
            f"{path} must have the published MD5 {md5}, got {actual} ({len(content)} bytes): "
            f"it is damaged or another file; move it away to have it downloaded again"
        )
