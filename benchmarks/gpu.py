"""From which minibatch on a GPU is worth it: every recipe's model, on this CPU and on this GPU.

Batches go from 1 to 65 536, in steps of four. On the CPU npnet and PyTorch run. On the GPU PyTorch does, as
its tutorials write it (*CUDA*) and replayed as CUDA graphs; each with the minibatch on the GPU already, and
with the minibatch *sent* from the host for each step and the answers of inference sent back. A minibatch that
would take the CPU long is left out there, and nothing is guessed. Where time runs out, notes say what is
missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import ceilings, gpu_report
from benchmarks.contenders import LR, MOMENTUM, by_events, of_work
from benchmarks.environment import threads_of_all
from benchmarks.gpu_report import BF16, CUDA, CUDA_SENT, EAGER, GRAPHS, GRAPHS_SENT, NPNET
from benchmarks.results import NO_TIME, Record, Results
from benchmarks.suite import Settings, tell
from benchmarks.timing import Contender, race
from benchmarks.works import WORKS, Work
from npnet import nn
from ptref.convert import to_torch
from ptref.device_fit import sgd
from ptref.execution import Execution
from ptref.graphs import Replayed, state_of

BATCHES = (64, 1024, 1, 16384, 65536, 4096, 256, 16, 4)  # in this order, should time run out
KINDS = {"training step": True, "inference": False}
PATIENCE = 0.3  # seconds that one run may take on the CPU
SLOW = 0.05  # seconds from which on three rounds are enough


def measure(settings: Settings) -> Results:
    """Time every model with every minibatch, as far as `settings.seconds` go."""
    results = settings.results("gpu")
    deadline = time.monotonic() + (settings.seconds or float("inf"))
    there = torch.cuda.is_available()
    if there and not gpu_report.ceilings(results):
        tell("gpu: ceilings")
        side, size = (1024, 2**24) if settings.quick else (ceilings.SIDE, ceilings.BYTES)
        results.records.extend(ceilings.of_the_gpu(side=side, size=size))
    if not there:
        results.note(f"gpu: PyTorch {torch.__version__} finds none; measured on the CPU alone")
    missing: dict[int, list[str]] = {}
    quickest = _quickest(results)
    batches = (4, 1) if settings.quick else BATCHES
    for batch, work, (kind, training) in product(batches, settings.some(WORKS, 3), KINDS.items()):
        sized = replace(work, batch=batch)
        if results.has(work=work.title, kind=kind, batch=batch):
            continue
        if time.monotonic() > deadline:
            missing.setdefault(batch, []).append(f"{work} ({kind})")
            continue
        tell(f"gpu: {sized}, {kind}")
        samples = _on_the_cpu(sized, settings, quickest, kind, training=training)
        if there:
            samples |= _on_the_gpu(sized, results.notes, settings, training=training)
        results.records.append(Record(_about(sized, kind, training=training), samples))
        settings.keep(results)
    for batch, works in missing.items():
        results.notes.append(f"gpu: {NO_TIME} for batch {batch} of {len(works)} measurements")
    return results


def _about(work: Work, kind: str, *, training: bool) -> dict[str, Any]:
    """Say what is measured, with the least work it takes."""
    operations, size = work.least(training=training)
    return {
        "work": work.title,
        "kind": kind,
        "batch": work.batch,
        "operations": operations,
        "bytes": size,
    }


# ---- on the CPU ----------------------------------------------------------------------------------------


def _quickest(results: Results) -> dict[tuple[str, str], float]:
    """Return the least seconds that the slower engine took for a sample on the CPU, by work and kind."""
    found: dict[tuple[str, str], float] = {}
    for (work, kind), by_engine in gpu_report.curves(results).items():
        both = [by_engine.get(engine, {}) for engine in (NPNET, EAGER)]
        a_sample = [max(curve[n] for curve in both if n in curve) / n for n in set().union(*both)]
        if a_sample:
            found[work, kind] = min(a_sample)
    return found


def _on_the_cpu(
    work: Work, settings: Settings, quickest: dict[tuple[str, str], float], kind: str, *, training: bool
) -> dict[str, list[float]]:
    """Time both engines, unless what smaller minibatches took says that it would last too long."""
    a_sample = quickest.get((work.title, kind), 0.0)
    expected = work.batch * a_sample
    if expected > PATIENCE:
        return {}
    with (
        threads_of_all(settings.threads),
        of_work(work, settings.threads, training=training, engines=(NPNET, EAGER)) as contenders,
    ):
        samples = race(
            contenders, rounds=3 if expected > SLOW else _rounds(settings), turn=min(settings.turn, 0.005)
        )
    found = max(min(seconds) for seconds in samples.values()) / work.batch
    # What a sample takes falls as minibatches grow, so the smallest found is what to reckon with.
    quickest[work.title, kind] = min(a_sample or found, found)
    return samples


def _rounds(settings: Settings) -> int:
    return min(settings.rounds, 5)


# ---- on the GPU ----------------------------------------------------------------------------------------


def _on_the_gpu(
    work: Work, notes: list[str], settings: Settings, *, training: bool
) -> dict[str, list[float]]:
    """Time PyTorch in each of the ways there are; one that does not fit into memory is noted."""
    samples: dict[str, list[float]] = {}
    x, target = (torch.from_numpy(array) for array in work.minibatch())
    images = len(work.sample) == 3
    bf16 = Execution(graphs=True, amp="bf16", channels_last=images)
    ways = {
        CUDA: (Execution(), False),
        CUDA_SENT: (Execution(), True),
        GRAPHS: (Execution(graphs=True), False),
        GRAPHS_SENT: (Execution(graphs=True), True),
        BF16: (bf16, False),
    }
    with Execution().backends():
        for name, (execution, sent) in ways.items():
            try:
                with _contender(name, work, x, target, execution, sent=sent, training=training) as one:
                    samples |= race([one], rounds=_rounds(settings), turn=0.004)
            except RuntimeError as error:  # while a graph is recorded it may come as another kind of error
                if "out of memory" not in str(error):
                    raise
                what = "training step" if training else "inference"
                notes.append(f"gpu: {work}, {what}: {name} does not fit into the GPU's memory")
            torch.cuda.empty_cache()
    return samples


@contextmanager
def _contender(
    name: str, work: Work, x: Tensor, target: Tensor, execution: Execution, *, sent: bool, training: bool
) -> Iterator[Contender]:
    """Give the work as a contender; what it took of the GPU's memory is free again at the end."""
    run = run_on_gpu(work.build(np.random.default_rng(0)), x, target, execution, sent=sent, training=training)
    yield by_events(name, run)


