"""Rules and schedules of one's own that forget something are told so in words."""

import numpy as np
import pytest

from npnet import optim
from npnet.errors import InputError
from tests.examples.optimizers import OPTIMIZERS, SETTINGS

GRADS = {"w": np.ones(2)}


def parameters():
    return {"w": np.zeros(2)}


class Plain(optim.Optimizer):
    def update(self, parameter, grad, state, step, scratch):
        parameter -= self.lr * grad


def test_a_rule_that_does_not_make_its_base():
    class Forgets(Plain):
        def __init__(self, parameters):
            self.rate = 0.1

    optimizer = Forgets(parameters())
    for use in (lambda: optimizer.step(GRADS), lambda: optim.StepLR(optimizer, 3)):
        with pytest.raises(InputError, match=r"super\(\).__init__\(parameters, lr\)"):
            use()
    assert repr(optimizer) == "Forgets()"


@pytest.mark.parametrize("given", [lambda parameter, grad: -grad, lambda parameter, grad: (parameter, {})])
def test_a_rule_that_returns_what_it_should_write(given):
    class Returns(optim.Optimizer):
        def update(self, parameter, grad, state, step, scratch):
            return given(parameter, grad)

    with pytest.raises(InputError, match=r"Returns: update must change parameter in place .*, got"):
        Returns(parameters(), lr=0.1).step(GRADS)


def test_a_rule_may_return_the_parameter_itself():
    class Returns(optim.Optimizer):
        def update(self, parameter, grad, state, step, scratch):
            parameter -= grad
            return parameter

    own = parameters()
    Returns(own, lr=0.1).step(GRADS)
    np.testing.assert_array_equal(own["w"], -1)


def test_a_rule_without_update():
    class Nothing(optim.Optimizer):
        pass

    with pytest.raises(NotImplementedError, match="Nothing does not implement update"):
        Nothing(parameters(), lr=0.1).step(GRADS)


def test_methods_that_could_not_be_called_are_refused_with_the_class():
    with pytest.raises(
        InputError,
        match=r"^A: update must take \(self, parameter, grad, state, step, scratch\), got \(self, p, grad\)$",
    ):

        class A(optim.Optimizer):
            def update(self, p, grad):
                pass

    with pytest.raises(InputError, match=r"^B: state_names must take \(self, settings\), got \(self\)$"):

        class B(Plain):
            def state_names(self):
                return ()

    with pytest.raises(InputError, match=r"^C: next_lr must take \(self\), got \(self, epoch\)$"):

        class C(optim.Schedule):
            def next_lr(self, epoch):
                return 0.1

    with pytest.raises(InputError, match=r"^D: check_settings must take \(self, settings\), got \(self\)$"):

        class D(optim.Schedule):
            def check_settings(self):
                pass


@pytest.mark.parametrize("names", ["momentum", None, ["momentum"]])
def test_state_names_must_be_a_tuple(names):
    class Keeps(Plain):
        def state_names(self, settings):
            return names

    with pytest.raises(InputError, match=r"Keeps: state_names must return a tuple of names, .* its comma"):
        Keeps(parameters(), lr=0.1).step(GRADS)


@pytest.mark.parametrize("name", ["step", "update", "settings", "state_dict", "setting_names"])
def test_a_setting_must_not_hide_a_method(name):
    class Hides(Plain):
        def __init__(self, parameters):
            super().__init__(parameters, 0.1, **{name: 3})

    with pytest.raises(InputError, match=f"Hides: setting '{name}' must have another name"):
        Hides(parameters())


@pytest.mark.parametrize("name", ["epoch", "last_lr", "step", "next_lr"])
def test_a_setting_of_a_schedule_must_not_hide_anything(name):
    class Hides(optim.Schedule):
        def __init__(self, optimizer):
            super().__init__(optimizer, **{name: 3})

    with pytest.raises(InputError, match=f"Hides: setting '{name}' must have another name"):
        Hides(Plain(parameters(), lr=0.1))


def test_settings_of_ones_own_become_plain_and_are_saved():
    class Several(Plain):
        def __init__(self, parameters, **settings):
            super().__init__(parameters, 0.1, **settings)

    made = Several(parameters(), count=np.int8(3), kind="fast", on=np.True_, pair=[np.float32(0.5), 2])
    assert repr(made) == "Several(lr=0.1, count=3.0, kind='fast', on=True, pair=(0.5, 2.0))"
    other = Several(parameters(), count=1, kind="slow", on=False, pair=(0, 0))
    other.load_state_dict(made.state_dict())
    assert other.settings == made.settings
    with pytest.raises(InputError, match=r"Several: odd must be a number, True or False, text, .* got None"):
        Several(parameters(), odd=None)
    with pytest.raises(InputError, match=r"Several: odd\[1\] must be a number, .* got dict"):
        Several(parameters(), odd=(1, {}))


