"""The lines of the parity table."""

from __future__ import annotations

from npnet.errors import InputError
from ptref.cases import Row
from ptref.layers import LAYERS, MODELS
from ptref.operations import OPERATIONS


def rows() -> list[Row]:
    """Return all operations, layers and models that are compared.

    Returns
    -------
    rows : list of Row
        In this order.
    """
    return [*OPERATIONS, *LAYERS, *MODELS]


def row(name: str) -> Row:
    """Return the row of a name.

    Parameters
    ----------
    name : str
        Such as "conv2d", "Conv2d" or "lenet5".

    Returns
    -------
    row : Row

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> row("conv2d").kind
    'operation'
    """
    for candidate in rows():
        if candidate.name == name:
            return candidate
    names = ", ".join(candidate.name for candidate in rows())
    raise InputError(f"parity: nothing named {name!r} is compared with PyTorch; names are {names}")
