import io

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.image import imread

from npnet import plot
from npnet.errors import InputError
from npnet.train import Epoch, History

NAMES = ("cat", "dog", "owl")


def history(epochs=3, *, accuracy=0.5, loss=1.0):
    made = [Epoch(i, loss / i, accuracy, loss / i, accuracy, 0.1, 1.0, 10.0) for i in range(1, epochs + 1)]
    return History(made, best_epoch=epochs)


def drawn(figure):
    """Return the pixels of the saved figure, in 0…1."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    return imread(file)


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def figures():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(6, 1, 8, 8)).astype(np.float32)
    certain = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    return {
        "learning curves": plot.learning_curves(history(), title="cats"),
        "confusion": plot.confusion(np.diag([3, 4, 5]), NAMES),
        "filters": plot.filters(rng.normal(size=(4, 1, 3, 3))),
        "misclassified": plot.misclassified(images, np.array([0, 1, 2, 0, 1, 1]), certain, NAMES),
    }


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("name", figures())
def test_figures_have_an_opaque_white_ground_and_dark_text_under_any_style(style, name):
    with matplotlib.style.context(style):
        figure = figures()[name]
        pixels = drawn(figure)
    np.testing.assert_array_equal(pixels[..., 3], 1)
    np.testing.assert_array_equal(pixels[0, 0], 1)
    for text in figure.findobj(mpl.text.Text):
        assert sum(mpl.colors.to_rgb(text.get_color())) < 1.5


def test_nothing_is_left_changed_in_matplotlib():
    before = dict(mpl.rcParams)
    figures()
    assert dict(mpl.rcParams) == before


def test_learning_curves_name_axes_parts_and_units():
    figure = plot.learning_curves(history(), loss_label="cross-entropy (nats)")
    assert {"epoch", "cross-entropy (nats)", "accuracy (%)", "training", "validation"} <= set(texts(figure))
    np.testing.assert_allclose(figure.axes[1].get_lines()[0].get_ydata(), 50)


def test_without_accuracies_there_is_one_panel():
    assert len(plot.learning_curves(history(accuracy=None)).axes) == 1


def test_runs_side_by_side_are_told_apart_by_name():
    shown = texts(plot.learning_curves({"npnet": history(), "torch": history()}))
    assert {"npnet training", "torch validation"} <= set(shown)


def test_a_loss_of_zero_or_less_can_be_drawn():
    assert plot.learning_curves(history(loss=0.0)).axes[0].get_yscale() == "linear"


def test_a_confusion_matrix_shows_names_and_counts():
    figure = plot.confusion(np.array([[7, 0, 0], [0, 8, 5], [0, 0, 9]]), NAMES)
    shown = texts(figure)
    assert {*NAMES, "7", "8", "5", "9", "predicted class", "true class"} <= set(shown)
    assert "0" not in shown


def test_the_surest_mistakes_come_first_and_are_framed():
    probabilities = np.array([[0.6, 0.4, 0], [0, 0.1, 0.9], [0.3, 0.3, 0.4], [1, 0, 0]])
    figure = plot.misclassified(np.zeros((4, 1, 2, 2)), np.array([1, 1, 2, 0]), probabilities, NAMES)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == [
        "predicted owl, 90 %\ntrue dog",
        "predicted cat, 60 %\ntrue dog",
        "predicted owl, 40 %\ntrue owl",
        "predicted cat, 100 %\ntrue cat",
    ]
    assert [axes.axison for axes in figure.axes[:4]] == [True, True, False, False]
    assert "2 of 4 misclassified (framed)" in figure.get_suptitle()


def test_many_mistakes_are_cut_off():
    wrong = np.tile([0.0, 1.0, 0.0], (50, 1))
    figure = plot.misclassified(np.zeros((50, 3, 2, 2)), np.zeros(50, int), wrong, NAMES, most=10)
    assert sum(bool(axes.get_title()) for axes in figure.axes) == 10
    assert "50 of 50 misclassified: the 10 surest mistakes" in figure.get_suptitle()


def test_filters_of_colour_images_are_drawn_in_colour():
    weight = np.zeros((2, 3, 2, 2))
    weight[0, 0] = 1  # answers to red
    (image,) = plot.filters(weight).axes[0].get_images()
    np.testing.assert_allclose(image.get_array()[0, 0], [1, 0.5, 0.5])


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot.learning_curves(History()), "must have finished an epoch"),
        (
            lambda: plot.confusion(np.eye(2, dtype=int), NAMES),
            "class_names must be 2, one for each class there is, got 3",
        ),
        (lambda: plot.filters(np.ones((3, 4))), r"must have shape .* got \(3, 4\)"),
        (
            lambda: plot.misclassified(np.ones((2, 1, 3, 3)), np.ones(3, int), np.ones((2, 3)), NAMES),
            "must fit",
        ),
    ],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(InputError, match=message):
        draw()


# ---- in a notebook, and whatever the classes are called --------------------------------------------------


def test_a_notebook_shows_a_figure_by_itself(monkeypatch):
    """As IPython asks: by its method, or by IPython's own way, where IPython is there."""
    figure = plot.confusion(np.diag([3, 4, 5]), NAMES)
    with matplotlib.style.context("dark_background"):
        png, size = figure._repr_png_()
    assert imread(io.BytesIO(png))[0, 0].tolist() == [1, 1, 1, 1]
    width, height = figure.get_size_inches()
    assert size == {"width": round(80 * width), "height": round(80 * height)}
    try:
        from IPython.core.formatters import DisplayFormatter
    except ModuleNotFoundError:
        return
    data, metadata = DisplayFormatter().format(figure)
    assert (data["image/png"], metadata["image/png"]) == (png, size)


