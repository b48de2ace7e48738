"""Layers that behave differently in training: dropout and batch normalization."""

import numpy as np
import pytest

from npnet import nn
from npnet.errors import InputError

# ---- dropout -------------------------------------------------------------------------------------------


def dropped(p, seed, shape=(200, 500), dtype=np.float64):
    return nn.Dropout(p).forward(np.ones(shape, dtype), generator=np.random.default_rng(seed))


def test_the_same_seed_drops_the_same_values_and_another_seed_others():
    first, again, other = (dropped(0.5, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert 0.4 < np.mean(first != other) < 0.6


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_is_preserved_and_the_right_part_dropped(p, dtype):
    y, backward = dropped(p, 0, dtype=dtype)
    assert y.dtype == dtype
    deviation = np.sqrt(p * (1 - p) / y.size)
    assert abs(np.mean(y == 0) - p) < 5 * deviation
    assert abs(y.mean() - 1) < 5 * deviation / (1 - p)
    assert np.unique(y).size == 2
    np.testing.assert_array_equal(backward(np.ones_like(y))[0], y)  # dropped both ways alike


def test_both_dtypes_drop_the_same_values():
    single, double = (dropped(0.3, 0, dtype=dtype)[0] for dtype in (np.float32, np.float64))
    np.testing.assert_array_equal(single == 0, double == 0)


@pytest.mark.parametrize(("p", "training", "expected"), [(0.0, True, 1), (0.5, False, 1), (1.0, True, 0)])
def test_dropout_that_leaves_nothing_to_chance(p, training, expected):
    generator = np.random.default_rng(0)
    y, backward = nn.Dropout(p).forward(np.ones((3, 4)), training=training, generator=generator)
    np.testing.assert_array_equal(y, np.full((3, 4), expected))
    np.testing.assert_array_equal(backward(np.ones((3, 4)))[0], y)


# ---- batch norm ----------------------------------------------------------------------------------------


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pair_of(kind, rng, **options):
    """Return a layer and PyTorch's, with equal weights other than ones and zeros."""
    torch = pytest.importorskip("torch")
    layer = getattr(nn, kind)(3, dtype=np.float64, **options)
    module = getattr(torch.nn, kind)(3, dtype=torch.float64, **options)
    state = {
        name: rng.uniform(0.5, 2, array.shape) if array.dtype == np.float64 else array
        for name, array in layer.state_dict().items()
    }
    layer.load_state_dict(state)
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
    return layer, module


def both_run(layer, module, x, grad_y, *, training):
    import torch

    module.train(training)
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = module(x_torch)
    y_torch.backward(torch.tensor(grad_y))
    y, backward = layer.forward(x, training=training)
    return (y, *backward(grad_y)), (y_torch.detach().numpy(), x_torch.grad.numpy())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": None},
        {"momentum": 0.7, "eps": 0.1},
        {"affine": False},
        {"track_running_stats": False},
        {"affine": False, "track_running_stats": False, "momentum": None},
    ],
)
@pytest.mark.parametrize(
    ("kind", "shape"), [("BatchNorm1d", (6, 3)), ("BatchNorm1d", (4, 3, 5)), ("BatchNorm2d", (4, 3, 2, 5))]
)
def test_statistics_outputs_and_gradients_are_torchs(kind, shape, options, rng):
    layer, module = pair_of(kind, rng, **options)
    for training in (True, True, True, False, True, False):
        x, grad_y = rng.normal(2, 3, shape), rng.standard_normal(shape)
        (y, grad_x, grads), (y_torch, grad_x_torch) = both_run(layer, module, x, grad_y, training=training)
        np.testing.assert_allclose(y, y_torch, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(grad_x, grad_x_torch, rtol=1e-11, atol=1e-13)
        for name, parameter in module.named_parameters():
            np.testing.assert_allclose(grads[name], parameter.grad.numpy(), rtol=1e-11, atol=1e-12)
        module.zero_grad()
        for name, buffer in module.named_buffers():
            np.testing.assert_allclose(layer.buffers[name], buffer.numpy(), rtol=1e-13)
        assert layer.state_dict().keys() == module.state_dict().keys()


def test_momentum_none_averages_over_all_minibatches(rng):
    layer = nn.BatchNorm1d(2, momentum=None, dtype=np.float64)
    batches = rng.standard_normal((5, 7, 2))
    for batch in batches:
        layer.forward(batch)
    np.testing.assert_allclose(layer.running_mean, batches.mean(axis=(0, 1)), rtol=1e-13)
    np.testing.assert_allclose(layer.running_var, batches.var(axis=1, ddof=1).mean(axis=0), rtol=1e-13)


def test_evaluation_keeps_samples_apart_and_statistics_alone(rng):
    layer = nn.BatchNorm2d(3, dtype=np.float64)
    layer.forward(rng.standard_normal((4, 3, 2, 2)))
    before, x = layer.state_dict(), rng.standard_normal((5, 3, 2, 2))
    together = layer(x)
    np.testing.assert_allclose(together, np.concatenate([layer(x[i : i + 1]) for i in range(5)]), rtol=1e-15)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_samples_are_coupled_where_the_minibatchs_own_statistics_are_used():
    tracked, untracked = nn.BatchNorm1d(2), nn.BatchNorm1d(2, track_running_stats=False)
    modes = [layer.couples_samples(training) for layer in (tracked, untracked) for training in (True, False)]
    assert modes == [True, False, True, True]


def test_a_weight_without_a_bias(rng):
    layer = nn.BatchNorm1d(3, bias=False, dtype=np.float64)
    assert list(layer.parameters) == ["weight"]
    y, backward = layer.forward(rng.standard_normal((4, 3)))
    assert list(backward(y)[1]) == ["weight"]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.BatchNorm1d(3), (2, 3, 4, 4), r"BatchNorm1d: x must have shape \(n, c\) or \(n, c, l\)"),
        (nn.BatchNorm2d(3), (2, 3), r"BatchNorm2d: x must have shape \(n, c, h, w\)"),
        (nn.BatchNorm2d(3), (2, 4, 1, 1), r"running_mean must have shape \(4,\)"),
        (nn.BatchNorm1d(3), (1, 3), "more than one value per channel"),
    ],
)
def test_what_batch_norm_cannot_take_is_refused_and_leaves_its_state_alone(layer, shape, message):
    before = layer.state_dict()
    with pytest.raises(InputError, match=message):
        layer.forward(np.ones(shape, np.float32))
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
