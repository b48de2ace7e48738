import io
import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from npnet.errors import InputError
from npnet.plot import cifar as plot_cifar
from npnet.train import Epoch, History

NAMES = ("cat", "dog", "owl")


def history(losses):
    return History([Epoch(i, 1.0, 0.5, loss, 0.5, 0.1, 2.0, 10.0) for i, loss in enumerate(losses, start=1)])


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def drawn(figure):
    """Return the pixels of the saved figure, in 0…1."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    return imread(file)


def figures():
    rng = np.random.default_rng(0)
    images = rng.random((3, 3, 8, 8))
    p = np.eye(3)[[0, 2, 2]] * 0.8 + 0.05
    return {
        "by class": plot_cifar.accuracy_by_class(np.array([0.2, 0.9, 0.5]), NAMES, overall=0.6),
        "shifts": plot_cifar.shifts({-1: 0.7, 0: 0.8, 1: 0.75}, {-1: 0.1, 0: 0.0, 1: 0.08}),
        "turned": plot_cifar.turned(
            list(zip(images, images[::-1], strict=True)), np.stack([p, p[::-1]], axis=1), np.arange(3), NAMES
        ),
        "predictions": plot_cifar.predictions(images, np.arange(3), p, NAMES),
        "descents": plot_cifar.descents({"one": history([2.0, 1.0])}, {"one": 1}),
    }


@pytest.mark.parametrize("name", figures())
def test_a_figure_has_a_white_ground_and_something_on_it(name):
    pixels = drawn(figures()[name])
    np.testing.assert_array_equal(pixels[0, 0], 1)
    assert (pixels < 0.9).any(axis=-1).mean() > 0.01


def test_classes_stand_in_the_order_of_their_accuracy():
    figure = plot_cifar.accuracy_by_class(np.array([0.2, 0.9, 0.5]), NAMES, overall=0.6, title="t")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["dog", "owl", "cat"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([90, 50, 20])
    assert {"90.0 %", "t"} <= set(texts(figure))


def test_of_many_classes_the_ends_are_shown():
    names = [f"c{i}" for i in range(40)]
    figure = plot_cifar.accuracy_by_class(np.arange(40) / 40, names, overall=0.5, most=6)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["c39", "c38", "c37", "c2", "c1", "c0"]
    assert any("34 classes between" in text for text in texts(figure))


def test_a_class_without_members_is_left_out():
    figure = plot_cifar.accuracy_by_class(np.array([np.nan, 0.5, 0.2]), NAMES, overall=0.4)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["dog", "owl"]


def test_guessing_is_drawn_where_a_shift_comes_near_it():
    changed = {-1: 0.1, 0: 0.0, 1: 0.3}
    far = plot_cifar.shifts({-1: 0.8, 0: 0.9, 1: 0.8}, changed)
    near = plot_cifar.shifts({-1: 0.8, 0: 0.9, 1: 0.55}, changed)
    assert "guessing: 50 %" not in texts(far)
    assert "guessing: 50 %" in texts(near)


def test_descents_are_drawn_against_epochs_and_time():
    figure = plot_cifar.descents({"a": history([3.0, 2.0]), "b": history([1.0])}, {"a": 1, "b": 1401})
    left, right = figure.axes
    assert left.lines[0].get_xydata().tolist() == [[1, 3], [2, 2]]
    assert right.lines[0].get_xydata().tolist() == [[2, 3], [4, 2]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "a: 1 update an epoch",
        "b: 1 401 updates an epoch",
    ]


def test_images_are_framed_by_whether_they_were_recognised():
    figure = figures()["turned"]
    colours = [mpl.colors.to_hex(axes.spines["left"].get_edgecolor()).upper() for axes in figure.axes]
    right = [True, False, True, False, False, False]
    assert colours == [plot_cifar.BLUE if each else plot_cifar.ORANGE for each in right]


BAD = {
    "accuracy_by_class: accuracies must be 3, one for each of class_names, got 2, of which 2 are numbers": (
        lambda: plot_cifar.accuracy_by_class(np.ones(2), NAMES, overall=1.0)
    ),
    "got 3, of which 0 are numbers": (
        lambda: plot_cifar.accuracy_by_class(np.full(3, np.nan), NAMES, overall=1.0)
    ),
    "got [1] and [1]": lambda: plot_cifar.shifts({1: 0.5}, {1: 0.5}),
    "got [0] and [0, 1]": lambda: plot_cifar.shifts({0: 0.5}, {0: 0.5, 1: 0.5}),
    "got 0, 0 and 0": lambda: plot_cifar.turned([], np.empty((0, 2, 3)), np.empty(0, int), NAMES),
    "predictions: images": (
        lambda: plot_cifar.predictions(np.ones((2, 3, 4, 4)), np.zeros(1, int), np.ones((2, 3)), NAMES)
    ),
    "descents: runs must have finished an epoch or more, got none": lambda: plot_cifar.descents(
        {"a": History()}, {"a": 1}
    ),
    "descents: runs must hold 1 to 4 by name, got 0": lambda: plot_cifar.descents({}, {}),
    "descents: runs must have a validation loss for each epoch, a has not": (
        lambda: plot_cifar.descents({"a": history([1.0, None])}, {"a": 1})
    ),
}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_refused(message):
    with pytest.raises(InputError, match=re.escape(message)):
        BAD[message]()
