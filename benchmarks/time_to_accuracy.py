"""How soon a network tells enough of the test images right, with a setting fixed beforehand.

The clock starts with the published bytes in the host's memory and stops when the weights are learnt. Sending,
standardising, drawing weights and shuffling are in it, and it is never paused. Before it starts, on the GPU,
one training has gone by that is thrown away: libraries are loaded then, and the step is recorded. The test
images are judged once, after the clock has stopped. Seeds are 0, 1, 2, … and none is left out. Whether their
mean is above what was to be reached is asked of Student's t-test.

What each choice in the setting gains is measured by leaving it out, on the GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from benchmarks.contenders import CUDA, EAGER, NPNET
from benchmarks.environment import threads_of_all
from benchmarks.results import NO_TIME, Record, Results
from benchmarks.suite import Settings, tell
from npnet import nn, optim, parallel
from npnet.data import ArrayDataset, Splits, minibatches
from npnet.errors import MissingError
from npnet.experiments import Setup
from ptref.convert import to_torch
from ptref.device_data import DeviceData
from ptref.device_fit import Training, judge, sgd
from ptref.execution import Execution

OF_A_CHOICE = 30  # seeds
AS_IT_IS = "as it is"
ACCURACY, TIME = "accuracy", "time"  # what records are about
GRAPHS = Execution(graphs=True)
THROWN_AWAY = 2**32  # the seed of the training before the clock starts

Learner = Callable[[int], tuple[float, float]]  # learns with a seed; how many seconds, how accurate


class Bytes(NamedTuple):
    """Images as published."""

    pixels: ndarray
    labels: ndarray

    def first(self, n: int) -> Bytes:
        """Return some of them."""
        return Bytes(self.pixels[:n], self.labels[:n])


@dataclass(frozen=True)
class Task:
    """What is to be learnt, by what, and how well.

    Parameters
    ----------
    suite : str
        The name of its results.
    reach : float in 0…1
        The accuracy to be reached.
    splits : callable
        Takes the data folder and gives the data, pixels in 0…1.
    mean, deviation : sequence of float
        Of the channels of the training images' pixels in 0…1.
    setup : Setup
        Network, loss, optimizer and schedule, the same as of the recipe where there is one; what its data is
        made of counts nothing here.
    choices : mapping from names to (Setup, Execution)
        What else is tried on the GPU.
    gpu_seeds, cpu_seeds : int
    """

    suite: str
    reach: float
    splits: Callable[[Path | None], Splits[ArrayDataset]]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    setup: Setup
    choices: Mapping[str, tuple[Setup, Execution]]
    gpu_seeds: int
    cpu_seeds: int

    def standardized(self, pixels: ndarray) -> ndarray:
        """Return pixels in 0 … 1 with mean 0 and deviation 1 in each channel."""
        mean, deviation = (np.array(of, np.float32)[:, None, None] for of in (self.mean, self.deviation))
        scaled: ndarray = (pixels - mean) / deviation
        return scaled

    def prepared(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """Return what turns bytes on the device into what the network takes."""
        mean, deviation = (
            torch.tensor(of, device=device)[:, None, None] for of in (self.mean, self.deviation)
        )
        return lambda pixels: (pixels.float() / 255 - mean) / deviation


def measure(task: Task, settings: Settings) -> Results:
    """Train with every seed, on the CPU with both engines and on the GPU where there is one."""
    results = settings.results(task.suite)
    try:
        splits = task.splits(settings.data)
    except MissingError as error:
        results.notes.append(f"{task.suite}: not measured, {error}")
        return results
    assert splits.test is not None
    train, test = (
        Bytes((part.x * 255).round().astype(np.uint8), part.y) for part in (splits.train, splits.test)
    )
    if settings.quick:
        train, test = train.first(1000), test.first(500)
    seen = _Seen(results, task, settings, time.monotonic() + (settings.seconds or float("inf")))

    if torch.cuda.is_available():
        cuda = partial(on_torch, task, train, test, torch.device("cuda"))
        seen.follow(AS_IT_IS, CUDA, partial(cuda, GRAPHS, task.setup), task.gpu_seeds)
        for choice, (setup, way) in settings.some(list(task.choices.items()), 2):
            seen.follow(choice, CUDA, partial(cuda, way, setup), OF_A_CHOICE)
    else:
        results.note(f"{task.suite}: PyTorch {torch.__version__} finds no GPU; measured on the CPU alone")
    with threads_of_all(settings.threads), parallel.Step(settings.threads) as step:
        seen.follow(AS_IT_IS, NPNET, lambda: partial(on_npnet, task, train, test, step), task.cpu_seeds)
        cpu = partial(on_torch, task, train, test, torch.device("cpu"), Execution(), task.setup)
        seen.follow(AS_IT_IS, EAGER, cpu, task.cpu_seeds)
    return results


@dataclass(frozen=True)
class _Seen:
    """Results, and what bounds them."""

    results: Results
    task: Task
    settings: Settings
    deadline: float

    def follow(self, choice: str, engine: str, learner: Callable[[], Learner], seeds: int) -> None:
        """Learn with all seeds, as far as there is time, and write down how long it took and how well.

        Seeds that were learnt with before are not learnt with again.
        """
        seeds = 2 if self.settings.quick else seeds
        seconds, accuracies = (self._earlier(choice, engine, what) for what in (TIME, ACCURACY))
        if len(seconds) >= seeds:
            return
        tell(f"{self.task.suite}: {engine}, {choice}")
        learn = learner() if self._is_time() else None
        while learn is not None and len(seconds) < seeds and self._is_time():
            spent, accuracy = learn(len(seconds))
            seconds.append(spent)
            accuracies.append(accuracy)
            self._write(choice, engine, seconds, accuracies, seeds)
            self.settings.keep(self.results)
        self._write(choice, engine, seconds, accuracies, seeds)

    def _is_time(self) -> bool:
        return time.monotonic() < self.deadline

    def _earlier(self, choice: str, engine: str, what: str) -> list[float]:
        """Return what was measured earlier, one number for each seed."""
        found = [each for each in self._records(choice, engine) if each.has(what=what)]
        return [value for record in found for value in record.samples[engine]]

    def _records(self, choice: str, engine: str) -> list[Record]:
        return [each for each in self.results.records if each.has(choice=choice) and engine in each.samples]

    def _write(
        self, choice: str, engine: str, seconds: list[float], accuracies: list[float], seeds: int
    ) -> None:
        """Write down everything of a choice, in place of what stood there."""
        records, notes, reach = self.results.records, self.results.notes, self.task.reach
        about, said = {"choice": choice, "reach": reach}, f"{engine}, {choice}: "
        earlier = self._records(choice, engine)
        records[:] = [record for record in records if record not in earlier]
        notes[:] = [note for note in notes if not note.startswith(said)]
        if len(seconds) < seeds:
            notes.append(f"{said}{NO_TIME} after {len(seconds)} of {seeds} seeds")
        if len(seconds) < 2:
            return
        records.append(Record({**about, "what": ACCURACY}, {engine: accuracies}, unit="accuracy"))
        records.append(Record({**about, "what": TIME}, {engine: seconds}))
        notes.append(f"{said}{verdict(accuracies, reach)}")


def verdict(accuracies: list[float], reach: float) -> str:
    """Say how sure it is that the mean is above what was to be reached.

    Examples
    --------
    >>> verdict([0.992, 0.991, 0.993], 0.99)
    'mean 99.200 % of 3 seeds; above 99 % with p = 0.037'
    """
    from scipy.stats import ttest_1samp  # noqa: PLC0415 - takes a second to load

    said = f"mean {100 * float(np.mean(accuracies)):.3f} % of {len(accuracies)} seeds"
    if max(accuracies) == min(accuracies):
        return f"{said}, all alike"
    p = ttest_1samp(accuracies, reach, alternative="greater").pvalue
    return f"{said}; above {100 * reach:g} % with p = {p:.2g}"


# ---- the schedule --------------------------------------------------------------------------------------


def steps_of(setup: Setup, samples: int) -> int:
    """Return how many steps there are in all."""
    return setup.epochs * -(-samples // setup.batch_size)


def scheduled(setup: Setup, optimizer: optim.Optimizer, samples: int) -> optim.Schedule:
    """Return the schedule that moves an optimizer at every step; a rate that stays is one too."""
    if setup.schedule is None:
        return optim.ExponentialLR(optimizer, gamma=1.0)
    made: optim.Schedule = setup.schedule(steps_of(setup, samples)).make(optim, optimizer)
    return made


def learning_rates(setup: Setup, samples: int) -> list[float]:
    """Return the learning rate of every step."""
    optimizer, rates = setup.optimizer.make(optim, {"weight": np.zeros(1)}), []
    schedule = scheduled(setup, optimizer, samples)
    for _ in range(steps_of(setup, samples)):
        rates.append(optimizer.lr)
        schedule.step()
    return rates


# ---- PyTorch -------------------------------------------------------------------------------------------


def on_torch(
    task: Task, train: Bytes, test: Bytes, device: torch.device, way: Execution, setup: Setup
) -> Learner:
    """Return what learns on a device; where steps are recorded they are by then."""
    prepared = task.prepared(device)
    data = DeviceData(*train, device, prepared=prepared, resident=True)
    judged = DeviceData(*test, device, prepared=prepared, resident=True)
    module = to_torch(setup.model(np.random.default_rng(0))).to(device)
    rates = learning_rates(setup, len(train.labels))
    training = Training(
        module,
        setup.loss.make(torch.nn),
        sgd(module, **setup.optimizer.settings),
        data,
        batch_size=setup.batch_size,
        epochs=setup.epochs,
        rate=lambda step, _: rates[step],
        execution=way,
    )

    def learn(seed: int) -> tuple[float, float]:
        begin = time.perf_counter()
        data.send()
        rng = np.random.default_rng(seed)
        training.restart(to_torch(setup.model(rng)).state_dict())
        training.run(rng)
        seconds = time.perf_counter() - begin
        return seconds, judge(module, judged, execution=way).accuracy

    if device.type == "cuda":
        learn(THROWN_AWAY)
    return learn


# ---- npnet ---------------------------------------------------------------------------------------------


def on_npnet(task: Task, train: Bytes, test: Bytes, step: parallel.Step, seed: int) -> tuple[float, float]:
    """Learn with a seed and return seconds and accuracy."""
    setup, begin = task.setup, time.perf_counter()
    rng = np.random.default_rng(seed)
    data = ArrayDataset(_floats(task, train.pixels), train.labels)
    model = setup.model(rng)
    loss, optimizer = setup.loss.make(nn), setup.optimizer.make(optim, model.parameters)
    schedule = scheduled(setup, optimizer, len(data))
    for _ in range(setup.epochs):
        for x, target in minibatches(data, setup.batch_size, rng):
            optimizer.step(step(model, loss, x, target, rng)[2])
            schedule.step()
    seconds = time.perf_counter() - begin
    right = [
        step.predict(model, x).argmax(axis=1) == target
        for x, target in minibatches(ArrayDataset(_floats(task, test.pixels), test.labels), 500)
    ]
    return seconds, float(np.concatenate(right).mean())


def _floats(task: Task, pixels: ndarray) -> ndarray:
    return task.standardized(pixels.astype(np.float32) / np.float32(255))
