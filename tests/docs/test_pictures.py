"""Figures for a dark page: greys change places, colours of data stay, and nothing is left changed."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(DOCS))
os.environ.setdefault("MPLBACKEND", "Agg")

from site_extension import pictures  # noqa: E402 - after the search path

figures = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")


@pytest.fixture
def colours(monkeypatch):
    """Return the colours of artists as they are while the picture for a dark page is drawn."""
    from matplotlib.colors import to_hex

    def found(figure, **getters):
        seen = []
        monkeypatch.setattr(
            pictures,
            "_png",
            lambda *_: seen.append({name: to_hex(get()) for name, get in getters.items()}) or "",
        )
        pictures.drawn(figure)
        light, dark = seen
        assert {name: to_hex(get()) for name, get in getters.items()} == light, "the figure is as it was"
        return {name: (light[name], dark[name]) for name in getters}

    return found


@pytest.fixture
def axes():
    return figures.Figure().subplots()


def brightness(colour):
    return sum(int(colour[i : i + 2], 16) for i in (1, 3, 5)) / 765


def test_black_and_white_change_places(axes, colours):
    [line] = axes.plot([0, 1], "k.")
    axes.annotate("here", (0, 0), arrowprops={"color": "black"}, bbox={"facecolor": "white"})
    [words] = axes.texts
    found = colours(
        axes.figure,
        paper=axes.get_facecolor,
        frame=axes.spines["left"].get_edgecolor,
        line=line.get_color,
        marker=line.get_markerfacecolor,
        words=words.get_color,
        box=words.get_bbox_patch().get_facecolor,
        arrow=words.arrow_patch.get_facecolor,
        ticks=axes.xaxis.get_ticklabels()[0].get_color,
    )
    for name in ("paper", "box"):
        light, dark = (brightness(colour) for colour in found[name])
        assert (light > 0.9, dark < 0.1) == (True, True), name
    for name in ("frame", "line", "marker", "words", "arrow", "ticks"):
        light, dark = (brightness(colour) for colour in found[name])
        assert (light < 0.1, dark > 0.8) == (True, True), name


def test_a_colour_stays_and_a_dark_one_becomes_bright_enough(axes, colours):
    [orange], [navy] = axes.plot([0, 1], color="#ff7f0e"), axes.plot([1, 0], color="#000080")
    found = colours(axes.figure, orange=orange.get_color, navy=navy.get_color)
    assert found["orange"] == ("#ff7f0e", "#ff7f0e")
    assert brightness(found["navy"][1]) > 0.35
    assert found["navy"][1].endswith(max(found["navy"][1][i : i + 2] for i in (1, 3, 5))), "it is still blue"


def test_what_stands_on_an_image_stays(axes, colours):
    image = axes.imshow(np.eye(3), cmap="gray")
    words = axes.text(0, 0, "1", color="white")
    found = colours(axes.figure, words=words.get_color, pixel=lambda: image.cmap(0.0))
    assert found == {"words": ("#ffffff", "#ffffff"), "pixel": ("#000000", "#000000")}


def test_ink_on_paper_is_drawn_on_the_dark_paper(axes, colours):
    image = axes.imshow(np.eye(3), cmap="gray_r")
    assert colours(axes.figure, paper=lambda: image.cmap(0.0)) == {"paper": ("#ffffff", "#000000")}


def test_the_picture_itself_is_dark():
    import base64
    import io

    from matplotlib.image import imread

    figure = figures.Figure(figsize=(1, 1))
    figure.subplots()
    pixels = {
        theme: imread(io.BytesIO(base64.b64decode(png))) for theme, png in pictures.drawn(figure).items()
    }
    assert pixels["light"].shape == pixels["dark"].shape
    assert pixels["light"][..., :3].mean() > 0.8
    assert (pixels["dark"][..., :3] * pixels["dark"][..., 3:]).mean() < 0.3, "as on a black page"
    assert pixels["dark"][0, 0, 3] == 0, "the page shows through"
