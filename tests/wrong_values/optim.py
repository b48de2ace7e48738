"""Rows for `npnet.optim`."""

from math import inf

import numpy as np

from npnet import optim
from npnet.errors import InputError
from tests.examples.optimizers import BETAS, OPTIMIZERS
from tests.wrong_values.table import (
    FLAG,
    FLOAT_ARRAY,
    NOT_NEGATIVE,
    POSITIVE,
    Row,
    without,
)


def parameters():
    return {"w": np.ones(2)}


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


shared = np.ones(4)
MAPPING = [None, [np.ones(2)], np.ones(2), "w", 3, {1: np.ones(2)}, parameters().values(), object]
PARAMETERS = [
    *MAPPING,
    {},
    *({"w": value} for value in FLOAT_ARRAY),
    {"w": np.float64(1.0)},
    {"w": read_only()},
    {"w": np.lib.stride_tricks.as_strided(np.ones(1), (3,), (0,))},
    {"w": shared, "v": shared},
    {"w": shared, "v": shared[::-1]},
    {"w": shared[:3], "v": shared[2:]},
]
GRADS = [
    *MAPPING,
    {"v": np.ones(2)},
    *({"w": value} for value in without(FLOAT_ARRAY, None)),
    {"w": np.ones(2, np.float32)},
    {"w": np.ones((2, 1))},
    {"w": np.float64(1.0)},
]
CLIPPED = [
    *MAPPING,
    *({"w": value} for value in without(FLOAT_ARRAY, None)),
    {"w": read_only()},
    {"w": shared[:3], "v": shared[2:]},
]
LIMIT = [value for value in NOT_NEGATIVE if not (isinstance(value, float) and value == inf)]
OPTIMIZER = [None, "sgd", optim.SGD, {"lr": 0.1}, 0.1, parameters()]


def an_optimizer():
    return optim.SGD(parameters(), lr=0.5, momentum=0.9)


def stepped():
    optimizer = an_optimizer()
    optimizer.step({"w": np.ones(2)})
    return optimizer


class Plain(optim.Optimizer):
    def update(self, parameter, grad, state, step, scratch):
        parameter -= self.lr * grad


def own_optimizer(parameters, lr):
    return Plain(parameters, lr)


def own_setting(odd):
    return Plain(parameters(), 0.1, odd=odd)


class Constant(optim.Schedule):
    def next_lr(self):
        return self.optimizer.lr


def own_schedule(optimizer):
    return Constant(optimizer)


def one_cycle_by_epochs(epochs, steps_per_epoch):
    return optim.OneCycleLR(an_optimizer(), 0.5, epochs=epochs, steps_per_epoch=steps_per_epoch)


def own_schedules_setting(odd):
    return Constant(an_optimizer(), odd=odd)


def step(rule):
    def call(grads):
        rule(parameters()).step(grads)

    return call


def assign_lr(lr):
    an_optimizer().lr = lr


def assign_momentum(momentum):
    an_optimizer().momentum = momentum


def assign_betas(betas):
    optim.Adam(parameters()).betas = betas


def assign_gamma(gamma):
    optim.StepLR(an_optimizer(), 3).gamma = gamma


def assign_step_size(step_size):
    optim.StepLR(an_optimizer(), 3).step_size = step_size


def load_state_dict(state):
    an_optimizer().load_state_dict(state)


def load_schedule(state):
    optim.StepLR(an_optimizer(), 3).load_state_dict(state)


def state(**changes):
    return stepped().state_dict() | changes


def schedule_state(**changes):
    return optim.StepLR(an_optimizer(), 3).state_dict() | changes


def load_lr(lr):
    load_state_dict(state(lr=lr))


def load_nesterov(nesterov):
    load_state_dict(state(nesterov=nesterov))


def load_momentum(kept):
    try:
        load_state_dict(state(**{"momentum.w": kept}))
    except InputError as error:
        raise type(error)(str(error).replace("momentum.w", "kept")) from error


def load_epoch(epoch):
    load_schedule(schedule_state(epoch=epoch))


def load_last_lr(last_lr):
    load_schedule(schedule_state(last_lr=last_lr))


STATE = [None, [], np.ones(2), "state", 3, {1: 2}, an_optimizer]
ODD = [None, {}, [None], (1, {}), 1j, np.ones(2), object()]


def rows_of_rules():
    for example in OPTIMIZERS:
        rule, wrong = example.rule, example.wrong
        name = f"npnet.optim.{rule.__name__}"
        yield Row(name, rule, lambda: {"parameters": parameters()}, {"parameters": PARAMETERS, **wrong})
        yield Row(f"{name}.step", step(rule), lambda: {"grads": {"w": np.ones(2)}}, {"grads": GRADS})


