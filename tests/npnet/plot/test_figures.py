"""What holds for figures of every kind."""

import io
import subprocess
import sys

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.image import imread

from npnet import plot
from tests.npnet.plot.figures import FIGURES, NAMES, pixels, reaches_the_edge, texts


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("name", FIGURES)
def test_figures_have_a_white_margin_and_dark_text_under_any_style(style, name):
    with matplotlib.style.context(style):
        figure = FIGURES[name]()
        figure.set_dpi(60)  # margins are shares of the figure, and fewer pixels are sooner drawn
        drawn = pixels(figure)
    np.testing.assert_array_equal(drawn[..., 3], 1)
    assert not reaches_the_edge(drawn)
    assert (drawn < 0.9).any(axis=-1).mean() > 0.01
    for text in figure.findobj(mpl.text.Text):
        assert sum(mpl.colors.to_rgb(text.get_color())) < 1.5


def test_nothing_is_left_changed_in_matplotlib():
    before = dict(mpl.rcParams)
    FIGURES["surface"]()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("module", ["npnet.plot", "npnet.recipes.gmm_deep", "npnet.recipes.cifar10_lenet"])
def test_matplotlib_is_loaded_when_a_figure_is_asked_for(module):
    loaded = "print('matplotlib' in sys.modules)"
    code = f"import sys, {module}; {loaded}; import npnet; npnet.plot.confusion; {loaded}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "True"]


def test_what_is_public_is_listed_and_nothing_else_is_there():
    assert set(plot.__all__) <= set(dir(plot))
    assert all(callable(getattr(plot, name)) for name in plot.__all__)
    with pytest.raises(AttributeError, match=r"module 'npnet\.plot' has no attribute 'pie'"):
        _ = plot.pie


def test_a_notebook_shows_a_figure_by_itself():
    """As IPython asks: by its method, or by IPython's own way, where IPython is there."""
    figure = plot.confusion(np.diag([3, 4, 5]), NAMES)
    with matplotlib.style.context("dark_background"):
        png, size = figure._repr_png_()
    assert imread(io.BytesIO(png))[0, 0].tolist() == [1, 1, 1, 1]
    width, height = figure.get_size_inches()
    assert size == {"width": round(80 * width), "height": round(80 * height)}
    try:
        from IPython.core.formatters import DisplayFormatter
    except ModuleNotFoundError:
        return
    data, metadata = DisplayFormatter().format(figure)
    assert (data["image/png"], metadata["image/png"]) == (png, size)


def test_every_figure_is_one_that_a_notebook_shows_and_that_no_window_belongs_to():
    from matplotlib import pyplot as plt

    for draw in FIGURES.values():
        figure = draw()
        assert hasattr(figure, "_repr_png_")
        assert isinstance(figure, mpl.figure.Figure)
    assert plt.get_fignums() == []


ODD_NAMES = ["$5 to $10", r"$\frac{1}$", "a_b^{", r"\$", "a\nb", "\x00", "\udcff"]


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_are_drawn_as_they_stand():
    """Between dollar signs matplotlib sees a formula, and fails if it is none."""
    figure = plot.confusion(np.eye(7, dtype=int), ODD_NAMES, title=ODD_NAMES[1])
    figure.canvas.draw()
    labels = [label for label in figure.axes[0].get_yticklabels() if label.get_text()]
    shown = [label._preprocess_math(label.get_text()) for label in labels]
    assert [text for text, _ in shown[:4]] == ODD_NAMES[:4]
    assert not any(is_formula for _, is_formula in shown)


@pytest.mark.parametrize("form", [list, tuple, np.array, lambda names: np.array(names, dtype=object)])
def test_classes_come_in_a_list_or_an_array_or_are_numbered(form):
    matrix = np.diag([3, 4, 5]).astype(np.uint8)
    assert set(NAMES) <= set(texts(plot.confusion(matrix, form(list(NAMES)))))
    assert {"0", "1", "2"} <= set(texts(plot.confusion(matrix)))
    assert {"0", "1", "2"} <= set(texts(plot.confusion(matrix, range(3))))
