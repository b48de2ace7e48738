import inspect
import re
import warnings
from collections import OrderedDict

import numpy as np
import pytest

from npnet import nn as npn
from npnet.errors import DTypeError, InputError
from tests.examples.elementwise import ELEMENTWISE
from tests.examples.operations import LAYERS, make

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402 - PyTorch may be absent
from torch import nn  # noqa: E402

from ptref import convert  # noqa: E402
from ptref.convert import TWINS, Residual, from_torch, parameter_map, register, to_torch  # noqa: E402
from ptref.parity import assert_parity  # noqa: E402

# Whole networks in float64 differ by some thousands of roundings, relative to the largest element. A gradient
# that is zero but for rounding, as a bias has before batch norm, is measured by what cancels in it.
CLOSE = 1e-11
CANCELLED = 1e-3


@pytest.fixture(autouse=True)
def rng():
    torch.manual_seed(0)
    return np.random.default_rng(0)


def close(value, truth, name):
    scale = max(np.abs(truth).max(initial=0), CANCELLED)
    assert value.shape == truth.shape, name
    assert value.dtype == truth.dtype, name
    assert np.abs(value - truth).max(initial=0) <= CLOSE * scale, name


def run_both(layer, module, names, shape, rng, *, training=True):
    """Compare outputs, all gradients and the buffers afterwards."""
    x = rng.standard_normal(shape)
    module.train(training)
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = module(x_torch)
    y, backward = layer.forward(x, training=training, generator=rng)
    grad_y = rng.standard_normal(y.shape)
    grad_x, grads = backward(grad_y)
    y_torch.backward(torch.tensor(grad_y))

    close(y, y_torch.detach().numpy(), "y")
    close(grad_x, x_torch.grad.numpy(), "grad_x")
    trained = {name: p.grad for name, p in module.named_parameters() if p.requires_grad}
    assert grads.keys() == {names[name] for name in trained}
    for name, grad in trained.items():
        close(grads[names[name]], grad.numpy(), name)
    for name, buffer in module.named_buffers():
        close(layer.buffers[names[name]], buffer.numpy(), name)
    if not training:
        close(layer(x), y_torch.detach().numpy(), "inference")


def stir(module):
    """Give every parameter and buffer values that are all different."""
    module.double()
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.2, 0.9).mul_(0.5)
    return module


def test_every_layer_of_npnet_has_a_case():
    kinds = {kind for kind, *_ in LAYERS.values()}
    layers = {
        thing
        for thing in vars(npn).values()
        if isinstance(thing, type) and issubclass(thing, npn.Layer) and thing is not npn.Layer
    }
    assert kinds == set(TWINS)
    assert kinds | {npn.Sequential, npn.Residual} == layers


@pytest.mark.parametrize("layer", TWINS, ids=lambda layer: layer.__name__)
def test_twins_take_the_same_arguments(layer):
    assert set(layer.setting_names) <= set(inspect.signature(TWINS[layer]).parameters)


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.operation)
def test_an_elementwise_function_in_forward_becomes_its_layer(op):
    class Module(nn.Module):
        def forward(self, x):
            return getattr(F, op.operation)(x, **op.example)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of F.tanh
        assert repr(from_torch(Module())[0]) == repr(op.make())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", LAYERS)
def test_a_layer_and_its_twin_agree_there_and_back(case, training, rng):
    layer, shape = make(case, rng)
    layer.load_state_dict(
        {
            name: rng.uniform(0.5, 2, array.shape) if array.dtype == np.float64 else np.array(7)
            for name, array in layer.state_dict().items()
        }
    )
    module = to_torch(layer)
    assert type(module) is getattr(nn, type(layer).__name__)
    assert list(module.state_dict()) == list(layer.state_dict())
    back = from_torch(module)
    assert repr(back) == repr(layer)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, back.state_dict()[name])
        np.testing.assert_array_equal(array, module.state_dict()[name].numpy())
    names = {name: name for name in module.state_dict()}
    run_both(back, module, names, shape, rng, training=training)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", ["linear", "conv_options", "norm2d"])
