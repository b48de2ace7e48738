"""How soon 99 % of MNIST's test digits are told right; see `benchmarks.time_to_accuracy`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from numpy.random import Generator

from benchmarks.results import Results
from benchmarks.suite import Settings
from benchmarks.time_to_accuracy import GRAPHS, Task
from benchmarks.time_to_accuracy import measure as measure_task
from npnet import nn
from npnet.data import ArrayDataset, Splits, mnist
from npnet.experiments import Setup
from npnet.recipes.mnist_fast import normalized_lenet, one_cycle, recipe
from ptref.execution import Execution

MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels of the training digits, in 0 … 1
WARM_UP = 0.4  # the recipe's
(SETUP,) = recipe.setups


def without_batch_norm(generator: Generator) -> nn.Sequential:
    """Return the network of the recipe with the same weights and no batch norm."""
    layers = normalized_lenet(generator).children.values()
    return nn.Sequential(*(each for each in layers if not isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d)))


def at_peak(peak: float, batch_size: int = SETUP.batch_size) -> Setup:
    """Return the recipe's setup with another highest learning rate."""
    return replace(SETUP, batch_size=batch_size, schedule=one_cycle(peak, WARM_UP))


CHOICES = {
    "without graphs": (SETUP, Execution()),
    "without batch norm, peak 0.1": (replace(at_peak(0.1), model=without_batch_norm), GRAPHS),
    "without smoothed labels": (replace(SETUP, loss=SETUP.loss.but(label_smoothing=0.0)), GRAPHS),
    "learning rate 0.1 throughout": (
        replace(SETUP, schedule=None, optimizer=SETUP.optimizer.but(lr=0.1)),
        GRAPHS,
    ),
    "without Nesterov's look ahead": (replace(SETUP, optimizer=SETUP.optimizer.but(nesterov=False)), GRAPHS),
    "batch 64, peak 0.3": (at_peak(0.3, 64), GRAPHS),
    "batch 512, peak 0.8": (at_peak(0.8, 512), GRAPHS),
    "two epochs": (replace(SETUP, epochs=2), GRAPHS),
    "bf16": (SETUP, Execution(graphs=True, amp="bf16")),
    "TF32": (SETUP, Execution(graphs=True, tf32=True)),
}


def digits(folder: Path | None) -> Splits[ArrayDataset]:
    """Return MNIST."""
    return mnist(folder)


TASK = Task("mnist-fast", 0.99, digits, (MEAN,), (DEVIATION,), SETUP, CHOICES, gpu_seeds=40, cpu_seeds=30)


def measure(settings: Settings) -> Results:
    """Train with every seed, on the CPU with both engines and on the GPU where there is one."""
    return measure_task(TASK, settings)
