"""Whether a data set can be used without a download."""

from __future__ import annotations

from os import PathLike

from npnet import check
from npnet.data.cifar import CIFAR10, CIFAR100
from npnet.data.files import data_folder, is_named
from npnet.data.mnist import present as mnist_present
from npnet.data.signs import present as signs_present
from npnet.errors import InputError

_PRESENT = {
    "digits": lambda _: True,
    "mnist": mnist_present,
    "cifar10": lambda place: not CIFAR10.missing(place),
    "cifar100": lambda place: not CIFAR100.missing(place),
    "signs": signs_present,
}


def present(name: str, folder: str | PathLike[str] | None = None) -> bool:
    """Return whether all files of a data set are in the data folder, without reading them.

    Parameters
    ----------
    name : str
        One of "digits" (always there), "mnist", "cifar10", "cifar100", "signs".
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
    check.choice("present", "name", name, _PRESENT)
    try:
        place = data_folder(folder)
    except InputError:
        if is_named(folder):
            raise
        return name == "digits"  # without a home folder there is no data folder
    return _PRESENT[name](place)
