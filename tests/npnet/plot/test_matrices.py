import numpy as np
import pytest

from npnet import plot
from npnet.errors import InputError
from tests.npnet.plot.figures import NAMES, texts


def test_a_confusion_matrix_shows_names_and_counts():
    figure = plot.confusion(np.array([[7, 0, 0], [0, 8, 5], [0, 0, 9]]), NAMES)
    shown = texts(figure)
    assert {*NAMES, "7", "8", "5", "9", "predicted class", "true class"} <= set(shown)
    assert "0" not in shown


def test_mistakes_have_a_colour_of_their_own_and_no_mistake_has_none():
    figure = plot.confusion(np.array([[900, 1], [0, 900]]))
    right, mistake, none = (figure.axes[0].images[0].get_array()[place] for place in ((0, 0), (0, 1), (1, 0)))
    assert right[2] > right[0]  # blue
    assert mistake[0] > mistake[2] + 0.3  # orange, as strong as mistakes come here
    np.testing.assert_array_equal(none, 1)


def test_very_many_classes_are_drawn_and_some_of_them_named():
    figure = plot.confusion(np.eye(1000, dtype=int))
    assert len(figure.axes[0].get_xticks()) == 100
    assert len(figure.axes[0].get_xticks(minor=True)) == 0


@pytest.mark.usefixtures("bare")
def test_another_number_of_names_is_refused():
    with pytest.raises(InputError, match="confusion: class_names must be 2 names, got 3"):
        plot.confusion(np.eye(2, dtype=int), NAMES)
