"""A loss over all data is the same however the data is cut into minibatches."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import nn, optim
from npnet.data import ArrayDataset
from npnet.errors import InputError
from npnet.train import NumPyEngine, RunningMetrics, evaluate, evaluate_engine, fit

pytestmark = pytest.mark.usefixtures("bare")

N, K = 97, 4
RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((N, K))
MAPS = RNG.standard_normal((N, K, 2, 3))  # one label for each of six positions
LABELS, LABEL_MAPS = RNG.integers(K, size=N), RNG.integers(K, size=(N, 2, 3))
SOFT = RNG.dirichlet(np.ones(K), N)
PROBABILITIES = RNG.uniform(0.05, 0.95, (N, K))
WEIGHT = np.array([1.0, 10.0, 100.0, 0.5])


def log_probabilities(x):
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


# Each with outputs and targets: what there is to average over differs.
CASES = {
    "cross entropy": (nn.CrossEntropyLoss, {}, LOGITS, LABELS),
    "weights": (nn.CrossEntropyLoss, {"weight": WEIGHT}, LOGITS, LABELS),
    "weights, one of them 0": (nn.CrossEntropyLoss, {"weight": WEIGHT * [1, 0, 1, 1]}, LOGITS, LABELS),
    "ignored": (nn.CrossEntropyLoss, {"ignore_index": 2}, LOGITS, LABELS),
    "smoothed": (
        nn.CrossEntropyLoss,
        {"label_smoothing": 0.1, "weight": WEIGHT, "ignore_index": 1},
        LOGITS,
        LABELS,
    ),
    "segmentation": (nn.CrossEntropyLoss, {"weight": WEIGHT, "ignore_index": 0}, MAPS, LABEL_MAPS),
    "probabilities": (nn.CrossEntropyLoss, {"weight": WEIGHT}, LOGITS, SOFT),
    "nll": (nn.NLLLoss, {"weight": WEIGHT, "ignore_index": 3}, log_probabilities(LOGITS), LABELS),
    "nll segmentation": (nn.NLLLoss, {"weight": WEIGHT}, log_probabilities(MAPS), LABEL_MAPS),
    "mse": (nn.MSELoss, {}, LOGITS, SOFT),
    "bce": (nn.BCELoss, {"weight": WEIGHT}, PROBABILITIES, SOFT),
    "bce with logits": (nn.BCEWithLogitsLoss, {"weight": WEIGHT, "pos_weight": WEIGHT}, LOGITS, SOFT),
}


def learner(loss, x):
    """Return an engine whose outputs are the samples, and stay so."""
    scale = nn.Sequential(nn.Identity(), Scale())
    return NumPyEngine(scale, loss, optim.SGD(scale.parameters, lr=0.0))


class Scale(nn.Layer):
    parameter_names = ("scale",)

    def __init__(self):
        self.scale = np.ones(1)

    def apply(self, x, *, training, generator):
        return x * self.scale, lambda grad_y, needs: (grad_y * self.scale, np.zeros(1))


@pytest.mark.parametrize("case", CASES)
@given(batch_size=st.integers(1, N + 3))
def test_the_mean_is_the_same_for_every_batch_size(case, batch_size):
    kind, settings, x, target = CASES[case]
    whole = float(kind(**settings)(x, target))
    data = ArrayDataset(x, target)
    for reduction in ("mean", "sum"):
        loss = kind(**settings, reduction=reduction)
        assert evaluate(nn.Identity(), loss, data, batch_size)[0] == pytest.approx(whole, rel=1e-12)
        assert evaluate_engine(learner(loss, x), data, batch_size).loss == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("batch_size", [1, 8, 40, N])
@pytest.mark.parametrize("case", CASES)
def test_the_figures_of_training_are_that_mean_in_both_engines(case, batch_size):
    kind, settings, x, target = CASES[case]
    whole = float(kind(**settings)(x, target))
    data = ArrayDataset(x, target)
    model = Scale()
    sgd = optim.SGD(model.parameters, lr=0.0)
    history = fit(model, kind(**settings), sgd, (data, data), epochs=1, batch_size=batch_size, progress=False)
    assert history.train_loss == pytest.approx([whole], rel=1e-12)
    assert history.validation_loss == pytest.approx([whole], rel=1e-12)
    _check_pytorch(kind, settings, data, batch_size, whole)


def _check_pytorch(kind, settings, data, batch_size, whole):
    torch = pytest.importorskip("torch")
    from ptref.train import fit as torch_fit

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, x):
            return x * self.scale

    arrays = {
        name: torch.tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in settings.items()
    }
    for reduction in ("mean", "sum"):
        module = Module()
        loss = getattr(torch.nn, kind.__name__)(**arrays, reduction=reduction)
        sgd = torch.optim.SGD(module.parameters(), lr=0.0)
        history = torch_fit(module, loss, sgd, (data, data), epochs=1, batch_size=batch_size, progress=False)
        assert history.train_loss == pytest.approx([whole], rel=1e-12)
        assert history.validation_loss == pytest.approx([whole], rel=1e-12)


def test_in_float32_the_sums_are_float64():
    x = np.full((10_000, 1), 0.1, np.float32)  # a sum in float32 would be off by 3e-5
    target = np.zeros_like(x)
    loss, _ = evaluate(nn.Identity(), nn.MSELoss(), (x, target), batch_size=1)
    assert loss == pytest.approx(float(np.float32(0.1)) ** 2, rel=1e-7)


# ---- minibatches in which nothing counts --------------------------------------------------------------


def ignored_in_part():
    y = LABELS.copy()
    y[:16] = -100
    return ArrayDataset(LOGITS, y)


def test_a_minibatch_whose_labels_are_all_ignored_contributes_nothing():
    data = ignored_in_part()
    kept = ArrayDataset(LOGITS[16:], LABELS[16:])
    loss = nn.CrossEntropyLoss()
    assert evaluate(nn.Identity(), loss, data, 8) == pytest.approx(evaluate(nn.Identity(), loss, kept, 81))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_no_update_is_made_from_it(weight_decay):
    rng = np.random.default_rng(0)
    model = nn.Linear(K, K, generator=rng, dtype=np.float64)
    sgd = optim.SGD(model.parameters, lr=0.1, weight_decay=weight_decay)
    weights, seen = [model.weight.copy()], []

    def look(state):
        weights.append(model.weight.copy())
        seen.append(state.step)

    y = np.full(N, -100)
    y[0] = 1  # one minibatch alone counts
    history = fit(
        model, nn.CrossEntropyLoss(), sgd, (LOGITS, y), epochs=1, batch_size=10, on_step=look, progress=False
    )
    moved = sum(not np.array_equal(a, b) for a, b in pairwise(weights))
    assert (moved, seen) == (1, list(range(1, 11)))
    assert np.isfinite(model.weight).all()
    assert np.isfinite(history.train_loss).all()


def test_pytorch_makes_no_update_from_it_either():
    torch = pytest.importorskip("torch")
    from ptref.train import fit as torch_fit

    module = torch.nn.Linear(K, K, dtype=torch.float64)
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    y = np.full(N, -100)
    y[0] = 1
    history = torch_fit(module, torch.nn.CrossEntropyLoss(), sgd, (LOGITS, y), batch_size=10, progress=False)
    assert np.isfinite(history.train_loss).all()
    assert all(bool(torch.isfinite(parameter).all()) for parameter in module.parameters())


def test_data_in_which_nothing_counts_is_refused_and_evaluates_to_nan():
    y = np.full(N, -100)
    model = Scale()
    sgd = optim.SGD(model.parameters, lr=0.1)
    with pytest.raises(InputError, match="training y must hold a label that counts"):
        fit(model, nn.CrossEntropyLoss(), sgd, (LOGITS, y))
    weighted = nn.CrossEntropyLoss(weight=np.array([0.0, 1.0, 1.0, 1.0]))
    with pytest.raises(InputError, match="training data must hold a label that counts"):
        fit(model, weighted, sgd, (LOGITS, np.zeros(N, int)), progress=False)
    loss, accuracy = evaluate(nn.Identity(), nn.CrossEntropyLoss(), (LOGITS, y))
    assert (math.isnan(loss), accuracy) == (True, None)


# ---- losses of one's own ------------------------------------------------------------------------------


class Absolute(nn.Loss):
    def forward(self, x, target):
        return np.asarray(np.abs(x - target).mean()), lambda: np.sign(x - target) / x.size


def test_a_loss_of_ones_own_is_weighed_by_samples_or_as_it_says():
    class Sparse(Absolute):
        """Averages over the elements that are not 0."""

        def forward(self, x, target):
            return np.asarray(np.abs(x - target)[target != 0].mean()), None

        def divisor(self, x, target):
            return float((target != 0).sum())

    target = SOFT * (RNG.random(SOFT.shape) < 0.5)
    target[0] = 0.5
    assert Absolute().divisor(LOGITS, SOFT) == N
    for loss, against in ((Absolute(), SOFT), (Sparse(), target)):
        whole = float(loss(LOGITS, against))
        for batch_size in (13, 40):
            assert evaluate(nn.Identity(), loss, (LOGITS, against), batch_size)[0] == pytest.approx(whole)


def test_a_tally_weighs_by_the_divisor():
    tally = RunningMetrics()
    tally.add(1.0, 3.0, np.zeros((2, 1)), np.zeros((2, 1)))
    tally.add(math.nan, 0.0, np.zeros((2, 1)), np.zeros((2, 1)))
    tally.add(5.0, 1.0, np.zeros((2, 1)), np.zeros((2, 1)))
    assert (tally.loss, tally.seen, tally.accuracy) == (2.0, 6, None)


# ---- settings of losses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.CrossEntropyLoss(ignore_index=1.5), "CrossEntropyLoss: ignore_index must be an integer"),
        (lambda: nn.CrossEntropyLoss(label_smoothing="a"), "label_smoothing must be a finite number"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=1.1), "label_smoothing must be .* at most 1"),
        (lambda: nn.CrossEntropyLoss(weight=[1, 10, 100]), r"weight must be a NumPy array.*np.array\(weight"),
        (lambda: nn.NLLLoss(weight=np.ones((2, 2))), r"NLLLoss: weight must have shape \(C,\)"),
        (lambda: nn.BCELoss(weight="1"), "BCELoss: weight must be a NumPy array"),
        (lambda: nn.BCEWithLogitsLoss(pos_weight=2.0), "pos_weight must be a NumPy array"),
        (lambda: nn.MSELoss("average"), "MSELoss: reduction must be one of none, mean, sum"),
        (lambda: nn.Loss(3), "Loss: reduction must be one of"),
    ],
)
def test_a_setting_that_does_not_fit_is_met_when_the_loss_is_made(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_numbers_of_numpy_are_welcome():
    loss = nn.CrossEntropyLoss(ignore_index=np.int8(-1), label_smoothing=np.float32(0.5))
    assert (type(loss.ignore_index), type(loss.label_smoothing)) == (int, float)
