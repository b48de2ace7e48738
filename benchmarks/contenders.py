"""Who does the work: npnet, and PyTorch in each of the ways its users run it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from benchmarks.timing import Contender, on_the_cpu
from benchmarks.works import Work
from npnet import nn, optim, parallel
from ptref.convert import to_torch

NPNET = "npnet"
EAGER, CHANNELS_LAST, COMPILED = "PyTorch", "PyTorch channels-last", "PyTorch compiled"
CUDA, CUDA_ALONE = "PyTorch CUDA", "PyTorch CUDA without transfers"
RIVALS = (EAGER, CHANNELS_LAST)  # the faster of these is what ratios are to
LR, MOMENTUM = 1e-3, 0.9


@contextmanager
def of_work(work: Work, threads: int, *, training: bool, compiled: bool = False) -> Iterator[list[Contender]]:
    """Yield everyone who can do a work: a whole training step, or inference.

    A training step is forward, loss, backward and the update of SGD with momentum.

    Parameters
    ----------
    work : Work
    threads : int
        What npnet spreads a minibatch over; PyTorch has been given as many.
    training : bool
    compiled : bool
        Whether PyTorch's compiler takes part, if it finds a C++ compiler; compiling takes minutes.
    """
    model = work.build(np.random.default_rng(0))
    x, target = work.minibatch()
    is_image = len(work.sample) == 3
    with parallel.Step(threads) as step:
        contenders = [on_the_cpu(NPNET, _npnet(model, x, target, step, training=training))]
        contenders.append(on_the_cpu(EAGER, _torch(to_torch(model), x, target, training=training)))
        if is_image:
            runs = _torch(_channels_last(to_torch(model)), x, target, training=training, channels_last=True)
            contenders.append(on_the_cpu(CHANNELS_LAST, runs))
        if compiled and is_image and shutil.which("c++"):
            module: Any = torch.compile(to_torch(model))
            contenders.append(on_the_cpu(COMPILED, _torch(module, x, target, training=training)))
        if torch.cuda.is_available():
            contenders += _on_cuda(model, x, target, training=training)
        yield contenders


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
    module: torch.nn.Module,
    x: ndarray,
    target: ndarray,
    *,
    training: bool,
    channels_last: bool = False,
    device: str = "cpu",
) -> Callable[[], object]:
    """Return a step as PyTorch's tutorials write it; another device is brought the minibatch first."""
    inputs, labels = torch.from_numpy(x), torch.from_numpy(target)
    if channels_last:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    if not training:
        module.eval()

        def infer() -> Tensor:
            with torch.inference_mode():
                outputs: Tensor = module(inputs.to(device)).cpu()
                return outputs

        return infer
    module.train()
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=MOMENTUM)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(module(inputs.to(device)), labels.to(device)).backward()
        optimizer.step()

    return run


def _channels_last(module: torch.nn.Module) -> torch.nn.Module:
    return module.to(memory_format=torch.channels_last)


def _on_cuda(model: nn.Layer, x: ndarray, target: ndarray, *, training: bool) -> list[Contender]:
    """Return the GPU twice: with the minibatch brought there each time, and with it there already."""
    module = to_torch(model).to("cuda")
    carried = _torch(module, x, target, training=training, device="cuda")
    inputs, labels = torch.from_numpy(x).to("cuda"), torch.from_numpy(target).to("cuda")
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=MOMENTUM)

    def stays() -> None:
        if not training:
            with torch.inference_mode():
                module(inputs)
            return
        optimizer.zero_grad(set_to_none=True)
        loss(module(inputs), labels).backward()
        optimizer.step()

    return [_by_events(CUDA, carried), _by_events(CUDA_ALONE, stays)]


def _by_events(name: str, work: Callable[[], object]) -> Contender:
    """Time by the device's own clock: launching work returns before it is done."""

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
