import numpy as np

from npnet import plot


def test_lines_are_drawn_beyond_the_points_and_the_later_the_darker():
    fit = plot.Fit(
        "t", np.array([0, 10]), np.array([1, 21]), {"5": (1.0, 0.0), "9": (2.0, 1.0)}, (2.0, 1.0), "r"
    )
    axes = plot.fits([fit]).axes[0]
    first, second, reference = axes.lines
    np.testing.assert_allclose(first.get_xydata(), [[-1.5, -1.5], [11.5, 11.5]])
    np.testing.assert_allclose(second.get_xydata(), [[-1.5, -2.0], [11.5, 24.0]])
    assert sum(second.get_color()) < sum(first.get_color())
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["5", "9", "r"]
    assert reference.get_color() == (0.0, 0.0, 0.0, 1)  # black
