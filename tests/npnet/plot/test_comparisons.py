import numpy as np
import pytest

from npnet import plot
from npnet.errors import InputError
from tests.npnet.plot.figures import texts


def test_every_classifier_is_a_line_and_every_part_a_marker():
    scores = {"one": {"validation": 0.9, "test": 0.92}, "two": {"validation": 0.98, "test": 0.97}}
    figure = plot.accuracies(scores, must_reach=0.95)
    points, legend = figure.axes[0].lines, figure.legends[0].get_texts()
    np.testing.assert_allclose(points[0].get_xydata(), [[90, 1], [98, 0]])
    np.testing.assert_allclose(points[1].get_xydata(), [[92, 1], [97, 0]])
    assert [text.get_text() for text in legend] == ["validation", "test", "to be reached: 95 %"]
    assert {"one", "two"} <= set(texts(figure))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.05, 1.0),
        (0.4, 0.9),
        (0.5, 0.9),
        (0.9, 0.92),
        (0.9, 0.985),
        (0.985, 0.992),
        (0.97, 0.97),
        (0.98, 1.0),
    ],
)
def test_accuracies_of_any_range_have_ticks_to_read_them_by(low, high):
    figure = plot.accuracies({"one": {"validation": low, "test": high}})
    figure.canvas.draw()
    axes = figure.axes[0]
    first, last = axes.get_xlim()
    assert first < 100 * low <= 100 * high < last or high == 1
    ticks = np.array([tick for tick in axes.get_xticks() if first <= tick <= last])
    assert len(ticks) >= (1 if low == high else 3)
    places = axes.transData.transform(np.stack([ticks, 0 * ticks], axis=1))[:, 0]
    assert (np.diff(places) > 0.05 * axes.bbox.width).all(), "ticks are crowded"


def test_differences_of_a_pair_are_in_points_in_ascending_order():
    pair = {"SVM": np.array([0.9, 0.8, 0.7]), "network": np.array([0.8, 0.8, 0.9])}
    figure = plot.paired_comparison({"accuracy": pair})
    heights = [bar.get_height() for bar in sorted(figure.axes[-1].patches, key=lambda bar: bar.get_x())]
    np.testing.assert_allclose(heights, [-20, 10], atol=1e-9)
    assert {"80.0 ± 10.0", "83.3 ± 5.8", "mean −3.3"} <= set(texts(figure))


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot.accuracies({}), "accuracies: scores must hold 1 to 200 by name, got 0"),
        (
            lambda: plot.accuracies({"a": {"test": 0.5}, "b": {"training": 0.5}}),
            r"scores of 'b' must be of \['test'\], got those of \['training'\]",
        ),
        (lambda: plot.paired_comparison({"AP": {"SVM": np.ones(2)}}), "of two names"),
        (lambda: plot.paired_comparison({"AP": {"a": np.ones(2), "b": np.ones(3)}}), "as many of each"),
    ],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(InputError, match=message):
        draw()
