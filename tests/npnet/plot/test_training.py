"""Figures of what a run recorded, and of activations."""

import numpy as np
import pytest

from npnet import nn, plot
from npnet.errors import InputError
from npnet.train import Recorder
from tests.npnet.plot.figures import texts
from tests.npnet.plot.recorded import MODEL, X, recorded


def curves(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_gradient_flow_draws_what_was_recorded():
    recorder = recorded()
    left, right = plot.gradient_flow(recorder).axes
    for name in ("0.weight", "2.weight"):
        steps, sizes = curves(left)[name].T
        assert steps.tolist() == [moment.step for moment in recorder.moments]
        assert sizes.tolist() == [moment.grads[name] for moment in recorder.moments]
    assert left.get_yscale() == "log"
    first = curves(right)[f"step {recorder.moments[0].step}"][:, 1]
    assert first.tolist() == [recorder.moments[0].grads[name] for name in recorder.weights]


def test_update_ratios_draw_what_was_recorded_with_what_is_usual():
    recorder = recorded()
    (axes,) = plot.update_ratios(recorder).axes
    assert curves(axes)["2.weight"][:, 1].tolist() == [m.updates["2.weight"] for m in recorder.moments]
    assert {"usual", "too large", "too small"} <= set(texts(axes.figure))


def test_updates_of_nothing_leave_the_axes_empty():
    (axes,) = plot.update_ratios(recorded(lr=0.0)).axes
    axes.figure.canvas.draw()
    low, high = axes.get_ylim()
    assert 0 < low < 1e-3 < high


def test_dead_units_are_drawn_in_percent():
    model = nn.Sequential(*MODEL.children.values())
    before = model.state_dict()
    model.parameters["0.bias"][:3] = -100.0
    recorder = recorded(model)
    model.load_state_dict(before)
    (axes,) = plot.dead_units(recorder).axes
    assert np.nanmin(curves(axes)["1"][:, 1]) >= 50
    assert axes.get_ylim() == (-3, 103)


def test_a_network_without_relu_has_no_dead_units_to_draw():
    linear = nn.Sequential(nn.Linear(4, 3, generator=np.random.default_rng(0)))
    with pytest.raises(InputError, match="ReLU"):
        plot.dead_units(recorded(linear))


def test_many_layers_share_a_legend_and_a_scale_of_colours():
    rng = np.random.default_rng(0)
    layers = [layer for _ in range(25) for layer in (nn.Linear(4, 4, generator=rng), nn.Tanh())]
    model = nn.Sequential(*layers, nn.Linear(4, 3, generator=rng))
    left, _ = plot.gradient_flow(recorded(model, epochs=1)).axes
    assert len(left.lines) == 26
    assert len(left.get_legend().get_texts()) <= 16
    assert len({line.get_color() for line in left.lines}) == 26


def test_activations_are_counted_by_layer_and_dead_units_named():
    model = nn.Sequential(*MODEL.children.values())
    before = model.state_dict()
    model.parameters["0.bias"][:2] = -100.0
    figure = plot.activation_histograms(model, X)
    linear, relu, _ = figure.axes
    model.load_state_dict(before)
    assert "2 of 6 units dead" in relu.get_title("left")
    assert "% are 0" in relu.get_title("left")
    assert "dead" not in linear.get_title("left")
    counted = sum(bar.get_height() for bar in linear.patches)
    assert counted == 40 * 6


def test_a_layer_that_gives_0_alone_is_drawn():
    figure = plot.activation_histograms(nn.ReLU(), -np.ones((5, 2)))
    assert "all are 0" in texts(figure)


def test_nothing_recorded_is_refused():
    with pytest.raises(InputError, match="must have recorded a step"):
        plot.gradient_flow(Recorder())
