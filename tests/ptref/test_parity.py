import copy
import dataclasses
import os
import re
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as T  # noqa: E402 - after the skip where torch is missing

from npnet import cli, nn  # noqa: E402
from npnet import functional as F  # noqa: E402
from npnet.errors import DTypeError, InputError, MissingError  # noqa: E402
from ptref import bounds, table  # noqa: E402
from ptref.bounds import Bound  # noqa: E402
from ptref.parity import assert_parity, compare, markdown, run_table, without_tf32  # noqa: E402
from ptref.report import distance, judge  # noqa: E402
from ptref.rows import row  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def square(x):
    return x * x, lambda grad_y: 2 * x * grad_y


class Scale(nn.Layer):
    """A layer of a user's own."""

    parameter_names = ("scale",)

    def __init__(self, features, dtype=np.float64):
        super().__init__()
        self.scale = np.linspace(1, 2, features, dtype=dtype)

    def apply(self, x, *, training, generator):
        def backward(grad_y, needs):
            return grad_y * self.scale, (grad_y * x).sum(axis=0)

        return x * self.scale, backward


class WrongScale(Scale):
    def apply(self, x, *, training, generator):
        y, backward = super().apply(x, training=training, generator=generator)
        return y, lambda grad_y, needs: (backward(grad_y, needs)[0], grad_y.sum(axis=0))


class TorchScale(torch.nn.Module):
    def __init__(self, features, name="scale"):
        super().__init__()
        self.name = name
        self.register_parameter(name, torch.nn.Parameter(torch.zeros(features)))

    def forward(self, x):
        return x * getattr(self, self.name)


# ---- what can be compared ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_operation_with_a_function(rng, dtype):
    report = assert_parity(square, torch.square, rng.standard_normal((3, 4)).astype(dtype), seed=5)
    assert [quantity.name for quantity in report.quantities] == ["y", "grad_x"]
    assert report.seed == 5
    assert report.dtype == dtype
    assert (report.over_torch is None) == (dtype == np.float64)


