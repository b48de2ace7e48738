import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from npnet import nn, optim
from npnet.data import ArrayDataset, Splits, digits, minibatches
from npnet.errors import InputError
from npnet.train import NumPyEngine, RunningMetrics, evaluate, fit, plain_step, predict, run

# The shape checks take ten times as long as the steps they check, of which there are many here.
pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture(scope="module")
def splits():
    whole = digits(np.random.default_rng(0))
    return replace(whole, train=whole.train.subset(range(300)))


def classifier(seed=0, dropout=0.0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Flatten(1),
        nn.Linear(64, 16, generator=rng),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(16, 10, generator=rng),
    )


def train(data, model, *, lr=0.1, epochs=2, seed=0, **settings):
    sgd = optim.SGD(model.parameters, lr=lr, momentum=0.9)
    return fit(
        model,
        nn.CrossEntropyLoss(),
        sgd,
        data,
        epochs=epochs,
        batch_size=64,
        generator=np.random.default_rng(seed),
        **settings,
    )


def same(weights, others):
    return all(np.array_equal(weights[name], others[name]) for name in weights)


def from_epoch(number, error):
    """Return a callback that raises in the given epoch."""

    def raise_it(epoch):
        if epoch.epoch == number:
            raise error

    return raise_it


# ---- learning ----------------------------------------------------------------------------------------


def test_a_network_learns_the_digits(splits):
    model = classifier()
    history = train(splits, model, epochs=12)
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, 13))
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss / 4
    _, accuracy = evaluate(model, nn.CrossEntropyLoss(), splits.test)
    assert accuracy > 0.85


def test_the_same_seed_gives_the_same_bits_and_another_does_not(splits):
    def weights(seed):
        model = classifier(dropout=0.5)
        history = train(splits.train, model, seed=seed)
        return model.state_dict(), [epoch.train_loss for epoch in history.epochs]

    (first, losses), (again, losses_again), (other, _) = weights(1), weights(1), weights(2)
    assert same(first, again)
    assert losses == losses_again
    assert not same(first, other)


def test_fit_does_what_the_steps_written_out_do(splits):
    model, by_hand = classifier(), classifier()
    train(splits.train, model, seed=3)

    generator, criterion = np.random.default_rng(3), nn.CrossEntropyLoss()
    generator.integers(0, 2**63, size=4)  # the noise is seeded first
    sgd = optim.SGD(by_hand.parameters, lr=0.1, momentum=0.9)
    for _ in range(2):
        for x, target in minibatches(splits.train, 64, generator):
            y, model_backward = by_hand.forward(x)
            _, loss_backward = criterion.forward(y, target)
            _, grads = model_backward(loss_backward())
            sgd.step(grads)
    assert same(model.state_dict(), by_hand.state_dict())


def test_losses_and_accuracies_are_averages_over_samples(splits):
    model = classifier()
    history = train(splits.train, model, lr=0.0, epochs=1)  # 300 = 4 · 64 + 44: the last one is smaller
    loss, accuracy = evaluate(model, nn.CrossEntropyLoss(), splits.train, batch_size=300)
    assert history.epochs[0].train_loss == pytest.approx(loss, rel=1e-5)
    assert history.epochs[0].train_accuracy == pytest.approx(accuracy)


def test_a_summed_loss_is_reported_for_each_sample(splits):
    summed = evaluate(classifier(), nn.CrossEntropyLoss(reduction="sum"), splits.test)
    mean = evaluate(classifier(), nn.CrossEntropyLoss(), splits.test)
    assert summed == pytest.approx(mean, rel=1e-5)


def test_labels_to_be_ignored_do_not_count():
    tally = RunningMetrics()
    tally.add(0.0, 2.0, np.eye(3), np.array([0, 2, -100]), ignore_index=-100)
    assert tally.accuracy == 0.5


