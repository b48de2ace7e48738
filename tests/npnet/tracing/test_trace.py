"""What is recorded of a step: every operation of every container, and nothing of it stays in the model."""

import threading

import numpy as np
import pytest

import npnet
from npnet import nn, optim
from npnet.errors import InputError
from npnet.nn.step import plain_step
from tests.npnet.tracing.traced_models import MODELS


class Branches(nn.Layer):
    """Multiplies what two branches give."""

    def __init__(self, left, right):
        super().__init__()
        self.left, self.right = left, right

    def forward(self, x, *, training=True, generator=None):
        left, left_backward = self.left.forward(x, training=training, generator=generator)
        right, right_backward = self.right.forward(x, training=training, generator=generator)

        def backward(grad_y, *, needs_grad_x=True):
            grad_left, of_left = left_backward(grad_y * right)
            grad_right, of_right = right_backward(grad_y * left)
            grads = {f"left.{key}": value for key, value in of_left.items()}
            grads |= {f"right.{key}": value for key, value in of_right.items()}
            return grad_left + grad_right, grads

        return left * right, backward


class Scale(nn.Layer):
    """Multiply each feature by a number of its own."""

    parameter_names = ("scale",)

    def __init__(self, features):
        super().__init__()
        self.scale = np.full(features, 2, np.float32)

    def apply(self, x, *, training, generator):
        def backward(grad_y, needs):
            return grad_y * self.scale, (grad_y * x).sum(axis=0)

        return x * self.scale, backward


def linear(*sizes):
    return nn.Linear(*sizes, generator=np.random.default_rng(0))


X, TARGET = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32), np.array([0, 1])


def run(model, x=X, target=TARGET, **settings):
    return npnet.trace(model, nn.CrossEntropyLoss(), x, target, **settings)


@pytest.mark.parametrize("name", MODELS)
def test_loss_and_gradients_are_those_of_a_step(traced, name):
    trace = traced(name)
    model, loss, x, target = MODELS[name](np.random.default_rng(0))
    value, y, grads = plain_step(model, loss, x, target, np.random.default_rng(1))
    np.testing.assert_equal(trace.loss, value)
    np.testing.assert_array_equal(trace["loss"]["x"], y)
    found = {
        f"{operation.name}.{key.removeprefix('grad_')}".removeprefix("model."): operation[key]
        for operation in trace
        for key in operation.gradients
        if key.removeprefix("grad_") in operation.parameters
    }
    assert found.keys() == grads.keys()
    for key, grad in grads.items():
        np.testing.assert_array_equal(found[key], grad)


def test_nothing_changes_in_what_was_traced():
    model, loss, x, target = MODELS["images"](np.random.default_rng(0))
    optimizer = optim.Adam(model.parameters)
    before, settings, generator = model.state_dict(), optimizer.state_dict(), np.random.default_rng(3)
    draws = generator.bit_generator.state
    arrays = x.copy(), target.copy()
    npnet.trace(model, loss, x, target, optimizer=optimizer, generator=generator)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert repr(optimizer.state_dict()) == repr(settings)
    assert generator.bit_generator.state == draws
    np.testing.assert_array_equal(x, arrays[0])
    np.testing.assert_array_equal(target, arrays[1])
    assert not any("forward" in vars(layer) for _, layer in model.named_layers())


def test_a_container_of_ones_own_is_traced_with_what_is_in_it():
    model = nn.Sequential(
        linear(3, 4), Branches(nn.Tanh(), nn.Sequential(Scale(4), nn.Sigmoid())), linear(4, 2)
    )
    trace = run(model)
    assert [operation.name for operation in trace] == [
        "0", "1.in", "1.left", "1.right.0", "1.right.1", "1.out", "2", "loss",
    ]  # fmt: skip
    assert trace["1.out"].sources == {"left": "1.left", "right": "1.right.1"}
    assert trace["1.right.0"].sources == {"x": "1.in"}
    assert trace["2"].sources == {"x": "1.out"}
    assert trace["1.right.0"].says == "Multiply each feature by a number of its own."
    assert trace["1.right.0"].parameters == ("scale",)
    np.testing.assert_allclose(
        trace["1.in"]["grad_x"], trace["1.in"]["grad_left"] + trace["1.in"]["grad_right"]
    )
    np.testing.assert_array_equal(trace["0"]["grad_y"], trace["1.in"]["grad_x"])
    assert not trace["1.out"].equations