def test_an_operation_with_a_module(rng):
    assert_parity(F.tanh, torch.nn.Tanh(), rng.standard_normal((3, 4)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_of_ones_own_with_a_module_and_with_a_function(rng, dtype):
    x = rng.standard_normal((5, 3)).astype(dtype)
    for reference in (TorchScale(3), lambda x, scale: x * scale):
        report = assert_parity(Scale(3, dtype), reference, x)
        assert [quantity.name for quantity in report.quantities] == ["y", "grad_x", "grad_scale"]
        with pytest.raises(AssertionError, match=r"worst: grad_scale\["):
            assert_parity(WrongScale(3, dtype), reference, x)


def test_parameters_of_other_names_are_mapped(rng):
    x, module = rng.standard_normal((5, 3)), TorchScale(3, name="gamma")
    assert_parity(Scale(3), module, x, names={"scale": "gamma"})
    with pytest.raises(InputError, match=r"lacks \['scale'\], and has \['gamma'\] besides; names="):
        compare(Scale(3), module, x)


def test_a_model_with_a_module_that_stays_as_it_is(rng):
    model = nn.Sequential(
        nn.Linear(4, 3, generator=rng, dtype=np.float64),
        nn.BatchNorm1d(3, dtype=np.float64),
        nn.ReLU(),
        nn.Linear(3, 2, generator=rng, dtype=np.float64),
    )
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.ReLU(), torch.nn.Linear(3, 2)
    )
    before, state = copy.deepcopy(module.state_dict()), model.state_dict()
    report = assert_parity(model, module, rng.standard_normal((6, 4)))
    names = {quantity.name for quantity in report.quantities}
    assert {"y", "grad_x", "grad_0.weight", "grad_3.bias", "1.running_mean", "1.running_var"} <= names
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all((state[name] == value).all() for name, value in model.state_dict().items())
    assert_parity(model, module, rng.standard_normal((6, 4)), training=False)


def test_a_frozen_parameter_needs_no_gradient_and_a_trained_one_does(rng):
    x, layer = rng.standard_normal((5, 3)), Scale(3)
    layer.freeze("scale")
    assert [quantity.name for quantity in assert_parity(layer, TorchScale(3), x).quantities] == [
        "y",
        "grad_x",
    ]

    class Forgetful(Scale):
        def forward(self, x, *, training=True, generator=None):
            y, backward = super().forward(x, training=training, generator=generator)
            return y, lambda grad_y: (backward(grad_y)[0], {})

    with pytest.raises(AssertionError, match="violation: there is no grad_scale"):
        assert_parity(Forgetful(3), TorchScale(3), x)


def test_a_loss_and_its_labels(rng):
    x, target = rng.standard_normal((5, 3)), rng.integers(0, 3, 5)
    weight = np.array([1.0, 2.0, 0.5])
    reference = torch.nn.CrossEntropyLoss(weight=torch.tensor(weight))
    assert_parity(nn.CrossEntropyLoss(weight=weight), reference, x, target)


def test_an_input_may_be_absent_and_states_are_compared(rng):
    x, mean, var = rng.standard_normal((5, 3)), np.zeros(3), np.ones(3)
    options = {"training": True}
    report = assert_parity(
        F.batch_norm, T.batch_norm, x, mean, var, None, None, options=options, state=(1, 2)
    )
    assert [quantity.name for quantity in report.quantities][:3] == ["y", "running_mean", "running_var"]
    assert mean.tolist() == [0, 0, 0]


def test_gradients_of_several_inputs_are_compared_in_their_order(rng):
    x, weight = rng.standard_normal((2, 3)), rng.standard_normal((4, 3))
    report = assert_parity(F.linear, T.linear, x, weight, None, rule=bounds.sums())
    assert [quantity.name for quantity in report.quantities] == ["y", "grad_x", "grad_weight"]
    assert all(quantity.error_over_bound < 1 for quantity in report.quantities)


# ---- what is noticed -----------------------------------------------------------------------------------


def with_backward(backward):
    return lambda x: (x * x, lambda grad_y: backward(x, grad_y))


def modifies_x(x):
    y = x * x
    x *= 2
    return y, lambda grad_y: grad_y * x


def forgets(x):
    calls = []

    def backward(grad_y):
        calls.append(1)
        return 2 * x * grad_y * len(calls)

    return x * x, backward


def overwrites_its_first_answer(x):
    buffer = np.zeros_like(x)

    def backward(grad_y):
        buffer[...] += 2 * x * grad_y
        return buffer

    return x * x, backward


def overwrites_y(x):
    y = x * x

    def backward(grad_y):
        y[...] = 2 * x * grad_y
        return y.copy()

    return y, backward


def overwrites_grad_y(x):
    def backward(grad_y):
        if grad_y.flags.writeable:
            grad_y *= 2 * x
        return grad_y

    return x * x, backward


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (modifies_x, "x is modified"),
        (forgets, "backward, called again, gives another grad_x"),
        (overwrites_its_first_answer, "backward, called again, gives another grad_x"),
        (overwrites_y, "backward modifies y"),
        (overwrites_grad_y, "backward modifies grad_y"),
        (lambda x: ((x * x).astype(np.float32), square(x)[1]), "y is float32, not float64"),
        (lambda x: ((x * x).tolist(), square(x)[1]), "y must be a NumPy array, got list"),
        (with_backward(lambda x, g: (2 * x * g).astype(np.float32)), "grad_x is float32, not float64"),
        (
            with_backward(lambda x, g: (2 * x * g).sum(axis=0)),
            r"grad_x has shape \(3,\), PyTorch's has \(2, 3\)",
        ),
        (with_backward(lambda x, g: (2 * x * g, g)), "output 1 of backward has no counterpart"),
        (lambda x: ((x * x).sum(axis=0), square(x)[1]), r"y has shape \(3,\), PyTorch's has \(2, 3\)"),
        (
            with_backward(lambda x, g: x * g),
            r"grad_x\[\d, \d\]: npnet .*, PyTorch .*, truth .*: error .* allowed",
        ),
    ],
)
def test_every_rule_broken_is_named(rng, operation, message):
    x = rng.standard_normal((2, 3))
    reports = [compare(operation, torch.square, x, seed=seed) for seed in range(5)]
    # At least one of them has a grad_y laid out so that it can be written to.
    assert re.search(message, "\n".join(str(report) for report in reports if not report.agrees))


