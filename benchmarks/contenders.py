"""The contenders: npnet, PyTorch in each of the ways its users run it, and other installed engines."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from benchmarks import peers
from benchmarks.timing import Contender, on_the_cpu
from benchmarks.works import Work
from npnet import nn, optim, parallel
from ptref.convert import to_torch

NPNET = "npnet"
EAGER, CHANNELS_LAST, COMPILED = "PyTorch", "PyTorch channels-last", "PyTorch compiled"
CUDA, CUDA_ALONE = "PyTorch CUDA", "PyTorch CUDA without transfers"
EVERYONE = (NPNET, EAGER, CHANNELS_LAST, COMPILED, CUDA, CUDA_ALONE)
UNCOMPILED = tuple(name for name in EVERYONE if name != COMPILED)  # compiling takes minutes
LR, MOMENTUM = 1e-3, 0.9


@contextmanager
def of_work(
    work: Work, threads: int, *, training: bool, engines: Collection[str] = EVERYONE
) -> Iterator[list[Contender]]:
    """Yield the contenders for a workload, which is a whole training step or inference.

    A training step is forward, loss, backward and the update of SGD with momentum.

    Parameters
    ----------
    work : Work
    threads : int
        Number of threads of npnet; PyTorch's is already set to the same.
    training : bool
    engines : collection of str
        The engines to include. Those that cannot run are left out: CUDA without a GPU, torch.compile without
        a C++ compiler, channels-last for inputs that are not images, and peers that are not installed or do
        not support the model.
    """
    model = work.build(np.random.default_rng(0))
    x, target = work.minibatch()

    def eager(**more: Any) -> Callable[[], object]:
        return _torch(to_torch(model), x, target, training=training, **more)

    def peer(name: str) -> Callable[[], Contender]:
        return lambda: on_the_cpu(
            name, peers.run(name, model, x, target, training=training, lr=LR, momentum=MOMENTUM)
        )

    with parallel.Step(threads) as step:
        possible: dict[str, Callable[[], Contender]] = {
            NPNET: lambda: on_the_cpu(NPNET, _npnet(model, x, target, step, training=training)),
            EAGER: lambda: on_the_cpu(EAGER, eager()),
        }
        if len(work.sample) == 3:
            possible[CHANNELS_LAST] = lambda: on_the_cpu(CHANNELS_LAST, eager(channels_last=True))
        if shutil.which("c++"):
            possible[COMPILED] = lambda: on_the_cpu(COMPILED, eager(compiled=True))
        if torch.cuda.is_available():
            possible[CUDA] = lambda: by_events(CUDA, eager(device="cuda"))
            possible[CUDA_ALONE] = lambda: by_events(CUDA_ALONE, eager(device="cuda", stays=True))
        for name in peers.installed():
            if name in engines and peers.refusal(name, work, model, threads) is None:
                possible[name] = peer(name)
        yield [contender() for name, contender in possible.items() if name in engines]


def _npnet(
    model: nn.Layer, x: ndarray, target: ndarray, step: parallel.Step, *, training: bool
) -> Callable[[], object]:
    if not training:
        return lambda: step.predict(model, x)
    loss, noise = nn.CrossEntropyLoss(), np.random.default_rng(0)
    optimizer = optim.SGD(model.parameters, lr=LR, momentum=MOMENTUM)

    def run() -> None:
        _, _, grads = step(model, loss, x, target, noise)
        optimizer.step(grads)

    return run


def _torch(
    module: Any,
    x: ndarray,
    target: ndarray,
    *,
    training: bool,
    channels_last: bool = False,
    compiled: bool = False,
    device: str = "cpu",
    stays: bool = False,
) -> Callable[[], object]:
    """Return a training step or inference, written like PyTorch's tutorials.

    On another device, each step copies the minibatch there, and inference copies the outputs back, unless the
    data `stays` there.
    """
    inputs, labels = torch.from_numpy(x), torch.from_numpy(target)
    module = module.to(device).train(training)
    if channels_last:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        module = module.to(memory_format=torch.channels_last)
    if compiled:
        module = torch.compile(module)
    if stays:
        inputs, labels = inputs.to(device), labels.to(device)

    def infer() -> Tensor:
        with torch.inference_mode():
            outputs: Tensor = module(inputs.to(device))
            return outputs if stays else outputs.cpu()

    if not training:
        return infer
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=MOMENTUM)

    def learn() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(module(inputs.to(device)), labels.to(device)).backward()
        optimizer.step()

    return learn


def by_events(name: str, work: Callable[[], object]) -> Contender:
    """Return a contender timed with CUDA events, as kernel launches return before the work is done."""

    def measure(times: int) -> float:
        event: Any = torch.cuda.Event
        begin, end = event(enable_timing=True), event(enable_timing=True)
        torch.cuda.synchronize()
        begin.record()
        for _ in range(times):
            work()
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end)) / 1000

    return Contender(name, measure)
