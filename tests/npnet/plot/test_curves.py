import numpy as np
import pytest

from npnet import plot
from npnet.errors import InputError
from npnet.plot._style import CURVE_COLOURS
from npnet.train import Epoch, History
from tests.npnet.plot.figures import cut_off, history, texts


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_learning_curves_name_axes_parts_and_units():
    figure = plot.learning_curves(history(), loss_label="cross-entropy (nats)")
    assert {"epoch", "cross-entropy (nats)", "accuracy (%)"} <= set(texts(figure))
    assert legend(figure) == ["training", "validation", "weights kept"]
    np.testing.assert_allclose(figure.axes[1].get_lines()[0].get_ydata(), 50)


def test_without_accuracies_there_is_one_panel():
    assert len(plot.learning_curves(history(accuracy=None)).axes) == 1


def test_without_validation_the_legend_names_training_alone():
    made = History([Epoch(i, 1 / i, None, None, None, 0.1, 1.0, 10.0) for i in (1, 2)])
    assert legend(plot.learning_curves(made)) == ["training"]


def test_runs_of_a_panel_have_a_colour_a_name_and_a_dot_where_weights_were_kept():
    figure = plot.learning_curves({"depth": {"shallow": history(), "deep": history(2)}})
    right = figure.axes[1]
    dots = [(line.get_color(), line.get_xdata()[0]) for line in right.lines if line.get_marker() == "o"]
    assert dots == [(CURVE_COLOURS[0], 3), (CURVE_COLOURS[1], 2)]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["shallow", "deep"]
    assert right.get_title() == "depth"


def test_runs_that_coincide_are_both_seen():
    lines = plot.learning_curves({"npnet": history(), "torch": history()}).axes[0].lines
    widths = {line.get_color(): line.get_linewidth() for line in lines if line.get_linestyle() == "--"}
    assert widths[CURVE_COLOURS[0]] >= 2 * widths[CURVE_COLOURS[1]]


def test_a_run_without_an_epoch_draws_nothing_beside_others():
    figure = plot.learning_curves({"done": history(), "interrupted": History()})
    assert "done" in texts(figure)
    assert not [text for text in texts(figure) if "interrupted" in text]


@pytest.mark.parametrize(
    ("loss", "scale"), [(0.0, "linear"), (float("nan"), "linear"), (float("inf"), "linear"), (1.0, "log")]
)
def test_a_loss_of_zero_or_of_a_run_that_diverged_can_be_drawn(loss, scale):
    figure = plot.learning_curves(history(accuracy=None, loss=loss))
    figure.canvas.draw()
    assert figure.axes[0].get_yscale() == scale


def test_accuracies_near_1_are_told_apart_by_their_errors():
    made = History([Epoch(i, 1.0, a, 1.0, a, 0.1, 1.0, 10.0) for i, a in enumerate((0.5, 0.9, 0.99, 1.0), 1)])
    axes = plot.learning_curves(made).axes[1]
    heights = axes.transData.transform([(1, 90), (1, 99), (1, 99.9)])[:, 1]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1])
    assert max(max(line.get_ydata()) for line in axes.lines) == 99.98  # 100 % would be infinitely far


# ---- any curves ----------------------------------------------------------------------------------------


def line_plot(**changed):
    return plot.LinePlot(**({"curves": {"a": [3.0, 2.0], "b": {10: 1.0, 100: 2.0}}} | changed))


def test_curves_are_drawn_against_x_or_their_number():
    axes = plot.line_plots([line_plot(x_label="n", y_label="error")]).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[1, 3], [2, 2]]
    assert axes.lines[1].get_xydata().tolist() == [[10, 1], [100, 2]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("n", "error")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_panels_of_the_same_curves_share_a_legend():
    reference = line_plot(references={"log 10": 2.3})
    figure = plot.line_plots([line_plot(), reference])
    assert legend(figure) == ["a", "b"]
    assert figure.axes[0].get_legend() is None
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["log 10"]
    assert figure.axes[1].lines[-1].get_ydata() == [2.3, 2.3]
    assert plot.line_plots([line_plot(), line_plot(curves={"c": [1.0]})]).legends == []


def test_legends_of_long_names_are_not_cut_off():
    names = [f"in the setting of the source, variant {i}: 1000 updates in an epoch" for i in range(3)]
    panel = line_plot(curves={name: [1.0, 2.0] for name in names})
    assert not cut_off(plot.line_plots([panel, panel]))
    assert not cut_off(plot.learning_curves({name: history() for name in names}))


def test_sizes_on_a_logarithmic_axis_are_written_out():
    curves = {"svm": {1000: 3.0, 4000: 2.0, 12000: 0.9}}
    figure = plot.line_plots([line_plot(curves=curves, x_scale="log", y_scale="log")])
    figure.canvas.draw()
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1 000", "4 000", "12 000"]
    assert axes.get_yscale() == "log"


def test_curves_that_reach_zero_or_diverge_can_be_drawn():
    for curve in ([1.0, 0.0], [1.0, float("inf"), float("nan")], [float("nan")]):
        plot.line_plots([line_plot(curves={"a": curve}, y_scale="log")]).canvas.draw()


def test_an_axis_begins_at_zero_if_asked_to():
    assert plot.line_plots([line_plot(from_zero=True)]).axes[0].get_ylim()[0] == 0


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot.learning_curves(History()), "runs must have finished an epoch or more, got none"),
        (lambda: plot.learning_curves({}), "learning_curves: runs must hold 1 to 8 by name, got 0"),
        (lambda: plot.learning_curves({"x": {}}), "runs of 'x' must hold 1 to 8 by name, got 0"),
        (lambda: plot.line_plots([]), "line_plots: shown must be a list of 1 to 20, got 0"),
        (lambda: line_plot(curves={}), "LinePlot: curves must hold 1 to 8 by name, got 0"),
        (
            lambda: line_plot(curves={"a": {0: 1.0}}, x_scale="log"),
            "curves, 'a', x, must be .* above 0, got 0",
        ),
    ],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(InputError, match=message):
        draw()
