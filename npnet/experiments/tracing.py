"""One training step of a setup's network recorded on a sample of its data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check, nn, optim
from npnet.data import Splits, minibatches
from npnet.errors import InputError
from npnet.experiments.run import judged_part
from npnet.experiments.setup import Setup
from npnet.nn.step import check_model
from npnet.tracing import Reference, Trace, trace


def traced(
    setup: Setup,
    model: nn.Layer,
    splits: Splits[Any],
    *,
    index: int = 0,
    training: bool = True,
    reference: Reference | None = None,
) -> Trace:
    """Record a step of a network, as it is trained, on a sample of the part that it is judged by.

    Parameters
    ----------
    setup : Setup
    model : Layer
    splits : Splits
    index : int
        Which sample.
    training : bool
        Whether layers behave as in training, and the optimizer takes its step.
    reference : callable, optional
        As in `npnet.trace`.

    Returns
    -------
    recorded : Trace

    Raises
    ------
    InputError
        If an argument has the wrong type, there is no such sample, or the step cannot be recorded.
    """
    check.instance("traced", "setup", setup, Setup, "a Setup")
    check_model("traced", model)
    check.instance("traced", "splits", splits, Splits, "Splits, such as Setup.splits gives")
    training = check.flag("traced", "training", training)
    part = judged_part(splits)
    index = check.integer("traced", "index", index, least=0)
    if index >= len(part):
        raise InputError(f"traced: index must be below {len(part)}, the number of samples, got {index}")
    couples = training and any(layer.couples_samples(training=True) for _, layer in model.named_layers())
    x, target = _minibatch(part, index, 2 if couples else 1)
    return trace(
        model,
        setup.loss.make(nn),
        x,
        target,
        optimizer=setup.optimizer.make(optim, model.parameters) if training else None,
        training=training,
        generator=np.random.default_rng(0),
        reference=reference,
    )


def _minibatch(part: Any, index: int, count: int) -> tuple[ndarray, ndarray]:
    """Return a sample as a minibatch, and the next with it for layers that need more than one."""
    samples = [part[(index + k) % len(part)] for k in range(count)]
    x, target = next(minibatches(samples, count))
    return x, target
