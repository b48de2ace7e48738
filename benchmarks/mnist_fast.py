"""How soon 99 % of MNIST's test digits are told right; see `benchmarks.time_to_accuracy`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results import Results
from benchmarks.suite import Settings
from benchmarks.time_to_accuracy import GRAPHS, Task
from benchmarks.time_to_accuracy import measure as measure_task
from npnet.data import ArrayDataset, Splits, mnist
from npnet.recipes.common.mnist_fast import DEVIATION, MEAN, Setting
from ptref.execution import Execution

CHOICES = {
    "without graphs": (Setting(), Execution()),
    "without batch norm, peak 0.1": (Setting(batch_norm=False, peak=0.1), GRAPHS),
    "without smoothed labels": (Setting(label_smoothing=0.0), GRAPHS),
    "learning rate 0.1 throughout": (Setting(decays=False, peak=0.1), GRAPHS),
    "without Nesterov's look ahead": (Setting(nesterov=False), GRAPHS),
    "batch 64, peak 0.3": (Setting(batch_size=64, peak=0.3), GRAPHS),
    "batch 512, peak 0.8": (Setting(batch_size=512, peak=0.8), GRAPHS),
    "two epochs": (Setting(epochs=2), GRAPHS),
    "bf16": (Setting(), Execution(graphs=True, amp="bf16")),
    "TF32": (Setting(), Execution(graphs=True, tf32=True)),
}


def digits(folder: Path | None) -> Splits[ArrayDataset]:
    """Return MNIST."""
    return mnist(folder)


TASK = Task("mnist-fast", 0.99, digits, (MEAN,), (DEVIATION,), Setting(), CHOICES, gpu_seeds=40, cpu_seeds=30)


def measure(settings: Settings) -> Results:
    """Train with every seed, on the CPU with both engines and on the GPU where there is one."""
    return measure_task(TASK, settings)
