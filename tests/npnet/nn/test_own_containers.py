"""A container of the user's own is a full member: drawn, counted, trained, cut into shards, saved."""

import copy
import pickle
import threading

import numpy as np
import pytest

import npnet
from npnet import checkpoint, nn, optim, parallel
from npnet.errors import InputError
from npnet.nn.layer import instrumented


def rng():
    return np.random.default_rng(0)


class Block(nn.Layer):
    """Two layers in attributes, and a forward written by hand."""

    setting_names = ("channels",)

    def __init__(self, channels, *, generator=None, dtype=np.float32):
        self.channels = channels
        self.conv = nn.Conv2d(3, channels, 3, padding=1, generator=generator, dtype=dtype)
        self.act = nn.ReLU()

    def forward(self, x, *, training=True, generator=None):
        h, conv_backward = self.conv.forward(x, training=training, generator=generator)
        y, act_backward = self.act.forward(h, training=training, generator=generator)

        def backward(grad_y, *, needs_grad_x=True):
            grad_h, _ = act_backward(grad_y)
            grad_x, grads = conv_backward(grad_h, needs_grad_x=needs_grad_x)
            return grad_x, {f"conv.{name}": grad for name, grad in grads.items()}

        return y, backward


class Chain(Block):
    """The same, which says that it may be cut between its layers."""

    @property
    def stages(self):
        return self.children


def counterpart():
    return nn.Sequential({"conv": nn.Conv2d(3, 4, 3, padding=1, generator=rng()), "act": nn.ReLU()})


IMAGES = rng().standard_normal((4, 3, 6, 6), dtype=np.float32)


def step(model, x=IMAGES):
    y, backward = model.forward(x)
    return y, *backward(np.ones_like(y))


def test_it_is_drawn_and_named_like_a_sequential():
    own, expected = Block(4, generator=rng()), counterpart()
    assert repr(own) == repr(expected).replace("Sequential", "Block")
    assert list(own.parameters) == list(expected.parameters) == ["conv.weight", "conv.bias"]
    assert [name for name, _ in own.named_layers()] == ["", "conv", "act"]
    assert own.children["conv"] is own.conv


def test_it_computes_and_learns_what_a_sequential_does():
    own, expected = Block(4, generator=rng()), counterpart()
    npnet.gradcheck(Block(4, generator=rng(), dtype=np.float64), IMAGES.astype(np.float64))
    for model in (own, expected):
        sgd = optim.SGD(model.parameters, lr=0.1)
        sgd.step(step(model)[2])
    for name, array in expected.parameters.items():
        np.testing.assert_array_equal(own.parameters[name], array)


def test_it_is_counted_like_a_sequential():
    own, expected = Block(4, generator=rng()).summary((3, 6, 6)), counterpart().summary((3, 6, 6))
    assert own == expected
    assert own.multiply_adds == 4 * 36 * 27
    inner = nn.Sequential(nn.Residual(Block(3, generator=rng())), nn.Flatten())
    assert [row.name for row in inner.summary((3, 6, 6)).layers] == ["0.body.conv", "0.body.act", "1"]


@pytest.mark.parametrize("kind", [Block, Chain])
def test_it_is_cut_into_shards_like_a_sequential(change_thresholds, kind):
    change_thresholds(shard_work=1000)
    x = np.zeros((256, 3, 6, 6), np.float32)
    expected = parallel.shards(counterpart(), x)
    assert len(expected) > 1
    assert parallel.shards(kind(4, generator=rng()), x) == expected


def test_a_container_that_names_its_stages_is_cut_between_them(change_thresholds):
    class Net(Chain):
        def __init__(self):
            super().__init__(4, generator=rng())
            self.flatten = nn.Flatten()
            self.head = nn.Linear(144, 10, generator=rng())

        def forward(self, x, *, training=True, generator=None):
            return nn.Sequential(self.children).forward(x, training=training, generator=generator)

    change_thresholds(shard_work=1000, shard_samples=2)
    x, target = rng().standard_normal((64, 3, 6, 6), dtype=np.float32), rng().integers(10, size=64)
    division = parallel.plan(Net(), x, training=True)
    assert list(division.trunk.children) == ["conv", "act", "flatten"]
    assert list(division.head.children) == ["head"]
    found = [
        parallel.Step(threads)(model, nn.CrossEntropyLoss(), x, target, rng())[2]
        for threads in (1, 3)
        for model in (Net(), nn.Sequential(Net().children))
    ]
    for grads in found:
        assert grads.keys() == Net().parameters.keys()
        for name, grad in grads.items():
            np.testing.assert_array_equal(grad, found[0][name])