def test_a_residual_is_a_parting_and_a_sum():
    trace = run(nn.Sequential(linear(3, 3), nn.Residual(nn.Sequential(nn.Tanh(), linear(3, 3)))))
    assert [operation.name for operation in trace] == ["0", "1.in", "1.body.0", "1.body.1", "1.out", "loss"]
    assert trace["1.out"].sources == {"body": "1.body.1", "shortcut": "1.in"}
    np.testing.assert_array_equal(trace["1.out"]["y"], trace["1.out"]["body"] + trace["0"]["y"])
    assert [trace.operations[place].name for phase, place in trace.steps if phase == "backward"] == [
        "loss", "1.out", "1.body.1", "1.body.0", "1.in", "0",
    ]  # fmt: skip


def test_a_layer_in_two_places_is_two_operations():
    shared = linear(3, 3)
    trace = run(nn.Sequential(shared, nn.ReLU(), shared))
    assert [operation.name for operation in trace] == ["0", "1", "2", "loss"]


def test_a_layer_that_is_run_twice_is_two_operations():
    class Twice(nn.Layer):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x, *, training=True, generator=None):
            y, first = self.layer.forward(x, training=training, generator=generator)
            y, second = self.layer.forward(y, training=training, generator=generator)

            def backward(grad_y, *, needs_grad_x=True):
                grad, of_second = second(grad_y)
                grad, of_first = first(grad)
                return grad, {f"layer.{name}": of_first[name] + of_second[name] for name in of_first}

            return y, backward

    trace = run(Twice(linear(3, 3)))
    assert [operation.name for operation in trace] == ["layer", "layer (2)", "loss"]
    assert trace["layer (2)"].sources == {"x": "layer"}


def test_layers_may_be_called_what_the_trace_calls_its_ends():
    model = nn.Sequential({"input": linear(3, 3), "loss": linear(3, 2)})
    trace = run(model)
    assert [operation.name for operation in trace] == ["input (2)", "loss (2)", "loss"]
    assert trace["input (2)"].sources == {"x": "input"}
    assert trace["loss (2)"].sources == {"x": "input (2)"}


def test_a_model_that_cannot_be_copied_is_refused():
    model = linear(3, 2)
    vars(model)["lock"] = threading.Lock()
    with pytest.raises(InputError, match="trace: model must be one that can be copied, got Linear: cannot"):
        run(model)


def test_what_a_closure_keeps_is_listed():
    kept = {kept.name: kept for kept in run(nn.Sequential(linear(3, 4), nn.ReLU(), linear(4, 2)))["1"].kept}
    assert (kept["passes"].shape, kept["passes"].dtype, kept["passes"].bytes) == ((2, 4), "bool", 8)
    same = {kept.name: kept.same_as for kept in run(linear(3, 2))["model"].kept}
    assert same["weight"] == "weight"
    assert same["rows"] == "x"


def test_a_frozen_parameter_has_no_gradient():
    model = nn.Sequential(linear(3, 4), linear(4, 2))
    model.freeze("0.weight")
    trace = run(model, optimizer=optim.SGD(model.parameters))
    assert "grad_weight" not in trace["0"].tensors
    assert "new_weight" not in trace["0"].tensors
    assert "new_bias" in trace["0"].tensors


def test_a_failing_step_is_traced_up_to_the_failure(bare):
    trace = run(nn.Sequential(linear(3, 4), nn.Sequential(nn.ReLU(), linear(5, 2)), nn.Tanh()))
    assert [operation.name for operation in trace] == ["0", "1.0", "1.1", "2", "loss"]
    assert trace.error.startswith(
        "layer '1' Sequential: layer '1' Linear(5, 2): linear: x must have 5 features"
    )
    assert trace["1.1"].failed == "forward"
    assert trace["1.1"].error.startswith("linear: x must have 5 features")
    assert trace["1.0"].ran_forward
    assert not trace["1.0"].ran_backward
    assert not trace["2"].tensors
    assert np.isnan(trace.loss)
    lines = str(trace).splitlines()
    assert lines[0].startswith("failed: layer '1'")
    assert sum("not run" in line for line in lines) == 7  # forward 2 and the loss, backward all


