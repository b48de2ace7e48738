"""What a run is made of, as text: by it a checkpoint is found to belong to a run, or to another one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.data import ArrayDataset, Dataset, minibatches

SAMPLES = 8  # hashed of a data set that is not held in arrays
CHUNK = 2**24  # bytes hashed at a time


def described(value: Any) -> str:
    """Return an object's class and settings as text, arrays by their digest.

    Parameters
    ----------
    value : object
        A loss, say.

    Returns
    -------
    text : str
        The class, with the attributes that are numbers, text, or arrays.

    Examples
    --------
    >>> from npnet import nn
    >>> described(nn.CrossEntropyLoss(label_smoothing=0.1))
    "CrossEntropyLoss(ignore_index=-100, label_smoothing=0.1, reduction='mean', weight=None)"
    """
    settings = {name: _shown(setting) for name, setting in sorted(vars(value).items())}
    shown = ", ".join(f"{name}={text}" for name, text in settings.items() if text)
    return f"{type(value).__name__}({shown})"


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, ndarray):
        return f"{value.dtype}{list(value.shape)} {digest(value)}"
    return ""


def digest(*arrays: ndarray) -> str:
    """Return a hash of dtypes, shapes and values, 32 hexadecimal digits.

    Parameters
    ----------
    *arrays : array

    Returns
    -------
    digest : str
    """
    hashed = hashlib.blake2b(digest_size=16)
    for array in arrays:
        hashed.update(f"{array.dtype.str}{array.shape}".encode())
        rows = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        for begin in range(0, rows.size, CHUNK):
            hashed.update(rows[begin : begin + CHUNK].data)
    return hashed.hexdigest()


def fingerprint(part: Dataset | None) -> dict[str, str]:
    """Return size and contents of a data set as text.

    All values count of a data set held in arrays; of any other, where to read a sample may take long, a few
    samples spread over it, provided that they are the same when read twice.

    Parameters
    ----------
    part : data set or None

    Returns
    -------
    fingerprint : dict
        "size", "sample" (shape and dtype) and "values".
    """
    if part is None:
        return {"size": "none"}
    if isinstance(part, ArrayDataset):
        return {
            "size": f"{len(part)} samples",
            "sample": f"{part.x.dtype}{list(part.x.shape[1:])} with {part.y.dtype}{list(part.y.shape[1:])}",
            "values": digest(part.x, part.y),
        }
    rows = np.unique(np.linspace(0, len(part) - 1, SAMPLES).astype(int)).tolist()
    few = [part[i] for i in rows]
    (x, y), (again, y_again) = (next(minibatches(each, len(few))) for each in (few, [part[i] for i in rows]))
    same = digest(x, y) == digest(again, y_again)
    return {
        "size": f"{len(part)} samples",
        "sample": f"{x.dtype}{list(x.shape[1:])} with {y.dtype}{list(y.shape[1:])}",
        "values": digest(x, y) if same else "random",
    }


def differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return how two descriptions differ, one phrase for each name.

    Parameters
    ----------
    saved, now : mapping from names to text or numbers

    Returns
    -------
    differences : list of str

    Examples
    --------
    >>> differences({"batch_size": 32, "loss": "MSELoss()"}, {"batch_size": 64, "loss": "MSELoss()"})
    ['batch_size is 64, was 32']
    """
    found = []
    for name in sorted(saved.keys() | now.keys()):
        before, after = str(saved.get(name, "none")), str(now.get(name, "none"))
        if before != after:
            was, is_now = _first_difference(before, after)
            found.append(f"{name} is {is_now}, was {was}")
    return found


def _first_difference(before: str, after: str) -> tuple[str, str]:
    """Return the first lines that differ, of texts of several lines such as a model's."""
    pairs = zip_longest(before.splitlines(), after.splitlines(), fillvalue="absent")
    was, is_now = next((a.strip(), b.strip()) for a, b in pairs if a != b)
    return _shortened(was), _shortened(is_now)


def _shortened(text: str, most: int = 120) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