def test_ones_as_upstream_gradient_would_have_hidden_it(rng):
    def summed_first(x):  # right only where all upstream gradients are equal
        return x * x, lambda grad_y: 2 * x * grad_y.mean()

    x = rng.standard_normal((3, 4))
    _, backward = summed_first(x)
    np.testing.assert_allclose(backward(np.ones((3, 4))), 2 * x)
    with pytest.raises(AssertionError, match="grad_x"):
        assert_parity(summed_first, torch.square, x)


def test_a_float32_result_is_judged_by_the_truth_and_not_by_pytorchs_rounding(rng):
    x = rng.standard_normal((4, 1000)).astype(np.float32)
    weight = rng.standard_normal((3, 1000)).astype(np.float32)

    def exact(x, weight):
        y = (x.astype(float) @ weight.astype(float).T).astype(np.float32)
        return y, F.linear(x, weight)[1]

    def two_digits(x, weight):
        y, backward = F.linear(x, weight)
        return y * np.float32(1.01), backward

    report = assert_parity(exact, T.linear, x, weight, rule=bounds.sums())
    assert report["y"].over_torch < 1
    assert not compare(two_digits, T.linear, x, weight, rule=bounds.sums()).agrees


def test_a_failure_says_everything_needed_to_repeat_it(rng):
    def wrong(x, negative_slope):
        return F.leaky_relu(x, negative_slope)[0], lambda grad_y: grad_y

    options = {"negative_slope": 0.3}
    with pytest.raises(AssertionError) as caught:
        assert_parity(wrong, T.leaky_relu, np.array([[-2.0, 1.0]]), options=options, seed=7)
    text = str(caught.value)
    for part in (
        "wrong DIFFERS from leaky_relu",
        "x (1, 2) float64, negative_slope=0.3; seed 7",
        "worst: grad_x[0, 0]: npnet ",
        "PyTorch ",
        "truth ",
        "allowed",
        "error ÷ bound",
    ):
        assert part in text


# ---- values at which mistakes hide ---------------------------------------------------------------------


class ForgetfulNorm(nn.BatchNorm1d):
    """A batch norm whose gradient of x forgets its weight."""

    def apply(self, x, *, training, generator):
        y, backward = super().apply(x, training=training, generator=generator)
        weight = self.weight.copy()

        def wrong_backward(grad_y, needs):
            grad_x, *others = backward(grad_y, needs)
            return (grad_x / weight, *others)

        return y, wrong_backward


@pytest.mark.parametrize("training", [True, False])
def test_parameters_of_ones_hide_no_mistake(rng, training):
    x = rng.standard_normal((6, 3))
    for kind, wrong in ((nn.BatchNorm1d, False), (ForgetfulNorm, True)):
        layer = nn.Sequential(kind(3, dtype=np.float64), nn.Tanh())
        before = layer.state_dict()
        module = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Tanh())
        report = compare(layer, module, x, training=training)
        assert report.agrees != wrong
        assert compare(layer, module, x, training=training, vary=False).agrees  # where it hides
        if wrong:
            assert re.search(r"with other values than 0 and 1: grad_x\[", str(report))
        for name, array in layer.state_dict().items():
            np.testing.assert_array_equal(array, before[name])


