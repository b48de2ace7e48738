"""The page of wrong gradients has every explanation, with code that does what it says, and its picture."""

import io

import numpy as np
import pytest
from PIL import Image

from npnet.gradcheck import KINDS
from tests.npnet.mistakes_in_code import SECTIONS
from tests.npnet.planted_mistakes import NAMES, PLANTED, SHAPES
from tests.npnet.wrong_gradient_page import GUIDES, PAGE, PICTURES, explained, page, picture, ran, tied

pytestmark = pytest.mark.usefixtures("bare")

CODES = {kind: code for _, codes in SECTIONS.values() for kind, code in codes.items()}
OTHER_NAMES = {"target_missing": "target", "logits_for_probabilities": "target", "multiplied_by_n": "target"}


def test_every_explanation_has_its_place_in_the_page():
    assert CODES.keys() == KINDS.keys()
    text = PAGE.read_text(encoding="utf-8")
    for kind, title in KINDS.items():
        assert f"### {title[0].upper()}{title[1:]}\n" in text
        assert text.count(f"({PICTURES}/{kind}.png)") == 1
    assert {path.stem for path in (GUIDES / PICTURES).iterdir()} == KINDS.keys()


def test_the_page_is_what_its_command_writes():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.npnet.wrong_gradient_page"


@pytest.mark.parametrize("kind", CODES)
def test_the_code_is_the_planted_mistake(kind):
    """The wrong lines give the planted gradient; the right ones the numerical derivative of Σ y·grad_y."""
    code = CODES[kind]
    if kind == "ties":
        x, y, grad_y = tied()
        names, which, found = {"x": x, "y": y, "grad_y": grad_y}, "x", None
        numerical = None
    else:
        which, (operation, inputs) = PLANTED.get(code.planted or kind) or SHAPES[kind]
        named = ("x", OTHER_NAMES[kind]) if kind in OTHER_NAMES else NAMES
        y, backward = operation(*inputs)
        grad_y = np.random.default_rng(1).standard_normal(np.shape(y))
        found = backward(grad_y)
        found = found[NAMES.index(which)] if isinstance(found, tuple) else found
        names = dict(zip(named, inputs, strict=False)) | {"y": y, "grad_y": grad_y}
        numerical = derivative(operation, inputs, NAMES.index(which), grad_y)
    wrong, right = (
        ran(f"{code.given}\n{lines}", names)[f"grad_{which}"] for lines in (code.wrong, code.right)
    )
    if kind == "ties":
        explanation = explained(kind)
        np.testing.assert_allclose(wrong, explanation.got)
        np.testing.assert_allclose(right, explanation.expected)
        return
    assert wrong.shape == found.shape
    np.testing.assert_allclose(wrong, found, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(right, numerical, rtol=1e-5, atol=1e-6)


def derivative(operation, inputs, which, grad_y):
    """Return ∂(Σ y·grad_y)/∂input by central differences."""
    grad = np.zeros(inputs[which].shape)
    for index in np.ndindex(grad.shape):
        values = []
        for step in (1e-6, -1e-6):
            moved = [array.copy() for array in inputs]
            moved[which][index] += step
            values.append(float(np.sum(operation(*moved)[0] * grad_y)))
        grad[index] = (values[0] - values[1]) / 2e-6
    return grad


@pytest.mark.parametrize("kind", ["transposed", "shape", "ties"])
def test_the_pictures_are_those_of_the_explanations(kind):
    """To the pixel but for a few: fonts and lines may be drawn a little differently elsewhere."""
    drawn, kept = (
        np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=float)
        for data in (picture(kind), (GUIDES / PICTURES / f"{kind}.png").read_bytes())
    )
    assert drawn.shape == kept.shape
    assert np.abs(drawn - kept).mean() < 4


def test_the_pictures_are_small():
    sizes = [path.stat().st_size for path in (GUIDES / PICTURES).iterdir()]
    assert max(sizes) < 25_000
    assert sum(sizes) < 800_000
