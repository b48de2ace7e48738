"""What other packages announce to npnet by entry points: engines, commands, references to compare with."""

from __future__ import annotations

import os
import sys
import tomllib
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from npnet.errors import InputError, MissingError

_DISTRIBUTION = "npnet-backprop"
_PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"  # there in a source checkout alone


def announced(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by their names, in alphabetical order; nothing is loaded.

    A source checkout need not be installed: what its ``pyproject.toml`` announces counts too.

    Examples
    --------
    >>> announced("npnet.no_such_group")
    {}
    """
    points = {point.name: point for point in _installed(group, _places())}
    own = {name: EntryPoint(name, value, group) for name, value in _checkout().get(group, {}).items()}
    return dict(sorted((points | own).items()))


@lru_cache(maxsize=16)
def _installed(group: str, _places: tuple[Any, ...]) -> tuple[EntryPoint, ...]:
    """Return the entry points of what is installed; to look through it all takes some milliseconds."""
    return tuple(entry_points(group=group))


def _places() -> tuple[tuple[str, int], ...]:
    """Return where packages are looked for, and when something came or went there."""
    return tuple((place, _changed(place or ".")) for place in sys.path)


def _changed(place: str) -> int:
    try:
        return os.stat(place).st_mtime_ns  # noqa: PTH116 - a name that is no path raises nothing else here
    except (OSError, ValueError):
        return 0


def load(point: EntryPoint) -> Any:
    """Return what an entry point names.

    Raises
    ------
    MissingError
        If it cannot be imported; the message says what announces it.
    """
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise MissingError(
            f"{point.name}, announced as {point.value} in the group {point.group}, cannot be loaded "
            f"({error}); install the package that has it again"
        ) from error


@cache
def _checkout() -> dict[str, dict[str, str]]:
    """Return the entry points of the source checkout that this package is used from, by group."""
    if not _PYPROJECT.is_file():
        return {}
    try:
        project = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError) as error:
        raise InputError(f"{_PYPROJECT} cannot be read ({error})") from error
    if project.get("name") != _DISTRIBUTION:
        return {}
    groups: dict[str, dict[str, str]] = project.get("entry-points", {})
    return groups
