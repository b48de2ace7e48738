from math import cos, pi

import numpy as np
import pytest

from npnet import optim
from npnet.errors import InputError

SCHEDULES = [
    (optim.StepLR, {"step_size": 3, "gamma": 0.5}),
    (optim.ExponentialLR, {"gamma": 0.9}),
    (optim.CosineAnnealingLR, {"T_max": 5, "eta_min": 0.01}),
]
every_schedule = pytest.mark.parametrize(("schedule", "options"), SCHEDULES)


def an_optimizer(lr=1.0):
    return optim.SGD({"weight": np.zeros(2)}, lr=lr)


def path(schedule, epochs):
    rates = []
    for _ in range(epochs):
        schedule.step()
        rates.append(schedule.optimizer.lr)
    return rates


def test_the_closed_forms_are_met():
    epochs = np.arange(1, 21)
    assert path(optim.StepLR(an_optimizer(), 3, gamma=0.5), 20) == list(0.5 ** (epochs // 3))
    np.testing.assert_allclose(path(optim.ExponentialLR(an_optimizer(), 0.9), 20), 0.9**epochs, rtol=1e-14)
    cosine = [0.2 + 0.8 * (1 + cos(pi * epoch / 5)) / 2 for epoch in epochs]
    np.testing.assert_allclose(
        path(optim.CosineAnnealingLR(an_optimizer(), 5, eta_min=0.2), 20), cosine, rtol=1e-13
    )


@every_schedule
def test_the_first_epoch_has_the_optimizers_own_learning_rate(schedule, options):
    made = schedule(an_optimizer(0.3), **options)
    assert (made.epoch, made.base_lr, made.last_lr, made.optimizer.lr) == (0, 0.3, 0.3, 0.3)
    assert made.get_last_lr() == [0.3]


@every_schedule
def test_a_schedule_continued_from_a_saved_state_gives_the_same_numbers(schedule, options):
    whole, first = schedule(an_optimizer(0.3), **options), schedule(an_optimizer(0.3), **options)
    expected = path(whole, 30)
    begun = path(first, 7)
    optimizer = an_optimizer()
    others = {name: value * 2 for name, value in options.items()}
    continued = schedule(optimizer, **others)
    optimizer.load_state_dict(first.optimizer.state_dict())
    continued.load_state_dict(first.state_dict())
    assert continued.settings == options
    assert begun + path(continued, 23) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": None}, r"StepLR: state does not fit: missing \['epoch'\], unknown nothing"),
        ({"T_max": 3}, r"missing nothing, unknown \['T_max'\]"),
        ({"epoch": -1}, "epoch must be an integer of at least 0, got -1"),
        ({"epoch": 1.5}, "epoch must be an integer of at least 0, got 1.5"),
        ({"step_size": 0}, "step_size must be a positive integer, got 0"),
        ({"gamma": np.array([0.1])}, r"gamma must be a finite number of at least 0, got \[0.1\]"),
        ({"last_lr": -1.0}, "last_lr must be a finite number of at least 0"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(changes, message):
    schedule = optim.StepLR(an_optimizer(), 3)
    path(schedule, 2)
    before = schedule.state_dict()
    state = {name: value for name, value in (before | changes).items() if value is not None}
    with pytest.raises(InputError, match=message):
        schedule.load_state_dict(state)
    assert schedule.state_dict() == before


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (optim.StepLR, {"step_size": 0}, "StepLR: step_size must be a positive integer, got 0"),
        (optim.StepLR, {"step_size": 1.5}, "StepLR: step_size must be a positive integer, got 1.5"),
        (
            optim.StepLR,
            {"step_size": 1, "gamma": -1.0},
            "StepLR: gamma must be a finite number of at least 0, got -1.0",
        ),
        (
            optim.ExponentialLR,
            {"gamma": float("inf")},
            "ExponentialLR: gamma must be a finite number of at least 0, got inf",
        ),
        (optim.CosineAnnealingLR, {"T_max": 0}, "CosineAnnealingLR: T_max must be a positive integer, got 0"),
        (
            optim.CosineAnnealingLR,
            {"T_max": 1, "eta_min": -1.0},
            "eta_min must be a finite number of at least 0",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(schedule, options, message):
    with pytest.raises(InputError, match=message):
        schedule(an_optimizer(), **options)


@pytest.mark.usefixtures("bare")
def test_what_is_no_optimizer_is_refused():
    with pytest.raises(InputError, match=r"StepLR: optimizer must be an optimizer, such as .*, got dict"):
        optim.StepLR({}, 3)
