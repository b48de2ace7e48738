import numpy as np
import pytest

from npnet import definition, recipes
from npnet.experiments import Options
from npnet.recipes.kernels import DIRECTIONS, KERNELS, convolve, digits, photographs


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return recipes.get("kernels").run(Options(), tmp_path_factory.mktemp("runs"), lambda line: None)


def test_the_grid_is_drawn(result):
    (figure,) = result.figures
    assert figure.name == "kernels.png"
    assert figure.stat().st_size > 100_000


def test_identity_gives_every_image_back_bit_for_bit(result):
    assert result.values["identity_is_exact"]
    for image in (photographs() | digits()).values():
        np.testing.assert_array_equal(convolve(image)["identity"], image[1:-1, 1:-1])


def test_directions_are_found(result):
    assert result.values["strongest_direction"]["digit 1"] == "vertical"
    palace = result.values["strength"]["china.jpg"]
    upright = min(palace["vertical"], palace["horizontal"])
    slanted = max(palace["falling diagonal"], palace["rising diagonal"])
    assert upright > 1.2 * slanted
    flower = [result.values["strength"]["flower.jpg"][direction] for direction in DIRECTIONS]
    assert max(flower) < 1.15 * min(flower)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_leave_even_ground_alone(name):
    image = np.full((5, 6), 0.25, np.float32)
    expected = 0.25 if name in {"identity", "sharpen"} else 0.0
    np.testing.assert_allclose(convolve(image)[name], np.full((3, 4), expected), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("vertical", np.eye(5)[[2] * 5]),
        ("horizontal", np.eye(5)[[2] * 5].T),
        ("falling diagonal", np.eye(5)),
        ("rising diagonal", np.eye(5)[::-1]),
    ],
)
def test_each_direction_answers_most_to_its_own_line(name, line):
    centre = {kernel: y[1, 1] for kernel, y in convolve(line.astype(np.float32)).items()}
    assert centre[name] == 6
    assert max(centre[other] for other in DIRECTIONS if other != name) <= 0


def test_what_slides_is_the_kernel_as_written():
    image = digits()["digit 7"]
    for name, kernel in KERNELS.items():
        y = definition.conv2d(image[None, None].astype(float), kernel[None, None].astype(float))
        np.testing.assert_allclose(convolve(image)[name], np.asarray(y)[0, 0], atol=1e-5)


def test_photographs_are_brightness():
    for image in photographs().values():
        assert image.shape == (180, 180)
        assert image.dtype == np.float32
        assert 0 <= image.min() < 0.1
        assert 0.7 < image.max() <= 1
