"""Kernels made by hand, over photographs and digits: what a convolution sees before any learning.

Seven kernels of 3×3:

- identity: 1 in the middle, gives the image back;
- sharpen: the pixel five times less its four neighbours; sum 1, so brightness stays and differences grow;
- edges: the pixel eight times less its eight neighbours; sum 0, so it answers nothing on an even ground;
- vertical, horizontal and the two diagonals: a line of 2 between lines of −1; sum 0, answers to such lines.

They go over the two photographs that come with scikit-learn (a Chinese palace and a flower; of both the
brightness is taken, at half size) and three handwritten 8×8 digits: for each image one call of
`npnet.functional.conv2d` with seven output channels. What slides is the kernel as it is written, not
mirrored: cross-correlation, as every deep learning library has it.

Nothing is learnt and nothing is random. What to expect: identity gives the image back bit for bit. Of the
four directions, vertical answers most strongly to the digit 1, a vertical stroke. The palace, built of
columns and cornices, answers to vertical and horizontal by a third more than to the diagonals; the flower,
which is round, answers to all four alike. Compare the kernels that `signs-minimal` learns for itself.

Measured: mean strength |y| over the palace 0.152 vertical, 0.167 horizontal, 0.111 and 0.120 diagonal; over
the flower 0.079 to 0.086.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import functional as F
from npnet import plot
from npnet.experiments import Experiment, Runner
from npnet.shapes import Float32

KERNELS: Mapping[str, ndarray] = {
    name: np.array(rows, dtype=np.float32)
    for name, rows in {
        "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
        "edges": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
        "vertical": [[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]],
        "horizontal": [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]],
        "falling diagonal": [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]],
        "rising diagonal": [[-1, -1, 2], [-1, 2, -1], [2, -1, -1]],
    }.items()
}
DIRECTIONS = ("vertical", "horizontal", "falling diagonal", "rising diagonal")
DIGITS = (0, 1, 7)
CORNERS = {"china.jpg": (0, 25), "flower.jpg": (25, 75)}  # upper left ones of what is taken, at half size
SIDE = 180


def photographs() -> dict[str, Float32[ndarray, "h w"]]:
    """Return a square of each photograph at half its size, as brightness from 0 to 1."""
    from sklearn.datasets import load_sample_image  # noqa: PLC0415 - takes a second that not everybody needs

    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32) / 255  # luma of ITU-R BT.601
    taken = {}
    for name, (top, left) in CORNERS.items():
        brightness = load_sample_image(name).astype(np.float32) @ weights
        halved, _ = F.avg_pool2d(brightness[None, None], 2)
        taken[name] = halved[0, 0, top : top + SIDE, left : left + SIDE]
    return taken


def digits() -> dict[str, Float32[ndarray, "h w"]]:
    """Return the first of each of three 8×8 digits, with a border of their black ground."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - as above

    published = load_digits()
    places = {digit: int(np.argmax(published.target == digit)) for digit in DIGITS}
    return {f"digit {d}": np.pad(published.images[i] / 16, 2).astype(np.float32) for d, i in places.items()}


def convolve(image: Float32[ndarray, "h w"]) -> dict[str, Float32[ndarray, "h_out w_out"]]:
    """Return what every kernel makes of an image, by the kernel's name."""
    weight = np.stack(list(KERNELS.values()))[:, None]  # (7, 1, 3, 3)
    y, _ = F.conv2d(image[None, None], weight)
    return dict(zip(KERNELS, y[0], strict=True))


def strongest_direction(strength: Mapping[str, float]) -> str:
    """Return which of the four directions answers most.

    Examples
    --------
    >>> strongest_direction({"edges": 9, "vertical": 2, "horizontal": 1, **dict.fromkeys(DIRECTIONS[2:], 0)})
    'vertical'
    """
    return max(DIRECTIONS, key=strength.__getitem__)


def study(runner: Runner) -> tuple[str, dict[str, Any]]:
    """Lay every kernel over every image, in a figure and a table; nothing is random or learnt."""
    images = photographs() | digits()
    responses = {name: convolve(image) for name, image in images.items()}
    strength = {
        name: {kernel: float(abs(of[kernel]).mean()) for kernel in KERNELS} for name, of in responses.items()
    }
    rows = [[name, *(f"{value:.3f}" for value in of.values())] for name, of in strength.items()]
    runner.table(["image", *KERNELS], rows, title="mean strength |y| of the answer")
    title = "Kernels made by hand, and what they answer to"
    runner.figure("kernels.png", plot.kernel_responses, KERNELS, images, responses, title=title)
    strongest = {name: strongest_direction(of) for name, of in strength.items()}
    told = "; ".join(f"{name}: {direction}" for name, direction in strongest.items())
    exact = all(
        np.array_equal(responses[name]["identity"], image[1:-1, 1:-1]) for name, image in images.items()
    )
    return f"strongest direction: {told}", {
        "identity_is_exact": exact,
        "strongest_direction": strongest,
        "strength": {name: {k: round(v, 4) for k, v in of.items()} for name, of in strength.items()},
    }


recipe = Experiment(
    name="kernels",
    title="kernels made by hand over photographs and digits",
    source="Gonzalez, Woods (2008), Digital image processing, sections 3.6 and 10.2, for the kernels",
    reported="no figure; pictures",
    expects="identity gives the image back bit for bit; vertical answers strongest to the digit 1",
    study=study,
    details={"kernels": {name: kernel.tolist() for name, kernel in KERNELS.items()}},
)
