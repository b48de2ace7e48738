"""Other engines, timed if they are installed (``pip install jax autograd``).

Each has its own module, which imports the engine and defines

- ``learner(model, x, target, lr, momentum)``: returns a function that makes one training step and returns the
  loss;
- ``predictor(model, x)``: returns a function that returns the outputs.

Both start from copies of the model's weights. Peers have a separate table; no ratio to PyTorch depends on
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module, util
from itertools import product
from typing import Any

import numpy as np
from numpy import ndarray

from benchmarks.works import Work
from npnet import nn

JAX, AUTOGRAD = "JAX", "autograd"  # names in results; the packages have the same names in lower case
PEERS = (JAX, AUTOGRAD)
LENET5 = "LeNet-5"
NUMPY_AT_MOST = 0.15  # target for the time of npnet ÷ the time of a peer that also computes in NumPy


def installed() -> list[str]:
    """Return the installed peers."""
    return [name for name in PEERS if util.find_spec(name.lower())]


def refusal(name: str, work: Work, model: nn.Layer, threads: int) -> str | None:
    """Return why a workload is not measured with an installed peer, or None if it is."""
    if name == AUTOGRAD:
        return None if work.name == LENET5 else f"only {LENET5} is implemented"
    reason: str | None = _engine(name).refusal(model, threads)
    return reason


def run(
    name: str, model: nn.Layer, x: ndarray, target: ndarray, *, training: bool, lr: float, momentum: float
) -> Callable[[], object]:
    """Return a function that makes a step of SGD with momentum, or inference, with an installed peer."""
    engine = _engine(name)
    work: Callable[[], object] = (
        engine.learner(model, x, target, lr, momentum) if training else engine.predictor(model, x)
    )
    return work


def targets(work: Work, *, training: bool) -> dict[str, float]:
    """Return the target ratio for each peer; only a training step of LeNet-5 has one."""
    return {AUTOGRAD: NUMPY_AT_MOST} if training and work.name == LENET5 else {}


def absences(works: Sequence[Work], threads: int) -> list[str]:
    """Return lines that say which workloads are not measured with an installed peer, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, work in product(installed(), works):
        reason = refusal(name, work, work.build(np.random.default_rng(0)), threads)
        if reason is not None:
            found.setdefault((name, reason), []).append(str(work))
    return [f"{name}: not measured, {reason}: {'; '.join(names)}" for (name, reason), names in found.items()]


def _engine(name: str) -> Any:
    return import_module(f"benchmarks.in_{name.lower()}")
