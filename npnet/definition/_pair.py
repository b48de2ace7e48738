"""One number for both directions, or one for each."""

from __future__ import annotations

Pair = int | tuple[int, int]


def pair(value: Pair) -> tuple[int, int]:
    """Return (vertical, horizontal)."""
    return (value, value) if isinstance(value, int) else value
