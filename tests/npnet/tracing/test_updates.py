"""The optimizer's step as it is written out is the one that was taken, for every rule and setting."""

import numpy as np
import pytest

import npnet
from npnet import nn, optim
from npnet.errors import InputError
from npnet.tracing._formula import evaluate, line
from tests.examples.optimizers import EXTREME, SETTINGS
from tests.npnet.tracing.test_terms import UNITS


def model(dtype=np.float32):
    return nn.Sequential(nn.Linear(3, 4, generator=np.random.default_rng(0), dtype=dtype))


def step_of(made, optimizer, rng):
    weight = made.parameters["0.weight"]
    x = rng.normal(size=(2, 3)).astype(weight.dtype)
    x[:, 2] = 0  # so that gradients are 0 there
    return npnet.trace(made, nn.CrossEntropyLoss(), x, np.array([0, 3]), optimizer=optimizer)


def warmed_up(rule, settings, dtype, steps, rng):
    """Return a trace of the step that follows on some others."""
    made = model(dtype)
    optimizer = rule(made.parameters, **settings)
    for _ in range(steps):
        grads = {name: rng.normal(size=array.shape) for name, array in made.parameters.items()}
        grads["0.weight"][:, 2] = 0
        optimizer.step({name: grad.astype(dtype) for name, grad in grads.items()})
    return step_of(made, optimizer, rng)


@pytest.mark.parametrize(("steps", "dtype"), [(0, np.float32), (4, np.float32), (1, np.float64)])
@pytest.mark.parametrize(("rule", "settings"), SETTINGS + EXTREME)
def test_what_is_written_out_is_what_step_did(rule, settings, steps, dtype):
    trace = warmed_up(rule, settings, dtype, steps, np.random.default_rng(steps))
    for name, index in (("weight", (0, 0)), ("weight", (3, 1)), ("weight", (1, 2)), ("bias", (2,))):
        written = trace.update(f"0.{name}", index)
        old, gradient = (float(each.value) for each in written.given[:2])
        assert (old, gradient) == (trace["0"][name][index], trace["0"][f"grad_{name}"][index])
        assert written.new == trace["0"][f"new_{name}"][index]
        assert written.step == steps + 1
        assert written.lines
        bound = UNITS[np.dtype(dtype)] * (abs(old) + abs(written.change))
        assert abs(written.total - float(written.new)) <= bound, written


class Halving(optim.Optimizer):
    """Halves the parameter where its gradient is positive."""

    lines = None

    def update(self, parameter, grad, state, step, scratch):
        parameter -= self.lr * parameter * np.maximum(np.sign(grad), 0)

    def equations(self, step):
        return super().equations(step) if self.lines is None else self.lines


def halving(lines):
    """Return the trace of a step by a rule of one's own that says it has these equations."""
    made = model()
    optimizer = Halving(made.parameters, lr=0.5)
    optimizer.lines = lines
    return step_of(made, optimizer, np.random.default_rng(0))


def test_a_rule_of_ones_own_shows_gradient_old_and_new_value():
    trace = halving(None)
    written = trace.update("0.weight", (0, 0))
    assert not written.lines
    assert [each.says for each in written.given] == ["old value", "gradient"]
    assert written.change == float(trace["0"]["new_weight"][0, 0]) - float(trace["0"]["weight"][0, 0])
    assert str(written).splitlines()[-1].startswith("the array holds   new_weight[0,0]")
    assert trace["0"].equations["new_weight"] == "new_weight = weight + the step of Halving(lr=0.5)"


def test_a_rule_of_ones_own_is_written_out_by_its_equations():
    trace = halving({"sign": "s = max(sign(g), 0)", "new value": "p ← p - lr * p * s"})
    for index in np.ndindex(4, 3):
        assert trace.update("0.weight", index).agrees
    assert {trace.update("0.weight", index).lines[0].value for index in np.ndindex(4, 3)} == {0, 1}


def test_equations_that_are_not_those_of_the_update_are_told():
    written = halving({"new value": "p ← p + lr · sign(g)"}).update("0.bias", (0,))
    assert not written.agrees
    assert "This is not what the rule gave" in str(written)


def test_the_table_shows_every_number():
    trace = warmed_up(optim.SGD, {"lr": 0.5, "momentum": 0.25}, np.float64, 2, np.random.default_rng(0))
    text = str(trace.update("0.bias", (-1,)))
    lines = [line.replace("−", "-").replace("(-", "-") for line in text.splitlines()]
    names = ("bias", "grad_bias", "old_momentum_bias", "new_bias")
    old, gradient, momentum, new = (trace["0"][name][3] for name in names)
    assert lines[0] == "bias[3]: update 3 by SGD(lr=0.5, momentum=0.25)"
    assert any(f"0.25 · {momentum}" in line and f" + {gradient}" in line for line in lines)
    assert any(line.startswith("old value") and line.endswith(f" {old}") for line in lines)
    assert lines[-1].startswith("the array holds   new_bias[3]")
    assert lines[-1].endswith(f" {new}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x = 1 − 2 − 3", -4),
        ("x = 8 / 4 / 2", 1),
        ("x = 2^3^0 + 2 · 3^2", 20),
        ("x = −2^2", -4),
        ("x = √4 · 3 − −1", 7),
        ("x = max(a, 2) + min(a, 2) · abs(−3) + sign(−a)", 4),
        ("x = 1 / 0 + 0 / (a − a)", 0),
        ("x_1 ← 1.5e1 * (a - 1e-1)", 1.35 / 0.09 - 1.5),
    ],
)
def test_equations_are_worked_out(text, value):
    assert evaluate(line("", text).tree, {"a": 1.0}) == pytest.approx(value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["p ← p"], "it must return a dict from words to equations, got"),
        ({"step": 3}, "it must return a dict from words to equations, got"),
        ({"step": "p"}, "'p' must begin with a symbol and ← or ="),
        ({"step": "2 ← p"}, "must begin with a symbol"),
        ({"step": "p ← p −"}, "lacks a number or symbol before 'its end'"),
        ({"step": "p ← p (2)"}, "goes on where it should end: '\\('"),
        ({"step": "p ← (p"}, "must have '\\)' before its end"),
        ({"step": "p ← p % 2"}, "has a sign that is not known: '%'"),
        ({"step": "p ← max(p)"}, "max takes 2, got 1"),
        ({"step": "p ← p − rate · g"}, "takes 'rate', known are p, g, lr, t$"),
        ({"step": "d = lr · g"}, "the last line must be that of p, got 'd = lr · g'"),
    ],
)
def test_equations_that_cannot_be_read_get_one_clear_message(lines, message):
    with pytest.raises(InputError, match=f"^Halving.equations: .*{message}"):
        halving(lines)


def test_wrong_questions_get_one_clear_message(bare, traced):
    trace = traced("mlp")
    for name in ("0", "weight", "0.gain", "1.weight", 3, None):
        with pytest.raises(InputError, match=r"update: name must be that of a parameter \(0.weight, 0.bias"):
            trace.update(name, (0, 0))
    with pytest.raises(InputError, match=r"update: index must be one of an array of shape \(6, 5\)"):
        trace.update("0.weight", (6, 0))
    made = model()
    without = npnet.trace(made, nn.CrossEntropyLoss(), np.ones((1, 3), np.float32), np.array([0]))
    with pytest.raises(InputError, match="update: the trace must have the step of an optimizer"):
        without.update("0.weight", (0, 0))
