"""How many images a second LeNet-5 learns from on a GPU, and how much of the time the GPU computes.

Whole epochs are timed, shuffling and gathering included, of 60 000 grey images of 28×28 that lie on the GPU
as bytes. What they show does not matter here; see `mnist_fast` for learning.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_report import CUDA
from benchmarks.results import NO_TIME, Record, Results
from benchmarks.suite import Settings, tell
from npnet import models
from ptref.convert import to_torch
from ptref.device_data import DeviceData
from ptref.device_fit import Training, sgd
from ptref.execution import Execution

BATCHES = (4096, 16384, 1024, 256)
WAYS = (
    Execution(graphs=True, tf32=True, autotune=True, compile=True),
    Execution(),
    Execution(graphs=True),
    Execution(graphs=True, tf32=True, autotune=True),
    Execution(graphs=True, amp="bf16", channels_last=True, autotune=True),
    Execution(graphs=True, autotune=True, compile=True),
)  # in this order, should time run out
COMPILED_AT = (4096, 16384)  # compiling takes long, and anew for each size
AIMED_AT = 2e6  # images a second
WORK = "LeNet-5 1×28×28, training"


def measure(settings: Settings) -> Results:
    """Time each way of running PyTorch with each minibatch; profile the fastest."""
    results = settings.results("throughput")
    if not torch.cuda.is_available():
        results.notes.append(f"throughput: not measured, PyTorch {torch.__version__} finds no GPU")
        return results
    deadline = time.monotonic() + (settings.seconds or float("inf"))
    for way, batch in product(settings.some(WAYS, 3), settings.some(BATCHES, 1)):
        if way.compile and batch not in COMPILED_AT:
            continue
        about = {"work": WORK, "batch": batch, "way": way.named()}
        if results.has(**about):
            continue
        if time.monotonic() > deadline:
            results.notes.append(f"throughput: {NO_TIME} for batch {batch}, {way.named()}")
            continue
        tell(f"throughput: batch {batch}, {way.named()}")
        rates = _rates(training_of(batch, way, epochs=2), rounds=settings.rounds)
        results.records.append(Record(about, {CUDA: rates}, unit="images/s"))
        settings.keep(results)
    if time.monotonic() < deadline:
        _profile_the_fastest(results)
    return results


def _profile_the_fastest(results: Results) -> None:
    """Record which share of the time kernels run in the fastest way, in place of what was so earlier."""
    timed = [record for record in results.records if record.unit == "images/s"]
    if not timed:
        return
    fastest = max(timed, key=lambda record: float(np.median(record.samples[CUDA])))
    about = {**fastest.about, "work": f"{WORK}, share of time in kernels"}
    if results.has(**about):
        return
    (way,) = (way for way in WAYS if way.named() == about["way"])
    results.records[:] = [record for record in results.records if record.unit != "share"]
    share = in_kernels(training_of(about["batch"], way, epochs=1))
    results.records.append(Record(about, {CUDA: share}, unit="share"))


def training_of(batch: int, way: Execution, *, epochs: int) -> Training:
    """Return LeNet-5 ready to learn from images of noise."""
    device = torch.device("cuda")
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(60_000, 1, 28, 28), dtype=np.uint8)
    data = DeviceData(images, rng.integers(10, size=len(images)), device, prepared=in_0_to_1)
    module = to_torch(models.lenet5(generator=rng)).to(device)
    optimizer = sgd(module, lr=0.01, momentum=0.9)
    loss = torch.nn.CrossEntropyLoss()
    return Training(module, loss, optimizer, data, batch_size=batch, epochs=epochs, execution=way)


def in_0_to_1(pixels: Tensor) -> Tensor:
    """Return bytes as floats in 0 … 1."""
    return pixels.float() / 255


def _rates(training: Training, *, rounds: int) -> list[float]:
    """Return images a second of whole trainings, after one that does not count."""
    rng = np.random.default_rng(0)
    training.run(rng)
    found = []
    for _ in range(min(rounds, 5)):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        training.run(rng)
        found.append(training.epochs * len(training.data) / (time.perf_counter() - begin))
    return found


def in_kernels(training: Training, *, runs: int = 3) -> list[float]:
    """Return which share of a training's time some kernel runs, by the profiler's record of the device.

    Copies and zeroing are no kernels.
    """
    from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415 - takes a while to load

    rng = np.random.default_rng(0)
    training.run(rng)
    shares = []
    for _ in range(runs):
        with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as recorded:
            training.run(rng)
        kernels = [
            (event.time_range.start, event.time_range.end)
            for event in recorded.events()
            if event.device_type.name == "CUDA" and not event.name.startswith(("Memcpy", "Memset"))
        ]
        shares.append(busy(kernels))
    return shares


def busy(spans: Sequence[tuple[float, float]]) -> float:
    """Return which share of the time from the first begin to the last end lies within some span.

    Examples
    --------
    >>> busy([(0, 2), (1, 3), (5, 10)])
    0.8
    """
    covered, reached = 0.0, -np.inf
    for begin, end in sorted(spans):
        covered += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return float(covered / (reached - min(begin for begin, _ in spans)))
