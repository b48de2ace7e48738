"""The peak memory of a training step, each engine in its own process.

The parent starts ``python -m benchmarks.memory ENGINE WORK THREADS``. The child makes a step on two samples,
so that all code is loaded, and reads its memory. Then it makes a few full steps, and prints by how many bytes
its peak exceeds the first reading. The operating system counts the memory, as both engines allocate outside
Python's allocator. Only Linux keeps this count.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.contenders import CHANNELS_LAST, EAGER, NPNET, of_work
from benchmarks.environment import threads_of_all
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, tell
from benchmarks.works import WORKS, Work
from npnet import nn
from npnet.errors import InputError

STATUS = Path("/proc/self/status")
CONVOLUTIONS = [
    i
    for i, work in enumerate(WORKS)
    if any(isinstance(layer, nn.Conv2d) for _, layer in work.build(np.random.default_rng(0)).named_layers())
]


def measure(settings: Settings) -> Results:
    """Measure every model with convolutions, as their activations take most of the memory."""
    results = settings.results("memory")
    if not STATUS.exists():
        results.notes.append("memory: not measured, only Linux counts a process's peak memory")
        return results
    for i in settings.some(CONVOLUTIONS, 1):
        tell(f"memory: {WORKS[i]}")
        samples = {
            engine: [_peak(engine, i, settings.threads) for _ in range(1 if settings.quick else 5)]
            for engine in (NPNET, EAGER, CHANNELS_LAST)
        }
        results.records.append(Record({"work": str(WORKS[i])}, samples, unit="byte", at_most=1.0))
    return results


def _peak(engine: str, work: int, threads: int) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", engine, str(work), str(threads)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - this module
    if done.returncode:
        raise InputError(f"memory: a process for {engine} failed:\n{done.stderr}")
    return float(done.stdout)


def main(engine: str, index: int, threads: int) -> None:
    """Run one engine and print its peak memory in bytes."""
    work = WORKS[index]
    with threads_of_all(threads):
        _run(replace(work, batch=2), engine, threads, steps=1)
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
        _run(work, engine, threads, steps=5)
        print(_memory("VmHWM") - before)


def _run(work: Work, engine: str, threads: int, *, steps: int) -> None:
    with of_work(work, threads, training=True, engines=(engine,)) as contenders:
        contenders[0].measure(steps)


def _memory(name: str) -> int:
    """Return a value of the process's status in bytes."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
