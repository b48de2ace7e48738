import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest

from npnet.errors import InputError
from npnet.plot import digits as plot_digits
from npnet.train import Epoch, History

NAMES = ("cat", "dog", "owl")


def history(epochs=3, *, accuracy=0.9):
    made = [
        Epoch(i, 1 / i, accuracy, 2 / i, accuracy - 0.01 * i, 0.1, 1.0, 10.0) for i in range(1, epochs + 1)
    ]
    return History(made, best_epoch=epochs)


def figures():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(6, 1, 8, 8)).astype(np.float32)
    probabilities = rng.dirichlet(np.ones(3), size=6)
    return {
        "weights": plot_digits.weight_images({"λ = 0": rng.normal(size=(3, 8, 8))}, NAMES, title="weights"),
        "hardest": plot_digits.hardest(images, np.array([0, 1, 2, 0, 1, 1]), probabilities, NAMES),
        "curves": plot_digits.curves({"depth": {"shallow": history(), "deep": history(2)}}, title="curves"),
        "untrained": plot_digits.untrained([0.0, 1.0, 2.0], [2.3, 2.4, 5.0], 10),
        "standings": plot_digits.standings({"one": (0.9, 0.92), "two": (0.98, 0.97)}, must_reach=0.98),
        "size": plot_digits.against_size({"error": {"svm": {10: 3.0, 100: 1.0}}}, size_label="digits"),
    }


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("name", figures())
def test_figures_have_a_white_ground_and_dark_text_under_any_style(style, name):
    with matplotlib.style.context(style):
        figure = figures()[name]
        figure.canvas.draw()
    assert figure.get_facecolor() == (1, 1, 1, 1)
    for text in figure.findobj(mpl.text.Text):
        assert sum(mpl.colors.to_rgb(text.get_color())) < 1.5


def test_weights_have_a_row_of_named_classes_and_a_scale_for_each_model():
    small, large = np.full((3, 4, 4), 0.5), np.full((3, 4, 4), -8.0)
    figure = plot_digits.weight_images({"small": small, "large": large}, NAMES)
    images = [image for axes in figure.axes for image in axes.images]
    assert [image.get_clim() for image in images] == [(-0.5, 0.5)] * 3 + [(-8.0, 8.0)] * 3
    assert [axes.get_title() for axes in figure.axes[:3]] == list(NAMES)
    assert figure.axes[3].get_ylabel() == "large"


def test_weights_that_are_all_zero_can_be_drawn():
    plot_digits.weight_images({"zero": np.zeros((3, 4, 4))}, NAMES).canvas.draw()


def test_the_hardest_come_first_with_their_loss_and_their_share():
    images = np.zeros((3, 1, 4, 4), np.float32)
    p = np.array([[0.9, 0.1], [np.exp(-4.0), 1 - np.exp(-4.0)], [np.exp(-2.0), 1 - np.exp(-2.0)]])
    figure = plot_digits.hardest(images, np.zeros(3, int), p, ("cat", "dog"), most=2)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["true cat: loss 4\ndog to 98 %", "true cat: loss 2\ndog to 86 %"]
    assert any("the 2 hardest of 3 make up 98 % of the loss" in text for text in texts(figure))


def test_a_probability_rounded_to_zero_still_has_a_loss():
    images = np.zeros((1, 1, 4, 4), np.float32)
    certain = np.array([[0.0, 1.0]], np.float32)
    figure = plot_digits.hardest(images, np.array([0]), certain, ("cat", "dog"))
    assert figure.axes[0].get_title() == "true cat: loss 87\ndog to 100 %"


def test_each_network_has_a_colour_and_a_dot_where_its_weights_were_kept():
    figure = plot_digits.curves({"depth": {"shallow": history(), "deep": history(2)}})
    right = figure.axes[1]
    dots = [(line.get_color(), line.get_xdata()[0]) for line in right.lines if line.get_marker() == "o"]
    assert dots == [(plot_digits.COLOURS[0], 3), (plot_digits.COLOURS[1], 2)]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["shallow", "deep"]


@pytest.mark.parametrize(
    ("low", "high"), [(0.05, 1.0), (0.5, 0.9), (0.9, 0.92), (0.985, 0.992), (0.97, 0.97)]
)
def test_accuracies_of_any_range_have_ticks_to_read_them_by(low, high):
    figure = plot_digits.standings({"one": (low, high)})
    figure.canvas.draw()
    axes = figure.axes[0]
    first, last = axes.get_xlim()
    assert first < 100 * low <= 100 * high < last or high == 1
    assert sum(first <= tick <= last for tick in axes.get_xticks()) >= 1 if low == high else 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: plot_digits.weight_images({}, NAMES),
            "weight_images: rows must hold 1 to 20 by name, got 0",
        ),
        (lambda: plot_digits.weight_images({"a": np.zeros((2, 4, 4))}, NAMES), r"got \[2\]"),
        (
            lambda: plot_digits.hardest(
                np.zeros((0, 1, 2, 2)), np.zeros(0, int), np.zeros((0, 2)), ["a", "b"]
            ),
            r"images must have shape \(n, c, h, w\), none of them 0",
        ),
        (lambda: plot_digits.curves({}), "curves: panels must hold 1 to 20 by name, got 0"),
        (lambda: plot_digits.curves({"x": {}}), "curves: panels of 'x' must hold 1 to 8 by name, got 0"),
        (lambda: plot_digits.untrained([0.0, 1.0], [2.3], 10), "got 1 for 2 scales"),
        (lambda: plot_digits.standings({}), "standings: accuracies must hold 1 to 200 by name, got 0"),
        (
            lambda: plot_digits.against_size({}, size_label="n"),
            "against_size: panels must hold 1 to 20 by name, got 0",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(bare, call, message):
    with pytest.raises(InputError, match=message):
        call()