def test_a_setting_that_is_changed_is_checked_at_once():
    optimizer = optim.SGD(parameters(), lr=0.5, momentum=0.9)
    for name, value in {"lr": "fast", "momentum": -1, "weight_decay": None, "nesterov": 1}.items():
        with pytest.raises(InputError, match=f"SGD: {name} must be"):
            setattr(optimizer, name, value)
    assert optimizer.settings == optim.SGD(parameters(), lr=0.5, momentum=0.9).settings
    optimizer.lr = np.float32(0.25)
    assert (optimizer.lr, type(optimizer.lr)) == (0.25, float)
    schedule = optim.StepLR(optimizer, 3)
    with pytest.raises(InputError, match="StepLR: gamma must be"):
        schedule.gamma = "slow"
    schedule.step_size = np.int64(2)
    assert type(schedule.step_size) is int


@pytest.mark.parametrize("value", [None, "0.1", -1.0, float("nan"), float("inf"), [0.1]])
def test_a_schedule_that_gives_no_learning_rate_changes_nothing(value):
    class Odd(optim.Schedule):
        def next_lr(self):
            return value

    optimizer = optim.SGD(parameters(), lr=0.5)
    schedule = Odd(optimizer)
    with pytest.raises(InputError, match=r"Odd: next_lr\(\) must be a finite number of at least 0, got"):
        schedule.step()
    assert (schedule.epoch, schedule.last_lr, optimizer.lr) == (0, 0.5, 0.5)


def test_a_schedule_that_does_not_make_its_base():
    class Forgets(optim.Schedule):
        def __init__(self, optimizer):
            self.rate = 0.1

        def next_lr(self):
            return self.rate

    schedule = Forgets(optim.SGD(parameters()))
    for use in (
        schedule.step, schedule.get_last_lr, schedule.state_dict, lambda: schedule.load_state_dict({}),
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"Forgets: .* super\(\).__init__\(optimizer\)"):
            use()


def test_a_learning_rate_on_its_way_up_from_zero_and_back_never_falls_below():
    for eta_min in (0.1, 1 / 3, 0.7):
        optimizer = optim.SGD(parameters(), lr=0.0)
        schedule = optim.CosineAnnealingLR(optimizer, T_max=np.int64(7), eta_min=eta_min)
        for _ in range(200):
            schedule.step()
            assert optimizer.lr >= 0


def as_numpy(value):
    if isinstance(value, tuple):
        return tuple(map(as_numpy, value))
    return np.bool_(value) if isinstance(value, bool) else np.float32(value)


NUMPY = [
    *(
        (rule, {name: as_numpy(value) for name, value in options.items()})
        for rule, options in SETTINGS
        if options
    ),
    (optim.SGD, {"lr": np.float32(0.5), "momentum": np.float64(0.25), "nesterov": np.True_}),
    (optim.SGD, {"lr": np.int8(1), "dampening": np.float16(0.5), "weight_decay": np.uint8(2)}),
    (optim.RMSprop, {"alpha": np.float32(0.5), "eps": np.float64(1e-3), "centered": np.False_}),
    (optim.Adam, {"betas": (np.float64(0.5), np.float32(0.25)), "amsgrad": np.bool_(1)}),
    (optim.AdamW, {"betas": (0, np.int64(0)), "weight_decay": np.float32(0.5)}),
]


@pytest.mark.parametrize(("rule", "options"), NUMPY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_numpy_are_welcome_and_become_plain(rule, options, dtype):
    plain = {
        name: tuple(float(each) for each in value)
        if isinstance(value, tuple | list)
        else (bool(value) if isinstance(value, np.bool_) else float(value))
        for name, value in options.items()
    }
    first, second = (np.ones(3, dtype) for _ in range(2))
    made, expected = rule({"w": first}, **options), rule({"w": second}, **plain)
    assert repr(made) == repr(expected)
    assert all(type(value) in (float, bool, tuple) for value in made.settings.values())
    for _ in range(3):
        made.step({"w": np.array([0.1, -2.0, 3.0], dtype)})
        expected.step({"w": np.array([0.1, -2.0, 3.0], dtype)})
    np.testing.assert_array_equal(first, second)


def test_schedules_take_numbers_of_numpy():
    for schedule, options in (
        (optim.StepLR, {"step_size": np.uint8(100), "gamma": np.float32(0.5)}),
        (optim.ExponentialLR, {"gamma": np.float32(0.5)}),
        (optim.CosineAnnealingLR, {"T_max": np.int8(100), "eta_min": np.float32(0.125)}),
    ):
        plain = {name: value.item() for name, value in options.items()}
        one, other = (optim.SGD(parameters(), lr=1.0) for _ in range(2))
        made, expected = schedule(one, **options), schedule(other, **plain)
        assert {type(value) for value in made.settings.values()} <= {int, float}
        for _ in range(300):  # in int8 an epoch minus T_max would wrap around
            made.step()
            expected.step()
            assert one.lr == other.lr


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", [example.rule for example in OPTIMIZERS])
def test_a_parameter_without_axes_and_its_gradient_as_a_numpy_scalar(rule, dtype):
    scalar, array = np.array(2.0, dtype), np.array(2.0, dtype)
    one, other = rule({"scale": scalar}), rule({"scale": array})
    for _ in range(3):
        one.step({"scale": dtype(0.5)})
        other.step({"scale": np.array(0.5, dtype)})
    assert scalar == array < 2
