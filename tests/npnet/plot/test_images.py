import matplotlib as mpl
import numpy as np
import pytest

from npnet import plot
from npnet.errors import InputError
from npnet.plot._style import BLUE, ORANGE
from tests.npnet.plot.figures import NAMES

P = np.array([[0.6, 0.4, 0], [0, 0.1, 0.9], [0.3, 0.3, 0.4], [1, 0, 0]])
TARGET = np.array([1, 1, 2, 0])
IMAGES = np.zeros((4, 1, 2, 2))


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def frames(figure):
    shown = [axes for axes in figure.axes if axes.images]
    return [mpl.colors.to_hex(axes.spines["left"].get_edgecolor()).upper() for axes in shown]


def test_the_first_images_are_framed_by_whether_they_were_recognised():
    figure = plot.predictions(IMAGES, TARGET, P, NAMES, most=3, title="t")
    assert titles(figure) == [
        "predicted cat, 60 %\ntrue dog", "predicted owl, 90 %\ntrue dog", "predicted owl, 40 %\ntrue owl",
    ]  # fmt: skip
    assert frames(figure) == [ORANGE, ORANGE, BLUE]
    assert figure.get_suptitle() == "t\n1 of 3 recognised (blue)"


def test_the_most_confident_mistakes_come_first():
    figure = plot.predictions(IMAGES, TARGET, P, NAMES, select="misclassified")
    assert titles(figure) == [
        "predicted owl, 90 %\ntrue dog", "predicted cat, 60 %\ntrue dog",
        "predicted owl, 40 %\ntrue owl", "predicted cat, 100 %\ntrue cat",
    ]  # fmt: skip
    assert frames(figure) == [ORANGE, ORANGE, BLUE, BLUE]
    heading = "2 of 4 misclassified (orange), and the predictions of lowest confidence"
    assert heading in figure.get_suptitle()


def test_many_mistakes_are_cut_off():
    wrong = np.tile([0.0, 1.0, 0.0], (50, 1))
    images, target = np.zeros((50, 3, 2, 2)), np.zeros(50, int)
    figure = plot.predictions(images, target, wrong, NAMES, select="misclassified", most=10)
    assert len(titles(figure)) == 10
    assert "50 of 50 misclassified: the 10 most confident mistakes" in figure.get_suptitle()


def test_the_hardest_come_first_with_their_loss_and_their_share():
    p = np.array([[0.9, 0.1], [np.exp(-4.0), 1 - np.exp(-4.0)], [np.exp(-2.0), 1 - np.exp(-2.0)]])
    figure = plot.predictions(IMAGES[:3], np.zeros(3, int), p, ["cat", "dog"], select="hardest", most=2)
    assert titles(figure) == [
        "predicted dog, 98 %\ntrue cat, loss 4",
        "predicted dog, 86 %\ntrue cat, loss 2",
    ]
    assert "the 2 hardest of 3 make up 98 % of the loss" in figure.get_suptitle()


def test_a_probability_rounded_to_zero_still_has_a_loss():
    certain = np.array([[0.0, 1.0]], np.float32)
    figure = plot.predictions(IMAGES[:1], np.array([0]), certain, ["cat", "dog"], select="hardest")
    assert titles(figure) == ["predicted dog, 100 %\ntrue cat, loss 87"]


def test_the_likeliest_classes_are_bars_and_the_true_one_is_blue():
    figure = plot.predictions(IMAGES, TARGET, P, NAMES, likeliest=2)
    bars = next(axes for axes in figure.axes if axes.patches)
    assert [label.get_text() for label in bars.get_yticklabels()] == ["cat", "dog"]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([60, 40])
    assert [mpl.colors.to_hex(bar.get_facecolor()).upper() for bar in bars.patches] == ["#AAAAAA", BLUE]


def test_images_fill_rows_that_have_names():
    figure = plot.predictions(IMAGES, TARGET, P, NAMES, row_names=["before", "after"])
    assert [axes.get_ylabel() for axes in figure.axes] == ["before", "", "after", ""]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"target": np.zeros(3, int)}, "of one n, got .*4, 1, 2, 2"),
        ({"images": np.zeros((0, 1, 2, 2))}, r"images must have shape \(n, c, h, w\), none of them 0"),
        (
            {"row_names": ["a", "b", "c"]},
            "row_names must name rows of 1 to 40 images each, got 3 for 4 images",
        ),
        ({"select": "easiest"}, "select must be one of first, misclassified, hardest, got 'easiest'"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    good = {"images": IMAGES, "target": TARGET, "probabilities": P}
    with pytest.raises(InputError, match=message):
        plot.predictions(**(good | changed))
