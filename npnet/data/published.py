"""Published data sets: each declares its files and how much it downloads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from npnet import check
from npnet.data import files
from npnet.data.files import data_folder, is_named
from npnet.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Published:
    """A published data set.

    Attributes
    ----------
    load : callable
        The function of `npnet.data` that returns its `Splits`.
    files : tuple of str
        Where its files lie in the data folder. ``NAME.gz`` may also lie there unpacked, as ``NAME``.
    download : str or None
        How much is downloaded, such as "11 MB"; empty if nothing, None if it cannot be downloaded.
    """

    load: Callable[..., Any]
    files: tuple[str, ...]
    download: str | None

    def is_in(self, place: Path) -> bool:
        """Return whether all files are in a data folder, without reading them."""
        return all(
            files.exists(place / name) or files.exists(place / name.removesuffix(".gz"))
            for name in self.files
        )


PUBLISHED: dict[str, Published] = {}  # by the name of the function


def published(*names: str, download: str | None) -> Callable[[F], F]:
    """Register a function that returns a published data set; see `Published` for the arguments."""

    def register(load: F) -> F:
        PUBLISHED[load.__name__] = Published(load, names, download)
        return load

    return register


def present(name: str, folder: str | PathLike[str] | None = None) -> bool:
    """Return whether all files of a data set are in the data folder, without reading them.

    Parameters
    ----------
    name : str
        Of the function that returns the data set, such as "mnist"; "digits" is always there.
    folder : path, optional
        The data folder; see `npnet.data.data_folder`.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If the name is unknown, or the folder is not a path.

    Examples
    --------
    >>> present("digits")
    True
    """
    check.choice("present", "name", name, PUBLISHED)
    try:
        place = data_folder(folder)
    except InputError:
        if is_named(folder):
            raise
        return not PUBLISHED[name].files  # without a home folder there is no data folder
    return PUBLISHED[name].is_in(place)
