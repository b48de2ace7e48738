"""The definitions are held to PyTorch, as the oracle of everything else must be."""

import ast
from pathlib import Path

import numpy as np
import pytest

from npnet import definition
from npnet.errors import InputError
from tests.examples.elementwise import ELEMENTWISE

SEED = 0


def draw(*shape):
    return np.random.default_rng(SEED).standard_normal(shape)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def assert_equal_to_torch(torch, name, arrays, settings=None, *, backward=False):
    """Compare with torch.nn.functional: the output and, where the definition has one, backward."""
    settings = settings or {}
    tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    expected = getattr(torch.nn.functional, name)(*tensors, **settings)
    y = getattr(definition, name)(*arrays, **settings)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    if backward:
        grad_y = np.random.default_rng(SEED + 1).standard_normal(y.shape)
        expected.backward(torch.tensor(grad_y))
        grads = getattr(definition, f"{name}_backward")(grad_y, *arrays[:2], **settings)
        for grad, tensor in zip(grads if isinstance(grads, tuple) else (grads,), tensors, strict=True):
            np.testing.assert_allclose(grad, tensor.grad.numpy(), rtol=1e-12, atol=1e-12)


def test_nothing_is_shared_with_the_fast_forms():
    for file in Path(definition.__file__).parent.glob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        imported = {
            f"npnet.{name.name}" if node.module == "npnet" else node.module
            for node in nodes
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        }
        imported |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
        ours = {
            name
            for name in imported
            if name.startswith("npnet") and name not in {"npnet.errors", "npnet.check", "npnet.shapes"}
        }
        assert all(name.startswith("npnet.definition") for name in ours), file


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (0,)])
def test_linear(torch, leading):
    assert_equal_to_torch(torch, "linear", [draw(*leading, 4), draw(5, 4), draw(5)], backward=True)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stride": (2, 3)},
        {"padding": (2, 1)},
        {"dilation": (1, 2), "stride": 2},
        {"padding": "valid"},
        {"padding": "same", "dilation": (3, 1)},
        {"groups": 2, "stride": 2, "padding": 1},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_conv2d(torch, settings):
    weight = draw(4, 4 // settings.get("groups", 1), 2, 3)
    for x in (draw(2, 4, 5, 6), draw(4, 5, 6)):
        assert_equal_to_torch(torch, "conv2d", [x, weight, draw(4)], settings, backward=True)


POOLS = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
]


@pytest.mark.parametrize("settings", [*POOLS, {"kernel_size": 2, "stride": 1, "dilation": (3, 2)}], ids=str)
def test_max_pool2d(torch, settings):
    for x in (draw(2, 2, 5, 6), draw(2, 5, 6), draw(2, 2, 5, 6).round()):  # rounded: many equal maxima
        assert_equal_to_torch(torch, "max_pool2d", [x], settings)
        y = definition.max_pool2d(x, **settings)
        tensor = torch.tensor(x, requires_grad=True)
        torch.nn.functional.max_pool2d(tensor, **settings).backward(torch.tensor(y))
        np.testing.assert_allclose(definition.max_pool2d_backward(y, x, **settings), tensor.grad.numpy())


def test_max_pool2d_with_nan_and_infinity():
    x = np.array([[[np.nan, 1.0, -np.inf, -np.inf], [np.nan, 2.0, -np.inf, -np.inf]]])
    np.testing.assert_equal(definition.max_pool2d(x, 2), [[[np.nan, -np.inf]]])
    grad_x = definition.max_pool2d_backward(np.array([[[1.0, 2.0]]]), x, 2)
    np.testing.assert_array_equal(grad_x, [[[0, 0, 2, 0], [1, 0, 0, 0]]])


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("divisor_override", [None, 7])
@pytest.mark.parametrize("settings", POOLS, ids=str)
def test_avg_pool2d(torch, settings, count_include_pad, divisor_override):
    settings = settings | {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
    for x in (draw(2, 2, 5, 6), draw(2, 5, 6)):
        assert_equal_to_torch(torch, "avg_pool2d", [x], settings)


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.operation)
def test_activations(torch, op):
    for settings in ({}, *op.settings):
        for x in (draw(2, 3, 4), 1e4 * draw(5), np.array([0.0, np.inf, -np.inf, np.nan])):
            assert_equal_to_torch(torch, op.operation, [x], settings)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax(torch, name, dim):
    assert_equal_to_torch(torch, name, [draw(2, 3, 4)], {"dim": dim})
    assert_equal_to_torch(torch, name, [1e4 * draw(2, 3, 4)], {"dim": dim})


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weight", [None, np.array([0.5, 1.0, 2.0])])
def test_nll_loss(torch, reduction, weight):
    settings = {"reduction": reduction, "ignore_index": 1}
    weight_tensor = None if weight is None else torch.tensor(weight)
    for x, target in [
        (draw(4, 3), np.array([0, 2, 1, 0])),
        (draw(2, 3, 1, 2), np.array([[[0, 2]], [[1, 0]]])),
        (draw(3), np.array(2)),
        (draw(2, 3), np.array([1, 1])),  # nothing but ignored labels
    ]:
        expected = torch.nn.functional.nll_loss(
            torch.tensor(x), torch.tensor(target), weight=weight_tensor, **settings
        )
        np.testing.assert_allclose(definition.nll_loss(x, target, weight, **settings), expected.numpy())


@pytest.mark.parametrize("label", [-1, 3])
def test_nll_loss_refuses_labels_outside_the_classes(label):
    with pytest.raises(InputError, match=rf"target must be 0 … 2, got {label} at \(1,\)"):
        definition.nll_loss(draw(2, 3), np.array([0, label]))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 2), (2, 2, 3, 2), (0, 2)])
def test_batch_norm(torch, training, shape):
    x, mean, var, weight, bias = draw(*shape), draw(2), draw(2) ** 2, draw(2) + 1, draw(2) - 1
    mean_tensor, var_tensor = torch.tensor(mean), torch.tensor(var)
    settings = {"training": training, "momentum": 0.3, "eps": 1e-3}
    expected = torch.nn.functional.batch_norm(
        torch.tensor(x), mean_tensor, var_tensor, torch.tensor(weight), torch.tensor(bias), **settings
    )
    y = definition.batch_norm(x, mean, var, weight, bias, **settings)
    np.testing.assert_allclose(y, expected.numpy(), rtol=1e-12)
    np.testing.assert_allclose(mean, mean_tensor.numpy(), rtol=1e-12)
    np.testing.assert_allclose(var, var_tensor.numpy(), rtol=1e-12)


def test_batch_norm_refuses_what_has_no_statistics():
    with pytest.raises(InputError, match="running_mean and running_var must be given outside training"):
        definition.batch_norm(draw(2, 3), None, None)
    with pytest.raises(InputError, match="more than one number in a channel"):
        definition.batch_norm(draw(1, 3), None, None, training=True)


def test_float32_stays_float32():
    x, weight = draw(1, 1, 4, 4).astype(np.float32), draw(1, 1, 2, 2).astype(np.float32)
    assert definition.conv2d(x, weight).dtype == np.float32
    assert definition.linear(x, weight[0, 0].repeat(2, axis=1)).dtype == np.float32
    assert definition.softmax(x).dtype == np.float32
