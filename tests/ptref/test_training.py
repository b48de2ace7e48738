"""Whole training runs of both engines: equal weights, equal minibatches of real digits, float64.

What is allowed: every step rounds anew, the gradients in it are smaller than the weights and their
roundings partly cancel, and where descent is stable it carries former differences along without enlarging
them. So after T steps two correct engines are at most 10 T u apart, with u = 2⁻⁵³ and relative to the
largest weight or loss: 3e-13 after 300 steps, where 2e-14 was the worst seen. A learning rate off by a
billionth is found out.
"""

import numpy as np
import pytest

from npnet import models, nn, optim
from npnet.data import digits, minibatches

torch = pytest.importorskip("torch")

from ptref.convert import to_torch  # noqa: E402 - PyTorch may be absent

UNIT = 2.0**-53

# Run-time shape checks would take most of the time of so many small steps.
pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture(autouse=True)
def one_thread():
    """Keep PyTorch from waiting for a second thread at every one of many small operations."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def mlp(rng):
    return models.mlp([64, 32, 10], "tanh", generator=rng, dtype=np.float64)


def convolutional(rng):
    """Everything in one: strided and grouped convolution, batch norm, shortcut, both kinds of pooling.

    Convolutions before batch norm have no bias: its gradient would be rounding alone, which Adam blows up to
    steps of full length.
    """

    def conv(*sizes, **options):
        return nn.Conv2d(*sizes, 3, padding=1, bias=False, generator=rng, dtype=np.float64, **options)

    return nn.Sequential(
        conv(1, 8),
        nn.BatchNorm2d(8, dtype=np.float64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Residual(conv(8, 8, stride=2, groups=2), nn.AvgPool2d(2)),
        nn.Flatten(),
        nn.Linear(32, 10, generator=rng, dtype=np.float64),
    )


def batches(steps):
    """Yield shuffled minibatches of 32 digits, epoch after epoch."""
    part = digits(np.random.default_rng(0)).train
    rng = np.random.default_rng(1)
    taken = 0
    while taken < steps:
        for x, target in minibatches(part, 32, rng, drop_last=True):
            if taken < steps:
                yield x.astype(np.float64), target
            taken += 1


def run_npnet(model, optimizer, steps):
    criterion, losses = nn.CrossEntropyLoss(label_smoothing=0.05), []
    for x, target in batches(steps):
        y, backward = model.forward(x)
        loss, loss_backward = criterion.forward(y, target)
        _, grads = backward(loss_backward(), needs_grad_x=False)
        optimizer.step(grads)
        losses.append(float(loss))
    return np.array(losses)


def run_torch(module, optimizer, steps):
    criterion, losses = torch.nn.CrossEntropyLoss(label_smoothing=0.05), []
    for x, target in batches(steps):
        optimizer.zero_grad()
        loss = criterion(module(torch.from_numpy(x)), torch.from_numpy(target))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


MOMENTUM = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}


@pytest.mark.parametrize(
    ("build", "kind", "options", "steps"),
    [
        (mlp, "SGD", {"lr": 0.1}, 300),
        (mlp, "Adam", {"lr": 1e-3}, 100),
        (convolutional, "SGD", MOMENTUM, 300),
        (convolutional, "Adam", {"lr": 1e-3}, 100),
    ],
)
def test_two_engines_train_alike(build, kind, options, steps):
    model = build(np.random.default_rng(0))
    module = to_torch(model)
    losses = run_npnet(model, getattr(optim, kind)(model.parameters, **options), steps)
    expected = run_torch(module, getattr(torch.optim, kind)(module.parameters(), **options), steps)

    allowed = 10 * steps * UNIT
    assert expected[-10:].mean() < 0.75 * expected[0]  # it does learn
    assert np.abs(losses - expected).max() <= allowed * expected.max()
    for name, tensor in module.state_dict().items():
        truth = tensor.numpy()
        error = np.abs(model.state_dict()[name] - truth).max()
        assert error <= allowed * np.abs(truth).max(), name


def test_a_frozen_part_stays_as_it_is_in_both_and_the_rest_trains_alike():
    model = mlp(np.random.default_rng(0))
    model.freeze("fc1")
    module, before = to_torch(model), model.state_dict()
    losses = run_npnet(model, optim.SGD(model.parameters, lr=0.1, weight_decay=0.1), 50)
    expected = run_torch(module, torch.optim.SGD(module.parameters(), lr=0.1, weight_decay=0.1), 50)
    np.testing.assert_array_equal(model.parameters["fc1.weight"], before["fc1.weight"])
    np.testing.assert_array_equal(module.fc1.weight.detach().numpy(), before["fc1.weight"])
    assert np.abs(losses - expected).max() <= 10 * 50 * UNIT * expected.max()


def test_the_bound_finds_a_learning_rate_off_by_a_billionth():
    model = mlp(np.random.default_rng(0))
    module = to_torch(model)
    losses = run_npnet(model, optim.SGD(model.parameters, lr=0.1 * (1 + 1e-9)), 50)
    expected = run_torch(module, torch.optim.SGD(module.parameters(), lr=0.1), 50)
    assert np.abs(losses - expected).max() > 10 * 50 * UNIT * expected.max()
