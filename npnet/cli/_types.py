"""What the options of the command line take: text becomes a number or a folder here, or is refused."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from npnet import engines
from npnet._limits import MOST, MOST_THREADS, SEEDS
from npnet.errors import InputError


def positive(text: str) -> int:
    """Return a positive integer."""
    return _integer(text, 1, MOST, "a positive integer")


def threads(text: str) -> int:
    """Return a number of threads."""
    return _integer(text, 1, MOST_THREADS, f"an integer from 1 to {MOST_THREADS}")


def seed(text: str) -> int:
    """Return a seed."""
    return _integer(text, 0, SEEDS - 1, "an integer of at least 0")


def engine(text: str) -> str:
    """Return the name of an engine, or of several."""
    try:
        engines.chosen(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("engine ")) from None
    return text


def _integer(text: str, least: int, most: int, expected: str) -> int:
    digits = text.isascii() and text.isdigit()
    # Python refuses to read thousands of digits.
    number = int(text) if digits and len(text) <= len(str(most)) else least - 1
    if least <= number <= most:
        return number
    if digits and len(text.lstrip("0")) >= len(str(most)):
        expected = f"at most {most}"
    raise argparse.ArgumentTypeError(f"must be {expected}, got {_shown(text)}")


def positive_float(text: str) -> float:
    """Return a positive number."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, got {_shown(text)}")
    return number


def folder(text: str) -> Path:
    """Return a folder, whether it is there or not; ``~`` is someone's home."""
    if not text:  # would be the current folder
        raise argparse.ArgumentTypeError("must name a folder, got ''")
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"must name a folder, got {_shown(text)}")
    if not text.startswith("~") or os.path.lexists(text):
        return Path(text)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(
            f"must name a folder, got {_shown(text)}: that home is not known; "
            f"write ./{text} for a folder of that name"
        ) from None


def folder_there(text: str) -> Path:
    """Return a folder that is there."""
    if not text or not os.path.isdir(found := folder(text)):  # noqa: PTH112 - pathlib's raises, of long names
        raise argparse.ArgumentTypeError(f"must be a folder that is there, got {_shown(text)}")
    return found


def _shown(text: str) -> str:
    """Return what was typed, all of it only if it is short."""
    return repr(text) if len(text) <= 100 else f"{text[:60]!r} and {len(text) - 60} more characters"
