"""Each operation on its own, forward and backward, on small and large inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from benchmarks.contenders import CHANNELS_LAST, EAGER, NPNET
from benchmarks.environment import threads_of_all
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, with_progress
from benchmarks.timing import Contender, on_the_cpu, race
from npnet import functional as F
from npnet.parallel import Step


@dataclass(frozen=True)
class Operation:
    """An operation, which has the same name in both libraries, and its inputs.

    Parameters
    ----------
    name : str
    shapes : mapping from arguments to shapes
        The shapes of the array arguments; all but x are parameters.
    options : mapping
        The other arguments in both libraries.
    labels : int
        For losses, the number of classes of the labels.
    """

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: int = 0

    def __str__(self) -> str:
        return f"{self.name} {'×'.join(map(str, self.shapes['x']))}"

    def arrays(self) -> dict[str, ndarray]:
        """Return the arrays by argument; every call returns equal arrays."""
        rng = np.random.default_rng(0)
        return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in self.shapes.items()}

    def target(self) -> dict[str, ndarray]:
        """Return the labels of a loss."""
        rng = np.random.default_rng(0)
        return {"target": rng.integers(self.labels, size=self.shapes["x"][0])} if self.labels else {}


def _linear(n: int, inputs: int, outputs: int) -> Operation:
    return Operation("linear", {"x": (n, inputs), "weight": (outputs, inputs), "bias": (outputs,)})


def _conv2d(n: int, c: int, size: int, o: int, kernel: int, **options: int) -> Operation:
    shapes = {"x": (n, c, size, size), "weight": (o, c, kernel, kernel), "bias": (o,)}
    return Operation("conv2d", shapes, options)


AT_MOST = 1.5  # npnet's time over PyTorch's
IMAGES = ((16, 8, 16, 16), (64, 32, 32, 32))
ROWS = ((64, 10), (256, 1000))

OPERATIONS = [
    *(_linear(*sizes) for sizes in ((64, 784, 100), (128, 3072, 512))),
    _conv2d(128, 3, 32, 6, 5),
    _conv2d(128, 6, 14, 16, 5),
    _conv2d(64, 32, 32, 32, 3, padding=1),
    _conv2d(64, 64, 16, 64, 3, padding=1),
    _conv2d(64, 32, 32, 64, 3, padding=1, stride=2),
    _conv2d(64, 64, 16, 64, 1),
    *(Operation("max_pool2d", {"x": shape}, {"kernel_size": 2}) for shape in IMAGES),
    Operation("max_pool2d", {"x": IMAGES[1]}, {"kernel_size": 3, "stride": 2, "padding": 1}),
    *(Operation("avg_pool2d", {"x": shape}, {"kernel_size": 2}) for shape in IMAGES),
    *(
        Operation(name, {"x": shape})
        for name in ("relu", "leaky_relu", "tanh", "sigmoid")
        for shape in IMAGES
    ),
    *(Operation(name, {"x": shape}, {"dim": -1}) for name in ("softmax", "log_softmax") for shape in ROWS),
    *(Operation(name, {"x": (n, c)}, labels=c) for name in ("nll_loss", "cross_entropy") for n, c in ROWS),
    *(
        Operation("batch_norm", {"x": shape, "weight": shape[1:2], "bias": shape[1:2]}, {"training": True})
        for shape in IMAGES
    ),
]


def measure(settings: Settings) -> Results:
    """Time each operation, forward and backward."""
    results = settings.results("ops")
    chosen = OPERATIONS[::9] if settings.quick else OPERATIONS
    with threads_of_all(settings.threads), Step(settings.threads):  # starts npnet's threads
        for operation in with_progress("ops", chosen):
            sides = _npnet(operation), _torch(operation), _torch(operation, channels_last=True)
            is_image = len(operation.shapes["x"]) == 4
            for i, direction in enumerate(("forward", "backward")):
                contenders = [pair[i] for pair in (sides if is_image else sides[:2])]
                samples = race(contenders, rounds=settings.rounds, turn=settings.turn)
                about = {"operation": str(operation), "options": _shown(operation), "direction": direction}
                results.records.append(Record(about, samples, at_most=AT_MOST))
    return results


def _npnet(operation: Operation) -> tuple[Contender, Contender]:
    function: Callable[..., Any] = getattr(F, operation.name)
    arrays, more = operation.arrays(), {**operation.target(), **operation.options}
    if operation.name == "batch_norm":
        more |= {"running_mean": None, "running_var": None}
    y, backward = function(**arrays, **more)
    grad_y = np.asarray(_upstream(y.shape))

    def forward() -> object:
        return function(**arrays, **more)

    return on_the_cpu(NPNET, forward), on_the_cpu(NPNET, lambda: backward(grad_y))


def _torch(operation: Operation, *, channels_last: bool = False) -> tuple[Contender, Contender]:
    name = CHANNELS_LAST if channels_last else EAGER
    function: Callable[..., Any] = getattr(torch.nn.functional, operation.name)
    tensors = [torch.from_numpy(array) for array in operation.arrays().values()]
    if channels_last:
        tensors = [t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
    leaves = [tensor.requires_grad_() for tensor in tensors]
    more = [torch.from_numpy(array) for array in operation.target().values()]
    if operation.name == "batch_norm":
        x, weight, bias = leaves

        def forward() -> torch.Tensor:
            normalised: torch.Tensor = function(x, None, None, weight, bias, **operation.options)
            return normalised
    else:

        def forward() -> torch.Tensor:
            result: torch.Tensor = function(*leaves, *more, **operation.options)
            return result

    y = forward()
    grad_y = torch.from_numpy(np.asarray(_upstream(tuple(y.shape))))

    def backward() -> object:
        return torch.autograd.grad(y, leaves, grad_y, retain_graph=True)

    return on_the_cpu(name, forward), on_the_cpu(name, backward)


def _upstream(shape: tuple[int, ...]) -> ndarray:
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


def _shown(operation: Operation) -> str:
    """Return the other settings of an operation, for the table."""
    parts = [f"{name}={value}" for name, value in operation.options.items()]
    if "weight" in operation.shapes and operation.name != "batch_norm":
        parts.insert(0, f"weight {'×'.join(map(str, operation.shapes['weight']))}")
    return ", ".join(parts)
