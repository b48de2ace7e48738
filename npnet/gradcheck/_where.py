"""Where in a gradient the error stands: in words, and as a heat map of characters."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet._words import counted

ROWS, COLUMNS = 12, 48  # of the heat map, at most
LEVELS = ((0.01, "░"), (0.1, "▒"), (0.5, "▓"), (np.inf, "█"))
RIGHT, UNKNOWN, TIE = "·", "?", "="
LEGEND = "· right  ░ off by < 1 %  ▒ < 10 %  ▓ < 50 %  █ more, of the largest value"
MOST_NAMED = 4  # indices along an axis that are named one by one


def in_words(wrong: ndarray, names: tuple[str, ...], known: ndarray) -> str:
    """Say how many elements are wrong, and in which slices they all lie."""
    count, looked = int(wrong.sum()), int(known.sum())
    of = f"{count} of {counted(looked, 'element')}" + ("" if known.all() else " looked at")
    places = [text for axis in range(wrong.ndim) if (text := _along(wrong, axis, names[axis]))]
    share = f" ({100 * count / looked:.0f} %)" if looked else ""
    return f"{of} wrong{share}" + (f": {', '.join(places)}" if places else "")


def _along(wrong: ndarray, axis: int, name: str) -> str:
    """Name the indices along an axis at which something is wrong, unless it is all or most of them."""
    others = tuple(other for other in range(wrong.ndim) if other != axis)
    found = [int(i) for i in np.flatnonzero(wrong.any(axis=others))]
    size = wrong.shape[axis]
    if not found or len(found) == size:
        return ""
    if len(found) <= MOST_NAMED:
        shown = ", ".join(map(str, found))
        return f"{name if len(found) == 1 else name + 's'} {shown} of 0…{size - 1}"
    if found[-1] - found[0] + 1 == len(found):
        return f"{name}s {found[0]}…{found[-1]} of 0…{size - 1}"
    return f"{len(found)} of {size} {name}s"


def folded(array: ndarray) -> ndarray:
    """Return an array as a matrix: its last two axes, and of all others the largest value."""
    if array.ndim < 2:
        return array.reshape(1, -1)
    return np.asarray(array.max(axis=tuple(range(array.ndim - 2)), initial=-np.inf))


def shrunk(matrix: ndarray, rows: int, columns: int) -> ndarray:
    """Return a matrix of at most so many rows and columns, each cell the largest of a block."""
    for axis, most in ((0, rows), (1, columns)):
        size = matrix.shape[axis]
        if size > most:
            starts = np.arange(most) * size // most
            matrix = np.maximum.reduceat(matrix, starts, axis=axis)
    return matrix


def heat_map(difference: ndarray, scale: float, tolerance: float, ties: ndarray | None = None) -> list[str]:
    """Draw the error as lines of characters, from right to more than half of the largest value.

    Parameters
    ----------
    difference : array
        What backward gave minus what is right; NaN where that is not known.
    scale : float
        The largest value.
    tolerance : float
        Up to which a difference counts as right.
    ties : boolean array, optional
        What is right there is marked.

    Returns
    -------
    lines : list of str
    """
    if not difference.size:
        return []
    size = np.where(np.isnan(difference), -1.0, np.abs(difference))
    matrix = shrunk(folded(size), ROWS, COLUMNS)
    marked = np.zeros(size.shape) if ties is None else ties.astype(np.float64)
    rows = zip(matrix, shrunk(folded(marked), ROWS, COLUMNS), strict=True)
    return [
        "".join(_character(value, scale, tolerance, tie=bool(tie)) for value, tie in zip(*row, strict=True))
        for row in rows
    ]


def _character(value: float, scale: float, tolerance: float, *, tie: bool) -> str:
    if value < 0:
        return UNKNOWN
    if value <= tolerance:
        return TIE if tie else RIGHT
    return next(character for below, character in LEVELS if value < below * scale or below == np.inf)


def map_title(shape: tuple[int, ...]) -> str:
    """Say what the heat map shows of an array."""
    if len(shape) < 2:
        return "where the error stands"
    text = "where the error stands, rows × columns"
    leading = " × ".join(map(str, shape[:-2]))
    folded_text = f", the largest of {leading} {'maps' if len(shape) > 2 else ''}" if len(shape) > 2 else ""
    small = shape[-2] <= ROWS and shape[-1] <= COLUMNS
    return text + folded_text + ("" if small else ", neighbours taken together")
