"""The time to learn MNIST to 98.5 and 99 %, and CIFAR-10 to 65 %, each with a schedule fixed beforehand.

Three learn: npnet, PyTorch with the arrays that npnet has, and PyTorch as its tutorials have a student write
it, with torchvision's data set, a DataLoader and a loop over its minibatches. All start from equal weights;
npnet and PyTorch with arrays see the same minibatches.

The clock starts with the images in memory, as floats for the first two, as bytes for the student, and stops
when the weights are learnt; standardising and shuffling are in it. The test part is judged once, after the
clock has stopped. Accuracies of all seeds are reported before the times, to show that the schedule reaches
the goal. Schedules were chosen by accuracy on the last 10 000 training images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor
from torchvision.transforms import Compose, Normalize, ToTensor

from benchmarks import cifar10_fast, mnist_fast
from benchmarks.contenders import EAGER, NPNET
from benchmarks.environment import threads_of_all
from benchmarks.report import STUDENT
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, with_progress
from npnet import models, nn, optim, parallel
from npnet.data import ArrayDataset, Splits, cifar10, minibatches, mnist
from npnet.errors import MissingError
from npnet.recipes.mnist_fast import normalized_lenet
from ptref.convert import to_torch

MOMENTUM = 0.9
OF_STUDENT = 0.5  # npnet's time over the student's, at most

Predict = Callable[[ndarray], ndarray]
Learn = Callable[[nn.Sequential, Generator], Predict]


@dataclass(frozen=True)
class Goal:
    """What is to be learnt, how well, and by which schedule.

    Parameters
    ----------
    name : str
    reach : float in 0…1
        The accuracy.
    images : callable
        Takes the data folder and gives the data, pixels in 0…1.
    dataset : type
        torchvision's.
    mean, deviation : tuple of float
        Of the channels of the training images.
    network : callable
        Takes a generator and gives a network of npnet.
    epochs, batch : int
    lr, decay : float
        The learning rate, and its factor after each epoch.
    seeds : int
    """

    name: str
    reach: float
    images: Callable[[Path | None], Splits[ArrayDataset]]
    dataset: type[Any]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    network: Callable[[Generator], nn.Sequential]
    epochs: int
    batch: int
    lr: float
    decay: float
    seeds: int

    def __str__(self) -> str:
        return self.name

    @property
    def schedule(self) -> str:
        """As the table has it."""
        return (
            f"{self.epochs} epochs, batch {self.batch}, SGD momentum {MOMENTUM}, "
            f"lr {self.lr} × {self.decay} each epoch"
        )

    def standardized(self, x: ndarray) -> ndarray:
        """Return pixels of mean 0 and deviation 1: (n, c, h, w)."""
        mean, deviation = (np.array(of, np.float32)[:, None, None] for of in (self.mean, self.deviation))
        scaled: ndarray = (x - mean) / deviation
        return scaled

    def rates(self) -> Iterator[float]:
        """Yield the learning rate of each epoch."""
        return (self.lr * self.decay**epoch for epoch in range(self.epochs))


def _lenet5(generator: Generator) -> nn.Sequential:
    return models.lenet5(generator=generator)


_digits = (mnist, torchvision.datasets.MNIST, (mnist_fast.MEAN,), (mnist_fast.DEVIATION,))
_photographs = (
    cifar10,
    torchvision.datasets.CIFAR10,
    cifar10_fast.MEAN,
    cifar10_fast.DEVIATION,
    cifar10_fast.three_convolutions,
)
GOALS = (
    Goal("MNIST to 98.5 %", 0.985, *_digits, _lenet5, epochs=2, batch=64, lr=0.05, decay=0.2, seeds=3),
    Goal("MNIST to 99 %", 0.99, *_digits, normalized_lenet, epochs=3, batch=64, lr=0.1, decay=0.2, seeds=3),
    Goal("CIFAR-10 to 65 %", 0.65, *_photographs, epochs=2, batch=64, lr=0.05, decay=0.2, seeds=3),
)


def measure(settings: Settings) -> Results:
    """Learn towards every goal with every seed."""
    results = settings.results("accuracy")
    for goal in with_progress("accuracy", settings.some(GOALS, 1)):
        try:
            splits = goal.images(settings.data)
        except MissingError as error:
            results.notes.append(f"{goal.name}: not measured, {error}")
            continue
        results.records.extend(_records(goal, splits, settings))
    return results


def _records(goal: Goal, splits: Splits[ArrayDataset], settings: Settings) -> Iterator[Record]:
    """Yield what was reached, and how long it took."""
    train, test = splits.train, splits.test
    assert test is not None
    if settings.quick:
        train, test = ArrayDataset(train.x[:640], train.y[:640]), ArrayDataset(test.x[:500], test.y[:500])
    test = ArrayDataset(goal.standardized(test.x), test.y)
    with threads_of_all(settings.threads), parallel.Step(settings.threads) as step:
        learners: dict[str, Learn] = {
            NPNET: lambda model, order: _npnet(goal, train, model, order, step),
            EAGER: lambda model, order: _torch(goal, train, model, order),
            STUDENT: _student(goal, train),
        }
        seconds: dict[str, list[float]] = {name: [] for name in learners}
        accuracies: dict[str, list[float]] = {name: [] for name in learners}
        for seed in with_progress(f"accuracy: {goal.name}, seed", settings.some(range(goal.seeds), 1)):
            for name in sorted(learners, reverse=bool(seed % 2)):
                model, order = goal.network(np.random.default_rng(seed)), np.random.default_rng(seed)
                began = time.perf_counter()
                predict = learners[name](model, order)
                seconds[name].append(time.perf_counter() - began)
                accuracies[name].append(_accuracy(predict, test))
    about = {"work": goal.name, "schedule": goal.schedule}
    yield Record({**about, "reach": goal.reach}, accuracies, unit="accuracy")
    yield Record(about, seconds, at_most=1.0, peers_at_most={STUDENT: OF_STUDENT})


def _npnet(
    goal: Goal, train: ArrayDataset, model: nn.Sequential, order: Generator, step: parallel.Step
) -> Predict:
    loss, optimizer = nn.CrossEntropyLoss(), optim.SGD(model.parameters, lr=goal.lr, momentum=MOMENTUM)
    data = ArrayDataset(goal.standardized(train.x), train.y)
    for rate in goal.rates():
        optimizer.lr = rate
        for x, target in minibatches(data, goal.batch, order):
            optimizer.step(step(model, loss, x, target, order)[2])
    return lambda x: step.predict(model, x)


def _torch(goal: Goal, train: ArrayDataset, model: nn.Sequential, order: Generator) -> Predict:
    module = to_torch(model)
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(module.parameters(), lr=goal.lr, momentum=MOMENTUM)
    data = ArrayDataset(goal.standardized(train.x), train.y)
    for rate in goal.rates():
        optimizer.param_groups[0]["lr"] = rate
        for x, target in minibatches(data, goal.batch, order):
            optimizer.zero_grad(set_to_none=True)
            loss(module(torch.from_numpy(x)), torch.from_numpy(target)).backward()
            optimizer.step()
    return _predicts(module)


def _student(goal: Goal, train: ArrayDataset) -> Learn:
    """Return a learner as the tutorials write it."""
    transform = Compose([ToTensor(), Normalize(goal.mean, goal.deviation)])
    data = _torchvision(goal, train, transform)

    def learn(model: nn.Sequential, order: Generator) -> Predict:
        torch.manual_seed(int(order.integers(2**31)))
        loader = torch.utils.data.DataLoader(data, batch_size=goal.batch, shuffle=True)
        module = to_torch(model)
        loss = torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(module.parameters(), lr=goal.lr, momentum=MOMENTUM)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, goal.decay)
        for _ in range(goal.epochs):
            for x, target in loader:
                optimizer.zero_grad()
                loss(module(x), target).backward()
                optimizer.step()
            scheduler.step()
        return _predicts(module)

    return learn


def _torchvision(goal: Goal, train: ArrayDataset, transform: Callable[[Any], Tensor]) -> Any:
    """Return torchvision's data set of images that are already in memory, as bytes."""
    data: Any = object.__new__(goal.dataset)  # its __init__ reads files
    pixels = np.round(train.x * 255).astype(np.uint8)
    grey = pixels.shape[1] == 1
    data.data = torch.from_numpy(pixels[:, 0]) if grey else np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    data.targets = torch.from_numpy(train.y) if grey else train.y.tolist()
    data.transform, data.target_transform = transform, None
    return data


def _predicts(module: torch.nn.Module) -> Predict:
    module.eval()

    def predict(x: ndarray) -> ndarray:
        with torch.inference_mode():
            outputs: ndarray = module(torch.from_numpy(x)).numpy()
            return outputs

    return predict


def _accuracy(predict: Predict, test: ArrayDataset) -> float:
    correct = [predict(x).argmax(axis=1) == target for x, target in minibatches(test, 500)]
    return float(np.concatenate(correct).mean())
