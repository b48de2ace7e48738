"""Confusion matrices."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.plot._arguments import Names, names_of
from npnet.plot._style import BLUE, ORANGE, class_ticks, drawing, longest, new_figure
from npnet.shapes import Integer

MOST_CLASSES_WITH_NUMBERS = 30
MOST_CLASSES_WITH_LINES = 150


@drawing
def confusion(
    matrix: Integer[ndarray, "classes classes"], class_names: Names | None = None, *, title: str = ""
) -> Figure:
    """Draw a confusion matrix: what is right in blue along the diagonal, each kind of mistake in orange.

    Mistakes have a colour scale of their own; beside the diagonal of a good model they would be invisible.

    Parameters
    ----------
    matrix : integer array, shape (classes, classes)
        Counts of 0 or more, a row for each true class, as `npnet.metrics.confusion_matrix` returns them.
    class_names : sequence of str, optional
        One for each class; without it, their numbers.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the matrix is not square or holds no counts, or the names are not one for each class.
    DTypeError
        If the matrix does not hold integers.
    """
    matrix = check.array("confusion", "matrix", matrix, "iu").astype(np.int64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size or matrix.min() < 0:
        lowest = f", the lowest {matrix.min()}" if matrix.size else ""
        raise InputError(
            "confusion: matrix must be counts of at least 0, of shape (classes, classes), "
            f"got {matrix.shape}{lowest}"
        )
    class_names = names_of("confusion", class_names, len(matrix))
    classes = len(class_names)
    with_numbers = classes <= MOST_CLASSES_WITH_NUMBERS
    side = float(np.clip(2 + 0.42 * classes, 4.5, 14))
    figure = new_figure(side, side, title)
    axes = figure.subplots()
    axes.imshow(_colours(matrix))
    if with_numbers:
        size = 9 if classes <= 15 else 7
        for true, predicted in np.argwhere(matrix):
            count = str(matrix[true, predicted])
            axes.text(predicted, true, count, ha="center", va="center", color="black", fontsize=size)
    size = 9 if with_numbers else 5
    axes.set_xticks(*class_ticks(class_names), fontsize=size, rotation=90 if longest(class_names) > 2 else 0)
    axes.set_yticks(*class_ticks(class_names), fontsize=size)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if classes <= MOST_CLASSES_WITH_LINES:  # lines between the cells, drawn at minor ticks
        axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.grid(visible=True, which="minor", color="#BBBBBB", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
    return figure


def _colours(matrix: ndarray) -> ndarray:
    """Return an image: diagonal and mistakes on a scale of their own each, pale enough for black numbers."""
    diagonal = np.eye(len(matrix), dtype=bool)
    image = np.ones((*matrix.shape, 4))
    for cells, colour in ((diagonal, BLUE), (~diagonal, ORANGE)):
        shade = LinearSegmentedColormap.from_list("", ["white", colour])
        relative = matrix[cells] / max(matrix[cells].max(initial=0), 1)
        image[cells] = shade(np.where(relative > 0, 0.15 + 0.45 * relative, 0))
    return image
