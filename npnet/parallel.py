"""A training step over threads, whose result does not depend on how many there are.

The minibatch is cut into shards. Each goes forward on its own, in whichever thread is free; the loss is
taken of all outputs together; each shard goes backward on its own; and the gradients of the shards are added
up in their order. How many shards there are follows from the model and the minibatch alone, so that the same
numbers are added in the same order for 1, 2 or 16 threads, and the result is the same to the bit.

NumPy lets go of the interpreter within its calls, so threads run side by side as long as calls are large:
that, and a shard's activations fitting into a core's cache, is what the size of a shard is chosen by.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from contextvars import copy_context
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from weakref import ref

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from threadpoolctl import ThreadpoolController

from npnet.errors import InputError
from npnet.functional._product import spread_over
from npnet.nn import Gradients, Layer, Loss
from npnet.nn.layer import LayerBackward

# A shard has at least so many samples, and so many that going forward takes so many multiply-adds: about a
# tenth of a millisecond's worth, beside which the interpreter's own time is small.
SAMPLES = 16
WORK = 12_000_000
# And so many multiply-adds for each parameter: adding up gradients takes one for each, but from main memory.
WORK_FOR_PARAMETER = 128

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
    A layer whose outputs mix samples (batch norm in training) says so by `Layer.couples_samples`; the
    minibatch then stays whole, as its meaning asks. It does so too where there is little work for each
    parameter, as in fully connected models: shards would take longer to add up their gradients than threads
    save. There threads share the large matrix products instead.

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
    >>> len(shards(model, x)), np.array_equal(gradient(1), gradient(4))
    (2, True)
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
                self._pool = self._entered.enter_context(ThreadPoolExecutor(self.threads, "npnet"))
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
        parts = shards(model, x, training=True)
        generators = generators_for(generator, len(parts))

        def forward(part: slice, own: Generator) -> tuple[ndarray, LayerBackward]:
            return model.forward(x[part], training=True, generator=own)

        def backward(part: slice, forward: tuple[ndarray, LayerBackward]) -> Gradients:
            return forward[1](grad_y[part], needs_grad_x=False)[1]

        with self, self._products_shared(len(parts)):
            forwards = self._map(forward, parts, generators)
            y = _joined([output for output, _ in forwards])
            value, loss_backward = loss.forward(y, target)
            grad_y = loss_backward()
            return float(value), y, _summed(self._map(backward, parts, forwards))

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
        parts = shards(model, x, training=False)
        with self, self._products_shared(len(parts)):
            return _joined(self._map(lambda part: model(x[part]), parts))

    def _products_shared(self, count: int) -> AbstractContextManager[None]:
        """Let threads share the large products of a minibatch that stays whole."""
        return spread_over(self._map) if count == 1 and self._pool is not None else nullcontext()

    def _map(self, work: Callable[..., Result], *items: Sequence[Any]) -> list[Result]:
        """Return what `work` returns for each item, in their order; a single one needs no thread."""
        if self._pool is None or len(items[0]) == 1:
            return list(map(work, *items))
        # NumPy's error settings, like whatever else hangs on the context, hold in the threads too.
        jobs = [self._pool.submit(copy_context().run, work, *item) for item in zip(*items, strict=True)]
        return [job.result() for job in jobs]


def shards(model: Layer, x: ndarray, *, training: bool = True) -> list[slice]:
    """Cut a minibatch into shards, by its size and the model alone.

    They are as many as a power of two, so that threads share them evenly, and each is large enough to be
    worth a thread's while.

    Parameters
    ----------
    model : Layer
    x : array
        A minibatch.
    training : bool
        Whether layers that behave differently in training do so.

    Returns
    -------
    parts : list of slices
        Together all of the minibatch, in order.

    Examples
    --------
    >>> from npnet import nn
    >>> shards(nn.ReLU(), np.zeros((1000, 2)))  # nothing to share
    [slice(0, 1000, None)]
    """
    n = len(x)
    count = 1
    if n >= 2 * SAMPLES:
        cost = _cost(model, x.shape[1:])
        least = max(WORK, WORK_FOR_PARAMETER * cost.parameters)
        while n >= 2 * count * SAMPLES and n * cost.multiply_adds >= 2 * count * least:
            count *= 2
    if count > 1 and any(layer.couples_samples(training) for _, layer in model.named_layers()):
        count = 1
    return [slice(i * n // count, (i + 1) * n // count) for i in range(count)]


def cores() -> int:
    """Return how many cores this process may use.

    Returns
    -------
    cores : int
    """
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Cost(NamedTuple):
    multiply_adds: int  # of one sample going forward
    parameters: int


_costs: dict[tuple[int, tuple[int, ...]], tuple[ref[Layer], _Cost]] = {}


def _cost(model: Layer, sample: tuple[int, ...]) -> _Cost:
    """Return what a sample costs, found out once for each model and shape."""
    key = id(model), sample
    if key not in _costs:
        summary = model.summary(sample)
        forgotten_with_model = ref(model, lambda _: _costs.pop(key, None))
        _costs[key] = forgotten_with_model, _Cost(summary.multiply_adds, summary.parameters)
    return _costs[key][1]


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