def test_dtypes_and_frozen_flags_go_both_ways(case, dtype, rng):
    layer, _ = make(case, rng, dtype)
    layer.freeze("weight")
    module = to_torch(layer)
    assert module.weight.dtype == getattr(torch, np.dtype(dtype).name)
    assert not module.weight.requires_grad
    assert all(p.requires_grad for name, p in module.named_parameters() if name != "weight")
    back = from_torch(module)
    assert back.weight.dtype == dtype
    assert back.frozen_parameters == {"weight"}


def nested(rng):
    body = npn.Sequential(
        {
            "conv": npn.Conv2d(3, 4, 3, padding=1, generator=rng, dtype=np.float64),
            "norm": npn.BatchNorm2d(4, dtype=np.float64),
            "act": npn.Tanh(),
        }
    )
    shortcut = npn.Conv2d(3, 4, 1, generator=rng, dtype=np.float64)
    return npn.Sequential(
        npn.Residual(body, shortcut),
        npn.Residual(npn.Sequential(npn.ReLU(), npn.Identity())),
        npn.Sequential({"pool": npn.MaxPool2d(2), "flat": npn.Flatten()}),
        npn.Linear(36, 2, generator=rng, dtype=np.float64),
    )


def test_nested_models_keep_names_structure_and_frozen_flags(rng):
    model = nested(rng)
    model.freeze("0.body", "3.bias")
    module = to_torch(model)
    assert list(module.state_dict()) == list(model.state_dict())
    assert isinstance(module[0], Residual)
    assert [name for name, p in module.named_parameters() if not p.requires_grad] == [
        "0.body.conv.weight",
        "0.body.conv.bias",
        "0.body.norm.weight",
        "0.body.norm.bias",
        "3.bias",
    ]
    back = from_torch(module)
    assert repr(back) == repr(model)
    assert back.frozen_parameters == model.frozen_parameters
    names = parameter_map(module)
    assert names == {name: name for name in module.state_dict()}
    run_both(back, module, names, (2, 3, 6, 6), rng)


def test_nothing_is_shared_between_the_two(rng):
    for made in (lambda m: from_torch(to_torch(m)), lambda m: m):
        model = made(nested(rng))
        module = to_torch(model)
        layer = from_torch(module)
        for name, tensor in module.state_dict().items():
            for array in (model.state_dict()[name], layer.parameters.get(name), layer.buffers.get(name)):
                assert array is None or not np.shares_memory(array, tensor.numpy())
        before = model.state_dict()
        with torch.no_grad():
            for tensor in module.state_dict().values():
                tensor.add_(1)
        for name, array in layer.state_dict().items():
            np.testing.assert_array_equal(array, before[name])
            np.testing.assert_array_equal(array, model.state_dict()[name])


def test_conversion_draws_no_random_numbers(rng):
    model = nested(rng)
    state = torch.get_rng_state()
    from_torch(to_torch(model))
    assert torch.equal(state, torch.get_rng_state())


def test_weights_in_another_memory_format_become_plain_rows(rng):
    module = nn.Conv2d(3, 4, 3).double().to(memory_format=torch.channels_last)
    layer = from_torch(module)
    assert layer.weight.flags.c_contiguous
    np.testing.assert_array_equal(layer.weight, module.weight.detach().numpy())


def test_a_module_on_a_gpu_is_copied_to_arrays(rng):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).cuda()
    for name, array in from_torch(module).state_dict().items():
        np.testing.assert_array_equal(array, module.state_dict()[name].cpu().numpy())


# ---- modules with a forward method of their own --------------------------------------------------------


