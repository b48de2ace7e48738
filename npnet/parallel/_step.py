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
from npnet.parallel._plan import Plan, divided
from npnet.parallel._workers import Workers


class Step:
    """Forward and backward through model and loss for one minibatch, over threads.

    `npnet.fit` takes one by itself, or the one given as ``step=…``. It computes what `npnet.train.plain_step`
    does, up to rounding.

    Use it in a ``with`` block around the whole training: that starts the threads and holds the matrix
    products of NumPy's BLAS to one thread each, since threads of both kinds would be in each other's way.
    Without it, every call does so for itself, which takes longer than a small step.

    Parameters
    ----------
    threads : int, optional
        How many threads work at once; by default as many as the process has cores. The result is the
        same to the bit for any number.

    Raises
    ------
    InputError
        If threads is not a positive integer.

    Notes
    -----
    A layer whose outputs mix samples (batch norm in training) says so by `Layer.couples_samples`; with one
    in the trunk the minibatch stays whole, as its meaning asks. It does so too where there is little work
    for each parameter, as in fully connected models and in the head: shards would take longer to add up
    their gradients than threads save. There threads share the large matrix products instead.

    One step may be used by several threads at once, in blocks within blocks and in a process that was forked,
    and it may be copied; the numbers stay the same.

    Only in a whole minibatch do layers draw from the given generator itself; each shard has one of its own,
    seeded from it. The loss needs no care, whatever it averages over: it sees all samples at once.

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
        """How many threads work at once."""
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
            What the loss compares the outputs with.
        generator : numpy.random.Generator
            The source of randomness, for dropout.

        Returns
        -------
        loss : float
        outputs : array
        grads : dict from names to arrays
            As the model's backward gives them.

        Raises
        ------
        InputError
            If an argument is not what it must be, or the loss gives one value for each sample.
        DTypeError
            If x is not an array.
        """
        check_loss("Step", loss)
        check.generator("Step", generator)
        division = divided("Step", model, x, training=True)
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
        trunk, head, parts = divided("Step.predict", model, x, training=False)
        with self:
            if len(parts) == 1:
                return model(x)
            return head(_joined(self._workers.map(lambda part: trunk(x[part]), parts)))


def cores() -> int:
    """Return how many cores this process may use.

    Returns
    -------
    cores : int
    """
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def generators_for(generator: Generator, count: int) -> list[Generator]:
    """Return a source of randomness for each shard; a single one draws from the given source itself.

    Parameters
    ----------
    generator : numpy.random.Generator
        Draws the seeds of the others.
    count : int
        How many shards there are.

    Returns
    -------
    generators : list of numpy.random.Generator

    Raises
    ------
    InputError
        If generator is none, or count not a positive integer.
    """
    check.generator("generators_for", generator)
    count = check.integer("generators_for", "count", count, least=1)
    if count == 1:
        return [generator]
    return [np.random.default_rng(seed) for seed in generator.integers(0, 2**63, size=count)]


def _joined(parts: list[ndarray]) -> ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _summed(parts: list[Gradients]) -> Gradients:
    """Add up the gradients of all shards, first to last."""
    total = parts[0]
    if len(parts) > 1:
        total = {name: grad + parts[1][name] for name, grad in total.items()}
        for part in parts[2:]:
            for name, grad in part.items():
                total[name] += grad
    return total
