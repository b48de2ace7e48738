"""Sizes given as one integer for both axes or as a pair."""

from __future__ import annotations

from typing import Any

from npnet import check
from npnet.errors import InputError

Pair = int | tuple[int, int]


def pair(value: Any) -> tuple[int, int]:
    """Return a size as a pair (vertical, horizontal)."""
    sizes = value if isinstance(value, tuple | list) else (value, value)
    if len(sizes) == 1:
        sizes = (sizes[0], sizes[0])
    if len(sizes) != 2:
        raise InputError(f"definition: a size must be an integer or a pair of integers, got {value!r:.60}")
    return check.integer("definition", "a size", sizes[0]), check.integer("definition", "a size", sizes[1])