class Written(nn.Module):
    """Everything that may stand in a forward method."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)])
        self.relu = nn.ReLU(inplace=True)
        self.flatten = nn.Linear(36, 5)  # a module's name may be what a function is called
        self.head = nn.Sequential(OrderedDict(act=nn.Sigmoid(), fc=nn.Linear(5, 3)))

    def forward(self, x):
        for conv in self.convs:
            x = self.relu(conv(x))
        x = x + torch.add(F.leaky_relu(x, 0.2), torch.tanh(x).tanh())
        x = F.max_pool2d(x, 2, stride=1, padding=1)
        x = F.avg_pool2d(x, (2, 1), count_include_pad=False)
        x = F.adaptive_avg_pool2d(torch.relu(x), 3)
        x = self.flatten(torch.flatten(x, 1)).relu_()
        return F.log_softmax(self.head(x).softmax(dim=-1), dim=1)


def test_a_forward_method_is_followed(rng):
    module = Written().double()
    layer, names = from_torch(module), parameter_map(module)
    assert list(names) == list(module.state_dict())
    assert names["convs.1.bias"] == "convs_1.bias"
    assert names["flatten.weight"] == "flatten.weight"
    assert names["head.fc.weight"] == "head.fc.weight"
    run_both(layer, module, names, (3, 2, 6, 6), rng)


def test_branches_are_found_whatever_their_order_and_depth(rng):
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d = (nn.Linear(4, 4) for _ in range(4))

        def forward(self, x):
            inner = x + self.a(x)
            y = inner + self.b(inner + self.c(inner).tanh())
            y = y.add(self.d(x))  # a shortcut over everything
            return y + y

    module = Branches().double()
    layer = from_torch(module)
    run_both(layer, module, parameter_map(module), (5, 4), rng)
    kinds = {name: type(part).__name__ for name, part in layer.named_layers()}
    assert kinds["add_4"] == "Residual"  # y + y
    assert kinds["add_3.shortcut"] == "Linear"  # the second branch, all of the first being the body
    assert kinds["add_3.body.add"] == "Residual"
    assert kinds["add_3.body.add.body"] == "Linear"
    assert "add_3.body.add.shortcut" not in kinds  # nothing but x itself


def test_a_container_of_ones_own_is_a_sequence_with_the_same_names(rng):
    class Block(nn.Sequential):
        pass

    module = nn.Sequential(Block(nn.Linear(3, 3), nn.Tanh()), nn.Sequential(), nn.Linear(3, 2)).double()
    layer = from_torch(module)
    assert list(layer.state_dict()) == list(module.state_dict())
    run_both(layer, module, parameter_map(module), (4, 3), rng)


def test_following_leaves_the_module_as_it_is(rng):
    module = Written().double().eval()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    from_torch(module)
    assert not any(part.training for part in module.modules())
    assert all(torch.equal(state[name], tensor) for name, tensor in module.state_dict().items())


# ---- what students write -------------------------------------------------------------------------------


class LeNet(nn.Module):
    """LeNet-5 with its forward method written in one of many ways."""

    def __init__(self, rest):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.pool, self.relu, self.drop = nn.MaxPool2d(2, 2), nn.ReLU(), nn.Dropout(0.0)
        self.fc1, self.fc2 = nn.Linear(16, 8), nn.Linear(8, 3)
        self.rest = rest

    def forward(self, x):
        x = self.pool(self.relu(self.conv1(x)))
        return self.rest(self, self.pool(self.relu(self.bn(self.conv2(x)))))


def dense(m, x):
    return m.fc2(m.relu(m.fc1(x)))


WAYS = {
    "view of size": lambda m, x: dense(m, x.view(x.size(0), -1)),
    "view of size()": lambda m, x: dense(m, x.view(x.size()[0], -1)),
    "view of shape": lambda m, x: dense(m, x.view(x.shape[0], -1)),
    "view of dim": lambda m, x: dense(m, x.view(x.size(dim=0), -1)),
    "view as pair": lambda m, x: dense(m, x.view((x.shape[0], -1))),
    "view of features": lambda m, x: dense(m, x.view(x.size(0), 16)),
    "view before linear": lambda m, x: m.fc2(F.relu(m.fc1(x.view(-1, 16)))),
    "view before linear, spelled": lambda m, x: m.fc2(F.relu(m.fc1(x.view(-1, 4 * 2 * 2)))),
    "reshape of shape": lambda m, x: dense(m, x.reshape(x.shape[0], -1)),
    "reshape of size": lambda m, x: dense(m, x.reshape(x.size(0), -1)),
    "torch.reshape": lambda m, x: dense(m, torch.reshape(x, (x.shape[0], -1))),
    "torch.flatten": lambda m, x: dense(m, torch.flatten(x, 1)),
    "torch.flatten, named": lambda m, x: dense(m, torch.flatten(x, start_dim=1)),
    "flatten": lambda m, x: dense(m, x.flatten(1)),
    "flatten, named": lambda m, x: dense(m, x.flatten(start_dim=1)),
    "functions": lambda m, x: m.fc2(torch.relu(m.fc1(F.max_pool2d(F.relu(x), 1).flatten(1))).relu()),
    "log_softmax": lambda m, x: F.log_softmax(dense(m, x.flatten(1)), dim=1),
    "residual": lambda m, x: dense(m, (x + x.tanh()).flatten(1)),
    "dropout": lambda m, x: dense(m, F.dropout(x.flatten(1), 0.0, training=m.training)),
    "dropout, in place": lambda m, x: dense(m, F.dropout(x.flatten(1), 0.0, m.training, inplace=True)),
    "dropout, off": lambda m, x: dense(m, F.dropout(x.flatten(1), 0.5, training=False)),
    "dropout, module": lambda m, x: dense(m, m.drop(m.drop(x.flatten(1)))),
    "reused and functional": lambda m, x: m.fc2(m.relu(F.relu(m.fc1(m.relu(x).view(x.size(0), -1))))),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_what_students_write_converts(way, training, rng):
    module = LeNet(WAYS[way]).double()
    module.conv1.weight.requires_grad = False
    layer, names = from_torch(module), parameter_map(module)
    assert names["fc1.weight"] == "fc1.weight"
    assert layer.frozen_parameters == {"conv1.weight"}
    run_both(layer, module, names, (5, 1, 14, 14), rng, training=training)


def test_an_average_over_all_pixels_converts(rng):
    class Averaging(nn.Module):
        def __init__(self, average):
            super().__init__()
            self.conv, self.fc, self.average = nn.Conv2d(2, 4, 3), nn.Linear(4, 3), average

        def forward(self, x):
            return self.fc(self.average(F.relu(self.conv(x))))

    for average in (
        lambda x: x.mean(dim=(2, 3)),
        lambda x: torch.mean(x, [2, 3]),
        lambda x: x.mean((3, 2), keepdim=True).flatten(1),
        lambda x: F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1),
    ):
        module = Averaging(average).double()
        run_both(from_torch(module), module, parameter_map(module), (3, 2, 6, 7), rng)


def test_functional_dropout_becomes_a_layer_that_knows_its_mode(rng):
    module = LeNet(lambda m, x: dense(m, F.dropout(x.flatten(1), 0.25, training=m.training)))
    dropouts = [part for _, part in from_torch(module).named_layers() if isinstance(part, npn.Dropout)]
    assert [dropout.p for dropout in dropouts] == [0.25]


@pytest.mark.usefixtures("bare")
def test_a_view_that_is_no_row_of_each_sample_meets_the_linear_layer_behind_it(rng):
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(x.view(-1, 4))  # of (n, 3, 4) PyTorch makes 3n samples

    with pytest.raises(InputError, match="fc"):
        from_torch(Rows())(np.ones((2, 3, 4), np.float32))


# ---- pairs of one's own --------------------------------------------------------------------------------


class OwnGELU(npn.Layer):
    """x · sigmoid(1.702 x), as in Hendrycks and Gimpel (2016)."""

    def apply(self, x, *, training, generator):
        s = 1 / (1 + np.exp(-1.702 * x))
        return x * s, lambda grad_y: grad_y * (s + 1.702 * x * s * (1 - s))


class TorchGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class OwnScale(npn.Layer):
    parameter_names, buffer_names = ("weight",), ("shift",)

    def __init__(self, features):
        super().__init__()
        self.weight, self.shift = np.ones(features, np.float32), np.zeros(features, np.float32)

    def apply(self, x, *, training, generator):
        def backward(grad_y, needs):
            return grad_y * self.weight, (grad_y * (x - self.shift)).sum(axis=0)

        return (x - self.shift) * self.weight, backward


class TorchScale(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.register_buffer("shift", torch.zeros(features))

    def forward(self, x):
        return (x - self.shift) * self.weight


@pytest.fixture
def pairs(monkeypatch):
    monkeypatch.setattr(convert, "PAIRS", [])
    register(OwnGELU, TorchGELU, to_torch=lambda _: TorchGELU(), from_torch=lambda _: OwnGELU())
    register(
        OwnScale,
        TorchScale,
        to_torch=lambda layer: TorchScale(len(layer.weight)),
        from_torch=lambda module: OwnScale(len(module.weight)),
    )


@pytest.mark.usefixtures("pairs")
def test_a_pair_of_ones_own_goes_both_ways(rng):
    model = npn.Sequential(npn.Linear(4, 3, generator=rng, dtype=np.float64), OwnGELU(), OwnScale(3))
    model.astype(np.float64)
    model[2].weight[...] = [1, 2, 3]
    model[2].shift[...] = [0.1, 0.2, 0.3]
    model.freeze("2.weight")
    module = to_torch(model)
    assert isinstance(module[1], TorchGELU)
    assert module[2].weight.tolist() == [1, 2, 3]
    assert not module[2].weight.requires_grad
    assert module[2].shift.dtype == torch.float64
    back = from_torch(module)
    assert back.frozen_parameters == {"2.weight"}
    assert back.state_dict().keys() == model.state_dict().keys()
    run_both(back, module, parameter_map(module), (5, 4), rng)
    assert_parity(model, None, rng.standard_normal((5, 4)))

    class Written(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.act, self.scale = nn.Linear(4, 4), TorchGELU(), TorchScale(4)

        def forward(self, x):
            return x + self.scale(self.act(self.fc(x)))

    written = Written().double()
    run_both(from_torch(written), written, parameter_map(written), (5, 4), rng)


@pytest.mark.usefixtures("pairs")
def test_a_pair_that_does_not_fit_is_refused_by_name(rng):
    register(OwnScale, TorchScale, to_torch=lambda _: nn.ReLU(), from_torch=lambda _: OwnScale(7))
    with pytest.raises(InputError, match=r"to_torch: layer '0' OwnScale: parameters and buffers must be"):
        to_torch(npn.Sequential(OwnScale(2)))
    with pytest.raises(InputError, match=r"from_torch: module '0' TorchScale: .*must have shape \(7,\)"):
        from_torch(nn.Sequential(TorchScale(2)))
    register(OwnScale, TorchScale, to_torch=lambda _: None, from_torch=lambda _: None)
    with pytest.raises(InputError, match=r"what to_torch returns must be a torch.nn.Module, got None"):
        to_torch(OwnScale(2))
    with pytest.raises(InputError, match=r"what from_torch returns must be a layer of npnet.nn, got None"):
        from_torch(TorchScale(2))


# ---- torchvision ---------------------------------------------------------------------------------------


@pytest.fixture
def models():
    return pytest.importorskip("torchvision").models


@pytest.mark.parametrize(("training", "size"), [(True, 64), (False, 32)])
def test_resnet18_agrees(models, training, size, rng):
    module = models.resnet18().double()
    for name, buffer in module.named_buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5) if "var" in name else buffer.normal_(0, 0.1)
    module.layer4[1].conv2.weight.requires_grad = False
    layer, names = from_torch(module), parameter_map(module)
    assert len(layer.parameters) == 62
    assert layer.frozen_parameters == {names["layer4.1.conv2.weight"]}
    run_both(layer, module, names, (2, 3, size, size), rng, training=training)


@pytest.mark.parametrize(
    "options", [{}, {"groups": 2, "base_width": 32}, {"stride": 2}, {"dilation": 2}], ids=str
)
def test_bottlenecks_agree(models, options, rng):
    stride = options.get("stride", 1)
    width = int(8 * options.get("base_width", 64) / 64) * options.get("groups", 1)
    assert width
    downsample = nn.Sequential(nn.Conv2d(16, 32, 1, stride, bias=False), nn.BatchNorm2d(32))
    module = stir(models.resnet.Bottleneck(16, 8, downsample=downsample, **options))
    run_both(from_torch(module), module, parameter_map(module), (3, 16, 8, 8), rng)


def test_vgg_and_alexnet_agree(models, rng):
    vgg = models.vgg.VGG(models.vgg.make_layers([4, "M", 8, "M"], batch_norm=True), num_classes=3)
    vgg.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Linear(8 * 49, 3))
    alexnet = models.AlexNet(num_classes=3)
    alexnet.features[10] = nn.Conv2d(256, 4, 3, padding=1)
    alexnet.classifier = nn.Sequential(
        nn.Dropout(0.0), nn.Linear(4 * 36, 16), nn.ReLU(inplace=True), nn.Linear(16, 3)
    )
    for module, shape in ((vgg, (2, 3, 30, 30)), (alexnet, (1, 3, 63, 63))):
        module.double()
        run_both(from_torch(module), module, parameter_map(module), shape, rng)


# ---- what is refused -----------------------------------------------------------------------------------


def place_in(part):
    """Return a model with the part in question two levels down."""
    return nn.Sequential(OrderedDict(a=nn.Identity(), b=nn.Sequential(nn.Tanh(), part)))


class Forward(nn.Module):
    def __init__(self, forward, **modules):
        super().__init__()
        self.function = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return self.function(self, x)


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


class OwnWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return F.relu(self.scale + x)


class Subclass(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def with_hook(register):
    part = nn.Linear(3, 3)
    register(part)
    return part


def untracked_with_statistics():
    part = nn.BatchNorm1d(3)
    part.track_running_stats = False
    return part


def with_own_forward():
    part = nn.Linear(3, 3)
    part.forward = lambda x: x
    return part


REFUSED = {
    "module": (nn.ReLU6, "'b.1' ReLU6: there is no such layer in npnet"),
    "container": (lambda: nn.ModuleList([nn.ReLU()]), "'b.1' ModuleList: there is no such layer"),
    "padding_mode": (
        lambda: nn.Conv2d(3, 3, 3, padding_mode="reflect"),
        "'b.1' Conv2d: padding_mode must be 'zeros', got 'reflect'",
    ),
    "return_indices": (
        lambda: nn.MaxPool2d(2, return_indices=True),
        "'b.1' MaxPool2d: return_indices must be False, got True",
    ),
    "softmax": (nn.Softmax, "'b.1' Softmax: dim must be an integer, got None"),
    "empty": (
        lambda: nn.BatchNorm1d(0),
        "'b.1' BatchNorm1d: BatchNorm1d: num_features must be a positive integer, got 0",
    ),
    "statistics": (untracked_with_statistics, "'b.1' BatchNorm1d: state does not fit"),
    "forward_hook": (
        lambda: with_hook(lambda m: m.register_forward_hook(lambda *_: None)),
        "'b.1' Linear: hooks must be removed first, got forward_hooks",
    ),
    "pre_hook": (
        lambda: with_hook(lambda m: m.register_forward_pre_hook(lambda *_: None)),
        "'b.1' Linear: hooks must be removed first, got forward_pre_hooks",
    ),
    "backward_hook": (
        lambda: with_hook(lambda m: m.register_full_backward_hook(lambda *_: None)),
        "'b.1' Linear: hooks must be removed first, got backward_hooks",
    ),
    "parameter_hook": (
        lambda: with_hook(lambda m: m.weight.register_hook(lambda g: 2 * g)),
        "'b.1' Linear: hooks must be removed first, got weight.backward_hooks",
    ),
    "accumulate_hook": (
        lambda: with_hook(lambda m: m.bias.register_post_accumulate_grad_hook(lambda p: None)),
        "'b.1' Linear: hooks must be removed first, got bias.post_accumulate_grad_hooks",
    ),
    "parametrization": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)),
        "'b.1' ParametrizedLinear: parametrizations must be removed first",
    ),
    "own_forward": (with_own_forward, "'b.1' Linear: forward must be its class's"),
    "subclass": (lambda: Subclass(3, 3), "'b.1' Subclass: 'weight' must be used by a module of its own"),
    "own_weight": (OwnWeight, "'b.1' OwnWeight: 'scale' must be used by a module of its own"),
    "two_inputs": (TwoInputs, "'b.1' TwoInputs: forward must take one input, got 2"),
    "two_outputs": (
        lambda: Forward(lambda m, x: (x, x)),
        "'b.1' Forward: forward must return one tensor, got tuple",
    ),
    "data_dependent": (
        lambda: Forward(lambda m, x: x if x.sum() > 0 else -x),
        "'b.1' Forward: forward cannot be followed: ",
    ),
    "mode_dependent": (
        lambda: Forward(lambda m, x: x.relu() if m.training else x.tanh()),
        "'b.1' Forward: forward must do the same in training and in evaluation",
    ),
    "function": (
        lambda: Forward(lambda m, x: F.gelu(x)),
        "'b.1' Forward: forward must be made of what npnet has, got gelu",
    ),
    "foreign_function": (
        lambda: Forward(lambda m, x: torch.special.softmax(x, 1)),
        "'b.1' Forward: forward must be made of what npnet has, got ",
    ),
    "view": (lambda: Forward(lambda m, x: x.view(-1, 3)), "got view; write flatten(1)"),
    "dropout": (
        lambda: Forward(lambda m, x: F.dropout(x)),
        "training must be self.training, got True; or use the module",
    ),
    "cat": (lambda: Forward(lambda m, x: torch.cat([x, x])), "what npnet has, got cat"),
    "scaled_sum": (
        lambda: Forward(lambda m, x: torch.add(x, x.tanh(), alpha=2)),
        "a sum must be of two tensors, without options",
    ),
    "number_added": (lambda: Forward(lambda m, x: x + 1), "a sum must be of two tensors, without options"),
    "softmax_dtype": (
        lambda: Forward(lambda m, x: x.softmax(1, dtype=torch.float32)),
        "softmax has options that npnet has not: dim must be an integer and dtype None",
    ),
    "pool_indices": (
        lambda: Forward(lambda m, x: F.max_pool2d(x, 2, return_indices=True)[0]),
        "'b.1' Forward: forward must be made of what npnet has, got ",
    ),
    "applied_twice": (
        lambda: Forward(lambda m, x: m.fc(m.fc(x)), fc=nn.Linear(3, 3)),
        "'b.1' Forward: 'b.1.fc' must be applied once, got several times",
    ),
    "not_applied": (
        lambda: Forward(lambda m, x: m.fc(x), fc=nn.Linear(3, 3), other=nn.Linear(3, 3)),
        "'b.1.other' Linear: must be applied in forward, where it is not used",
    ),
    "in_place_before_shortcut": (
        lambda: Forward(lambda m, x: x + m.relu(x), relu=nn.ReLU(inplace=True)),
        "'b.1' Forward: 'relu' must not work in place on what is needed elsewhere",
    ),
    "in_place_inside_branch": (
        lambda: Forward(
            lambda m, x: x + m.branch(x), branch=nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
        ),
        "'b.1' Forward: 'branch' must not work in place on what is needed elsewhere",
    ),
    "in_place_behind_a_view": (
        lambda: Forward(lambda m, x: x.flatten(1).relu_() + x.tanh()),
        "'relu_' must not work in place on what is needed elsewhere",
    ),
    "in_place_result_unused": (
        lambda: Forward(lambda m, x: F.relu_(x) + x),
        "must not work in place on what is needed elsewhere",
    ),
    "in_place_sum": (
        lambda: Forward(lambda m, x: _added_in_place(x.tanh())),
        "'+=' must not work in place on what is needed elsewhere",
    ),
    "residual_in_place": (
        lambda: Residual(nn.ReLU(inplace=True)),
        "'b.1' Residual: inplace=True must not overwrite the input of two branches",
    ),
}


def _added_in_place(y):
    kept = y
    y += y.sigmoid()
    return y + kept


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_counterpart_is_refused_by_name(case):
    build, message = REFUSED[case]
    with pytest.raises(InputError, match=f"^from_torch: module .*{re.escape(message)}"):
        from_torch(place_in(build()))


def test_all_obstacles_are_named_at_once():
    hooked = with_hook(lambda m: m.register_forward_hook(lambda *_: None))
    module = nn.Sequential(
        OrderedDict(
            act=nn.GELU(),
            inner=Forward(lambda m, x: m.sub(F.gelu(x)).cumsum(1), sub=nn.Sequential(nn.SiLU(), nn.GELU())),
            lost=Forward(lambda m, x: m.norm(x) if x.sum() > 0 else x, norm=nn.LayerNorm(3)),
            conv=nn.Conv2d(3, 3, 3, padding_mode="reflect"),
            fc=hooked,
        )
    )
    with pytest.raises(InputError) as caught:
        from_torch(module)
    lines = str(caught.value).split("\n  ")
    for part in (
        "module 'fc' Linear: hooks must be removed first",
        "module 'act' GELU: there is no such layer in npnet; see ptref.convert.register",
        "module 'inner' Forward: forward must be made of what npnet has, got gelu",
        "module 'inner.sub.0' SiLU: there is no such layer",
        "module 'inner.sub.1' GELU: there is no such layer",
        "module 'inner' Forward: forward must be made of what npnet has, got cumsum",
        "module 'lost' Forward: forward cannot be followed",
        "module 'lost.norm' LayerNorm: there is no such layer",
        "module 'conv' Conv2d: padding_mode must be 'zeros'",
    ):
        assert sum(part in line for line in lines) == 1, (part, str(caught.value))
    assert len(lines) == 9
    with pytest.raises(InputError, match=r"layer '0' OwnGELU: .*\n  layer '1.0' OwnGELU: "):
        to_torch(npn.Sequential(OwnGELU(), npn.Sequential(OwnGELU())))


@pytest.mark.usefixtures("bare")
def test_a_state_dict_is_no_module():
    with pytest.raises(
        InputError, match=r"from_torch: module must be .*, got .*; a state_dict holds numbers"
    ):
        from_torch(nn.Linear(2, 2).state_dict())
    with pytest.raises(InputError, match=r"to_torch: model must be a layer of npnet.nn, got torch.Linear"):
        to_torch(nn.Linear(2, 2))


def test_a_refusal_of_the_whole_names_it():
    with pytest.raises(InputError, match=r"^from_torch: the module GELU: there is no such layer"):
        from_torch(nn.GELU())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda m: m[1].double(), DTypeError, r"'1' Linear: weight must be torch.float32 like 0.weight"),
        (lambda m: m.half(), DTypeError, r"'0' Linear: weight must be float32 or float64, got torch.float16"),
        (lambda m: m[2].to("meta"), InputError, r"'2' BatchNorm1d: weight must be in cpu like 0.weight"),
        (lambda m: m.to("meta"), InputError, r"'0' Linear: weight must be in memory, got it on meta"),
        (lambda m: m[2].eval(), InputError, r"'3' Dropout: training must be False as in '2', got True"),
        (
            lambda m: setattr(m[1], "weight", m[0].weight),
            InputError,
            r"'1' Linear: weight must stand in one place, got one tensor as 0.weight and 1.weight",
        ),
        (lambda m: m.append(m[0]), InputError, r"'4' Linear: weight must stand in one place"),
    ],
)
def test_mixed_and_shared_parts_are_refused(change, error, message):
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
    change(module)
    with pytest.raises(error, match=message):
        from_torch(module)


def test_torchvision_networks_with_other_parts_are_refused_by_name(models):
    with pytest.raises(InputError, match=r"module 'features.0.2' ReLU6: there is no such layer"):
        from_torch(models.mobilenet_v2())
    with pytest.raises(InputError, match=r"'features.3' Fire: forward must be made of .* got cat"):
        from_torch(models.squeezenet1_1())


def test_layers_torch_has_not_are_refused_by_name(rng):
    class Mine(npn.ReLU):
        pass

    with pytest.raises(
        InputError, match=r"^to_torch: layer '0.body' Mine: npnet knows no module that .*register"
    ):
        to_torch(npn.Sequential(npn.Residual(Mine())))
    shared = npn.Linear(2, 2, generator=rng)
    with pytest.raises(InputError, match=r"layer '1' Linear: weight must be used in one place.*0.weight and"):
        to_torch(npn.Sequential(shared, shared))
    mixed = npn.Sequential(npn.Linear(2, 2, generator=rng), npn.BatchNorm1d(2, dtype=np.float64))
    with pytest.raises(DTypeError, match=r"'1' BatchNorm1d: weight must have the dtype of 0.weight, float32"):
        to_torch(mixed)
    with pytest.raises(InputError, match=r"the layer Sequential: PyTorch refuses a name: .*forward"):
        to_torch(npn.Sequential({"forward": npn.ReLU()}))
