import io

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from npnet.errors import InputError
from npnet.plot import plane as plot_plane
from npnet.plot.plane import Fit, Surface

CLASSES = ("class 0", "class 1")
X = np.array([[-2.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
Y = np.array([0, 0, 1, 0])  # the last is misclassified


def halves(x):
    """Choose class 1 to the right of the axis, the surer the further."""
    right = 1 / (1 + np.exp(-2 * x[:, 0]))
    return np.stack([1 - right, right], axis=1)


def thirds(x):
    score = np.exp(np.stack([x[:, 0], -x[:, 0], x[:, 1]], axis=1))
    return score / score.sum(axis=1, keepdims=True)


SURFACE = Surface("halves", X, Y, halves)


def figures():
    values = {"SVM": np.array([0.9, 0.8, 0.7]), "network": np.array([0.8, 0.8, 0.9])}
    return {
        "surfaces": plot_plane.surfaces(
            [SURFACE, None, Surface("thirds", X, Y, thirds)], (*CLASSES, "class 2")
        ),
        "fits": plot_plane.fits([Fit("line", X[:, 0], X[:, 1], {"now": (1.0, 0.0)}, (2.0, 0.0), "true")]),
        "losses": plot_plane.losses({"run": {"a": [3.0, 0.2], "b": [2.0, 0.1]}}, loss_label="loss"),
        "duel": plot_plane.duel({"accuracy": values}),
    }


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("name", figures())
def test_figures_read_the_same_under_any_style(style, name):
    with matplotlib.style.context(style):
        figure = figures()[name]
        file = io.BytesIO()
        figure.savefig(file, format="png")
    file.seek(0)
    pixels = imread(file)
    np.testing.assert_array_equal(pixels[..., 3], 1)
    np.testing.assert_array_equal(pixels[0, 0], 1)
    for text in figure.findobj(mpl.text.Text):
        assert sum(mpl.colors.to_rgb(text.get_color())) < 1.5
    for axes in figure.axes:
        assert not axes.axison or (axes.get_ylabel() and (axes.get_xlabel() or axes.get_xticklabels()))


def test_the_ground_has_the_colour_of_the_class_and_is_pale_at_the_boundary():
    figure = plot_plane.surfaces([SURFACE], CLASSES)
    image = figure.axes[0].get_images()[0].get_array()
    left, middle, right = image[0, 0], image[0, image.shape[1] // 2], image[0, -1]
    blue, orange = np.array([0, 0.447, 0.698]), np.array([0.835, 0.369, 0])
    assert abs(left - blue).sum() < abs(left - orange).sum()
    assert abs(right - orange).sum() < abs(right - blue).sum()
    assert middle.min() > 0.9


def test_the_boundary_stands_where_the_choice_changes():
    figure = plot_plane.surfaces([SURFACE], CLASSES)
    (contour,) = [c for c in figure.axes[0].collections if isinstance(c, mpl.contour.QuadContourSet)]
    (path,) = [p for p in contour.get_paths() if len(p.vertices)]
    np.testing.assert_allclose(path.vertices[:, 0], 0, atol=1e-6)


def test_a_classifier_that_never_changes_its_mind_has_no_boundary():
    surface = Surface("all of class 1", X, Y, lambda x: np.tile([0.0, 1.0], (len(x), 1)))
    axes = plot_plane.surfaces([surface], CLASSES).axes[0]
    assert not [c for c in axes.collections if isinstance(c, mpl.contour.QuadContourSet)]


def test_the_misclassified_are_ringed_and_classes_named():
    figure = plot_plane.surfaces([SURFACE], CLASSES)
    ringed = [
        points.get_offsets()
        for points in figure.axes[0].collections
        if isinstance(points, mpl.collections.PathCollection)
        and not isinstance(points, mpl.contour.QuadContourSet)
        and len(points.get_offsets())
        and tuple(points.get_edgecolors()[0][:3]) == (0, 0, 0)
    ]
    np.testing.assert_array_equal(np.concatenate(ringed), [[2.0, 1.0]])
    assert {*CLASSES, "misclassified"} == {text.get_text() for text in figure.legends[0].get_texts()}


def test_a_film_has_all_frames_and_stays_on_the_last():
    moving = [Surface(f"{i}", X, Y, lambda x, i=i: halves(x - i)) for i in range(3)]
    with Image.open(io.BytesIO(plot_plane.film(moving, CLASSES))) as gif:
        assert (gif.n_frames, gif.info["loop"]) == (3, 0)
        assert gif.info["duration"] == 120
        gif.seek(2)
        assert gif.info["duration"] > 1000


def test_differences_of_a_duel_are_in_points():
    figure = figures()["duel"]
    heights = sorted(bar.get_height() for bar in figure.axes[-1].patches)
    np.testing.assert_allclose(heights, [-20, 10], atol=1e-9)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_plane.surfaces([], CLASSES), "at least one surface"),
        (lambda: plot_plane.surfaces([SURFACE], "abcde"), "at most 4 classes, got 1 and 5"),
        (lambda: plot_plane.film([], CLASSES), "must not be empty"),
        (lambda: plot_plane.fits([]), "must not be empty"),
        (lambda: plot_plane.losses({}, loss_label="loss"), "must not be empty"),
        (lambda: plot_plane.duel({"AP": {"SVM": np.ones(2)}}), "two names"),
        (lambda: plot_plane.duel({"AP": {"a": np.ones(2), "b": np.ones(3)}}), "as many scores"),
    ],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(InputError, match=message):
        draw()


def test_the_ground_of_a_film_is_white():
    with Image.open(io.BytesIO(plot_plane.film([SURFACE, SURFACE], CLASSES))) as gif:
        assert gif.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