def test_regression_has_losses_and_no_accuracy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    points = ArrayDataset(x, x @ np.array([[1.0], [-2.0], [0.5]]) + 3)
    model = nn.Linear(3, 1, generator=rng, dtype=np.float64)
    history = fit(
        model,
        nn.MSELoss(),
        optim.SGD(model.parameters, lr=0.1),
        (points, points),
        epochs=10,
        batch_size=20,
        generator=rng,
    )
    np.testing.assert_allclose(model.weight, [[1, -2, 0.5]], atol=1e-3)
    assert history.epochs[-1].train_accuracy is history.epochs[-1].validation_accuracy is None
    assert history.epochs[-1].validation_loss < 1e-5


def test_any_object_with_a_length_and_items_can_be_learnt_from(splits):
    pairs = [splits.train[i] for i in range(64)]
    model, from_arrays = classifier(), classifier()
    train(pairs, model)
    train(splits.train.subset(range(64)), from_arrays)
    assert same(model.state_dict(), from_arrays.state_dict())


def test_a_schedule_may_step_after_each_update():
    """A minibatch in which nothing counts is no update."""
    model = nn.Linear(1, 2, generator=np.random.default_rng(0))
    data = np.ones((3, 1), np.float32), np.array([0, -100, 1])
    sgd, rates = optim.SGD(model.parameters, lr=0.8), []
    history = fit(
        model, nn.CrossEntropyLoss(), sgd, data, epochs=2, batch_size=1, generator=np.random.default_rng(0),
        schedule=optim.ExponentialLR(sgd, 0.5), schedule_every="step",
        step=plain_step, progress=False, on_step=lambda _: rates.append(sgd.lr),
    )  # fmt: skip
    assert len(rates) == 6
    assert sorted({*rates, 0.8}) == [0.05, 0.1, 0.2, 0.4, 0.8]
    assert [epoch.lr for epoch in history.epochs] == [0.8, 0.2]


def test_the_schedule_steps_after_each_epoch(splits):
    model = classifier()
    sgd = optim.SGD(model.parameters, lr=0.1)
    history = fit(
        model,
        nn.CrossEntropyLoss(),
        sgd,
        splits.train,
        epochs=3,
        batch_size=200,
        generator=np.random.default_rng(0),
        schedule=optim.ExponentialLR(sgd, 0.5),
    )
    assert [epoch.lr for epoch in history.epochs] == [0.1, 0.05, 0.025]


def test_a_step_of_ones_own_takes_the_place_of_the_plain_one(splits):
    sizes = []

    def counted(model, loss, x, target, generator):
        sizes.append(len(x))
        return plain_step(model, loss, x, target, generator)

    model, plain = classifier(), classifier()
    train(splits.train, model, epochs=1, step=counted)
    train(splits.train, plain, epochs=1)
    assert sum(sizes) == len(splits.train)
    assert same(model.state_dict(), plain.state_dict())


def test_two_engines_see_the_same_minibatches_whatever_noise_their_layers_draw(splits):
    class Recording(NumPyEngine):
        def forward_backward(self, x, target, generator):
            seen.append(target)
            return super().forward_backward(x, target, generator)

    orders = []
    for dropout in (0.0, 0.5):
        seen = []
        model = classifier(dropout=dropout)
        engine = Recording(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters, lr=0.1))
        run(engine, splits.train, epochs=2, batch_size=100, generator=np.random.default_rng(0))
        orders.append(np.concatenate(seen))
    np.testing.assert_array_equal(*orders)
    half = len(splits.train)
    assert not np.array_equal(orders[0][:half], orders[0][half:])  # another order in the second epoch


def test_predictions_come_in_order(splits):
    model = classifier()
    np.testing.assert_allclose(predict(model, splits.test, 50), model(splits.test.x), rtol=1e-4, atol=1e-6)


# ---- best weights and early stopping -----------------------------------------------------------------


def test_the_model_ends_with_the_weights_of_the_lowest_validation_loss(splits):
    model = classifier()
    history = train(splits, model, lr=0.4, epochs=8)
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.best_epoch == 1 + int(np.argmin(losses))
    assert history.best_epoch < 8, "the test needs a run whose last epoch is not its best"
    loss, _ = evaluate(model, nn.CrossEntropyLoss(), splits.validation, 64)
    assert loss == losses[history.best_epoch - 1]


