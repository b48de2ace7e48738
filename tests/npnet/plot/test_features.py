import io

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.image import imread

from npnet import nn, plot
from npnet.errors import InputError
from npnet.plot import features as plot_features
from npnet.plot import kernels as plot_kernels

NAMES = ("cat", "dog", "owl")
IMAGE = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)


def drawn(figure):
    """Return the pixels of the saved figure, in 0…1."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    return imread(file)


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def layers(rng, many=20):
    return {"conv1": rng.normal(size=(many, 6, 6)), "relu1": np.zeros((4, 3, 3)), "fc1": rng.normal(size=40)}


def figures():
    rng = np.random.default_rng(0)
    kernel = np.array([[0.0, -1.0], [0.0, 1.0]])
    return {
        "class histogram": plot_features.class_histogram({"training": np.array([0, 1, 2, 2])}, NAMES),
        "templates": plot_features.templates(rng.normal(size=(3, 8, 8)), NAMES),
        "layer by layer": plot_features.layer_by_layer(IMAGE, layers(rng), np.array([1.0, 3.0, -2.0]), NAMES),
        "kernel grid": plot_kernels.kernel_grid({"up": kernel}, {"a": IMAGE[0]}, {"a": {"up": IMAGE[0]}}),
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


def test_a_histogram_shows_shares_of_each_part():
    labels = {"training": np.array([0, 0, 0, 2]), "test": np.array([1, 1])}
    figure = plot_features.class_histogram(labels, NAMES, title="spread")
    heights = [[bar.get_height() for bar in bars] for bars in figure.axes[0].containers]
    assert heights == [[75, 0, 25], [0, 100, 0]]
    assert {"cat", "class", "share of the images (%)", "training, 4 images", "spread"} <= set(texts(figure))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "hold 1 to 3 by name, got 0"),
        ({"training": np.array([], int)}, "not be empty, got no label in 'training'"),
        ({str(i): np.array([0]) for i in range(4)}, "hold 1 to 3 by name, got 4"),
    ],
)
def test_a_histogram_of_nothing_or_too_much_is_refused(parts, message):
    with pytest.raises(InputError, match=f"class_histogram: parts must {message}"):
        plot_features.class_histogram(parts, NAMES)


def test_templates_bear_the_names_of_their_classes():
    figure = plot_features.templates(np.zeros((3, 8, 8)), NAMES)
    assert set(NAMES) <= set(texts(figure))
    with pytest.raises(InputError, match=r"templates: weight must have shape \(3, h, w\)"):
        plot_features.templates(np.zeros((4, 8, 8)), NAMES)


def test_layers_are_named_and_their_maps_lie_side_by_side():
    rng = np.random.default_rng(0)
    outputs = layers(rng)
    figure = plot_features.layer_by_layer(IMAGE, outputs, np.array([1.0, 3.0, -2.0]), NAMES)
    largest = abs(outputs["conv1"]).max()
    assert {f"conv1: 20 maps of 6×6, largest {largest:.3g}", "image", "logit"} <= set(
        texts(figure) + [axes.get_title(loc="left") for axes in figure.axes]
    )
    sheet = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("conv1")).images[0]
    pixels = np.asarray(sheet.get_array().filled(np.nan))
    assert pixels.shape == (13, 111)  # two rows of 16 maps, a gap between them
    np.testing.assert_array_equal(pixels[:6, 7:13], outputs["conv1"][1])
    np.testing.assert_array_equal(pixels[7:, :6], outputs["conv1"][16])
    assert np.isnan(pixels[6]).all()
    assert any(
        "probabilities: dog 87.6 %, cat 11.8 %, owl 0.6 %" in axes.get_title(loc="left")
        for axes in figure.axes
    )


@pytest.mark.parametrize(
    ("outputs", "logits", "message"),
    [
        ({}, np.zeros(4), "logits must be 3, one for each of class_names"),
        ({"fc": np.zeros((2, 2))}, np.zeros(3), r"the output of fc must be maps \(c, h, w\) or a vector"),
    ],
)
def test_what_is_no_layer_is_refused(outputs, logits, message):
    with pytest.raises(InputError, match=message):
        plot_features.layer_by_layer(IMAGE, outputs, logits, NAMES)


def test_a_kernel_is_shown_by_its_numbers():
    kernel = np.array([[0.0, -1.0], [0.5, 1.0]])
    figure = plot_kernels.kernel_grid(
        {"mine": kernel}, {"a": IMAGE[0]}, {"a": {"mine": IMAGE[0]}}, title="all"
    )
    assert {"mine", "a", "all", "0", "−1", "0.5", "1"} <= set(texts(figure))


def test_signs_are_shown_around_white_and_images_in_grey():
    kernels = {"edges": np.array([[1.0, -1.0]]), "identity": np.array([[1.0]])}
    response = np.linspace(-1, 3, 64).reshape(8, 8)
    figure = plot_kernels.kernel_grid(kernels, {"a": IMAGE[0]}, {"a": dict.fromkeys(kernels, response)})
    edges, identity = (axes.images[0] for axes in figure.axes[2:])
    assert edges.norm.vmin == -edges.norm.vmax
    assert (identity.norm.vmin, identity.norm.vmax) == (0, 1)


def test_a_grid_with_holes_is_refused():
    with pytest.raises(InputError, match=r"missing .*a.*mine"):
        plot_kernels.kernel_grid({"mine": np.eye(2)}, {"a": IMAGE[0]}, {"a": {"other": IMAGE[0]}})


# ---- feature maps, of a model of one's own -------------------------------------------------------------


def network(*last):
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, generator=rng),
        nn.Sequential({"relu": nn.ReLU(), "pool": nn.MaxPool2d(2)}),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(36, 3, generator=rng),
        *last,
    )


def titles(figure):
    return [title for axes in figure.axes if (title := axes.get_title(loc="left"))]


def test_every_layer_of_a_model_is_a_row_of_its_maps():
    model = network()
    figure = plot.feature_maps(model, IMAGE, NAMES, title="$ramp$")
    rows = titles(figure)
    assert [row.partition(":")[0] for row in rows] == [
        "image",
        "0 Conv2d(1, 4, 3)",
        "1.relu ReLU()",
        "1.pool MaxPool2d(2)",
        "scores of the classes; probabilities",
    ]
    sheet = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("1.pool")).images[0]
    maps = model[1](model[0](IMAGE[None]))[0]
    np.testing.assert_array_equal(sheet.get_array().filled(np.nan)[:, 4:7], maps[1])
    bars = [bar.get_height() for bar in figure.axes[-1].patches]
    np.testing.assert_allclose(bars, model(IMAGE[None])[0], rtol=1e-6)
    assert figure.get_suptitle() == r"\$ramp\$"  # which is drawn without the backslashes


def test_a_last_softmax_is_drawn_as_the_probabilities_it_gives():
    model = network(nn.Softmax())
    figure = plot.feature_maps(model, IMAGE[None])
    p = model(IMAGE[None])[0]
    assert figure.axes[-1].get_ylabel() == "probability"
    assert f"{p.argmax()} {100 * p.max():.1f} %" in titles(figure)[-1]


def test_long_names_of_classes_stay_within_the_figure():
    names = [f"a rather long name, the {i}th" for i in range(3)]
    figure = plot.feature_maps(network(), IMAGE, names)
    figure.canvas.draw()
    box = figure.bbox
    for text in figure.findobj(mpl.text.Text):
        if text.get_text() and text.get_visible() and text.get_window_extent().width:
            drawn_in = text.get_window_extent()
            assert box.x0 <= drawn_in.x0 <= drawn_in.x1 <= box.x1, text.get_text()
            assert box.y0 <= drawn_in.y0 <= drawn_in.y1 <= box.y1, text.get_text()


def test_a_model_may_end_in_maps_and_be_of_one_layer():
    assert len(titles(plot.feature_maps(nn.ReLU(), IMAGE))) == 2
    assert len(titles(plot.feature_maps(nn.Residual(nn.Sequential(nn.ReLU())), IMAGE))) == 2


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (network(), np.ones((3, 8, 8), np.float32), r"x must fit the model; layer '0' Conv2d\(1, 4, 3\)"),
        (network(), np.ones((2, 1, 8, 8), np.float32), r"x must be one image .* got \(2, 1, 8, 8\)"),
        (nn.Sequential(), IMAGE, "model must have 1 to 50 layers to be drawn, got 0"),
        (lambda x: x, IMAGE, r"model must be a model of npnet\.nn"),
    ],
)
def test_what_has_no_feature_maps_is_refused(model, x, message):
    with pytest.raises(InputError, match=message):
        plot.feature_maps(model, x)
