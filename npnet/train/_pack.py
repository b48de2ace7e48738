"""A nested state as JSON and arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

ARRAY, TEXTS = "$array", "$texts"  # what stands in the JSON for an array


def pack(tree: Any, name: str = "") -> tuple[Any, dict[str, ndarray]]:
    """Return a state in the terms of JSON, and its arrays by name.

    Parameters
    ----------
    tree : dict with text for keys, list, tuple, array, number, text, bool, or None
        Nested as deep as needed. Tuples become lists.
    name : str
        What the names of the arrays begin with.

    Returns
    -------
    plain : the state, each array replaced by its name
    arrays : dict from names to arrays

    Examples
    --------
    >>> pack({"lr": 0.1, "momentum": {"weight": np.zeros(2)}})
    ({'lr': 0.1, 'momentum': {'weight': {'$array': 'momentum/weight'}}}, {'momentum/weight': array([0., 0.])})
    """
    if isinstance(tree, ndarray):
        if tree.dtype.kind == "U":  # text has no place among the arrays of a safetensors file
            return {TEXTS: tree.tolist()}, {}
        return {ARRAY: name}, {name: tree}
    if isinstance(tree, np.generic):
        return tree.item(), {}
    if isinstance(tree, dict):
        packed = {key: pack(value, f"{name}/{key}".removeprefix("/")) for key, value in tree.items()}
        return (
            {key: plain for key, (plain, _) in packed.items()},
            {key: array for _, arrays in packed.values() for key, array in arrays.items()},
        )
    if isinstance(tree, list | tuple):
        several = [pack(value, f"{name}/{i}".removeprefix("/")) for i, value in enumerate(tree)]
        return [plain for plain, _ in several], {k: a for _, arrays in several for k, a in arrays.items()}
    return tree, {}


def unpack(plain: Any, arrays: dict[str, ndarray]) -> Any:
    """Return the state that `pack` took apart.

    Raises
    ------
    KeyError
        If an array is missing.
    """
    if isinstance(plain, dict):
        if plain.keys() == {ARRAY}:
            return arrays[plain[ARRAY]]
        if plain.keys() == {TEXTS}:
            return np.array(plain[TEXTS], dtype=np.str_)
        return {key: unpack(value, arrays) for key, value in plain.items()}
    if isinstance(plain, list):
        return [unpack(value, arrays) for value in plain]
    return plain
