"""How soon 99 % of MNIST's test digits are told right, by a network and a schedule fixed beforehand.

The clock starts with the published bytes in the host's memory and stops when the weights are learnt. Sending,
standardising, drawing weights and shuffling are in it, and it is never paused. Before it starts, on the GPU,
one training has gone by that is thrown away: libraries are loaded then, and the step is recorded. The test
digits are judged once, after the clock has stopped. Seeds are 0, 1, 2, … and none is left out. Whether their
mean is above 99 % is asked of Student's t-test.

What each choice in the setting gains is measured by leaving it out, on the GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from benchmarks.contenders import CUDA, EAGER, NPNET
from benchmarks.environment import threads_of_all
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, tell
from npnet import nn, optim, parallel
from npnet.data import ArrayDataset, minibatches, mnist
from npnet.errors import MissingError
from npnet.recipes.common.mnist_fast import DEVIATION, MEAN, Setting, standardized
from ptref.convert import to_torch
from ptref.device_data import DeviceData
from ptref.device_fit import Training, judge, sgd
from ptref.execution import Execution

REACH = 0.99
ON_THE_GPU, ON_THE_CPU, OF_A_CHOICE = 40, 10, 30  # seeds
AS_IT_IS = "as it is"
GRAPHS = Execution(graphs=True)
THROWN_AWAY = 2**32  # the seed of the training before the clock starts
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

Learner = Callable[[int], tuple[float, float]]  # learns with a seed; how many seconds, how accurate


class Bytes(NamedTuple):
    """Digits as published."""

    pixels: ndarray
    labels: ndarray

    def first(self, n: int) -> Bytes:
        """Return some of them."""
        return Bytes(self.pixels[:n], self.labels[:n])


def measure(settings: Settings) -> Results:
    """Train with every seed, on the CPU with both engines and on the GPU where there is one."""
    results = settings.results("mnist-fast")
    try:
        digits = mnist(settings.data)
    except MissingError as error:
        results.notes.append(f"mnist-fast: not measured, {error}")
        return results
    assert digits.test is not None
    train, test = (
        Bytes((part.x * 255).round().astype(np.uint8), part.y) for part in (digits.train, digits.test)
    )
    if settings.quick:
        train, test = train.first(1000), test.first(500)
    follow = partial(_follow, results, settings, time.monotonic() + (settings.seconds or float("inf")))

    cuda = torch.cuda.is_available()
    choices = settings.some(list(CHOICES.items()), 2) if cuda else []
    learners = {
        choice: partial(on_torch, train, test, torch.device("cuda"), way, setting)
        for choice, (setting, way) in [(AS_IT_IS, (Setting(), GRAPHS)), *choices]
    }
    if cuda:
        follow(AS_IT_IS, CUDA, learners.pop(AS_IT_IS), ON_THE_GPU)
    else:
        results.notes.append(
            f"mnist-fast: PyTorch {torch.__version__} finds no GPU; measured on the CPU alone"
        )
    with threads_of_all(settings.threads), parallel.Step(settings.threads) as step:
        follow(AS_IT_IS, NPNET, lambda: partial(on_npnet, train, test, step, Setting()), ON_THE_CPU)
        cpu = partial(on_torch, train, test, torch.device("cpu"), Execution(), Setting())
        follow(AS_IT_IS, EAGER, cpu, ON_THE_CPU)
    if cuda:
        for choice, learner in learners.items():
            follow(choice, CUDA, learner, OF_A_CHOICE)
    return results


def _follow(
    results: Results,
    settings: Settings,
    deadline: float,
    choice: str,
    engine: str,
    learner: Callable[[], Learner],
    seeds: int,
) -> None:
    """Learn with all seeds, as far as there is time, and write down how long it took and what came out."""
    seconds, accuracies = [], []
    tell(f"mnist-fast: {engine}, {choice}")
    learn = learner()
    for seed in range(2 if settings.quick else seeds):
        if time.monotonic() > deadline:
            results.notes.append(f"{engine}, {choice}: no time was left after {seed} of {seeds} seeds")
            break
        spent, accuracy = learn(seed)
        seconds.append(spent)
        accuracies.append(accuracy)
    if len(seconds) > 1:
        about = {"choice": choice, "reach": REACH}
        results.records.append(Record({**about, "what": "accuracy"}, {engine: accuracies}, unit="accuracy"))
        results.records.append(Record({**about, "what": "time"}, {engine: seconds}))
        results.notes.append(f"{engine}, {choice}: {verdict(accuracies)}")


def verdict(accuracies: list[float]) -> str:
    """Say how sure it is that the mean is above what was to be reached.

    Examples
    --------
    >>> verdict([0.992, 0.991, 0.993])
    'mean 99.200 % of 3 seeds; above 99 % with p = 0.037'
    """
    from scipy.stats import ttest_1samp  # noqa: PLC0415 - takes a second to load

    said = f"mean {100 * float(np.mean(accuracies)):.3f} % of {len(accuracies)} seeds"
    if max(accuracies) == min(accuracies):
        return f"{said}, all alike"
    p = ttest_1samp(accuracies, REACH, alternative="greater").pvalue
    return f"{said}; above {100 * REACH:g} % with p = {p:.2g}"


# ---- PyTorch -------------------------------------------------------------------------------------------


def on_torch(train: Bytes, test: Bytes, device: torch.device, way: Execution, setting: Setting) -> Learner:
    """Return what learns on a device; where steps are recorded they are by then."""
    data = DeviceData(*train, device, prepared=prepared, resident=True)
    judged = DeviceData(*test, device, prepared=prepared, resident=True)
    module = to_torch(setting.network(np.random.default_rng(0))).to(device)
    training = Training(
        module,
        torch.nn.CrossEntropyLoss(label_smoothing=setting.label_smoothing),
        sgd(module, momentum=setting.momentum, nesterov=setting.nesterov),
        data,
        batch_size=setting.batch_size,
        epochs=setting.epochs,
        rate=setting.learning_rate,
        execution=way,
    )

    def learn(seed: int) -> tuple[float, float]:
        begin = time.perf_counter()
        data.send()
        rng = np.random.default_rng(seed)
        training.restart(to_torch(setting.network(rng)).state_dict())
        training.run(rng)
        seconds = time.perf_counter() - begin
        return seconds, judge(module, judged, execution=way).accuracy

    if device.type == "cuda":
        learn(THROWN_AWAY)
    return learn


def prepared(pixels: Tensor) -> Tensor:
    """Return bytes as the network takes them; see `npnet.recipes.common.mnist_fast.standardized`."""
    return (pixels.float() / 255 - MEAN) / DEVIATION


# ---- npnet ---------------------------------------------------------------------------------------------


def on_npnet(
    train: Bytes, test: Bytes, step: parallel.Step, setting: Setting, seed: int
) -> tuple[float, float]:
    """Learn with a seed and return seconds and accuracy."""
    begin = time.perf_counter()
    rng = np.random.default_rng(seed)
    data = ArrayDataset(_floats(train.pixels), train.labels)
    model = setting.network(rng)
    loss = nn.CrossEntropyLoss(label_smoothing=setting.label_smoothing)
    optimizer = optim.SGD(
        model.parameters, lr=setting.peak, momentum=setting.momentum, nesterov=setting.nesterov
    )
    steps, number = setting.epochs * -(-len(data) // setting.batch_size), 0
    for _ in range(setting.epochs):
        for x, target in minibatches(data, setting.batch_size, rng):
            optimizer.lr = setting.learning_rate(number, steps)
            optimizer.step(step(model, loss, x, target, rng)[2])
            number += 1
    seconds = time.perf_counter() - begin
    right = [
        step.predict(model, x).argmax(axis=1) == target
        for x, target in minibatches(ArrayDataset(_floats(test.pixels), test.labels), 500)
    ]
    return seconds, float(np.concatenate(right).mean())


def _floats(pixels: ndarray) -> ndarray:
    return standardized(pixels.astype(np.float32) / np.float32(255))
