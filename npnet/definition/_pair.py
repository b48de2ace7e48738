"""One number for both directions, or one for each."""

from __future__ import annotations

from typing import Any

from npnet import check
from npnet.errors import InputError

Pair = int | tuple[int, int]


def pair(value: Any) -> tuple[int, int]:
    """Return (vertical, horizontal)."""
    both = value if isinstance(value, tuple | list) else (value, value)
    if len(both) == 1:
        both = (both[0], both[0])
    if len(both) != 2:
        raise InputError(f"definition: a size must be an integer or a pair of them, got {value!r:.60}")
    return check.integer("definition", "a size", both[0]), check.integer("definition", "a size", both[1])
