"""What differs from PyTorch is explained, and in a model the layer that differs first is named."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import npnet  # noqa: E402 - after the skip where torch is missing
from npnet import functional as F  # noqa: E402
from npnet import nn  # noqa: E402
from npnet.plot import wrong_gradient  # noqa: E402
from ptref.parity import assert_parity, compare  # noqa: E402
from ptref.step import record  # noqa: E402

RNG = np.random.default_rng(11)
X = RNG.standard_normal((5, 4))
IMAGES = RNG.standard_normal((3, 2, 6, 6))


def spoiled(operation, mistake, place=0):
    """Return an operation one of whose gradients is spoiled."""

    def wrong(*inputs, **options):
        y, backward = operation(*inputs, **options)

        def wrong_backward(grad_y):
            found = backward(grad_y)
            grads = list(found) if isinstance(found, tuple) else [found]
            grads[place] = np.ascontiguousarray(mistake(grads[place], grad_y, y, *inputs))
            return tuple(grads)

        return y, wrong_backward

    return wrong


def pooled_to_last(grad, grad_y, y, x):
    """Route the gradient of each window to its last maximum."""
    _, backward = F.max_pool2d(x[..., ::-1, ::-1].copy(), 2)
    return backward(grad_y[..., ::-1, ::-1].copy())[..., ::-1, ::-1]


def softmax(x):
    return torch.softmax(x, 1)


TIES = IMAGES.copy()
TIES[:, :, 0, :2] = TIES[:, :, 2, 4:] = 3.0  # two equals in a window
PLANTED = {
    "sign": (spoiled(F.tanh, lambda g, *_: -g), torch.tanh, (X,)),
    "gate_missing": (spoiled(F.relu, lambda g, u, *_: u), torch.relu, (X,)),
    "diagonal": (
        spoiled(lambda x: F.softmax(x, 1), lambda g, u, y, x: u * y * (1 - y)), softmax, (X,),
    ),
    "ties": (
        spoiled(lambda x: F.max_pool2d(x, 2), pooled_to_last),
        lambda x: torch.nn.functional.max_pool2d(x, 2), (TIES,),
    ),
    "divided_by_n": (
        spoiled(F.linear, lambda g, *_: g / 5, 2), torch.nn.functional.linear,
        (X, RNG.standard_normal((3, 4)), RNG.standard_normal(3)),
    ),
    "flipped": (
        spoiled(F.conv2d, lambda g, *_: g[:, :, ::-1, ::-1], 1), torch.nn.functional.conv2d,
        (IMAGES, RNG.standard_normal((4, 2, 3, 3))),
    ),
    "kernel_flipped": (
        spoiled(F.conv2d, lambda g, u, y, x, w: F.conv2d(x, w[:, :, ::-1, ::-1].copy())[1](u)[0]),
        torch.nn.functional.conv2d, (IMAGES, RNG.standard_normal((4, 2, 3, 3))),
    ),
    "sample_left_out": (
        spoiled(F.linear, lambda g, u, y, x, w: u[:-1].T @ x[:-1], 1), torch.nn.functional.linear,
        (X, RNG.standard_normal((3, 4))),
    ),
    "one_slice": (
        spoiled(F.conv2d, lambda g, *_: np.concatenate([g[:-1], 0 * g[-1:]])), torch.nn.functional.conv2d,
        (IMAGES, RNG.standard_normal((4, 2, 3, 3))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", PLANTED)
def test_a_gradient_that_differs_is_explained(kind, dtype):
    subject, reference, inputs = PLANTED[kind]
    report = compare(subject, reference, *(x.astype(dtype) for x in inputs))
    (explanation,) = report.explanations
    assert explanation.kind == kind, str(report)
    assert explanation.sentence in str(report)
    assert explanation.sentence[:60] in repr(report)
    assert wrong_gradient(report).get_suptitle().replace("\n", " ").endswith(explanation.sentence[-20:])


def test_a_gradient_of_a_wrong_shape_is_explained():
    def not_summed(x, weight, bias):
        y, backward = F.linear(x, weight, bias)
        return y, lambda grad_y: (*backward(grad_y)[:2], grad_y.copy())

    report = compare(not_summed, torch.nn.functional.linear, X, np.ones((3, 4)), np.ones(3))
    assert [each.sentence for each in report.explanations] == ["the sum over the batch is missing"]
    assert "grad_bias has shape (5, 3), PyTorch's has (3,)" in str(report)


def test_explanations_can_be_left_out():
    subject, reference, inputs = PLANTED["sign"]
    report = compare(subject, reference, *inputs, explain=False)
    assert not report.agrees
    assert report.explanations == ()


# ---- models ------------------------------------------------------------------------------------------


class BadTanh(nn.Tanh):
    def apply(self, x, *, training, generator):
        y, _ = super().apply(x, training=training, generator=generator)
        return y, lambda grad_y: grad_y * (1 - x**2)


class Unknown(nn.Layer):
    """A layer that PyTorch has not, with a mistake."""

    def apply(self, x, *, training, generator):
        return np.sin(x), lambda grad_y: -grad_y * np.cos(x)


class Sine(torch.nn.Module):
    def forward(self, x):
        return torch.sin(x)


def model_of(layer, dtype=np.float64):
    make = {"generator": np.random.default_rng(4), "dtype": dtype}
    return nn.Sequential(nn.Linear(4, 3, **make), nn.ReLU(), nn.Sequential(nn.Linear(3, 3, **make), layer))


def module_of(layer):
    inner = torch.nn.Sequential(torch.nn.Linear(3, 3), layer)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), inner)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_wrong_backward_of_a_model_is_named(dtype):
    with pytest.raises(
        AssertionError, match=r"first wrong backward: '2.1' BadTanh: gradient of x: x stands in"
    ):
        assert_parity(model_of(BadTanh(), dtype), module_of(torch.nn.Tanh()), X.astype(dtype))


def test_a_layer_without_a_module_of_its_name_is_checked_by_central_differences():
    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 3), torch.nn.Linear(3, 3)

        def forward(self, x):
            return torch.sin(self.second(torch.relu(self.first(x))))

    names = {"0.weight": "first.weight", "0.bias": "first.bias"}
    names |= {"2.0.weight": "second.weight", "2.0.bias": "second.bias"}
    report = compare(model_of(Unknown()), Whole(), X, names=names)
    assert [layer.sentence for layer in report.layers] == [
        "'2.1' Unknown: by central differences, gradient of x: it has the wrong sign"
    ]


def test_right_models_raise_no_alarm():
    for layer, module in ((nn.Tanh(), torch.nn.Tanh()), (nn.Sigmoid(), torch.nn.Sigmoid())):
        report = compare(model_of(layer), module_of(module), X)
        assert report.agrees
        assert (report.layers, report.explanations) == ((), ())


# ---- npnet.compare with a module --------------------------------------------------------------------------


@pytest.fixture
def _registered(monkeypatch):
    """Have PyTorch registered, as it is where the package is installed."""
    entry = EntryPoint("torch", "ptref.step:record", "npnet.references")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry])


@pytest.mark.usefixtures("_registered")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", [None, nn.CrossEntropyLoss(label_smoothing=0.1)])
def test_npnet_and_pytorch_part_at_the_wrong_layer(dtype, loss):
    batch = (X.astype(dtype), np.array([0, 1, 2, 1, 0])) if loss else (X.astype(dtype),)
    comparison = npnet.compare(model_of(BadTanh(), dtype), module_of(torch.nn.Tanh()), *batch, loss=loss)
    assert comparison.reason.startswith("they part backward at '2.1' BadTanh: gradient of x: x stands in")
    right = npnet.compare(model_of(nn.Tanh(), dtype), module_of(torch.nn.Tanh()), *batch, loss=loss)
    assert right.agrees, str(right)
    assert len(right.rows) == 4


@pytest.mark.usefixtures("_registered")
def test_modules_that_work_in_place_are_recorded():
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, generator=RNG, dtype=np.float64), nn.BatchNorm2d(3, dtype=np.float64), nn.ReLU()
    )
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU(inplace=True)
    )
    assert npnet.compare(model, module, IMAGES).agrees
    assert npnet.compare(model, module, IMAGES, training=False).agrees


@pytest.mark.usefixtures("_registered")
def test_a_wrong_loss_is_named():
    class Doubled(nn.CrossEntropyLoss):
        def forward(self, x, target):
            loss, backward = super().forward(x, target)
            return loss, lambda grad_loss=None: 2 * backward(grad_loss)

    Doubled.__name__, Doubled.__module__ = "CrossEntropyLoss", "npnet.own"  # stands in for npnet's own
    comparison = npnet.compare(
        model_of(nn.Tanh()), module_of(torch.nn.Tanh()), X, np.array([0, 1, 2, 1, 0]), loss=Doubled()
    )
    assert (comparison.divergence.operation, comparison.divergence.direction) == ("loss", "backward")


def test_the_entry_point_is_announced():
    import tomllib
    from pathlib import Path

    path = Path(__file__).parents[2] / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    entry = EntryPoint("torch", project["entry-points"]["npnet.references"]["torch"], "npnet.references")
    assert entry.load() is record