def test_every_figure_is_one_that_a_notebook_shows_and_that_no_window_belongs_to():
    from matplotlib import pyplot as plt

    for figure in figures().values():
        assert hasattr(figure, "_repr_png_")
        assert isinstance(figure, mpl.figure.Figure)
    assert plt.get_fignums() == []


ODD_NAMES = ["$5 to $10", r"$\frac{1}$", "a_b^{", r"\$", "a\nb", "\x00", "\udcff"]


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_are_drawn_as_they_stand():
    """Between dollar signs matplotlib sees a formula, and fails if it is none."""
    figure = plot.confusion(np.eye(7, dtype=int), ODD_NAMES, title=ODD_NAMES[1])
    figure.canvas.draw()
    labels = [label for label in figure.axes[0].get_yticklabels() if label.get_text()]
    shown = [label._preprocess_math(label.get_text()) for label in labels]
    assert [text for text, _ in shown[:4]] == ODD_NAMES[:4]
    assert not any(is_formula for _, is_formula in shown)


@pytest.mark.parametrize("form", [list, tuple, np.array, lambda names: np.array(names, dtype=object)])
def test_classes_come_in_a_list_or_an_array_or_are_numbered(form):
    matrix = np.diag([3, 4, 5]).astype(np.uint8)
    assert set(NAMES) <= set(texts(plot.confusion(matrix, form(list(NAMES)))))
    assert {"0", "1", "2"} <= set(texts(plot.confusion(matrix)))
    assert {"0", "1", "2"} <= set(texts(plot.confusion(matrix, range(3))))


def test_very_many_classes_are_drawn_and_some_of_them_named():
    figure = plot.confusion(np.eye(1000, dtype=int))
    assert len(figure.axes[0].get_xticks()) == 100
    assert len(figure.axes[0].get_xticks(minor=True)) == 0


def test_of_very_many_filters_the_first_are_drawn():
    figure = plot.filters(np.ones((256, 1, 2, 2)), title="mine")
    assert "the first 128 of 256" in figure.get_suptitle()
    assert sum(bool(axes.images) for axes in figure.axes) == 128


def test_the_smallest_integer_has_a_size():
    """|−128| is −128 in eight bits."""
    image = plot.filters(np.full((1, 1, 2, 2), -128, np.int8)).axes[0].images[0]
    assert image.get_clim() == (-128, 128)


@pytest.mark.parametrize("losses", [[1.0, float("nan")], [float("nan")], [1.0, float("inf")]])
def test_a_run_that_diverged_is_drawn(losses):
    diverged = History([Epoch(i, loss, None, None, None, 0.1, 1.0, 10.0) for i, loss in enumerate(losses, 1)])
    plot.learning_curves(diverged).canvas.draw()


def test_a_run_without_an_epoch_draws_nothing_beside_others():
    figure = plot.learning_curves({"done": history(), "interrupted": History()})
    assert {text for text in texts(figure) if "interrupted" in text} == set()