def test_a_subclass_of_sequential_is_cut_unless_it_runs_its_layers_otherwise():
    class Named(nn.Sequential):
        def __init__(self):
            super().__init__({"act": nn.ReLU(), "flat": nn.Flatten()})

    class Twice(Named):
        def forward(self, x, *, training=True, generator=None):
            return super().forward(2 * x, training=training, generator=generator)

    assert list(Named().stages) == ["act", "flat"]
    assert not Twice().stages


def test_it_couples_samples_if_a_layer_within_does():
    assert not Block(4, generator=rng()).couples_samples(training=True)
    model = nn.Sequential(nn.Residual(nn.BatchNorm2d(3)))
    assert model.couples_samples(training=True)
    assert not model.couples_samples(training=False)


# ---- counting ------------------------------------------------------------------------------------------


class Pair(nn.Layer):
    """Layers kept in a list; the first is called twice, the last never."""

    def __init__(self):
        self.rows = []
        self.rows += [nn.Linear(3, 3, generator=rng()), nn.Linear(3, 3, generator=rng())]

    def forward(self, x, *, training=True, generator=None):
        h, _ = self.rows[0].forward(x, training=training, generator=generator)
        y, _ = self.rows[0].forward(h, training=training, generator=generator)
        return y, lambda grad_y, *, needs_grad_x=True: (grad_y, {})


def test_a_layer_that_is_called_twice_counts_twice_and_one_that_is_not_called_is_said_to_be_so():
    summary = nn.Sequential(Pair()).summary(3)
    first, second = summary.layers
    assert (first.name, first.parameters, first.multiply_adds) == ("0.rows.0", 12, 18)
    assert (second.name, second.parameters, second.multiply_adds) == ("0.rows.1", 12, 0)
    assert second.output_shape is None
    assert summary.output_shape == (3,)
    assert "not called" in str(summary)


def test_a_layer_in_several_places_has_a_row_for_each():
    relu = nn.ReLU()
    summary = nn.Sequential(relu, nn.Sequential(relu, relu), relu).summary(3)
    assert [row.name for row in summary.layers] == ["0", "1.0", "1.1", "2"]


def test_a_containers_own_parameters_and_work_have_a_row():
    class Scaled(Block):
        parameter_names = ("scale",)

        def __init__(self):
            super().__init__(4, generator=rng())
            self.scale = np.ones(1, np.float32)

        def multiply_adds(self, x_shape, y_shape):
            return int(np.prod(y_shape))

    summary = nn.Sequential(Scaled()).summary((3, 6, 6))
    assert {row.name: row.multiply_adds for row in summary.layers} == {
        "0.conv": 4 * 36 * 27,
        "0.act": 0,
        "0": 144,
    }
    assert summary.parameters == 4 * 27 + 4 + 1


def test_counting_leaves_the_model_as_it_was():
    model = nn.Sequential(Block(4, generator=rng()), nn.BatchNorm2d(4))
    before = {name: dict(vars(layer)) for name, layer in model.named_layers()}
    model.summary((3, 6, 6))
    for name, layer in model.named_layers():
        assert vars(layer).keys() == before[name].keys()
        assert all(vars(layer)[key] is value for key, value in before[name].items())
    assert model[1].num_batches_tracked == 0


@pytest.mark.parametrize("held", [list, tuple, lambda layers: {"nested": [dict(enumerate(layers))]}])
def test_layers_are_counted_wherever_their_container_keeps_them(held):
    class Kept(Pair):
        def __init__(self):
            super().__init__()
            self.constant = np.ones(3)
            self.rows, rows = held(self.rows), self.rows
            self.names = {str(i): layer for i, layer in enumerate(rows)}

        @property
        def children(self):
            return self.names

        def forward(self, x, *, training=True, generator=None):
            rows = self.rows["nested"][0] if isinstance(self.rows, dict) else self.rows
            y, _ = rows[1].forward(x, training=training, generator=generator)
            return y, lambda grad_y, *, needs_grad_x=True: (grad_y, {})

    found = {row.name: row.multiply_adds for row in Kept().summary(3).layers}
    assert found == {"0": 0, "1": 9}


def test_an_instrumented_copy_shares_arrays_and_calls_what_it_is_given():
    model, calls = nn.Sequential(Block(4, generator=rng()), nn.Flatten()), []

    def wrap(path, layer, forward):
        def called(x, **mode):
            calls.append((path, type(layer).__name__, threading.get_ident()))
            return forward(x, **mode)

        return called

    copied = instrumented(model, wrap)
    assert copied[0].conv.weight is model[0].conv.weight
    np.testing.assert_array_equal(step(copied)[0], step(model)[0])
    assert [call[:2] for call in calls] == [
        ("", "Sequential"), ("0", "Block"), ("0.conv", "Conv2d"), ("0.act", "ReLU"), ("1", "Flatten"),
    ]  # fmt: skip


