"""The numbers of PyTorch's own tutorials, from npnet."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from npnet import functional as F  # noqa: E402 - after the skip where torch is missing
from npnet import nn, optim  # noqa: E402
from ptref.parity import assert_parity  # noqa: E402


def cube_minus_square(a, b):
    """Q = 3a³ − b², by npnet's convention."""
    return 3 * a**3 - b**2, lambda grad_y: (grad_y * 9 * a**2, grad_y * -2 * b)


def test_q_is_3a3_minus_b2_with_an_upstream_gradient_given():
    """A gentle introduction to torch.autograd: dQ/da = 9a², dQ/db = −2b."""
    a, b = np.array([2.0, 3.0]), np.array([6.0, 4.0])
    q, backward = cube_minus_square(a, b)
    grad_a, grad_b = backward(np.array([1.0, 1.0]))
    assert q.tolist() == [-12.0, 65.0]
    assert grad_a.tolist() == [36.0, 81.0]
    assert grad_b.tolist() == [-12.0, -8.0]

    a_torch, b_torch = (torch.tensor(value, requires_grad=True) for value in (a, b))
    q_torch = 3 * a_torch**3 - b_torch**2
    q_torch.backward(gradient=torch.tensor([1.0, 1.0], dtype=torch.float64))
    assert grad_a.tolist() == a_torch.grad.tolist()
    assert grad_b.tolist() == b_torch.grad.tolist()
    assert_parity(cube_minus_square, lambda a, b: 3 * a**3 - b**2, a, b)


def test_gradients_of_two_backward_calls_add_up():
    """Where .grad keeps the sum, here one adds: the gradient of both minibatches is the sum of theirs."""
    rng = np.random.default_rng(0)
    layer = nn.Linear(5, 3, generator=rng, dtype=np.float64)
    module = torch.nn.Linear(5, 3).double()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in layer.state_dict().items()})

    total = {name: np.zeros_like(value) for name, value in layer.parameters.items()}
    for _ in range(2):
        x, target = rng.standard_normal((4, 5)), rng.standard_normal((4, 3))
        y, backward = layer.forward(x)
        _, loss_backward = F.mse_loss(y, target)
        _, grads = backward(loss_backward())
        for name, grad in grads.items():
            total[name] += grad
        torch.nn.functional.mse_loss(module(torch.from_numpy(x)), torch.from_numpy(target)).backward()
        for name, parameter in module.named_parameters():
            np.testing.assert_allclose(total[name], parameter.grad.numpy(), rtol=1e-14)


def test_two_backward_calls_on_one_graph_double_the_gradient():
    """With ones(4, 5) + 1 squared and transposed, as in the autograd tutorial: 4 · …, then twice that."""

    def squared(x):
        return ((x + 1) ** 2).T, lambda grad_y: 2 * (x + 1) * grad_y.T

    x = np.eye(4, 5)
    y, backward = squared(x)
    total = backward(np.ones_like(y))
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = (x_torch + 1).pow(2).t()
    y_torch.backward(torch.ones_like(y_torch), retain_graph=True)
    assert total.tolist() == x_torch.grad.tolist() == (4 * np.eye(4, 5) + 2 * (np.eye(4, 5) == 0)).tolist()
    total = total + backward(np.ones_like(y))
    y_torch.backward(torch.ones_like(y_torch))
    assert total.tolist() == x_torch.grad.tolist() == (8 * np.eye(4, 5) + 4 * (np.eye(4, 5) == 0)).tolist()


def test_the_line_through_two_points():
    """The line through (1, 3) and (2, 5) is y = 2x + 1, and on the way there autograd's gradients."""
    x, target = np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]])
    layer = nn.Linear(1, 1, generator=np.random.default_rng(0), dtype=np.float64)
    layer.load_state_dict({"weight": np.zeros((1, 1)), "bias": np.zeros(1)})
    criterion, optimizer = nn.MSELoss(), optim.SGD(layer.parameters, lr=0.1)

    weight, bias = (torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in ((1, 1), (1,)))
    x_torch, target_torch = torch.from_numpy(x), torch.from_numpy(target)
    for step in range(1000):
        y, backward = layer.forward(x)
        _, loss_backward = criterion.forward(y, target)
        _, grads = backward(loss_backward())

        loss_torch = ((x_torch @ weight.T + bias - target_torch) ** 2).mean()
        loss_torch.backward()
        if step == 0:  # by hand: −2·(3·1 + 5·2)/2 and −2·(3 + 5)/2
            assert grads["weight"].item() == weight.grad.item() == -13
            assert grads["bias"].item() == bias.grad.item() == -8
        np.testing.assert_allclose(grads["weight"], weight.grad.numpy(), rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(grads["bias"], bias.grad.numpy(), rtol=1e-9, atol=1e-13)

        optimizer.step(grads)
        with torch.no_grad():
            for parameter in (weight, bias):
                parameter -= 0.1 * parameter.grad
                parameter.grad = None
    np.testing.assert_allclose([layer.weight.item(), layer.bias.item()], [2, 1], rtol=1e-6)
