"""The training step over threads, and prediction."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from threadpoolctl import ThreadpoolController

from npnet._spread import one_by_one, spread_over
from npnet.errors import InputError
from npnet.nn import Gradients, Layer, Loss
from npnet.nn.layer import LayerBackward
from npnet.parallel._plan import Plan, plan
from npnet.train.engine import plain_step

# Of larger arrays glibc takes no such notice.
LARGEST_KEPT = 31 * 1024 * 1024

Result = TypeVar("Result")


class Step:
    """Forward and backward through model and loss for one minibatch, over threads.

    It fits ``npnet.fit(…, step=…)`` and computes what `npnet.train.plain_step` does, up to rounding.

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

    def __init__(self, threads: int | None = None) -> None:
        if threads is None:
            threads = cores()
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise InputError(f"Step: threads must be a positive integer, got {threads!r}")
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._entered = ExitStack()
        self._depth = 0

    def __enter__(self) -> Step:  # noqa: PYI034 - the run-time shape checks cannot resolve Self
        if self._depth == 0:
            _keep_freed_memory()
            self._entered.enter_context(_blas().limit(limits=1, user_api="blas"))
            if self.threads > 1:
                self._pool = self._entered.enter_context(ThreadPoolExecutor(self.threads - 1, "npnet"))
                self._entered.enter_context(spread_over(self._map))
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._pool = None
            self._entered.close()

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
        """
        division = plan(model, x, training=True)
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

        forwards = self._map(forward, parts, generators_for(generator, len(parts)))
        features = _joined([output for output, _ in forwards])
        y, head_backward = head.forward(features, training=True, generator=generator)
        value, loss_backward = loss.forward(y, target)
        grad, head_grads = head_backward(loss_backward(), needs_grad_x=trunk.trainable)
        if grad is None:
            return float(value), y, head_grads
        trunk_grads = _summed(self._map(backward, forwards, [grad[part] for part in parts]))
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
        """
        trunk, head, parts = plan(model, x, training=False)
        with self:
            if len(parts) == 1:
                return model(x)
            return head(_joined(self._map(lambda part: trunk(x[part]), parts)))

    def _map(self, work: Callable[..., Result], *items: Sequence[Any]) -> list[Result]:
        """Return what `work` returns for each item, in their order; this thread does its share."""
        jobs = list(zip(*items, strict=True))
        if self._pool is None or len(jobs) == 1:
            return [work(*job) for job in jobs]

        def do(share: list[tuple[Any, ...]]) -> list[Result]:
            with spread_over(one_by_one):  # all threads have work already
                return [work(*job) for job in share]

        count = min(self.threads, len(jobs))
        # NumPy's error settings, like whatever else hangs on the context, hold in the threads too.
        others = [self._pool.submit(copy_context().run, do, jobs[i::count]) for i in range(1, count)]
        try:
            own = do(jobs[::count])
        finally:
            for other in others:
                other.exception()  # wait for it, since what it works on belongs to this call
        done = [own, *(other.result() for other in others)]
        return [done[i % count][i // count] for i in range(len(jobs))]


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
    """
    if count == 1:
        return [generator]
    return [np.random.default_rng(seed) for seed in generator.integers(0, 2**63, size=count)]


def _keep_freed_memory() -> None:
    """Let the C library keep memory that is freed after a step for the next one.

    glibc takes a large array freed as a sign that more like it will come: from then on it keeps arrays up to
    that size, and twice as much free memory in all, where it would otherwise have the operating system map
    them anew each time, page by page, with all threads waiting (mallopt(3), M_MMAP_THRESHOLD). The array is
    never touched, so it takes no memory; other C libraries take no notice of it.
    """
    np.empty(LARGEST_KEPT, np.uint8)


def _blas() -> ThreadpoolController:
    """Return the controller of the BLAS libraries, which are looked for once."""
    global _controller  # noqa: PLW0603 - the libraries belong to the process as well
    if _controller is None:
        _controller = ThreadpoolController()
    return _controller


_controller: ThreadpoolController | None = None


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
