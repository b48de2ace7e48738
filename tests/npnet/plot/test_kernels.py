import numpy as np
import pytest

from npnet import plot
from npnet.errors import InputError
from tests.npnet.plot.figures import IMAGE, texts


def test_a_kernel_is_shown_by_its_numbers():
    kernel = np.array([[0.0, -1.0], [0.5, 1.0]])
    figure = plot.kernel_responses({"mine": kernel}, {"a": IMAGE[0]}, {"a": {"mine": IMAGE[0]}}, title="all")
    assert {"mine", "a", "all", "0", "−1", "0.5", "1"} <= set(texts(figure))


def test_signs_are_shown_around_white_and_images_in_grey():
    kernels = {"edges": np.array([[1.0, -1.0]]), "identity": np.array([[1.0]])}
    response = np.linspace(-1, 3, 64).reshape(8, 8)
    figure = plot.kernel_responses(kernels, {"a": IMAGE[0]}, {"a": dict.fromkeys(kernels, response)})
    edges, identity = (axes.images[0] for axes in figure.axes[2:])
    assert edges.norm.vmin == -edges.norm.vmax
    assert (identity.norm.vmin, identity.norm.vmax) == (0, 1)


def test_a_grid_with_holes_is_refused():
    with pytest.raises(InputError, match=r"missing .*a.*mine"):
        plot.kernel_responses({"mine": np.eye(2)}, {"a": IMAGE[0]}, {"a": {"other": IMAGE[0]}})
