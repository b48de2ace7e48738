import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from npnet import functional as F
from npnet import nn, plot
from npnet.errors import InputError
from tests.npnet.plot.figures import CLASSES, SURFACE, X, Y, halves


def test_the_background_has_the_colour_of_the_class_and_is_pale_at_the_boundary():
    figure = plot.surfaces([SURFACE], CLASSES)
    image = figure.axes[0].get_images()[0].get_array()
    left, middle, right = image[0, 0], image[0, image.shape[1] // 2], image[0, -1]
    blue, orange = np.array([0, 0.447, 0.698]), np.array([0.835, 0.369, 0])
    assert abs(left - blue).sum() < abs(left - orange).sum()
    assert abs(right - orange).sum() < abs(right - blue).sum()
    assert middle.min() > 0.9


def test_the_boundary_stands_where_the_choice_changes():
    figure = plot.surfaces([SURFACE], CLASSES)
    (contour,) = [c for c in figure.axes[0].collections if isinstance(c, mpl.contour.QuadContourSet)]
    (path,) = [p for p in contour.get_paths() if len(p.vertices)]
    np.testing.assert_allclose(path.vertices[:, 0], 0, atol=1e-6)


def test_a_classifier_that_never_changes_its_mind_has_no_boundary():
    surface = plot.Surface("all of class 1", X, Y, lambda x: np.tile([0.0, 1.0], (len(x), 1)))
    axes = plot.surfaces([surface], CLASSES).axes[0]
    assert not [c for c in axes.collections if isinstance(c, mpl.contour.QuadContourSet)]


def test_the_misclassified_are_ringed_and_classes_named():
    figure = plot.surfaces([SURFACE], CLASSES)
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
    moving = [plot.Surface(f"{i}", X, Y, lambda x, i=i: halves(x - i)) for i in range(3)]
    with Image.open(io.BytesIO(plot.film(moving, CLASSES))) as gif:
        assert (gif.n_frames, gif.info["loop"]) == (3, 0)
        assert gif.info["duration"] == 120
        gif.seek(2)
        assert gif.info["duration"] > 1000


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot.surfaces([], CLASSES), "surfaces: shown must be a list of 1 to 64, got 0"),
        (lambda: plot.surfaces([SURFACE], list("abcdefghi")), "a list of 1 to 8 names, got 9"),
        (lambda: plot.film([], CLASSES), "film: frames must be a list of 1 to"),
    ],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(InputError, match=message):
        draw()


def test_the_background_of_a_film_is_white():
    with Image.open(io.BytesIO(plot.film([SURFACE, SURFACE], CLASSES))) as gif:
        assert gif.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


# ---- surface, of a model of one's own ------------------------------------------------------------------


def boundary(figure):
    """Return where the boundary crosses the plane, from left to right."""
    (contour,) = [c for c in figure.axes[0].collections if isinstance(c, mpl.contour.QuadContourSet)]
    return np.concatenate([path.vertices for path in contour.get_paths() if len(path.vertices)])


def slanted(outputs):
    """Return a layer of which class 1 is likelier to the right of x₁ = 0.5."""
    layer = nn.Linear(2, outputs, generator=np.random.default_rng(0))
    layer.weight[...] = [[0, 0], [4, 0]][2 - outputs :]
    layer.bias[...] = [0, -2][2 - outputs :]
    return layer


class Estimator:
    """What scikit-learn calls a classifier."""

    def predict_proba(self, x):
        right = 1 / (1 + np.exp(2 - 4 * x[:, 0]))
        return np.stack([1 - right, right], axis=1)


