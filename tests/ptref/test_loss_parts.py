"""The parts of a loss add up to the loss, whatever it divides by, and so do their gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402 - PyTorch may be absent

from ptref.loss_parts import in_parts  # noqa: E402 - as above

CASES = 150


def a_loss(rng):
    """Return a loss, outputs and a target, drawn at random."""
    n, classes = int(rng.integers(1, 9)), int(rng.integers(2, 5))
    more = [(), (3,), (2, 2)][rng.integers(3)]
    y = torch.from_numpy(rng.normal(size=(n, classes, *more)))
    reduction = str(rng.choice(["mean", "sum"]))
    if rng.random() < 0.4:
        kind = [torch.nn.MSELoss, torch.nn.L1Loss, torch.nn.SmoothL1Loss, torch.nn.BCEWithLogitsLoss]
        return kind[rng.integers(4)](reduction=reduction), y, torch.from_numpy(rng.random(y.shape))
    weight = torch.from_numpy(rng.uniform(0.1, 3, classes)) if rng.random() < 0.5 else None
    smoothing = float(rng.choice([0.0, 0.2]))
    if rng.random() < 0.3:
        target = torch.from_numpy(rng.random(y.shape))
        target /= target.sum(1, keepdim=True)
        return torch.nn.CrossEntropyLoss(weight, label_smoothing=smoothing, reduction=reduction), y, target
    target = torch.from_numpy(rng.integers(classes, size=(n, *more)))
    target[0] = 1  # and this one is not ignored
    settings = {"ignore_index": int(rng.choice([-100, 0])), "reduction": reduction}
    if rng.random() < 0.3:
        return torch.nn.NLLLoss(weight, **settings), y.log_softmax(1), target
    return torch.nn.CrossEntropyLoss(weight, label_smoothing=smoothing, **settings), y, target


def cut(rng, n):
    """Return the rows of two or three parts, of which some may be empty."""
    ends = np.sort(rng.integers(n + 1, size=rng.integers(1, 3)))
    return [slice(int(a), int(b)) for a, b in zip([0, *ends], [*ends, n], strict=True)]


@pytest.mark.parametrize("seed", range(CASES))
def test_parts_and_their_gradients_add_up(seed):
    rng = np.random.default_rng(seed)
    loss, y, target = a_loss(rng)
    y.requires_grad_()
    whole = loss(y, target)
    (expected,) = torch.autograd.grad(whole, y)
    part = in_parts(loss)
    parts = sum(part(y[rows], target, rows) for rows in cut(rng, len(y)))
    (found,) = torch.autograd.grad(parts, y)
    where = f"{loss}, {loss.reduction}"
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12, msg=where)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12, msg=where)


def test_a_function_has_parts_too():
    y, target = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([1, 0])
    part = in_parts(functional.cross_entropy)
    found = part(y[:1], target, slice(1)) + part(y[1:], target, slice(1, 2))
    torch.testing.assert_close(found, functional.cross_entropy(y, target))


class Squared(torch.nn.MSELoss):
    """What a user made of a loss may be no sum over samples."""

    def forward(self, y, target):
        return super().forward(y, target) ** 2


@pytest.mark.parametrize(
    "loss",
    [
        Squared(),
        lambda y, target: (y - target).max(),
        torch.nn.BCEWithLogitsLoss(weight=torch.ones(3, 1)),  # which rows it weighs it cannot tell
        torch.nn.PairwiseDistance(),
    ],
)
def test_other_losses_are_left_whole(loss):
    assert in_parts(loss) is None
