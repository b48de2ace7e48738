"""A model's arrays stay the same arrays, whatever is assigned, so that an optimizer goes on with them."""

import copy
import pickle

import numpy as np
import pytest

from npnet import nn, optim
from npnet.errors import DTypeError, InputError


def linear(dtype=np.float64):
    return nn.Linear(3, 2, generator=np.random.default_rng(0), dtype=dtype)


class Scale(nn.Layer):
    parameter_names = ("scale", "shift")

    def __init__(self):
        self.shift = None
        self.scale = np.zeros(3)
        self.scale = np.full(3, 2.0)  # made in two steps

    def apply(self, x, *, training, generator):
        return x * self.scale, lambda grad_y, needs: (grad_y * self.scale, (grad_y * x).sum(axis=0), None)


@pytest.mark.parametrize(
    "assign",
    [
        lambda m: setattr(m, "weight", np.zeros((2, 3))),
        lambda m: m.parameters.__setitem__("weight", np.zeros((2, 3))),
        lambda m: m.parameters.update(weight=np.zeros((2, 3))),
        lambda m: m.parameters.update({"weight": np.zeros((2, 3))}),
        lambda m: m.parameters.__ior__({"weight": np.zeros((2, 3))}),
        lambda m: setattr(m, "weight", m.weight * 0),
        lambda m: m.weight.fill(0),
        lambda m: exec("m.weight *= 0", {"m": m}),
    ],
)
def test_what_is_assigned_to_a_parameter_goes_into_its_array(assign):
    model = linear()
    own = model.weight
    optimizer = optim.SGD(model.parameters, lr=1.0)
    assign(model)
    assert model.weight is own
    assert not own.any()
    optimizer.step({"weight": np.ones((2, 3))})
    np.testing.assert_array_equal(model.weight, -np.ones((2, 3)))


