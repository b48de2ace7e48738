"""The optimizers, one row each, for every table of tests that takes examples."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from npnet import optim
from tests.wrong_values.table import FLAG, NOT_NEGATIVE, NUMBER


@dataclass(frozen=True)
class Example:
    """An optimizer with settings to test.

    Each of `settings` is tested in every way, against PyTorch's optimizer of the same name too. `extreme`
    settings are tested for finite results. `wrong` gives, for each setting, values that are refused.
    """

    name: str
    settings: list[dict[str, Any]]
    extreme: list[dict[str, Any]]
    wrong: dict[str, list[Any]]

    @property
    def rule(self):
        return getattr(optim, self.name)


COMMON = {"lr": NOT_NEGATIVE, "weight_decay": NOT_NEGATIVE}
BETAS = [
    None, 0.9, "ab", (0.9,), (0.9, 0.99, 0.999), (1.0, 0.9), (0.9, 1), (-0.1, 0.9), (0.9, "0.9"), {0.9, 0.99},
    (0.9, None), (float("nan"), 0.9), (True, False), np.array([0.9, 0.99]),
]  # fmt: skip
ADAM = COMMON | {"betas": BETAS, "eps": NOT_NEGATIVE, "amsgrad": FLAG}

OPTIMIZERS = [
    Example(
        "SGD",
        [
            {},
            {"lr": 0.1},
            {"lr": 0.1, "weight_decay": 0.03},
            {"lr": 0.1, "momentum": 0.9},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True},
            {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.03, "dampening": 0.3},
            {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.03, "nesterov": True},
        ],
        [],
        COMMON | {"momentum": NOT_NEGATIVE, "dampening": NUMBER, "nesterov": [*FLAG, True]},
    ),
    Example(
        "RMSprop",
        [
            {},
            {"alpha": 0.7, "eps": 1e-3},
            {"alpha": 0.3, "centered": True},
            {"weight_decay": 0.03},
            {"momentum": 0.9},
            {"centered": True},
            {"centered": True, "momentum": 0.9, "weight_decay": 0.03},
        ],
        [
            {"centered": True, "eps": 0.0},
            {"centered": True, "alpha": 0.0},
            {"centered": True, "alpha": 1.0},
            {"eps": 0.0, "momentum": 0.5},
        ],
        COMMON
        | {
            "alpha": [*NOT_NEGATIVE, 1.5],
            "eps": NOT_NEGATIVE,
            "momentum": NOT_NEGATIVE,
            "centered": FLAG,
        },
    ),
    Example(
        "Adam",
        [
            {},
            {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3},
            {"betas": (0.1, 0.0)},
            {"weight_decay": 0.03},
            {"amsgrad": True},
            {"amsgrad": True, "weight_decay": 0.03},
        ],
        [
            {"eps": 0.0, "amsgrad": True},
            {"betas": (0.0, 0.0)},
            {"eps": 1e-60},
            {"betas": (1 - 1e-12, 1 - 1e-12), "weight_decay": 0.1},
        ],
        ADAM,
    ),
    Example(
        "AdamW",
        [
            {},
            {"lr": 0.1, "weight_decay": 0.0},
            {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True},
        ],
        [],
        ADAM,
    ),
]
SETTINGS = [(example.rule, settings) for example in OPTIMIZERS for settings in example.settings]
EXTREME = [(example.rule, settings) for example in OPTIMIZERS for settings in example.extreme]