def test_the_weights_of_the_last_epoch_can_be_kept_instead(splits):
    models, states = [classifier(), classifier()], []
    best = train(splits, models[0], lr=0.4, epochs=8)
    last = train(
        splits, models[1], lr=0.4, epochs=8, keep_best=False,
        on_epoch=lambda epoch: states.append(models[1].state_dict()),
    )  # fmt: skip
    assert best.best_epoch < 8, "the test needs a run whose last epoch is not its best"
    assert last.best_epoch is None
    assert same(models[1].state_dict(), states[-1])
    assert not same(models[1].state_dict(), models[0].state_dict())


def test_training_stops_when_the_validation_loss_no_longer_falls(splits):
    history = train(splits, classifier(), lr=0.4, epochs=50, patience=2)
    assert history.stopped_early
    assert len(history.epochs) == history.best_epoch + 2 < 50


def test_without_validation_data_the_last_weights_stay(splits):
    model = classifier()
    states = []
    history = train(splits.train, model, on_epoch=lambda epoch: states.append(model.state_dict()))
    assert history.best_epoch is None
    assert same(model.state_dict(), states[-1])
    assert history.epochs[0].validation_loss is None


# ---- being interrupted -------------------------------------------------------------------------------


def test_an_interrupt_ends_training_with_the_best_weights(splits):
    model = classifier()
    history = train(splits, model, epochs=20, on_epoch=from_epoch(3, KeyboardInterrupt))
    assert history.interrupted
    assert len(history.epochs) == 3
    loss, _ = evaluate(model, nn.CrossEntropyLoss(), splits.validation, 64)
    assert loss == min(epoch.validation_loss for epoch in history.epochs)


def test_an_interrupt_from_the_data_keeps_what_was_learnt(splits):
    class Interrupted(list):
        left = 200

        def __getitem__(self, index):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    model = classifier()
    history = train(Interrupted(splits.train[i] for i in range(300)), model)
    assert history.interrupted
    assert not history.epochs
    assert not same(model.state_dict(), classifier().state_dict())


def test_ctrl_c_waits_for_the_update_under_way(splits):
    """The signal comes within a step, which is finished first; afterwards the handler is the old one."""
    steps = []

    def pressing(model, loss, x, target, generator):
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return plain_step(model, loss, x, target, generator)

    history = train(splits, classifier(), step=pressing, on_step=lambda state: steps.append(state.step))
    assert history.interrupted
    assert steps == [1, 2, 3, 4]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_does_not_wait(splits):
    def pressing_twice(model, loss, x, target, generator):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal was not heard")

    assert train(splits, classifier(), step=pressing_twice).interrupted


def test_a_handler_of_the_program_s_own_is_left_alone(splits):
    def own(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGINT, own)
    try:
        train(splits.train, classifier(), epochs=1, on_step=lambda state: check(own))
    finally:
        signal.signal(signal.SIGINT, before)


def check(handler):
    assert signal.getsignal(signal.SIGINT) is handler


# ---- what does not fit -------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_training_before_it_is_learnt_from(splits):
    model = classifier()

    def to_nan(epoch):
        if epoch.epoch == 2:
            model.parameters["1.weight"][...] = np.nan

    with pytest.raises(
        InputError, match=r"loss became nan in epoch 3, after step 0; try a smaller .* weights of epoch 2"
    ):
        train(splits, model, on_epoch=to_nan, epochs=5, lr=0.01)
    assert all(np.isfinite(array).all() for array in model.state_dict().values())


def test_nothing_is_learnt_from_the_step_whose_loss_is_no_number(splits):
    model = classifier()
    states = []

    def nan_at_the_third(*arguments):
        _, y, grads = plain_step(*arguments)
        return (np.nan if len(states) == 2 else 1.0), y, grads

    with pytest.raises(InputError, match=r"loss became nan in epoch 1, after step 2.* it began with"):
        train(
            splits.train,
            model,
            step=nan_at_the_third,
            on_step=lambda state: states.append(model.state_dict()),
        )
    assert len(states) == 2
    assert same(model.state_dict(), classifier().state_dict())  # no epoch has shown which step was good