def test_buffers_take_values_too():
    layer = nn.BatchNorm1d(2, dtype=np.float64)
    mean, count = layer.running_mean, layer.num_batches_tracked
    layer.running_mean = np.array([1.0, 2.0])
    layer.buffers["running_var"] = np.array([3.0, 4.0])
    layer.num_batches_tracked += 1
    layer.num_batches_tracked = layer.num_batches_tracked + 1  # a scalar of NumPy by now
    assert layer.running_mean is mean
    assert layer.num_batches_tracked is count
    assert (count, mean[1], layer.running_var[0]) == (2, 2.0, 3.0)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((3, 2)), InputError, r"Linear: weight must have shape \(2, 3\) as it has now"),
        (np.zeros((2, 3), np.float32), DTypeError, "weight must have the dtype float64 .* model.astype"),
        (np.zeros((2, 3)).view(np.matrix), DTypeError, "must be a NumPy array, got numpy.matrix"),
        (0.0, DTypeError, "weight must be a NumPy array"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(value, error, message):
    model = linear()
    before = model.weight.copy()
    with pytest.raises(error, match=message):
        model.weight = value
    np.testing.assert_array_equal(model.weight, before)


def test_a_parameter_may_be_taken_away_and_given():
    layer = Scale()
    np.testing.assert_array_equal(layer.scale, [2.0, 2.0, 2.0])
    layer.shift = np.ones(3)
    assert list(layer.parameters) == ["scale", "shift"]
    layer.shift = None
    assert list(layer.parameters) == ["scale"]


def test_a_subset_of_the_parameters_may_be_made():
    model = linear()
    parameters = model.parameters
    parameters.pop("bias")
    assert list(parameters) == ["weight"]
    assert list(model.parameters) == ["weight", "bias"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_have_arrays_of_their_own(copied):
    model = nn.Sequential(linear(), nn.BatchNorm1d(2, dtype=np.float64), nn.Residual(nn.Identity()))
    model.freeze("0.bias")
    twin, parameters, buffers = copied((model, model.parameters, model.buffers))
    assert twin.parameters["0.weight"] is parameters["0.weight"]
    assert twin.buffers["1.running_mean"] is buffers["1.running_mean"]
    assert twin.frozen_parameters == {"0.bias"}
    twin[0].weight[...] = 7
    assert not (model[0].weight == 7).any()
    assert repr(twin) == repr(model)


def test_astype_keeps_what_has_the_dtype_already_and_locks_what_it_replaces():
    model = linear()
    weight = model.weight
    model.astype(np.float64)
    assert model.weight is weight
    model.astype(np.float32)
    model.astype(np.float64)
    assert model.weight is not weight
    assert model.weight.flags.writeable
    with pytest.raises(ValueError, match="read-only"):  # an optimizer made before cannot go on unnoticed
        weight[...] = 0


# ---- the layers of a container -------------------------------------------------------------------------


EXCHANGES = {
    "by name": lambda m, new: m.layers.__setitem__("0", new),
    "several": lambda m, new: m.layers.update({"0": new}),
    "by place": lambda m, new: m.__setitem__(0, new),
    "by index": lambda m, new: m.__setitem__("0", new),
    "all": lambda m, new: setattr(m, "layers", {"0": new, "1": m[1]}),
}


@pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)
def test_a_layer_can_be_exchanged_before_the_optimizer_is_made(exchange):
    model = nn.Sequential(linear(), nn.ReLU())
    x = np.ones((2, model[0].in_features))
    new = linear()
    exchange(model, new)
    sgd = optim.SGD(model.parameters, lr=1.0)
    before = new.weight.copy()
    y, backward = model.forward(x)
    sgd.step(backward(np.ones_like(y))[1])
    assert model[0] is new
    assert not np.array_equal(new.weight, before)


@pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)
def test_an_optimizer_made_before_an_exchange_refuses_its_next_step(exchange):
    model = nn.Sequential(linear(), nn.ReLU())
    sgd = optim.SGD(model.parameters, lr=1.0)
    x = np.ones((2, model[0].in_features))
    for _ in range(6):
        y, backward = model.forward(x)
        sgd.step(backward(np.ones_like(y))[1])
    exchange(model, linear())
    y, backward = model.forward(x)
    with pytest.raises(InputError, match="make the optimizer after layers are exchanged"):
        sgd.step(backward(np.ones_like(y))[1])


def test_the_body_of_a_residual_can_be_exchanged_too():
    model = nn.Residual(nn.ReLU())
    model.body, model.shortcut = nn.Tanh(), nn.Identity()
    assert list(model.children) == ["body", "shortcut"]
    np.testing.assert_array_equal(model(np.ones(1)), np.tanh(np.ones(1)) + 1)


def test_a_layer_can_be_taken_out():
    model = nn.Sequential(nn.ReLU(), nn.Tanh())
    del model[0]
    assert list(model.children) == ["1"]


@pytest.mark.parametrize(
    "exchange",
    [
        lambda m: m.layers.__setitem__("0", np.tanh),
        lambda m: m.layers.__setitem__("a.b", nn.Tanh()),
        lambda m: m.layers.__setitem__(3, nn.Tanh()),
        lambda m: m.layers.update({"0": None}),
        lambda m: m.__setitem__(0, nn.Tanh),
        lambda m: setattr(m, "layers", {"0": 3}),
        lambda m: setattr(m, "layers", None),
        lambda m: setattr(m[1], "body", None),
        lambda m: setattr(m[1], "shortcut", 3),
    ],
)
@pytest.mark.usefixtures("bare")
def test_what_is_no_layer_takes_no_layers_place(exchange):
    model = nn.Sequential(nn.ReLU(), nn.Residual(nn.ReLU()))
    with pytest.raises(InputError, match=r"must be a layer|must be text"):
        exchange(model)
    assert isinstance(model[0], nn.ReLU)
    assert isinstance(model[1].body, nn.ReLU)