def run_on_gpu(
    model: nn.Layer, x: Tensor, target: Tensor, execution: Execution, *, sent: bool, training: bool
) -> Callable[[], object]:
    """Return what does a training step, or inference, of a model once.

    Parameters
    ----------
    model : Layer
    x, target : Tensor
        The minibatch, on the host.
    execution : Execution
    sent : bool
        Whether each run sends the minibatch, from pinned memory where graphs are replayed, and inference
        brings its answers back; else it lies on the GPU.
    training : bool
    """
    device = torch.device("cuda")
    module = execution.placed(to_torch(model).to(device).train(training))
    loss = torch.nn.CrossEntropyLoss()
    optimizer: torch.optim.Optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=MOMENTUM)
    if execution.graphs:
        optimizer = sgd(module, lr=LR, momentum=MOMENTUM)

    def infer(x: Tensor) -> tuple[Tensor, ...]:
        with torch.inference_mode(), execution.autocast(device):
            return (module(execution.laid_out(x)),)

    def learn(x: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        with execution.autocast(device):
            y = module(execution.laid_out(x))
        value = loss(y.float(), target)
        module.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        return (value.detach(),)

    step: Callable[..., tuple[Tensor, ...]] = learn if training else infer
    if execution.graphs:
        step = Replayed(step, state_of(module, optimizer))
    inputs: tuple[Tensor, ...] = (x, target) if training else (x,)
    if not sent:
        here = tuple(execution.laid_out(tensor.to(device)) for tensor in inputs)
        return lambda: step(*here)
    if execution.graphs:
        inputs = tuple(tensor.pin_memory() for tensor in inputs)

    def run() -> None:
        given = inputs if execution.graphs else tuple(tensor.to(device) for tensor in inputs)
        (answer,) = step(*given)
        if not training:
            answer.cpu()

    return run
