"""The training step over threads, and prediction."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.nn import Gradients, Layer, Loss
from npnet.nn.layer import LayerBackward
from npnet.nn.step import check_loss, plain_step
from npnet.parallel._plan import Plan, checked_plan
from npnet.parallel._workers import Workers


class Step:
    """Forward and backward through model and loss for one minibatch, over threads.

    `npnet.fit` makes one unless it is passed as ``step=…``. It computes what `npnet.train.plain_step` does,
    up to rounding.

    Use it in a ``with`` block around the whole training: the block starts the threads and limits NumPy's BLAS
    to one thread, since its threads would compete with these for the cores. Outside a block every call does
    both by itself, which takes longer than a small step.

    Parameters
    ----------
    threads : int, optional
        The number of threads; by default the number of cores that the process may use. The result is the
        same to the bit for any number.

    Raises
    ------
    InputError
        If threads is not a positive integer.

    Notes
    -----
    The minibatch is not cut in two cases. A layer in the trunk may couple samples (batch norm in training,
    see `npnet.nn.Layer.couples_samples`). Or there is little work per parameter, as in fully connected
    models: summing the gradients of the shards would take longer than threads save. The threads then share
    the large matrix products instead, as they do in the head.

    Several threads may call one step at once. Blocks may be nested, the process may fork, the step may be
    copied; the numbers stay the same.

    If the minibatch is cut, each shard draws random numbers from a generator of its own, seeded from the one
    passed in. The loss may average over anything, since it always takes all samples at once.

    Examples
    --------
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(
    ...     nn.Conv2d(3, 16, 3, generator=rng), nn.ReLU(), nn.Flatten(), nn.Linear(14400, 2, generator=rng)
    ... )
    >>> x, target = rng.standard_normal((64, 3, 32, 32), dtype=np.float32), rng.integers(2, size=64)
    >>> def gradient(threads):
    ...     with Step(threads) as step:
    ...         loss, outputs, grads = step(model, nn.CrossEntropyLoss(), x, target, np.random.default_rng(1))
    ...     return grads["0.weight"]
    >>> np.array_equal(gradient(1), gradient(4))
    True
    """

    def __init__(self, threads: int | np.integer[Any] | None = None) -> None:
        self._workers = Workers(
            check.integer("Step", "threads", cores() if threads is None else threads, least=1)
        )

    @property
    def threads(self) -> int:
        """The number of threads."""
        return self._workers.threads

    def __enter__(self) -> Step:  # noqa: PYI034 - the run-time shape checks cannot resolve Self
        self._workers.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._workers.leave()

    def __call__(
        self, model: Layer, loss: Loss, x: ndarray, target: ndarray, generator: Generator
    ) -> tuple[float, ndarray, Gradients]:
        """Return the loss, the model's outputs, and the gradients by parameter name.

        Parameters
        ----------
        model : Layer
        loss : Loss
        x : array
            A minibatch.
        target : array
            As the loss takes it.
        generator : numpy.random.Generator
            The source of randomness for dropout.

        Returns
        -------
        loss : float
        outputs : array
        grads : dict from names to arrays
            As the model's backward returns them.

        Raises
        ------
        InputError
            If an argument is of another kind, or the loss returns one value per sample.
        DTypeError
            If x is not an array.
        """
        check_loss("Step", loss)
        check.generator("Step", generator)
        division = checked_plan("Step", model, x, training=True)
        with self:
            if len(division.shards) == 1:
                return plain_step(model, loss, x, target, generator)
            return self._sharded(division, loss, x, target, generator)

    def _sharded(
        self, division: Plan, loss: Loss, x: ndarray, target: ndarray, generator: Generator
    ) -> tuple[float, ndarray, Gradients]:
        trunk, head, parts = division

        def forward(part: slice, own: Generator) -> tuple[ndarray, LayerBackward]:
            return trunk.forward(x[part], training=True, generator=own)

        def backward(forward: tuple[ndarray, LayerBackward], grad: ndarray) -> Gradients:
            return forward[1](grad, needs_grad_x=False)[1]

        forwards = self._workers.map(forward, parts, generators_for(generator, len(parts)))
        features = _joined([output for output, _ in forwards])
        y, head_backward = head.forward(features, training=True, generator=generator)
        value, loss_backward = loss.forward(y, target)
        grad, head_grads = head_backward(loss_backward(), needs_grad_x=trunk.trainable)
        if grad is None:
            return float(value), y, head_grads
        trunk_grads = _summed(self._workers.map(backward, forwards, [grad[part] for part in parts]))
        return float(value), y, head_grads | trunk_grads

    def predict(self, model: Layer, x: ndarray) -> ndarray:
        """Return the model's outputs for a minibatch, in evaluation mode.

        Parameters
        ----------
        model : Layer
        x : array
            A minibatch of any size.

        Returns
        -------
        outputs : array

        Raises
        ------
        InputError
            If the model is no layer, or x has no axis of samples.
        DTypeError
            If x is not an array.
        """
        trunk, head, parts = checked_plan("Step.predict", model, x, training=False)
        with self:
            if len(parts) == 1:
                return model(x)
            return head(_joined(self._workers.map(lambda part: trunk(x[part]), parts)))


def cores() -> int:
    """Return the number of cores that this process may use.

    Returns
    -------
    cores : int
    """
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def generators_for(generator: Generator, count: int) -> list[Generator]:
    """Return a generator for each shard, seeded from `generator`; a single shard uses `generator` itself.

    Parameters
    ----------
    generator : numpy.random.Generator
    count : int
        The number of shards.

    Returns
    -------
    generators : list of numpy.random.Generator

    Raises
    ------
    InputError
        If generator is no generator, or count is not a positive integer.
    """
    check.generator("generators_for", generator)
    count = check.integer("generators_for", "count", count, least=1)
    if count == 1:
        return [generator]
    return [np.random.default_rng(seed) for seed in generator.integers(0, 2**63, size=count)]


def _joined(parts: list[ndarray]) -> ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _summed(parts: list[Gradients]) -> Gradients:
    """Return the sum of the shards' gradients, added first to last."""
    total = parts[0]
    if len(parts) > 1:
        total = {name: grad + parts[1][name] for name, grad in total.items()}
        for part in parts[2:]:
            for name, grad in part.items():
                total[name] += grad
    return total