@pytest.mark.parametrize(
    "part",
    [slice(None, -1), slice(1, None), slice(None), slice(None, None, -1), slice(np.int64(1), 2), slice(5, 9)],
)
def test_a_slice_is_a_sequential_of_the_same_layers(part):
    torch = pytest.importorskip("torch")
    model = nn.Sequential({"fc": linear(), "act": nn.ReLU(), "drop": nn.Dropout()})
    theirs = torch.nn.Sequential()
    for name, _ in model.named_layers():
        if name:
            theirs.add_module(name, torch.nn.ReLU())
    sliced = model[part]
    assert isinstance(sliced, nn.Sequential)
    assert list(sliced.layers) == [name for name, _ in theirs[part].named_children()]
    assert list(sliced) == list(model)[part]
    if "fc" in sliced.layers:
        assert sliced.parameters["fc.weight"] is model.parameters["fc.weight"]


@pytest.mark.usefixtures("bare")
def test_a_layer_is_found_by_any_integer_and_by_name():
    model = nn.Sequential({"fc": linear(), "act": nn.ReLU()})
    assert model[np.int8(-1)] is model["act"] is model[1]
    assert list(reversed(model)) == [model[1], model[0]]
    for error in (IndexError, InputError):
        with pytest.raises(error, match="index must be that of one of 2 layers, got 2"):
            model[2]
    with pytest.raises(InputError, match="index must be one of fc, act, got 'f'"):
        model["f"]


# ---- states, messages, tables --------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_a_read_only_array_is_met_before_anything_changes():
    model = nn.Sequential(linear(), nn.BatchNorm1d(2, dtype=np.float64))
    before = model.state_dict()
    model[1].bias.flags.writeable = False
    with pytest.raises(InputError, match=r"1\.bias must be writable"):
        model.load_state_dict({name: np.asarray(array + 1) for name, array in before.items()})
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_state_may_hold_the_layers_own_arrays_the_other_way_round():
    layer = nn.BatchNorm1d(2, dtype=np.float64)
    state = {**layer.state_dict(), "weight": layer.bias, "bias": layer.weight}
    layer.load_state_dict(state)
    np.testing.assert_array_equal([layer.weight, layer.bias], [[0, 0], [1, 1]])


@pytest.mark.usefixtures("bare")
def test_one_sample_without_its_batch_axis_is_named_where_it_came_in():
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 3, generator=rng), nn.ReLU(), nn.Flatten()),
        nn.Linear(2 * 6 * 6, 4, generator=rng),
    )
    x = np.ones((1, 8, 8), np.float32)
    expected = (
        r"layer '1' Linear\(72, 4\): .* a batch axis is missing: for the one sample x \(1, 8, 8\) write x\["
    )
    for run in (model, model.forward):
        with pytest.raises(InputError, match=expected):
            run(x)
    assert model(x[np.newaxis]).shape == (1, 4)
    with pytest.raises(InputError) as wrong:
        model(np.ones((1, 9, 9), np.float32))
    assert "batch axis" not in str(wrong.value)
    with pytest.raises(InputError) as wrong:  # what is wrong in training alone is not the shape
        nn.Sequential(nn.Dropout()).forward(np.ones((4, 2), np.float32))
    assert "generator" in str(wrong.value)
    assert "batch axis" not in str(wrong.value)


def test_a_summary_draws_itself_in_a_notebook():
    summary = nn.Sequential(linear(), nn.ReLU()).summary(3)
    page = summary._repr_html_()
    assert page.startswith("<table>")
    assert "Linear(3, 2)" in page
    assert repr(summary) == "<Summary of 2 layers with 8 parameters; print it for the table>"


@pytest.mark.usefixtures("bare")
def test_names_of_parameters_that_are_not_there_are_told():
    class Half(nn.Layer):
        parameter_names = ("scale",)

        def apply(self, x, *, training, generator):
            return x, lambda grad_y, needs: (grad_y, None)

    with pytest.raises(InputError, match="Half: parameter_names has 'scale', but the layer has no such"):
        Half().parameters  # noqa: B018 - to ask is what is tested
