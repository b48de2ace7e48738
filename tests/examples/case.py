"""What the examples of operations and layers are made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npnet import definition
from npnet import functional as F

N = "n"  # stands in shapes for the size of the batch
IMAGES = {"x": (N, 2, 6, 5)}
SCORES = {"x": (N, 4)}


@dataclass(frozen=True)
class Case:
    """One operation with its settings, on random arrays of given shapes."""

    operation: str
    about: str
    shapes: dict[str, tuple]  # of the differentiable arrays
    settings: dict[str, Any] = field(default_factory=dict)
    data: Callable[[np.random.Generator, int], dict[str, np.ndarray]] = lambda rng, n: {}
    range: Callable[[np.ndarray], np.ndarray] = lambda x: x  # where x has to be
    expected: Callable[..., np.ndarray] | None = None  # its definition, where that goes by another name
    smallest: int = 1  # batch, of those above 0

    def __str__(self):
        return f"{self.operation}, {self.about}"

    @property
    def batched(self):
        return self.shapes["x"][:1] == (N,)

    @property
    def definition(self):
        return self.expected or getattr(definition, self.operation, None)

    def arrays(self, n=3, dtype=np.float64, seed=0):
        """Return the differentiable arrays and the data, by the names of the arguments."""
        rng = np.random.default_rng(seed)
        drawn = {
            name: rng.standard_normal([n if size == N else size for size in shape])
            for name, shape in self.shapes.items()
        }
        drawn["x"] = self.range(drawn["x"])
        data = self.data(rng, n)
        return tuple(
            {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in group.items()}
            for group in (drawn, data)
        )

    def run(self, arrays, data, *, operation=None):
        """Return y and backward; running statistics are state, so every run starts from copies."""
        state = {name: a.copy() for name, a in data.items() if name.startswith("running")}
        settings = {name: value() if name == "generator" else value for name, value in self.settings.items()}
        return (operation or getattr(F, self.operation))(**arrays, **(data | state), **settings)


@dataclass(frozen=True)
class Arguments:
    """What makes right arguments of a function, and wrong values for each of them."""

    good: Callable[[], dict[str, Any]]
    wrong: dict[str, list[Any]]


def images():
    return np.random.default_rng(0).standard_normal((2, 3, 4, 4))


def logits():
    return np.random.default_rng(0).standard_normal((2, 3))


def labels_of_rows():
    return np.array([0, 2])
