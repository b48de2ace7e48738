"""How arrays are put on the page, and that its colours tell signs apart in every kind of colour vision."""

import re

import numpy as np
import pytest

import npnet
from npnet import nn
from npnet.tracing._document import Arrays, described, ordered, sample

# What light a person without one kind of cone sees: Machado, Oliveira, Fernandes (2009), at full severity.
VISION = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039],
    ],
}  # fmt: skip


def test_equal_arrays_are_kept_once():
    arrays = Arrays(100)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert arrays.add(x) == arrays.add(x.copy()) == 0
    assert arrays.add(x.reshape(3, 2)) == 1
    assert arrays.add(x.astype(np.float64)) == 2
    assert arrays.add(np.array([2**40])) == 3
    assert [header["dtype"] for header in arrays.headers] == ["f4", "f4", "f8", "f8"]


def test_the_gradient_of_a_weight_from_one_sample_is_kept_as_its_factors():
    rng = np.random.default_rng(0)
    rows, columns = (rng.normal(size=(1, n)).astype(np.float32) for n in (20, 30))
    product = rows.T @ columns
    almost = product.copy()
    almost[3, 4] = np.nextafter(almost[3, 4], np.float32(np.inf))
    arrays = Arrays(1000)
    kept = [arrays.headers[arrays.add(each, factors=(rows, columns))] for each in (product, almost)]
    assert ["rows" in header for header in kept] == [True, False]
    assert "at" not in kept[0]
    few = Arrays(100)  # sampled arrays are kept as they are
    assert "rows" not in few.headers[few.add(product, factors=(rows, columns))]


def test_floats_are_numbered_in_their_order():
    values = np.sort(np.random.default_rng(0).normal(size=1000).astype(np.float32))
    numbers = ordered(values)
    assert (np.diff(numbers.astype(np.int64)) >= 0).all()
    following = np.nextafter(values, np.float32(np.inf))
    assert (ordered(following) - numbers == 1).all()


def test_a_sample_is_spread_evenly_over_the_longest_axes():
    rows, columns = sample((1000, 300), 20_000)
    assert len(rows) * len(columns) <= 20_000
    assert rows[0] == columns[0] == 0
    assert set(np.diff(rows)) <= {4, 8}


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.array(2.5), "2.5"),
        (np.zeros((0, 3)), "empty"),
        (np.array([np.nan, np.inf]), "1 NaN, 1 ∞"),
        (np.array([-1.0, 0.0, 0.0, 3.0]), "−1 … 3, mean 0.5, 50 % zeros"),
    ],
)
def test_arrays_are_described_in_a_line(array, text):
    assert described(array) == text


def test_names_cannot_break_out_of_the_page():
    class Odd(nn.Layer):
        """</script><!-- arrays --><b>bold</b>"""

        def apply(self, x, *, training, generator):
            return x * 2, lambda grad_y: grad_y * 2

    model = nn.Sequential({"</script><i>": Odd()})
    page = npnet.trace(model, nn.MSELoss(), np.ones((1, 2)), np.ones((1, 2))).html()
    assert page.count("</script>") == page.count("<script") == len(re.findall(r"<script[ >]", page))
    assert "<i>:" not in page
    assert "<b>bold" not in page


def light(colour):
    """Return an sRGB colour as linear light."""
    values = np.array(colour) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Return linear light as CIE L*a*b*, in which distances are those people see."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.clip(np.array(to_xyz) @ rgb, 0, None) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_signs_and_sizes_differ_in_colour_for_everyone(opened, traced, theme, vision):
    page = opened(traced("mlp"))
    values = [-1, -0.5, -0.2, 0, 0.2, 0.5, 1]
    texts = page.evaluate("([values, theme]) => values.map((value) => colour(value, theme))", [values, theme])
    seen = [
        lab(np.array(VISION[vision]) @ light([int(k) for k in re.findall(r"\d+", text)])) for text in texts
    ]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 8  # a difference of 2 to 3 is just seen
