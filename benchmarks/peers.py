"""Other engines, timed where installed (``pip install jax autograd``): where npnet stands among them.

Each has a module of its own, which imports the engine and offers

- ``learner(model, x, target, lr, momentum)``: a function that makes one training step and returns its loss;
- ``predictor(model, x)``: a function that returns the outputs.

Both start from copies of the model's weights. Peers have a table of their own: no ratio to PyTorch depends on
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

JAX, AUTOGRAD = "JAX", "autograd"  # as results list them; each is a package of that name in small letters
PEERS = (JAX, AUTOGRAD)
LENET5 = "LeNet-5"
NUMPY_AT_MOST = 0.15  # the time of npnet ÷ that of a peer that computes in NumPy too, as aimed at


def installed() -> list[str]:
    """Return the peers that are."""
    return [name for name in PEERS if util.find_spec(name.lower())]


def refusal(name: str, work: Work, model: nn.Layer, threads: int) -> str | None:
    """Return why a work is not measured with an installed peer, or None where it is."""
    if name == AUTOGRAD:
        return None if work.name == LENET5 else f"only {LENET5} is written in it"
    reason: str | None = _engine(name).refusal(model, threads)
    return reason


def run(
    name: str, model: nn.Layer, x: ndarray, target: ndarray, *, training: bool, lr: float, momentum: float
) -> Callable[[], object]:
    """Return what does the work once with an installed peer: a step of SGD with momentum, or inference."""
    engine = _engine(name)
    work: Callable[[], object] = (
        engine.learner(model, x, target, lr, momentum) if training else engine.predictor(model, x)
    )
    return work


def aims(work: Work, *, training: bool) -> dict[str, float]:
    """Return the ratios aimed at, by peer: for a training step of LeNet-5 alone there is one."""
    return {AUTOGRAD: NUMPY_AT_MOST} if training and work.name == LENET5 else {}


def absences(works: Sequence[Work], threads: int) -> list[str]:
    """Say which works are not measured with an installed peer, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, work in product(installed(), works):
        reason = refusal(name, work, work.build(np.random.default_rng(0)), threads)
        if reason is not None:
            found.setdefault((name, reason), []).append(str(work))
    return [f"{name}: not measured, {reason}: {'; '.join(names)}" for (name, reason), names in found.items()]


def _engine(name: str) -> Any:
    return import_module(f"benchmarks.in_{name.lower()}")
