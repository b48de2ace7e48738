"""A wrong gradient beside the right one, and the error between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.gradcheck import Explanation
from npnet.plot._arguments import MOST_PICTURES, mapping
from npnet.plot._style import GREY, SIGNED, drawing, new_figure

MOST_CELLS = 256  # along either side of a picture
GAP = 1  # cells between the pictures of samples and channels
LETTERS_IN_A_LINE, LETTERS_IN_A_SMALL_LINE = 90, 62
UNKNOWN = "#BBBBBB"


@drawing
def gradient_error(got: ndarray, expected: ndarray, *, title: str = "") -> Figure:
    """Draw the right gradient, the gradient given, and what the one is off by.

    The first two share a colour scale, red above zero and blue below; the error has its own. Arrays of more
    than two axes are drawn as a grid of their last two: rows of the grid are axis 0, columns axis 1. Where
    a value is not known or not finite, its cell is grey.

    Parameters
    ----------
    got : array
        The gradient that backward gave.
    expected : array of the same shape
        The right one; NaN where it is not known.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the shapes differ, or there are no elements.
    DTypeError
        If either is no array of floating-point numbers.

    Examples
    --------
    >>> right = np.arange(12.0).reshape(3, 4)
    >>> figure = gradient_error(-right, right, title="the wrong sign")
    >>> len(figure.axes)
    5
    """
    owner = "gradient_error"
    _check(owner, got, expected)
    pictures = [_grid(_finite(array)) for array in (expected, got, np.asarray(got - expected))]
    height, width = pictures[0].shape
    panel = min(3.2, max(1.6, 3.2 * math.sqrt(height / max(width, 1))))
    figure = new_figure(9.5, panel + 1.3, _wrapped(title))
    left, middle, right = figure.subplots(1, 3)
    size = max(_largest(expected), _largest(got)) or 1.0
    shared = [_draw(axes, picture, size) for axes, picture in zip((left, middle), pictures, strict=False)]
    figure.colorbar(shared[-1], ax=[left, middle], shrink=0.8, location="bottom", aspect=40)
    off = _draw(right, pictures[2], _largest(np.asarray(got - expected)) or 1.0)
    figure.colorbar(off, ax=right, shrink=0.9, location="bottom", aspect=20)
    for axes, name in ((left, "right"), (middle, "given"), (right, "error: given − right")):
        axes.set_title(name, fontsize=10)
    _name_axes(left, expected.shape, height, width)
    return figure


@runtime_checkable
class Explained(Protocol):
    """What has found a wrong gradient: an explanation, or the report of a check or of a comparison."""

    @property
    def first_explanation(self) -> Explanation | None:
        """What is wrong with the first wrong gradient; None where there is none."""


def wrong_gradient(report: Explained, *, title: str = "") -> Figure:
    """Draw the first wrong gradient that a check or a comparison found, as `gradient_error` does.

    A gradient of a wrong shape is drawn beside the right one, without an error between them. Elements at ties
    and kinks, where two inputs are equal or one is at a bend, have a ring.

    Parameters
    ----------
    report : GradcheckReport, Comparison, Explanation, or report of `ptref.parity`
    title : str
        Without one, what is wrong stands above.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the report is something else, or has no wrong gradient.

    Examples
    --------
    >>> from npnet import gradcheck
    >>> def square(x):
    ...     return x**2, lambda grad_y: grad_y * x
    >>> report = gradcheck(square, np.array([1.0, -2.0, 3.0]), raise_error=False)
    >>> wrong_gradient(report).get_suptitle()
    'gradient of x: it is half the right gradient: a factor of 2 is missing'
    """
    kind: Any = Explained  # a protocol, which a type checker takes for no class
    check.instance("wrong_gradient", "report", report, kind, "a report on gradients")
    found = report.first_explanation
    if found is None:
        raise InputError("wrong_gradient: report must have a wrong gradient that was compared, got none")
    headline = (
        f"gradient of {found.name}: {found.sentence}" if isinstance(title, str) and not title else title
    )
    if found.got.shape != found.expected.shape:
        return _of_two_shapes(found.got, found.expected, title=headline)
    figure = gradient_error(found.got, found.expected, title=headline)
    if found.ties is not None:
        for axes in figure.axes[:3]:
            _ring(axes, found.ties)
    return figure


@drawing
def _of_two_shapes(got: ndarray, expected: ndarray, *, title: str) -> Figure:
    """Draw the right gradient and one of another shape side by side."""
    figure = new_figure(9.5, 3.4, _wrapped(title))
    size = max(_largest(got), _largest(expected)) or 1.0
    left, right = figure.subplots(1, 2)
    for axes, name, array in ((left, "right", expected), (right, "given", got)):
        drawn = _draw(axes, _grid(_finite(array)), size)
        axes.set_title(f"{name}: shape {array.shape}", fontsize=10)
    figure.colorbar(drawn, ax=[left, right], shrink=0.8, location="bottom", aspect=40)
    return figure


def _ring(axes: Axes, marked: ndarray) -> None:
    """Put a ring around the cells of elements, unless the picture shows blocks of several."""
    cells = _grid(np.where(marked, 1.0, 0.0))
    if np.isfinite(cells).sum() != marked.size:
        return
    rows, columns = np.nonzero(cells == 1)
    for colour, width in (("white", 3.0), ("black", 1.2)):  # seen on dark cells and on pale ones
        look: dict[str, Any] = {
            "markerfacecolor": "none",
            "markeredgecolor": colour,
            "markeredgewidth": width,
        }
        axes.plot(columns, rows, "o", markersize=9, **look)


@drawing
def gradient_errors(
    errors: Mapping[str, tuple[ndarray, ndarray]], *, columns: int = 3, title: str = ""
) -> Figure:
    """Draw many wrong gradients on one page, each small: right, given, and the error.

    Parameters
    ----------
    errors : mapping from str to (array, array)
        For each caption the gradient given and the right one, as in `gradient_error`.
    columns : int
        How many stand side by side.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are none or more than 200, or an entry is not what `gradient_error` takes.
    DTypeError
        If an entry holds no arrays of floating-point numbers.

    Examples
    --------
    >>> right = np.arange(12.0).reshape(3, 4)
    >>> figure = gradient_errors({"the wrong sign": (-right, right), "twice": (2 * right, right)})
    >>> len(figure.axes)
    6
    """
    owner = "gradient_errors"
    named = mapping(owner, "errors", errors, most=MOST_PICTURES)
    columns = check.integer(owner, "columns", columns, least=1, most=6)
    for name, pair in named.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise InputError(
                f"{owner}: errors must hold a pair of arrays each, got {check.described(pair)} in {name!r}"
            )
        _check(owner, *pair)
    rows = math.ceil(len(named) / columns)
    figure = new_figure(4.2 * columns, 1.55 * rows + 0.2, title)
    panels = figure.subfigures(rows, columns, squeeze=False).ravel()
    for panel, (name, (got, expected)) in zip(panels, named.items(), strict=False):
        panel.suptitle(_wrapped(name, LETTERS_IN_A_SMALL_LINE), fontsize=8)
        size = max(_largest(expected), _largest(got)) or 1.0
        for axes, array in zip(
            panel.subplots(1, 3), (expected, got, np.asarray(got - expected)), strict=True
        ):
            _draw(axes, _grid(_finite(array)), size)
    return figure


def _check(owner: str, got: Any, expected: Any) -> None:
    """Require two arrays of one shape that are not empty."""
    for name, array in (("got", got), ("expected", expected)):
        check.array(owner, name, array, "f")
    check.shape(owner, "got", got, expected.shape, "like expected")
    if not expected.size:
        raise InputError(f"{owner}: expected must have elements, got shape {expected.shape}")


def _draw(axes: Axes, picture: ndarray, size: float) -> AxesImage:
    look: dict[str, Any] = {"interpolation": "nearest", "aspect": "auto"}
    drawn = axes.imshow(picture, cmap=SIGNED, vmin=-size, vmax=size, **look)
    unknown = np.where(np.isnan(picture), 0.0, np.nan)  # gaps, which are infinite, stay white
    axes.imshow(unknown, cmap=ListedColormap([UNKNOWN]), **look)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=GREY, linewidth=0.6)
    return drawn


def _name_axes(axes: Axes, shape: tuple[int, ...], height: int, width: int) -> None:
    """Say what runs along the sides of the pictures."""
    cells = math.prod(shape) > height * width
    note = ", blocks averaged" if cells else ""
    if len(shape) < 2:
        axes.set_xlabel(f"{math.prod(shape)} elements{note}", fontsize=9)
    elif len(shape) == 2:
        axes.set_xlabel(f"axis 1: {shape[1]}{note}", fontsize=9)
        axes.set_ylabel(f"axis 0: {shape[0]}", fontsize=9)
    else:
        axes.set_xlabel(f"axis {len(shape) - 1} within axis 1{note}", fontsize=9)
        axes.set_ylabel(f"axis {len(shape) - 2} within axis 0", fontsize=9)


def _grid(array: ndarray) -> ndarray:
    """Return an array as one picture of at most 256 × 256 cells."""
    if array.ndim < 2:
        return _shrunk(array.reshape(1, -1))
    if array.ndim == 2:
        return _shrunk(array)
    *leading, h, w = array.shape
    rows, columns = leading[0], math.prod(leading[1:])
    tiles = array.reshape(rows, columns, h, w)
    if rows * h > MOST_CELLS or columns * w > MOST_CELLS:  # no room for gaps
        return _shrunk(tiles.transpose(0, 2, 1, 3).reshape(rows * h, columns * w))
    apart = np.pad(tiles, ((0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=np.inf)
    picture = apart.transpose(0, 2, 1, 3).reshape(rows * (h + GAP), columns * (w + GAP))
    return picture[:-GAP, :-GAP]


def _finite(array: ndarray) -> ndarray:
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(array), array, np.nan).astype(np.float64)


def _shrunk(picture: ndarray) -> ndarray:
    """Return a picture of at most 256 × 256 cells, each the mean of a block."""
    for axis in (0, 1):
        size = picture.shape[axis]
        if size > MOST_CELLS:
            starts = np.arange(MOST_CELLS) * size // MOST_CELLS
            counts = np.diff([*starts, size]).reshape((-1, 1) if axis == 0 else (1, -1))
            picture = np.add.reduceat(picture, starts, axis=axis) / counts
    return picture


def _largest(array: ndarray) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def _wrapped(text: str, most: int = LETTERS_IN_A_LINE) -> str:
    """Return a title in lines of so many letters."""
    lines: list[str] = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
