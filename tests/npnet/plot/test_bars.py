import re

import numpy as np
import pytest

from npnet import plot
from npnet.errors import InputError
from tests.npnet.plot.figures import NAMES, texts


def test_a_histogram_shows_shares_of_each_part():
    labels = {"training": np.array([0, 0, 0, 2]), "test": np.array([1, 1])}
    figure = plot.class_histogram(labels, NAMES, title="frequencies")
    heights = [[bar.get_height() for bar in bars] for bars in figure.axes[0].containers]
    assert heights == [[75, 0, 25], [0, 100, 0]]
    wanted = {"cat", "class", "share of the samples (%)", "training, 4 samples", "frequencies"}
    assert wanted <= set(texts(figure))


def test_classes_stand_in_the_order_of_their_accuracy():
    figure = plot.accuracy_by_class(np.array([0.2, 0.9, 0.5]), NAMES, overall=0.6, title="t")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["dog", "owl", "cat"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([90, 50, 20])
    assert {"90.0 %", "t"} <= set(texts(figure))


@pytest.mark.parametrize("most", [6, 7])
def test_of_many_classes_the_ends_are_shown(most):
    names = [f"c{i}" for i in range(40)]
    figure = plot.accuracy_by_class(np.arange(40) / 40, names, overall=0.5, most=most)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["c39", "c38", "c37", "c2", "c1", "c0"]
    assert any("34 classes between" in text for text in texts(figure))


def test_a_class_without_samples_is_left_out():
    figure = plot.accuracy_by_class(np.array([np.nan, 0.5, 0.2]), NAMES, overall=0.4)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["dog", "owl"]


BAD = {
    "class_histogram: parts must hold 1 to 3 by name, got 0": lambda: plot.class_histogram({}, NAMES),
    "class_histogram: parts must not be empty, got no label in 'training'": (
        lambda: plot.class_histogram({"training": np.array([], int)}, NAMES)
    ),
    "class_histogram: parts must hold 1 to 3 by name, got 4": (
        lambda: plot.class_histogram({str(i): np.array([0]) for i in range(4)}, NAMES)
    ),
    "accuracy_by_class: accuracies must be 3, one for each of class_names, got 2, of which 2 are numbers": (
        lambda: plot.accuracy_by_class(np.ones(2), NAMES, overall=1.0)
    ),
    "got 3, of which 0 are numbers": lambda: plot.accuracy_by_class(np.full(3, np.nan), NAMES, overall=1.0),
}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_refused(message):
    with pytest.raises(InputError, match=re.escape(message)):
        BAD[message]()