def test_a_failing_backward_is_told_at_its_place():
    class Broken(nn.Layer):
        def apply(self, x, *, training, generator):
            def backward(grad_y):
                raise ValueError("operands could not be broadcast")

            return x * 2, backward

    trace = run(nn.Sequential(linear(3, 3), Broken(), nn.Tanh()))
    assert trace["1"].failed == "backward"
    assert trace["1"].error == trace.error == "ValueError: operands could not be broadcast"
    assert trace["2"].ran_backward
    assert not trace["0"].ran_backward
    assert trace.loss > 0


def test_a_loss_that_gives_no_number_is_told():
    class Losses(nn.Loss):
        def apply(self, x, target):
            return x, lambda: x

    trace = npnet.trace(linear(3, 2), Losses(), X, TARGET)
    assert "loss must give one number" in trace["loss"].error
    assert trace["model"].ran_forward


def test_dropout_draws_from_seed_0_where_no_generator_is_given():
    model = nn.Sequential(nn.Dropout(0.5), linear(3, 2))
    without, given = run(model), run(model, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(without["0"]["factor"], given["0"]["factor"])
    assert set(without["0"]["factor"].flat) == {0, 2}


def test_nan_and_infinities_are_counted_and_marked():
    x = X.copy()
    x[0] = np.nan, np.inf, -np.inf
    trace = run(linear(3, 2), x)
    found = npnet.tracing.statistics(trace["model"]["x"])
    assert (found.nans, found.infinities) == (1, 2)
    assert "50 % NaN" in str(trace)


def test_the_table_reads_forward_downwards_and_backward_upwards(traced):
    lines = str(traced("mlp")).splitlines()
    names = [line.split()[0] for line in lines[3:] if line]
    middle = names.index("↑")
    assert list(dict.fromkeys(names[:middle])) == ["input", "0", "1", "2", "3", "4", "5", "6", "loss"]
    assert names[middle + 1] == "0"
    assert names[-1] == "loss"
    assert set(lines[3]) & set("▁▂▃▄▅▆▇█")


def test_a_notebook_shows_the_page(traced):
    shown = traced("mlp")._repr_html_()
    assert shown.startswith("<iframe")
    assert "&lt;!doctype html&gt;" in shown


def test_unknown_names_are_answered_with_those_there_are(traced):
    with pytest.raises(InputError, match=r"name must be that of an operation \(0, 1, 2"):
        traced("mlp")["layer"]
    with pytest.raises(InputError, match=r"name must be that of one of its arrays \(x, weight"):
        traced("mlp")["0"]["grad"]


def test_a_file_that_cannot_be_written_is_named(traced, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        traced("mlp").save(tmp_path / "no" / "such" / "folder.html")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "model"}, "trace: model must be a layer"),
        ({"loss": "loss"}, "trace: loss must be a loss such as"),
        ({"loss": nn.MSELoss("none")}, "trace: loss must be one number"),
        ({"x": [[1.0]]}, "trace: x must be"),
        ({"target": 3}, "trace: target must be"),
        (
            {"optimizer": optim.SGD(linear(3, 2).parameters)},
            "got one of 'weight', of which the model has another",
        ),
        ({"optimizer": optim.SGD({"w": np.ones(2)})}, "got one of 'w', of which the model has no parameter"),
        ({"optimizer": "SGD"}, "trace: optimizer must be an optimizer such as"),
        ({"generator": 3}, "trace: generator must be"),
        ({"training": "yes"}, "trace: training must be"),
        ({"reference": "torch"}, "trace: reference must be"),
    ],
)
def test_wrong_arguments_get_one_clear_message(bare, changed, message):
    arguments = {"model": linear(3, 2), "loss": nn.CrossEntropyLoss(), "x": X, "target": TARGET} | changed
    with pytest.raises(InputError, match=message):
        npnet.trace(**arguments)
