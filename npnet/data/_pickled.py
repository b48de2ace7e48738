"""Load pickled dictionaries of arrays, and refuse any other pickle."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.data.files import read_bytes
from npnet.errors import InputError

_empty_array: Any = np.empty(0).__reduce__()[0]  # the function that NumPy's pickles call to create an array


def _dtype(code: str, *_: Any) -> np.dtype[Any]:
    # Old pickles pass the flags as 0 and 1, for which NumPy 2.4.0 to 2.4.4 warns (numpy issue 30786).
    return np.dtype(code)


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy", "ndarray"): ndarray,
    ("numpy", "dtype"): _dtype,
}


def read_pickled(path: Path, md5: str) -> dict[str, Any]:
    """Load a pickled dictionary whose checksum is the published one.

    Unpickling calls any function that the file names. So the checksum is compared before a byte is
    interpreted, and even then only the three names that NumPy arrays need are allowed.

    Parameters
    ----------
    path : Path
    md5 : str
        The published checksum.

    Returns
    -------
    dict

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If the checksum is wrong, or the file does not hold a dictionary of arrays and plain values.
    """
    content = read_bytes(path, md5)
    try:
        value = _Unpickler(io.BytesIO(content), encoding="latin1").load()  # written by Python 2
    except Exception as error:  # noqa: BLE001 - a damaged pickle may raise any error
        raise InputError(f"{path} cannot be unpickled: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} must hold a dictionary, got {type(value).__name__}")
    return value


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a data file")
        return _ALLOWED[module, name]