MODELS = {
    "logits": slanted(2),
    "probabilities": nn.Sequential(slanted(2), nn.Softmax()),
    "log-probabilities": nn.Sequential(slanted(2), nn.LogSoftmax()),
    "one logit": slanted(1),
    "one probability": nn.Sequential(slanted(1), nn.Sigmoid()),
    "function": lambda x: F.softmax(np.stack([0 * x[:, 0], 4 * x[:, 0] - 2], axis=1), dim=1)[0],
    "function of one column": lambda x: 1 / (1 + np.exp(2 - 4 * x[:, 0])),
    "labels": lambda x: (x[:, 0] > 0.5).astype(np.uint8),
    "truth values": lambda x: x[:, 0] > 0.5,
    "scikit-learn": Estimator(),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_surface_of_any_kind_of_model_is_the_same(name):
    figure = plot.surface(MODELS[name], X, Y == 1, ["left", "right"], title="mine")
    x = boundary(figure)[:, 0]
    np.testing.assert_allclose(x, 0.5, atol=0.03)
    assert figure.get_suptitle() == "mine"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["left", "right", "misclassified"]
    if "label" not in name and "truth" not in name:
        grey = plot.surface(MODELS["probabilities"], X, Y, ["left", "right"])
        ours, theirs = (each.axes[0].get_images()[0].get_array() for each in (figure, grey))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_surface_of_columns_of_very_different_size_fills_its_axes():
    x = np.array([[20.0, 1e5], [60.0, 3e5], [40.0, 2e5]])
    figure = plot.surface(lambda p: p[:, 0] > 30, x, np.array([0, 1, 1]), feature_names=["age", "income ($)"])
    axes = figure.axes[0]
    assert axes.get_xlim() == pytest.approx((16.8, 63.2))
    assert axes.get_ylim() == pytest.approx((84_000, 316_000))
    figure.canvas.draw()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("age", r"income (\$)")


def test_integers_and_large_offsets_are_drawn_where_they_are():
    x = np.array([[250, 0], [255, 10]], np.uint8)
    axes = plot.surface(lambda p: p[:, 0] > 252, x, np.array([0, 1])).axes[0]
    assert axes.get_xlim() == pytest.approx((249.6, 255.4))
    far = np.array([[1e8, 0], [1e8 + 16, 1]], np.float32)
    axes = plot.surface(lambda p: p[:, 1] > 0.5, far, np.array([0, 1])).axes[0]
    assert axes.get_xlim() == pytest.approx((1e8 - 1.28, 1e8 + 17.28), abs=0.01, rel=0)


def test_eight_classes_have_eight_colours_and_markers():
    x = np.array([[float(i), 0.0] for i in range(8)])
    figure = plot.surface(lambda p: np.clip(np.rint(p[:, 0]), 0, 7).astype(int), x, np.arange(8))
    assert len(figure.legends[0].get_texts()) == 9


def test_labels_may_be_of_any_class_that_has_a_name():
    figure = plot.surface(lambda p: (p[:, 0] > 0) * 2, X, Y, ["a", "b", "c"])
    assert len(figure.legends[0].get_texts()) == 4


def test_every_panel_takes_any_kind_of_model():
    models = ("logits", "one probability", "labels", "scikit-learn")
    figure = plot.surfaces([plot.Surface(name, X, Y, MODELS[name]) for name in models], CLASSES, columns=2)
    for axes, name in zip(figure.axes, models, strict=True):
        assert axes.get_title() == name
        assert [c for c in axes.collections if isinstance(c, mpl.contour.QuadContourSet)]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda x: None, r"model must return numbers of shape \(1, classes\) or \(1,\)"),
        (lambda x: np.ones((3, 2)), r"got a float64 array of shape \(3, 2\)"),
        (lambda x: np.full((len(x), 2), np.nan), "what model returns must hold finite numbers"),
        (lambda x: np.full(len(x), 7.5), r"probability that model returns must be in 0…1, got 7\.5"),
        (lambda x: np.full(len(x), 9), "must return labels in 0…1, got 9"),
        (lambda x: np.ones((len(x), 9)), "class_names must be at most 8, got 9 classes"),
        (lambda x: np.ones((len(x), 1, 1)), "must return numbers of shape"),
        (nn.Linear(3, 2, generator=np.random.default_rng(0)), "3"),
    ],
)
def test_a_model_that_gives_something_else_is_refused(model, message):
    with pytest.raises(InputError, match=message):
        plot.surface(model, X, Y)