ROWS = [
    *rows_of_rules(),
    Row(
        "npnet.optim.Optimizer",
        own_optimizer,
        lambda: {"parameters": parameters(), "lr": np.float32(0.5)},
        {"parameters": PARAMETERS, "lr": NOT_NEGATIVE},
    ),
    Row("a setting of one's own", own_setting, lambda: {"odd": (1, "a", True)}, {"odd": ODD}),
    Row("an optimizer's lr assigned", assign_lr, lambda: {"lr": np.int8(1)}, {"lr": NOT_NEGATIVE}),
    Row("momentum assigned", assign_momentum, lambda: {"momentum": 0}, {"momentum": NOT_NEGATIVE}),
    Row("betas assigned", assign_betas, lambda: {"betas": [0, np.float32(0.5)]}, {"betas": BETAS}),
    Row("Optimizer.load_state_dict", load_state_dict, lambda: {"state": state()}, {"state": [*STATE, {}]}),
    Row(
        "an lr loaded",
        load_lr,
        lambda: {"lr": np.float32(1)},
        {"lr": [*NOT_NEGATIVE, [[1], [1, 2]]]},
    ),
    Row("a flag loaded", load_nesterov, lambda: {"nesterov": np.True_}, {"nesterov": FLAG}),
    Row(
        "what is kept, loaded",
        load_momentum,
        lambda: {"kept": np.ones(2, np.float32)},
        {"kept": [None, "x", 3.0, np.ones(3), np.ones(2, int), np.ones(2) * 1j, {}, [[1.0], [1.0, 2.0]]]},
    ),
    Row(
        "npnet.optim.StepLR",
        optim.StepLR,
        lambda: {"optimizer": an_optimizer(), "step_size": np.uint8(3)},
        {"optimizer": OPTIMIZER, "step_size": POSITIVE, "gamma": NOT_NEGATIVE},
    ),
    Row(
        "npnet.optim.ExponentialLR",
        optim.ExponentialLR,
        lambda: {"optimizer": an_optimizer(), "gamma": np.float32(0.5)},
        {"optimizer": OPTIMIZER, "gamma": NOT_NEGATIVE},
    ),
    Row(
        "npnet.optim.CosineAnnealingLR",
        optim.CosineAnnealingLR,
        lambda: {"optimizer": an_optimizer(), "T_max": np.int64(3)},
        {"optimizer": OPTIMIZER, "T_max": POSITIVE, "eta_min": NOT_NEGATIVE},
    ),
    Row(
        "npnet.optim.OneCycleLR",
        optim.OneCycleLR,
        lambda: {"optimizer": an_optimizer(), "max_lr": np.float32(0.5), "total_steps": np.int8(10)},
        {
            "optimizer": OPTIMIZER,
            "max_lr": NOT_NEGATIVE,
            "total_steps": POSITIVE,
            "pct_start": [*NOT_NEGATIVE, 1.5, 0.1],
            "anneal_strategy": [None, "cosine", 3, ["cos"], b"cos"],
            "cycle_momentum": [*FLAG, None],
            "base_momentum": [*NOT_NEGATIVE, 1.0],
            "max_momentum": [*NOT_NEGATIVE, 1.0],
            "div_factor": [*NOT_NEGATIVE, 0],
            "final_div_factor": [*without(NOT_NEGATIVE, NOT_NEGATIVE[3]), 0],  # infinity is taken
            "three_phase": [*FLAG, None],
        },
        dict.fromkeys(("epochs", "steps_per_epoch"), "counts where there is no total_steps; see below"),
    ),
    Row(
        "OneCycleLR by epochs",
        one_cycle_by_epochs,
        lambda: {"epochs": np.int8(3), "steps_per_epoch": 4},
        {"epochs": POSITIVE, "steps_per_epoch": POSITIVE},
    ),
    Row(
        "npnet.optim.Schedule", own_schedule, lambda: {"optimizer": an_optimizer()}, {"optimizer": OPTIMIZER}
    ),
    Row("a schedule's own setting", own_schedules_setting, lambda: {"odd": [np.int8(3)]}, {"odd": ODD}),
    Row("gamma assigned", assign_gamma, lambda: {"gamma": np.float32(0.5)}, {"gamma": NOT_NEGATIVE}),
    Row("step_size assigned", assign_step_size, lambda: {"step_size": 3}, {"step_size": POSITIVE}),
    Row(
        "Schedule.load_state_dict",
        load_schedule,
        lambda: {"state": schedule_state()},
        {"state": [*STATE, {}]},
    ),
    Row(
        "an epoch loaded", load_epoch, lambda: {"epoch": 3}, {"epoch": [*without(POSITIVE, 0), [[1], [1, 2]]]}
    ),
    Row("a last_lr loaded", load_last_lr, lambda: {"last_lr": 1}, {"last_lr": NOT_NEGATIVE}),
    Row(
        "npnet.optim.clip_grad_norm",
        optim.clip_grad_norm,
        lambda: {"grads": {"w": np.ones(2), "v": None}, "max_norm": np.int8(1)},
        {
            "grads": CLIPPED,
            "max_norm": LIMIT,
            "norm_type": [*LIMIT, 0, 0.0],
            "error_if_nonfinite": FLAG,
        },
    ),
    Row(
        "npnet.optim.clip_grad_value",
        optim.clip_grad_value,
        lambda: {"grads": {"w": np.ones(2)}, "clip_value": np.float32(1)},
        {"grads": CLIPPED, "clip_value": LIMIT},
    ),
]
