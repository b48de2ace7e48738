"""The rows of the parity table."""

from __future__ import annotations

from textwrap import shorten

from npnet import check
from npnet.errors import InputError
from ptref.cases import Row
from ptref.networks import CONTAINERS, MODELS
from ptref.operations import LAYERS, OPERATIONS

LONGEST = 300  # characters of the list of names in a message


def rows() -> list[Row]:
    """Return all operations, layers and models that are compared.

    Returns
    -------
    rows : list of Row
        In the order of the table.
    """
    return [*OPERATIONS, *LAYERS, *CONTAINERS, *MODELS]


def row(name: str, argument: str = "name") -> Row:
    """Return the row with a name.

    Parameters
    ----------
    name : str
        A name such as "conv2d", "Conv2d" or "lenet5".
    argument : str
        The name of the caller's argument, for messages.

    Returns
    -------
    row : Row

    Raises
    ------
    InputError
        If there is no such row.

    Examples
    --------
    >>> row("conv2d").kind
    'operation'
    """
    if not isinstance(name, str):
        raise InputError(f"parity: {argument} must be text, got {check.described(name)}")
    for candidate in rows():
        if candidate.name == name:
            return candidate
    names = shorten(", ".join(candidate.name for candidate in rows()), LONGEST, placeholder=" …")
    raise InputError(
        f"parity: {argument}: nothing named {check.described(name)} is compared with PyTorch; "
        f"names are {names}"
    )
