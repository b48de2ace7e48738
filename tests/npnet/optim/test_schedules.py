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
LINE = {"anneal_strategy": "linear", "cycle_momentum": False}
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


# ---- one cycle ------------------------------------------------------------------------------------------


def test_one_cycle_goes_up_and_down_in_straight_lines():
    optimizer = an_optimizer()
    schedule = optim.OneCycleLR(
        optimizer, 1.0, 11, pct_start=5 / 11, div_factor=5.0, final_div_factor=2.0, **LINE
    )
    up, down = np.linspace(0.2, 1, 5), np.linspace(1, 0.1, 7)
    np.testing.assert_allclose([optimizer.lr, *path(schedule, 10)], [*up, *down[1:]], rtol=1e-14)
    assert schedule.base_lr == 0.2
    assert optimizer.momentum == 0


def test_the_momentum_is_lowest_where_the_learning_rate_is_highest():
    optimizer = an_optimizer()
    schedule = optim.OneCycleLR(optimizer, 1.0, 11, pct_start=5 / 11)
    seen = [(optimizer.lr, optimizer.momentum)]
    for _ in range(10):
        schedule.step()
        seen.append((optimizer.lr, optimizer.momentum))
    assert max(seen) == (1.0, 0.85) == seen[4]
    assert min(momentum for _, momentum in seen) == 0.85
    assert seen[0][1] == pytest.approx(0.95) == seen[-1][1]


def test_after_its_last_step_the_rate_stays_and_one_step_more_is_refused():
    schedule = optim.OneCycleLR(an_optimizer(), 1.0, 6, **LINE)
    rates = path(schedule, 6)
    assert rates[5] == rates[4] == pytest.approx(4e-6)
    before = schedule.state_dict()
    with pytest.raises(
        InputError, match="total_steps must be as many as there are steps; it is 6, and this is step 7"
    ):
        schedule.step()
    assert schedule.state_dict() == before
    assert schedule.optimizer.lr == rates[5]


@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam])
def test_one_cycle_continued_from_a_saved_state_gives_the_same_numbers(rule):
    def made():
        optimizer = rule({"weight": np.zeros(2)}, lr=0.1)
        return optim.OneCycleLR(optimizer, 0.5, 30, three_phase=True)

    def settings(schedule, steps):
        return [schedule.step() or schedule.optimizer.settings for _ in range(steps)]

    whole, begun = made(), made()
    expected = settings(whole, 30)
    assert settings(begun, 12) == expected[:12]
    continued = made()
    continued.optimizer.load_state_dict(begun.optimizer.state_dict())
    continued.load_state_dict(begun.state_dict())
    assert settings(continued, 18) == expected[12:]


class Plain(optim.Optimizer):
    def update(self, parameter, grad, state, step, scratch):
        parameter -= self.lr * grad


def test_an_optimizer_without_momentum_has_none_that_could_change():
    plain = Plain({"weight": np.zeros(2)}, 0.1)
    with pytest.raises(InputError, match=r"optimizer must have momentum or betas .*, got Plain"):
        optim.OneCycleLR(plain, 1.0, 6)
    assert optim.OneCycleLR(plain, 1.0, 6, cycle_momentum=False).optimizer.lr == pytest.approx(0.04)


ONE_CYCLE = {"max_lr": 1.0, "total_steps": 10}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_lr": 1.0}, "total_steps must be given, or both epochs and steps_per_epoch, got epochs=None"),
        ({"max_lr": 1.0, "epochs": 3}, "got epochs=3, steps_per_epoch=None"),
        (ONE_CYCLE | {"pct_start": 0.1}, "pct_start · total_steps must not be 1"),
        (
            ONE_CYCLE | {"anneal_strategy": "cosine"},
            "anneal_strategy must be one of cos, linear, got 'cosine'",
        ),
        (
            ONE_CYCLE | {"final_div_factor": 0.0},
            "final_div_factor must be a number above 0, or infinity, got 0.0",
        ),
    ],
)
def test_a_cycle_that_does_not_fit_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        optim.OneCycleLR(an_optimizer(), **options)


# ---- what is refused ------------------------------------------------------------------------------------


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
