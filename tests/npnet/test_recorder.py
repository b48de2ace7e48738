"""What a run records, and that recording changes nothing."""

from itertools import pairwise

import numpy as np
import pytest

from npnet import fit, nn, optim
from npnet.data import digits
from npnet.errors import InputError
from npnet.nn.outputs import dead_shares, layer_outputs
from npnet.train import NumPyEngine, Recorder, run
from npnet.train.recorder import constant_loss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 60)


def network(dropout=0.0):
    rng = np.random.default_rng(1)
    return nn.Sequential(
        nn.Linear(4, 6, generator=rng), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(6, 3, generator=rng),
    )  # fmt: skip


def train(model, recorder=None, *, epochs=2, optimizer=optim.SGD, lr=0.1, **settings):
    made = optimizer(model.parameters, lr=lr)
    return fit(
        model, nn.CrossEntropyLoss(), made, (X, Y), epochs=epochs, batch_size=10, recorder=recorder,
        progress=False, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
def test_the_weights_have_the_same_bits_with_a_recorder(optimizer):
    """Batch norm keeps statistics and dropout draws, both of which a careless second pass would disturb."""
    plain, recorded, recorder = network(0.5), network(0.5), Recorder(samples=20, most=4)
    histories = train(plain, optimizer=optimizer), train(recorded, recorder, optimizer=optimizer)
    for name, array in plain.state_dict().items():
        np.testing.assert_array_equal(array, recorded.state_dict()[name], strict=True)
    assert [e.train_loss for e in histories[0].epochs] == [e.train_loss for e in histories[1].epochs]
    assert recorder.moments


def test_a_moment_holds_the_gradient_and_how_far_the_step_went():
    """With plain SGD the step is −lr·g, so one follows from the other and from the weights before."""
    model, recorder, seen = network(), Recorder(), []

    def look(state):
        seen.append(
            {name: (grad.copy(), model.parameters[name].copy()) for name, grad in state.grads.items()}
        )

    train(model, recorder, on_backward=look)
    assert [moment.step for moment in recorder.moments] == list(range(1, 13))
    for moment, before in zip(recorder.moments, seen, strict=True):
        for name, (grad, weight) in before.items():
            assert moment.grads[name] == pytest.approx(np.sqrt((grad.astype(float) ** 2).mean()), rel=1e-6)
            size = np.linalg.norm(weight.astype(float))
            if size:
                moved = 0.1 * np.linalg.norm(grad.astype(float)) / size
                assert moment.updates[name] == pytest.approx(moved, rel=1e-3, abs=1e-7)
            else:
                assert np.isnan(moment.updates[name])
    assert list(recorder.moments[0].grads) == list(model.parameters)
    assert recorder.weights == ("0.weight", "4.weight")


def test_a_long_run_keeps_few_moments_evenly_spaced():
    recorder = Recorder(most=8)
    train(network(), recorder, epochs=10)  # 60 steps
    steps = [moment.step for moment in recorder.moments]
    assert 4 <= len(steps) < 8
    assert len({b - a for a, b in pairwise(steps)}) == 1
    assert steps[0] == 1
    assert steps[-1] > 60 - (steps[1] - steps[0])


def test_the_probe_is_the_first_samples_learnt_from_and_dead_units_are_counted_on_it():
    model, recorder = network(), Recorder(samples=25)
    model.parameters["1.bias"][:2] = -100.0  # two of six units are 0 whatever comes
    train(model, recorder)
    assert recorder.x.shape == (25, 4)
    shown = {tuple(row) for row in X.tolist()}
    assert {tuple(row) for row in recorder.x.tolist()} <= shown
    assert [bool(moment.dead) for moment in recorder.moments[:4]] == [False, False, True, True]
    assert recorder.moments[-1].dead == dead_shares(model, recorder.x)
    assert recorder.moments[-1].dead["2"] >= 2 / 6
    assert recorder.last is not model


def test_a_recorder_forgets_the_run_before():
    recorder = Recorder(samples=10_000)
    train(network(), recorder)
    train(network(), recorder, epochs=1)
    assert [moment.step for moment in recorder.moments] == [1, 2, 3, 4, 5, 6]
    assert len(recorder.x) == 60, "a probe is at most as large as the training data"


def test_the_step_counts_on_after_a_resume(tmp_path):
    model = network()
    train(model, epochs=1, checkpoint=tmp_path)
    recorder = Recorder()
    train(network(), recorder, epochs=2, checkpoint=tmp_path, resume=True)
    assert [moment.step for moment in recorder.moments] == [7, 8, 9, 10, 11, 12]


def test_the_loss_of_constant_outputs():
    labels = np.array([0, 0, 0, 1])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert constant_loss(nn.CrossEntropyLoss(), labels) == pytest.approx(entropy)
    assert constant_loss(nn.CrossEntropyLoss(), np.array([0, 0, 0, 1, -100])) == pytest.approx(entropy)
    numbers = RNG.normal(size=(50, 2))
    assert constant_loss(nn.MSELoss(), numbers) == pytest.approx(numbers.var(axis=0).mean())
    chances = np.array([[0.0], [0.0], [0.0], [1.0]])
    for loss in (nn.BCELoss(), nn.BCEWithLogitsLoss()):
        assert constant_loss(loss, chances) == pytest.approx(entropy)
    assert constant_loss(nn.CrossEntropyLoss(reduction="sum"), labels) is None
    assert constant_loss(nn.CrossEntropyLoss(), np.array([-100])) is None

    class Own(nn.Loss):
        def apply(self, x, target):
            return np.asarray(0.0), lambda: np.zeros_like(x)

    assert constant_loss(Own(), numbers) is None


def test_nothing_beats_the_constant_outputs_but_looking_at_x():
    """No other constant gives a lower loss."""
    labels = RNG.integers(0, 4, 200)
    best = constant_loss(nn.CrossEntropyLoss(), labels)
    for _ in range(20):
        other = np.tile(RNG.normal(size=4), (200, 1))
        assert float(nn.CrossEntropyLoss()(other, labels)) >= best


def test_layer_outputs_are_those_of_the_model():
    model = network()
    outputs = layer_outputs(model, X)
    assert list(outputs) == ["0", "1", "2", "3", "4"]
    np.testing.assert_array_equal(outputs["4"][1], model(X))
    assert all(layer is model.children[name] for name, (layer, _) in outputs.items())


def test_an_engine_of_another_library_records_gradients_and_with_a_model_dead_units():
    torch = pytest.importorskip("torch")
    from npnet.engines import Spec
    from ptref.engine import engine_for
    from ptref.train import fit as fit_torch

    recorders = []
    for numpy_engine in (True, False):
        model, loss, recorder = network(), nn.CrossEntropyLoss(), None
        recorder = Recorder(model, loss, samples=20)
        if numpy_engine:
            engine = NumPyEngine(model, loss, optim.SGD(model.parameters, lr=0.1))
            run(engine, (X, Y), epochs=1, batch_size=10, generator=0, recorder=recorder, progress=False)
        else:
            with engine_for(model, Spec("CrossEntropyLoss"), Spec("SGD", lr=0.1)) as engine:
                run(engine, (X, Y), epochs=1, batch_size=10, generator=0, recorder=recorder, progress=False)
        recorders.append(recorder)
    ours, theirs = recorders
    assert ours.weights == theirs.weights
    assert ours.baseline == theirs.baseline
    for own, other in zip(ours.moments, theirs.moments, strict=True):
        for kind in ("grads", "updates", "dead"):
            assert list(getattr(own, kind)) == list(getattr(other, kind))
            for name, value in getattr(own, kind).items():
                if name != "0.bias":  # before a batch norm its gradient is 0, but for rounding
                    assert getattr(other, kind)[name] == pytest.approx(value, rel=1e-3, abs=1e-6, nan_ok=True)

    module = torch.nn.Sequential(torch.nn.Linear(4, 3))
    alone = Recorder()
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    fit_torch(module, torch.nn.CrossEntropyLoss(), sgd, (X, Y), epochs=1, recorder=alone, progress=False)
    assert alone.moments[0].grads.keys() == {"0.weight", "0.bias"}
    assert alone.moments[0].dead == {}


def test_data_sets_of_ones_own_are_asked_for_no_more_samples_with_a_recorder():
    """A data set may draw at random; what it is asked for must not depend on who looks on."""

    class Counting(list):
        asked = 0

        def __getitem__(self, i):
            type(self).asked += 1
            return super().__getitem__(i)

    counts = []
    for recorder in (None, Recorder()):
        Counting.asked = 0
        model = network()
        pairs = Counting(zip(X, Y.tolist(), strict=True))
        sgd = optim.SGD(model.parameters, lr=0.1)
        fit(model, nn.CrossEntropyLoss(), sgd, pairs, epochs=1, recorder=recorder, progress=False)
        counts.append(Counting.asked)
    assert counts[0] == counts[1]


def test_a_convolutions_unit_is_a_channel():
    data = digits(np.random.default_rng(0)).train
    conv = nn.Conv2d(1, 3, 3, generator=np.random.default_rng(0))
    conv.bias = np.array([0.0, -100.0, 0.0], np.float32)
    assert dead_shares(nn.Sequential(conv, nn.ReLU()), data.x[:50])["1"] == pytest.approx(1 / 3)


def test_what_is_no_recorder_is_refused_before_anything_is_trained(bare):
    with pytest.raises(InputError, match="recorder must be a train"):
        train(network(), 3)
