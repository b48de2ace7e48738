"""The time to train LeNet-5 to 98.5 % accuracy on MNIST, with a fixed schedule.

The test part is evaluated once, after training. The time is that of the whole training, including shuffling.
The accuracies of all seeds are reported before the times, to show that the schedule reaches the goal. Both
engines start from the same weights and train on the same minibatches.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy import ndarray

from benchmarks.contenders import EAGER, NPNET
from benchmarks.environment import threads_of_all
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, with_progress
from npnet import models, nn, optim, parallel
from npnet.data import ArrayDataset, minibatches, mnist
from npnet.errors import MissingError
from ptref.convert import to_torch

REACH = 0.985
EPOCHS, BATCH, LR, MOMENTUM = 3, 64, 0.05, 0.9
DECAY = 0.3  # factor of the learning rate after each epoch
SEEDS = range(5)

# A function that trains for one epoch at a learning rate, and one that returns the outputs for images.
Learner = tuple[Callable[[ArrayDataset, np.random.Generator, float], None], Callable[[ndarray], ndarray]]


def measure(settings: Settings) -> Results:
    """Train both engines with every seed."""
    results = settings.results("accuracy")
    try:
        digits = mnist(settings.data)
    except MissingError as error:
        results.notes.append(f"accuracy: not measured, {error}")
        return results
    seconds: dict[str, list[float]] = {NPNET: [], EAGER: []}
    accuracies: dict[str, list[float]] = {NPNET: [], EAGER: []}
    train, test = digits.train, digits.test
    assert test is not None
    if settings.quick:
        train, test = ArrayDataset(train.x[:640], train.y[:640]), ArrayDataset(test.x[:500], test.y[:500])
    with threads_of_all(settings.threads), parallel.Step(settings.threads) as step:
        for seed in with_progress("accuracy: seed", settings.some(SEEDS, 1)):
            engines = {NPNET: _npnet(seed, step), EAGER: _torch(seed)}
            for name in sorted(engines, reverse=bool(seed % 2)):
                learn, predict = engines[name]
                generator = np.random.default_rng(seed)
                begin = time.perf_counter()
                for epoch in range(1 if settings.quick else EPOCHS):
                    learn(train, generator, LR * DECAY**epoch)
                seconds[name].append(time.perf_counter() - begin)
                accuracies[name].append(_accuracy(predict, test))
    schedule = f"{EPOCHS} epochs, batch {BATCH}, SGD momentum {MOMENTUM}, lr {LR} × {DECAY} each epoch"
    about = {"work": "LeNet-5 on MNIST", "schedule": schedule}
    results.records.append(Record({**about, "reach": REACH}, accuracies, unit="accuracy"))
    results.records.append(Record(about, seconds, at_most=1.0))
    return results


def _npnet(seed: int, step: parallel.Step) -> Learner:
    model = models.lenet5(generator=np.random.default_rng(seed))
    loss, optimizer = nn.CrossEntropyLoss(), optim.SGD(model.parameters, lr=LR, momentum=MOMENTUM)

    def learn(train: ArrayDataset, generator: np.random.Generator, lr: float) -> None:
        optimizer.lr = lr
        for x, target in minibatches(train, BATCH, generator):
            optimizer.step(step(model, loss, x, target, generator)[2])

    return learn, lambda x: step.predict(model, x)


def _torch(seed: int) -> Learner:
    module = to_torch(models.lenet5(generator=np.random.default_rng(seed)))
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=MOMENTUM)

    def learn(train: ArrayDataset, generator: np.random.Generator, lr: float) -> None:
        optimizer.param_groups[0]["lr"] = lr
        for x, target in minibatches(train, BATCH, generator):
            optimizer.zero_grad(set_to_none=True)
            loss(module(torch.from_numpy(x)), torch.from_numpy(target)).backward()
            optimizer.step()

    def predict(x: ndarray) -> ndarray:
        with torch.inference_mode():
            outputs: ndarray = module(torch.from_numpy(x)).numpy()
            return outputs

    return learn, predict


def _accuracy(predict: Callable[[ndarray], ndarray], test: ArrayDataset) -> float:
    correct = [predict(x).argmax(axis=1) == target for x, target in minibatches(test, 500)]
    return float(np.concatenate(correct).mean())
