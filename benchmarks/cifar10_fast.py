"""How soon 65 % of CIFAR-10's test images are told right; see `benchmarks.time_to_accuracy`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.random import Generator

from benchmarks import mnist_fast
from benchmarks.results import Results
from benchmarks.suite import Settings
from benchmarks.time_to_accuracy import Task
from benchmarks.time_to_accuracy import measure as measure_task
from npnet import nn
from npnet.data import ArrayDataset, Splits, cifar10
from npnet.recipes.mnist_fast import one_cycle
from ptref.execution import Execution

MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the training images' pixels


def three_convolutions(generator: Generator) -> nn.Sequential:
    """Return the network with weights drawn at random: (n, 3, 32, 32) → (n, 10).

    Three 3×3 convolutions, each pooled and normalised.
    """
    made: dict[str, Any] = {"generator": generator}
    layers: list[nn.Layer] = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, **made), nn.MaxPool2d(2)]
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10, **made))


# Chosen by the accuracy on the last 5 000 training images of networks that had learnt from the first 45 000.
SETUP = replace(
    mnist_fast.SETUP,
    model=three_convolutions,
    input_shape=(3, 32, 32),
    batch_size=128,
    schedule=one_cycle(peak=0.3, warm_up=0.3),
)


def images(folder: Path | None) -> Splits[ArrayDataset]:
    """Return CIFAR-10."""
    return cifar10(folder)


CHOICES = {
    "without graphs": (SETUP, Execution()),
    "bf16, channels-last": (SETUP, Execution(graphs=True, amp="bf16", channels_last=True)),
    "TF32": (SETUP, Execution(graphs=True, tf32=True)),
}
TASK = Task("cifar10-fast", 0.65, images, MEAN, DEVIATION, SETUP, CHOICES, gpu_seeds=40, cpu_seeds=5)


def measure(settings: Settings) -> Results:
    """Train with every seed, on the CPU with both engines and on the GPU where there is one."""
    return measure_task(TASK, settings)
