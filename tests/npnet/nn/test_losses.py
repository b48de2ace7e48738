import numpy as np
import pytest

from npnet import nn
from npnet.errors import InputError

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((6, 4))
LABELS = np.array([0, 3, 1, 1, 2, 0])
PROBABILITIES = RNG.uniform(0.05, 0.95, (6, 4))
CLASS_WEIGHTS, POSITIVE_WEIGHTS = RNG.uniform(0.5, 2, (2, 4))
SOFT = RNG.dirichlet(np.ones(4), 6)

CASES = {
    "cross_entropy": (nn.CrossEntropyLoss, LOGITS, LABELS, {}),
    "cross_entropy_all_options": (
        nn.CrossEntropyLoss,
        LOGITS,
        LABELS,
        {"weight": CLASS_WEIGHTS, "ignore_index": 1, "label_smoothing": 0.2},
    ),
    "cross_entropy_soft": (nn.CrossEntropyLoss, LOGITS, SOFT, {"weight": CLASS_WEIGHTS}),
    "nll": (nn.NLLLoss, LOGITS, LABELS, {"weight": CLASS_WEIGHTS, "ignore_index": 3}),
    "mse": (nn.MSELoss, LOGITS, SOFT, {}),
    "bce": (nn.BCELoss, PROBABILITIES, SOFT, {"weight": CLASS_WEIGHTS}),
    "bce_logits": (
        nn.BCEWithLogitsLoss,
        LOGITS,
        SOFT,
        {"weight": CLASS_WEIGHTS, "pos_weight": POSITIVE_WEIGHTS},
    ),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_torchs(case, reduction):
    torch = pytest.importorskip("torch")
    kind, x, target, options = CASES[case]
    arrays = {
        name: torch.tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in options.items()
    }
    x_torch = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn, kind.__name__)(reduction=reduction, **arrays)(x_torch, torch.tensor(target))
    grad_loss = np.random.default_rng(1).standard_normal(tuple(expected.shape))
    expected.backward(torch.tensor(grad_loss))

    criterion = kind(reduction=reduction, **options)
    loss, backward = criterion.forward(x, target)
    assert isinstance(loss, np.ndarray)
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(backward(np.asarray(grad_loss)), x_torch.grad.numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(criterion(x, target), loss)


@pytest.mark.parametrize("case", CASES)
def test_without_an_upstream_gradient_the_loss_itself_is_differentiated(case):
    kind, x, target, options = CASES[case]
    loss, backward = kind(**options).forward(x, target)
    np.testing.assert_array_equal(backward(), backward(np.ones_like(loss)))


def test_a_loss_of_ones_own_needs_apply_alone():
    class Absolute(nn.Loss):
        def apply(self, x, target):
            return np.asarray(np.abs(x - target).sum()), lambda: np.sign(x - target)

    x = np.array([1.0, -2.0])
    assert Absolute()(x, np.zeros(2)) == 3
    np.testing.assert_array_equal(Absolute().forward(x, np.zeros(2))[1](), [1, -1])
    with pytest.raises(NotImplementedError, match="Loss does not implement apply"):
        nn.Loss()(LOGITS, LABELS)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.asarray(1.0), r"Own.apply must return \(loss, backward\), got array"),
        (None, r"Own.apply must return \(loss, backward\), got None"),
        ((np.asarray(1.0), np.ones(2)), "Own: the backward that apply returns must be a function"),
    ],
)
def test_a_loss_that_returns_something_else_is_refused(result, message):
    class Own(nn.Loss):
        def apply(self, x, target):
            return result

    with pytest.raises(InputError, match=message):
        Own().forward(np.ones(2), np.ones(2))


@pytest.mark.usefixtures("bare")
def test_an_unknown_reduction_is_refused():
    with pytest.raises(InputError, match="reduction"):
        nn.MSELoss("average")(LOGITS, LOGITS)
