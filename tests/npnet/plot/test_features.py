import matplotlib as mpl
import numpy as np
import pytest

from npnet import nn, plot
from npnet.errors import InputError
from tests.npnet.plot.figures import IMAGE, NAMES, texts


def test_layers_are_named_and_their_maps_lie_side_by_side():
    rng = np.random.default_rng(0)
    outputs = {
        "conv1": rng.normal(size=(20, 6, 6)),
        "fc1": rng.normal(size=40),
        "scores": np.array([1.0, 3.0, -2.0]),
    }
    figure = plot.feature_maps(outputs, IMAGE, NAMES)
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
        (nn.Sequential(), IMAGE, "model must have 1 to 50 layers to draw, got 0"),
        ({}, IMAGE, "model must have 1 to 50 layers to draw, got 0"),
        (
            {"fc": np.zeros((2, 2))},
            IMAGE,
            r"model's layer fc must have shape \(c, h, w\) or \(values,\) to be drawn, got \(2, 2\)",
        ),
        (lambda x: x, IMAGE, r"model must be a model of npnet\.nn"),
    ],
)
def test_what_has_no_feature_maps_is_refused(model, x, message):
    with pytest.raises(InputError, match=message):
        plot.feature_maps(model, x)
