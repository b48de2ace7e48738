import numpy as np
import pytest

from npnet import plot
from npnet.errors import InputError
from tests.npnet.plot.figures import NAMES, texts


def images(figure):
    return [image for axes in figure.axes for image in axes.images]


def test_filters_of_colour_images_are_drawn_in_colour():
    weight = np.zeros((2, 3, 2, 2))
    weight[0, 0] = 1  # answers to red
    (image,) = plot.weight_images(weight).axes[0].images
    np.testing.assert_allclose(image.get_array()[0, 0], [1, 0.5, 0.5])


def test_filters_of_two_channels_are_drawn_side_by_side():
    weight = np.arange(24.0).reshape(3, 2, 2, 2)
    figure = plot.weight_images(weight)
    for i, channel in enumerate(weight.reshape(6, 2, 2)):
        np.testing.assert_array_equal(images(figure)[i].get_array(), channel)
    assert [axes.get_title() for axes in figure.axes[:6]] == ["0, 0", "0, 1", "1, 0", "1, 1", "2, 0", "2, 1"]
    assert figure.axes[0].get_position().y0 == pytest.approx(figure.axes[1].get_position().y0)


def test_images_bear_the_names_of_their_classes():
    figure = plot.weight_images(np.zeros((3, 8, 8)), NAMES, label="weight of a pixel")
    assert {*NAMES, "weight of a pixel"} <= set(texts(figure))


def test_of_very_many_images_the_first_are_drawn():
    figure = plot.weight_images(np.ones((256, 1, 2, 2)), title="mine")
    assert "mine\nthe first 128 of 256" in figure.get_suptitle()
    assert len(images(figure)) == 128


def test_the_smallest_integer_has_a_size():
    """|−128| is −128 in eight bits."""
    image = plot.weight_images(np.full((1, 1, 2, 2), -128, np.int8)).axes[0].images[0]
    assert image.get_clim() == (-128, 128)


def test_every_row_has_a_label_and_a_scale_of_its_own():
    small, large = np.full((3, 4, 4), 0.5), np.full((3, 4, 4), -8.0)
    figure = plot.weight_images({"small": small, "large": large}, NAMES)
    assert [image.get_clim() for image in images(figure)] == [(-0.5, 0.5)] * 3 + [(-8.0, 8.0)] * 3
    assert [axes.get_title() for axes in figure.axes[:3]] == list(NAMES)
    assert figure.axes[3].get_ylabel() == "large"


def test_weights_that_are_all_zero_can_be_drawn():
    plot.weight_images({"zero": np.zeros((3, 4, 4))}, NAMES).canvas.draw()
    plot.weight_images(np.zeros((3, 3, 4, 4))).canvas.draw()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot.weight_images(np.ones((3, 4))), r"must have shape .* got \(3, 4\)"),
        (lambda: plot.weight_images(np.ones((4, 8, 8)), NAMES), "names must be 4 names, got 3"),
        (lambda: plot.weight_images({}), "weight_images: weight must hold 1 to 20 by name, got 0"),
        (
            lambda: plot.weight_images({"a": np.ones((2, 4, 4)), "b": np.ones((3, 4, 4))}),
            r"one length of at most 40, got \[2, 3\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(InputError, match=message):
        draw()
