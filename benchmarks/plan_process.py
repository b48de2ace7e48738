"""One of several processes that time training steps, apart and together; see `benchmarks.plan`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from benchmarks.contenders import EAGER
from benchmarks.plan_report import ADDING, APART, THREADS, TOGETHER
from benchmarks.works import WORKS, Work
from npnet import parallel
from npnet.engines import Spec
from ptref.engine import TorchEngine, engine_for
from ptref.train import processes

PLANNED = [
    replace(work, batch=batch)
    for name, sizes in (("LeNet-5 1×28×28", (64, 256, 1024)), ("3072-512-2 3×32×32", (256,)))
    for work in WORKS
    if str(work).startswith(name)
    for batch in sizes
]
ROUNDS, TURN = 8, 0.1  # seconds of a turn
MESSAGES = (4 * 2**10, 256 * 2**10, 4 * 2**20)  # bytes

Timed = Callable[[int], list[float]]  # so many steps; seconds of each


def gradient(work: Work) -> int:
    """Return the bytes of the gradients.

    Examples
    --------
    >>> gradient(WORKS[0])
    31400
    """
    model = work.build(np.random.default_rng(0))
    return 4 * sum(parameter.size for parameter in model.parameters.values())


def main() -> None:
    """Time everything together with the others; the first process writes the records."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    works, rounds = (PLANNED[:1], 2) if chosen.quick else (PLANNED, ROUNDS)
    records: list[dict[str, Any]] = []
    with ExitStack() as ends:
        # Engines made before the processes join know nothing of each other.
        alone, apart = ({work: ends.enter_context(_engine(work)) for work in works} for _ in range(2))
        rank = ends.enter_context(processes())
        _join_alone(apart.values(), rank)
        joined = {work: ends.enter_context(_engine(work)) for work in works}
        number = distributed.get_world_size()
        pair = distributed.new_group([0, 1])
        for work in works:
            samples = _race(_contenders(work, (alone[work], apart[work], joined[work]), rank, number), rounds)
            about = {"work": work.title, "batch": work.batch, "processes": number}
            about |= {"gradient": gradient(work), "outputs": 4 * work.classes, "on": "CPU"}
            records += [
                {"about": about | {"way": way, "samples": n}, "samples": {EAGER: seconds}}
                for (way, n), seconds in samples.items()
            ]
        sent = _race({(ADDING, n): (_adding(n, rank, pair), 1) for n in MESSAGES}, rounds)
        records += [
            {
                "about": {"way": way, "bytes": n, "processes": number, "on": "CPU"},
                "samples": {"Gloo": seconds},
            }
            for (way, n), seconds in sent.items()
        ]
        if rank == 0:
            chosen.out.write_text(json.dumps(records), encoding="utf-8")


@contextmanager
def _engine(work: Work) -> Iterator[TorchEngine]:
    model = work.build(np.random.default_rng(0))
    with engine_for(model, Spec("CrossEntropyLoss"), Spec("SGD", lr=0.01, momentum=0.9), threads=1) as engine:
        yield engine


def _join_alone(engines: Iterable[TorchEngine], rank: int) -> None:
    """Wrap engines as those of several processes are, in a group of this process alone: it takes time."""
    groups = [distributed.new_group([number]) for number in range(distributed.get_world_size())]
    for engine in engines:
        wrapped = DistributedDataParallel(
            engine.module, process_group=groups[rank], gradient_as_bucket_view=True
        )
        engine._learning = wrapped  # noqa: SLF001 - nobody else wants a group of one


def _contenders(
    work: Work, engines: tuple[TorchEngine, TorchEngine, TorchEngine], rank: int, number: int
) -> dict[tuple[str, int], tuple[Timed, int]]:
    """Return what is timed, each with its number of threads.

    As many processes as there are cores learn *apart*, each from a part as large as it would be of 2, 3, …
    """
    alone, apart, joined = engines
    busy = rank < min(number, parallel.cores())
    parts = sorted({work.batch, work.batch // 2, work.batch // 3, work.batch // 8})
    return {
        (TOGETHER, work.batch): (_steps(joined, work, there=True), 1),
        (THREADS, work.batch): (_steps(alone, work, there=rank == 0), parallel.cores()),
        **{(APART, n): (_steps(apart, replace(work, batch=n), there=busy), 1) for n in parts},
    }


def _steps(engine: TorchEngine, work: Work, *, there: bool) -> Timed:
    x, target = work.minibatch()
    rng = np.random.default_rng(0)
    return _each_timed(lambda: engine.update(engine.forward_backward(x, target, rng).grads), there=there)


def _adding(size: int, rank: int, pair: Any) -> Timed:
    message = torch.zeros(size // 4)
    return _each_timed(lambda: distributed.all_reduce(message, group=pair), there=rank < 2)


def _each_timed(work: Callable[[], object], *, there: bool) -> Timed:
    """Return what times each of so many runs, in the processes that are there."""

    def run(times: int) -> list[float]:
        seconds = []
        for _ in range(times if there else 0):
            begin = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - begin)
        return seconds

    return run


def _race(
    contenders: dict[tuple[str, int], tuple[Timed, int]], rounds: int
) -> dict[tuple[str, int], list[float]]:
    """Have all take turns, in every process at the same time, after one that does not count."""
    times = {name: _times(run, threads) for name, (run, threads) in contenders.items()}
    samples: dict[tuple[str, int], list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (run, threads) in contenders.items():
            torch.set_num_threads(threads)
            distributed.barrier()
            samples[name] += run(times[name])
            distributed.barrier()
    return samples


def _times(run: Timed, threads: int) -> int:
    """Return how many steps fill a turn, the same number in every process."""
    torch.set_num_threads(threads)
    distributed.barrier()
    took = run(3)
    found = torch.tensor([round(TURN / min(took)) if took else 0])
    distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
    return max(2, min(30, int(found)))


if __name__ == "__main__":
    main()
