"""The elementwise operations and their layers, one row each, for every table of tests that takes examples."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npnet import functional as F
from npnet import nn
from tests.wrong_values.table import NOT_NEGATIVE, NUMBER


@dataclass(frozen=True)
class Elementwise:
    """An operation on one array, and a layer that takes the same settings.

    Each of `settings` is tested beside the defaults. `wrong` gives, for each setting, values that operation
    and layer refuse; `taken` are those of them that the operation takes although the layer does not.
    """

    operation: str
    layer: str
    settings: tuple[dict[str, Any], ...] = ()
    wrong: dict[str, list[Any]] = field(default_factory=dict)
    taken: tuple[type, ...] = ()

    @property
    def function(self):
        return getattr(F, self.operation)

    def make(self):
        """Return the layer with the first of the settings."""
        return getattr(nn, self.layer)(**self.example)

    @property
    def example(self):
        """Return the first of the settings."""
        return self.settings[0] if self.settings else {}

    @property
    def wrong_in_operation(self):
        return {
            name: [value for value in values if not isinstance(value, self.taken)]
            for name, values in self.wrong.items()
        }


ELEMENTWISE = [
    Elementwise("relu", "ReLU"),
    Elementwise(
        "leaky_relu",
        "LeakyReLU",
        (
            {"negative_slope": 0.3},
            {"negative_slope": -2.0},
            {"negative_slope": 1e-30},
            {"negative_slope": 1e30},
        ),
        {"negative_slope": NUMBER},
        taken=(float,),  # ∞ and NaN, as in PyTorch
    ),
    Elementwise("tanh", "Tanh"),
    Elementwise("sigmoid", "Sigmoid"),
    Elementwise(
        "softplus",
        "Softplus",
        ({"beta": 2.0, "threshold": 3.0}, {"beta": 1e-30}, {"beta": 1e30}, {"threshold": 600.0}),
        {"beta": [*NOT_NEGATIVE, 0, np.float32(0)], "threshold": NUMBER},
    ),
]