def test_inputs_of_zeros_and_ones_hide_no_mistake(rng):
    def scaled(x, weight, bias):
        return x * weight + bias, lambda g: (g, (g * x).sum(0), g.sum(0))

    x, weight, bias = rng.standard_normal((4, 3)), np.ones(3), np.zeros(3)
    with pytest.raises(AssertionError, match=r"with other values than 0 and 1: grad_x\["):
        assert_parity(scaled, lambda x, w, b: x * w + b, x, weight, bias)
    assert weight.tolist() == [1, 1, 1]
    assert bias.tolist() == [0, 0, 0]


def test_frozen_parameters_stay_and_labels_too(rng):
    layer = ForgetfulNorm(3, dtype=np.float64)
    layer.freeze("weight")
    assert compare(layer, torch.nn.BatchNorm1d(3), rng.standard_normal((6, 3))).agrees
    target = np.zeros(4, np.int64)
    assert_parity(F.cross_entropy, T.cross_entropy, rng.standard_normal((4, 3)), target)
    assert_parity(F.binary_cross_entropy, T.binary_cross_entropy, rng.uniform(0.1, 0.9, 4), np.ones(4))


def test_a_model_is_left_as_it_was_also_by_an_error(rng):
    class Breaking(Scale):
        def apply(self, x, *, training, generator):
            if (self.scale != 1).any():
                raise KeyError("broken")
            return super().apply(x, training=training, generator=generator)

    layer = Breaking(3)
    layer.scale[...] = 1
    with pytest.raises(KeyError, match="broken"):
        compare(layer, TorchScale(3), rng.standard_normal((2, 3)))
    assert (layer.scale == 1).all()


def test_without_a_reference_the_layer_is_converted(rng):
    report = assert_parity(
        nn.Linear(3, 2, generator=rng, dtype=np.float64), None, rng.standard_normal((4, 3))
    )
    assert report.reference == "Linear"


def test_a_report_has_a_table_for_notebooks_and_a_short_repr(rng):
    report = compare(square, torch.square, rng.standard_normal(3))
    assert report._repr_html_().startswith("<table>\n<caption>square agrees with square</caption>")
    assert '<td style="text-align: left">grad_x</td>' in report._repr_html_()
    assert re.fullmatch(
        r"<Report: square agrees with square; 2 arrays, error ÷ bound \S+, 0 violations>", repr(report)
    )


# ---- what is refused -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (
            (np.ones((2, 3), np.float32), np.ones((4, 3))),
            DTypeError,
            "weight must have the dtype of x, float32",
        ),
        (
            (torch.ones(2, 3), np.ones((4, 3))),
            DTypeError,
            "x must be a NumPy array or None, got torch.Tensor",
        ),
        (
            (np.ones((2, 3), np.float16), np.ones((4, 3))),
            DTypeError,
            "x must be float32 or float64, got float16",
        ),
        ((None, None), InputError, "at least one input must be a floating-point array"),
    ],
)
def test_inputs_that_do_not_fit_together_are_refused(inputs, error, message):
    with pytest.raises(error, match=f"^compare: {message}"):
        compare(F.linear, T.linear, *inputs)


def test_a_layer_of_another_dtype_than_its_input_is_refused():
    with pytest.raises(DTypeError, match="scale must have the dtype of x, float32, got float64"):
        compare(Scale(3), TorchScale(3), np.ones((2, 3), np.float32))


def test_a_module_of_mixed_dtypes_or_devices_is_refused_by_the_name_of_its_parameter():
    layer, x = nn.Linear(3, 2, generator=np.random.default_rng(0)), np.ones((2, 3), np.float32)
    mixed = torch.nn.Linear(3, 2)
    mixed.bias = torch.nn.Parameter(mixed.bias.detach().double())
    with pytest.raises(InputError, match=r"bias of Linear must have the dtype of weight, .*32, got .*64"):
        compare(layer, mixed, x)
    apart = torch.nn.Linear(3, 2)
    apart.bias = torch.nn.Parameter(apart.bias.detach().to("meta"))
    with pytest.raises(InputError, match="bias of Linear must have the device of weight, cpu, got meta"):
        compare(layer, apart, x)


