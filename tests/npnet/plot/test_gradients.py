"""Figures of wrong gradients that `gradient_error` alone does not draw."""

import numpy as np

from npnet import explain, plot


def test_a_gradient_of_a_wrong_shape_stands_beside_the_right_one():
    expected = np.arange(1.0, 4.0)
    left, right, *_ = plot.wrong_gradient(explain(expected[np.newaxis], expected)).axes
    assert left.get_title() == "right: shape (3,)"
    assert right.get_title() == "given: shape (1, 3)"


def test_ties_have_rings_in_all_three_pictures():
    x = np.array([[3.0, 1.0, 3.0], [0.5, 2.0, 1.0]])
    right = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    figure = plot.wrong_gradient(explain(1.0 * (x == x.max(axis=1, keepdims=True)), right, x=x))
    for axes in figure.axes[:3]:
        for ring in axes.lines:
            assert ring.get_xydata().tolist() == [[0.0, 0.0], [2.0, 0.0]]
        assert {ring.get_markeredgecolor() for ring in axes.lines} == {"white", "black"}


def test_where_there_are_no_ties_there_are_no_rings():
    expected = np.arange(1.0, 7.0).reshape(2, 3)
    assert not any(axes.lines for axes in plot.wrong_gradient(explain(-expected, expected)).axes)