def test_too_large_a_learning_rate_meets_the_message_and_no_warning(splits):
    with pytest.raises(InputError, match=r"loss became .* learning rate"):
        train(splits, classifier(), lr=1e25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be a positive integer, got 0"),
        ({"epochs": 2.0}, "epochs must be a positive integer, got 2.0"),
        ({"batch_size": -1}, "batch_size must be a positive integer, got -1"),
        ({"patience": 0}, "patience must be a positive integer, got 0"),
        ({"generator": "0"}, "generator must be a numpy.random.Generator, .* or a seed, .* got '0'"),
        ({"data": []}, "the training data must not be empty"),
        ({"data": np.ones((3, 64))}, r"data must be .* their targets beside them: \(x, y\)"),
        ({"loss": nn.CrossEntropyLoss(reduction="none")}, "got reduction='none'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(splits, change, message):
    model = classifier()
    settings = {
        "model": model,
        "loss": nn.CrossEntropyLoss(),
        "optimizer": optim.SGD(model.parameters, lr=0.1),
        "data": splits,
        "epochs": 1,
        "batch_size": 32,
        "generator": np.random.default_rng(0),
    }
    with pytest.raises(InputError, match=message):
        fit(**{**settings, **change})
    assert same(model.state_dict(), classifier().state_dict())


def test_patience_without_validation_data_is_refused(splits):
    with pytest.raises(InputError, match="patience needs validation data"):
        train(splits.train, classifier(), patience=1)


@pytest.mark.parametrize(("label", "dtype"), [(10, np.int64), (-1, np.int32), (255, np.uint8)])
@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_label_outside_the_classes_is_met_before_training(splits, part, label, dtype):
    y = splits.train.y.astype(dtype)
    y[222] = label
    wrong = ArrayDataset(splits.train.x, y)
    model = classifier()
    data = (wrong, splits.test) if part == "training" else (splits.test, wrong)
    with pytest.raises(
        InputError, match=rf"{part} labels must be in 0…9, .* 10 outputs, got {label} at index 222"
    ):
        train(data, model)
    assert same(model.state_dict(), classifier().state_dict())


def test_samples_that_do_not_fit_the_model_are_met_before_training(splits):
    wide = ArrayDataset(np.zeros((50, 1, 9, 9), np.float32), np.zeros(50, int))
    model = classifier()
    with pytest.raises(InputError, match=r"layer '1' Linear.*64 features.*\(50, 81\)"):
        train((splits.train, wide), model)
    assert same(model.state_dict(), classifier().state_dict())


def test_targets_that_do_not_fit_the_loss_are_never_broadcast():
    rng = np.random.default_rng(0)
    model = nn.Linear(3, 1, generator=rng)
    flat = ArrayDataset(np.zeros((8, 3), np.float32), np.zeros((8, 3), np.float32))
    with pytest.raises(InputError, match=r"training y must have .* \(n, 1\), got \(n, 3\)"):
        fit(
            model,
            nn.MSELoss(),
            optim.SGD(model.parameters, lr=0.1),
            Splits(flat),
            epochs=1,
            batch_size=4,
            generator=rng,
        )


@pytest.mark.usefixtures("bare")
def test_an_optimizer_of_another_model_is_refused():
    rng = np.random.default_rng(0)
    model, other = (nn.Linear(2, 2, generator=rng) for _ in range(2))
    data = ArrayDataset(np.zeros((4, 2), np.float32), np.zeros(4, int))
    with pytest.raises(InputError, match="optimizer must be made with this model's parameters"):
        fit(
            model,
            nn.CrossEntropyLoss(),
            optim.SGD(other.parameters),
            data,
            epochs=1,
            batch_size=2,
            generator=rng,
        )
    with pytest.raises(InputError, match="loss must be a loss such as"):
        fit(
            model,
            nn.CrossEntropyLoss,
            optim.SGD(model.parameters),
            data,
            epochs=1,
            batch_size=2,
            generator=rng,
        )