def test_a_module_of_another_shape_or_a_function_for_a_nested_layer_is_refused():
    rng, x = np.random.default_rng(0), np.ones((2, 3), np.float32)
    layer = nn.Linear(3, 2, generator=rng)
    with pytest.raises(InputError, match=r"weight of Linear must have shape \(2, 3\) as in the layer"):
        compare(layer, torch.nn.Linear(3, 4), x)
    with pytest.raises(InputError, match=r"'0.weight', must be a torch.nn.Module"):
        compare(nn.Sequential(layer), T.linear, x)


def test_an_unknown_device_is_refused():
    with pytest.raises(InputError, match="device must be 'cpu' or 'cuda', got 'tpu'"):
        compare(square, torch.square, np.ones(3), device="tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_said_in_one_line():
    with pytest.raises(MissingError, match="device 'cuda' needs a GPU, but PyTorch"):
        compare(square, torch.square, np.ones(3), device="cuda")


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device: torch.cuda.is_available() is false"
)
@pytest.mark.parametrize("name", ["linear", "conv2d", "max_pool2d", "cross_entropy", "batch_norm"])
def test_pytorch_on_cuda_is_within_its_bound_too(name):
    result = table.measure(row(name), np.dtype(np.float32), examples=50, device="cuda")
    assert result.agrees, result.failures[0]


def test_tf32_is_off_meanwhile_and_as_before_afterwards():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    try:
        with without_tf32():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cuda.matmul.allow_tf32
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before[0])
    assert torch.backends.cudnn.allow_tf32 == before[1]


# ---- judging -------------------------------------------------------------------------------------------


def test_distances_of_what_is_no_number():
    inf, nan = np.inf, np.nan
    value = np.array([1, inf, -inf, nan, inf, nan, 1, inf, 1], np.float32)
    truth = np.array([1, inf, -inf, nan, -inf, 1, nan, 1e60, inf])
    np.testing.assert_array_equal(distance(value, truth), [0, 0, 0, 0, inf, inf, inf, 0, inf])


def test_the_worst_element_is_the_one_farthest_beyond_its_own_bound():
    value, truth = np.array([[1.0, 2.0], [3.0, 4.5]]), np.array([[1.0, 2.1], [3.0, 4.0]])
    bound = np.array([[1.0, 0.01], [1.0, 1.0]])
    quantity = judge("y", value, truth, truth, bound, over_torch=False)
    assert quantity.index == (0, 1)
    assert quantity.worst_error == 0.5
    assert quantity.error_over_bound == pytest.approx(10)
    assert not quantity.agrees


def test_an_error_where_none_is_allowed_is_infinitely_too_large():
    one = np.ones(2)
    assert judge("y", one, one, one, np.zeros(2), over_torch=False).agrees
    assert judge("y", one, one, one * 1.5, np.zeros(2), over_torch=False).error_over_bound == np.inf


def test_a_bound_is_gamma_times_the_magnitude_twice():
    k, u = 100.0, 2.0**-24
    bound = Bound(k, torch.tensor([3.0], dtype=torch.float64)).of(np.dtype(np.float32), (1,), 0.0)
    assert bound == pytest.approx(2 * k * u / (1 - k * u) * 3)
    assert Bound(0.0, 5.0).of(np.dtype(np.float32), (2,), 0.0).tolist() == [0, 0]


def test_the_bound_of_a_sum_is_that_of_its_absolute_values(rng):
    x = np.array([[1e4, -1e4, 1.0]], np.float32)
    weight = np.ones((1, 3), np.float32)
    report = compare(F.linear, T.linear, x, weight, rule=bounds.sums())
    u = 2.0**-24
    assert report["y"].bound == pytest.approx(2 * 3 * u / (1 - 3 * u) * 20_001, rel=1e-6)  # of 3 terms