def test_layers_in_lists_tuples_and_dicts_have_the_names_of_pytorchs_module_lists():
    torch = pytest.importorskip("torch")

    class Both(nn.Layer):
        def __init__(self):
            self.rows = [nn.BatchNorm1d(3), nn.ReLU()]
            self.pair = (nn.Tanh(), nn.BatchNorm1d(2))
            self.named = {"norm": nn.BatchNorm1d(4), "sizes": (3, 4)}

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = torch.nn.ModuleList([torch.nn.BatchNorm1d(3), torch.nn.ReLU()])
            self.pair = torch.nn.ModuleList([torch.nn.Tanh(), torch.nn.BatchNorm1d(2)])
            self.named = torch.nn.ModuleDict({"norm": torch.nn.BatchNorm1d(4)})

    model = Both()
    assert list(model.state_dict()) == list(Theirs().state_dict())
    model.freeze("rows", "named.norm.bias")
    assert model.frozen_parameters == {"rows.0.weight", "rows.0.bias", "named.norm.bias"}
    assert list(model.children) == ["rows.0", "rows.1", "pair.0", "pair.1", "named.norm"]


# ---- saving --------------------------------------------------------------------------------------------


class Gate(nn.Layer):
    """y = factor · inner(x); its constructor takes the layer within."""

    setting_names = ("factor",)

    def __init__(self, factor, inner):
        self.factor, self.inner = factor, inner

    def forward(self, x, *, training=True, generator=None):
        y, inner_backward = self.inner.forward(x, training=training, generator=generator)

        def backward(grad_y, *, needs_grad_x=True):
            grad_x, grads = inner_backward(self.factor * grad_y, needs_grad_x=needs_grad_x)
            return grad_x, {f"inner.{name}": grad for name, grad in grads.items()}

        return self.factor * y, backward


def test_it_is_saved_and_loaded_with_its_children_and_frozen_parameters(tmp_path):
    model = nn.Sequential(Gate(0.5, Block(4, generator=rng())), Gate(2, nn.Sequential(nn.Tanh())))
    model.freeze("0.inner.conv.weight")
    npnet.save(tmp_path / "m.safetensors", model)
    again = npnet.load(tmp_path / "m.safetensors", layers=[Block, Gate]).model
    assert repr(again) == repr(model)
    assert again.frozen_parameters == {"0.inner.conv.weight"}
    for array, expected in zip(step(again), step(model), strict=True):
        np.testing.assert_equal(array, expected)


def test_its_weights_are_saved_under_the_names_of_its_attributes(tmp_path):
    model = Block(4, generator=rng())
    checkpoint.save_weights(tmp_path / "w.safetensors", model)
    assert sorted(checkpoint.load(tmp_path / "w.safetensors")[0]) == ["conv.bias", "conv.weight"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_it_can_be_copied(copied):
    model = Block(4, generator=rng())
    twin = copied(model)
    assert twin.conv.weight is not model.conv.weight
    np.testing.assert_array_equal(twin(IMAGES), model(IMAGES))


# ---- mistakes ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", ["children", "stages"])
def test_children_and_stages_must_be_properties(name):
    with pytest.raises(
        InputError, match=rf"Own: {name} must be a property: write @property above def {name}"
    ):
        type("Own", (nn.Layer,), {name: lambda self: {}})


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("model", [nn.Sequential(nn.ReLU()), nn.Residual(nn.ReLU()), nn.ReLU()])
def test_children_with_brackets_are_refused_in_words(model):
    with pytest.raises(InputError, match=r"children is a dict from names to layers, .* without brackets"):
        model.children()


@pytest.mark.usefixtures("bare")
def test_an_apply_that_would_lose_the_gradients_of_layers_within_is_refused():
    class Lossy(nn.Layer):
        def __init__(self, inner):
            self.inner = inner

        def apply(self, x, *, training, generator):
            y, backward = self.inner.forward(x, training=training, generator=generator)
            return y, lambda grad_y: backward(grad_y)[0]

    with pytest.raises(
        InputError, match="Lossy: a layer that holds others with parameters, such as inner, must"
    ):
        optim.SGD(nn.Sequential(Lossy(nn.Linear(3, 2, generator=rng()))).parameters, lr=0.1)
    frozen = nn.Linear(3, 2, generator=rng())
    frozen.freeze("weight", "bias")
    assert not Lossy(nn.Tanh()).parameters
    assert list(Lossy(frozen).parameters) == ["inner.weight", "inner.bias"]


@pytest.mark.usefixtures("bare")
def test_an_optimizer_made_before_a_layer_within_was_replaced_refuses_its_next_step():
    model = nn.Sequential(Block(4, generator=rng()))
    sgd = optim.SGD(model.parameters, lr=0.1)
    for _ in range(6):
        sgd.step(step(model)[2])
    model[0].conv = nn.Conv2d(3, 4, 3, padding=1, generator=rng())
    with pytest.raises(InputError, match="make the optimizer after layers are exchanged"):
        sgd.step(step(model)[2])