@pytest.mark.parametrize("name", ["relu", "max_pool2d", "flatten"])
def test_what_is_exact_has_no_bound_but_zero(name):
    result = table.measure(row(name), np.dtype(np.float32), examples=20)
    assert result.agrees
    assert result.error_over_bound == 0
    assert result.over_torch is None


# ---- the table -----------------------------------------------------------------------------------------


def test_the_table_ends_in_one_line_and_status_0_where_all_agree(capsys):
    assert cli.main(["parity", "--op", "linear", "--examples", "5", "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "agree: 2 of 2"
    assert [line.split()[:4] for line in lines if line.startswith("operation")] == [
        ["operation", "linear", "float32", "5"],
        ["operation", "linear", "float64", "5"],
    ]


def test_a_difference_is_shown_and_makes_status_1(capsys, monkeypatch):
    wrong_row = dataclasses.replace(
        row("relu"),
        draw=lambda choose, dtype: dataclasses.replace(
            row("relu").draw(choose, dtype), subject=lambda x: (F.relu(x)[0], lambda grad_y: grad_y)
        ),
    )
    monkeypatch.setattr(table, "rows", lambda: [wrong_row, row("tanh")])
    assert run_table(dtype="float64", examples=10) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "agree: 1 of 2"
    assert "of 10 cases differ, the first:\nrelu DIFFERS from torch's relu" in out
    assert "worst: grad_x[" in out


def test_what_npnet_refuses_although_pytorch_takes_it_counts_as_a_difference(capsys, monkeypatch):
    def refuse(x):
        raise InputError("relu: no thanks")

    refusing = dataclasses.replace(
        row("relu"),
        draw=lambda choose, dtype: dataclasses.replace(row("relu").draw(choose, dtype), subject=refuse),
    )
    monkeypatch.setattr(table, "rows", lambda: [refusing])
    assert run_table(dtype="float64", examples=3) == 1
    assert "relu refuses what PyTorch takes: relu: no thanks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"op": "conv9d"}, "nothing named 'conv9d' is compared with PyTorch; names are linear, conv2d"),
        ({"op": "relu", "dtype": "float16"}, "dtype must be one of float32, float64, got 'float16'"),
        ({"op": "relu", "examples": 0}, "examples must be a positive integer, got 0"),
        ({"op": "relu", "device": "tpu"}, "device must be 'cpu' or 'cuda'"),
    ],
)
def test_wishes_the_table_cannot_fulfil_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        run_table(**arguments)


def test_an_unknown_option_ends_with_status_2(capsys):
    assert cli.main(["parity", "--dtype", "float16"]) == 2
    assert "float16" in capsys.readouterr().err


def test_help_and_mistaken_options_need_no_torch(tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch here', name='torch')")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    for option, status, told in (
        ("--help", 0, "--markdown"),
        ("--examples=0", 2, "must be a positive integer"),
    ):
        ended = subprocess.run(
            [sys.executable, "-m", "npnet", "parity", option],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == status
        assert told in ended.stdout + ended.stderr


def test_without_torch_the_command_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr("ptref.cli.util.find_spec", lambda name: None)
    assert cli.main(["parity", "--op", "relu"]) == 2
    assert "pip install torch torchvision" in capsys.readouterr().err


def test_the_same_seed_draws_the_same_cases():
    def measured(seed):
        return table.measure(row("conv2d"), np.dtype(np.float32), examples=5, seed=seed).ratios

    assert measured(1) == measured(1)
    assert measured(1) != measured(2)


def test_the_table_for_the_readme_has_a_line_for_each_operation(capsys):
    assert cli.main(["parity", "--markdown", "--examples", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(F.__all__)
    assert lines[2].startswith("| `linear` | 2 | 0.")
    assert markdown(2).splitlines() == lines
    assert "| `relu` | 2 | exact | both exact |" in lines
