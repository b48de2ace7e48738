"""Experiments that train several networks and look at them together."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from npnet import nn
from npnet.data import ArrayDataset, Splits
from npnet.recipes._recipe import NetworkRecipe, Options, Recipe, Report, Result
from npnet.run import SETTINGS, RunFolder
from npnet.train import Epoch, History


@dataclass(frozen=True, eq=False)
class Trained:
    """A network that was trained, and on what."""

    network: NetworkRecipe
    splits: Splits[ArrayDataset]
    model: nn.Layer
    history: History
    seconds: float
    looks: Mapping[int, dict[str, Any]]  # its weights after so many steps, where it was paused

    @property
    def test(self) -> ArrayDataset:
        """The test part, of data that has one."""
        assert self.splits.test is not None
        return self.splits.test

    @property
    def losses(self) -> list[float]:
        """The training loss of each step."""
        return [epoch.train_loss for epoch in self.history.epochs]


@dataclass(frozen=True)
class Conclusion:
    """What came out of an experiment: one line, figures and numbers."""

    headline: str
    figures: Sequence[Path]
    values: Mapping[str, Any]
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True)
class SeveralNetworks(Recipe):
    """An experiment with several small networks, each learning from all of its data at every step.

    Parameters
    ----------
    networks : tuple of NetworkRecipe
        Each with its own data; their names tell them apart. All start from the same seed, so those of the
        same sizes start with the same weights.
    pauses : callable, optional
        After how many steps to look at a network, from the network.
    """

    networks: tuple[NetworkRecipe, ...]
    pauses: Callable[[NetworkRecipe], Sequence[int]] = field(default=lambda _: ())

    def summary(self) -> str:
        """Return what the experiment is, with the settings of each network."""
        lines = [
            f"  {network.name:<36}{network.loss}, {network.optimizer}, {network.epochs} steps"
            for network in self.networks
        ]
        return "\n".join([super().summary(), "", *lines])

    def carry_out(self, options: Options, folder: RunFolder, report: Report) -> Result:
        """Train one network after the other, then conclude from those there are."""
        report(f"{self.name}: {self.title}")
        settings = [network_settings(network, options) for network in self.networks]
        folder.write_json(SETTINGS, {"recipe": self.name, "seed": options.seed, "networks": settings})
        done: list[Trained] = []
        for network in self.networks:
            trained = train(network, options, folder, self.pauses(network.given(options)))
            done.append(trained)
            report(line_about(trained))
            if trained.history.interrupted:
                break
        conclusion = self.conclude(done, options, folder, report)
        for figure in conclusion.figures:
            report(f"figure: {figure}")
        interrupted = conclusion.interrupted or any(trained.history.interrupted for trained in done)
        values = {"seconds": round(sum(trained.seconds for trained in done), 3), **conclusion.values}
        status = "interrupted" if interrupted else "finished"
        return Result(status, conclusion.headline, folder.path, tuple(conclusion.figures), values)

    @abstractmethod
    def conclude(
        self,
        trained: Sequence[Trained],
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> Conclusion:
        """Look at what was learnt, draw it, and say what came out.

        All networks are there, in their order, unless training was interrupted.
        """


def train(
    network: NetworkRecipe,
    options: Options,
    folder: RunFolder,
    pauses: Sequence[int] = (),
) -> Trained:
    """Train a network as `NetworkRecipe.carry_out` does, from the same seeds, and pause to note its weights.

    Plain gradient descent has no memory, so learning goes on after a pause as if there had been none.
    """
    network = network.given(options)
    weights_seed, training_seed = np.random.SeedSequence(options.seed).spawn(2)
    generator = np.random.default_rng(training_seed)
    splits = network.splits(options)
    model = network.model(np.random.default_rng(weights_seed))
    notes = _Notes(folder, network.name, every=max(1, network.epochs // 100))
    history, done = History(), 0
    looks = {0: model.state_dict()} if 0 in pauses else {}
    began = time.perf_counter()
    for stop in _stops(pauses, network.epochs):
        stretch = replace(network, epochs=stop - done)
        ran = stretch.train(model, splits, generator, options, notes, _ignore)
        history.epochs += [replace(epoch, epoch=done + epoch.epoch) for epoch in ran.epochs]
        history.interrupted = ran.interrupted
        if history.interrupted:
            break
        done = notes.before = stop
        if stop in pauses:
            looks[stop] = model.state_dict()
    return Trained(network, splits, model, history, time.perf_counter() - began, looks)


def _stops(pauses: Sequence[int], steps: int) -> Iterator[int]:
    yield from sorted({pause for pause in pauses if 0 < pause < steps})
    yield steps


def network_settings(network: NetworkRecipe, options: Options) -> dict[str, Any]:
    """Return everything needed to train a network again."""
    network = network.given(options)
    model = network.model(np.random.default_rng(0))
    return network.settings(options, network.splits(options), model)


def line_about(trained: Trained) -> str:
    """Return in a line how training went."""
    epochs = trained.history.epochs
    if not epochs:
        return f"{trained.network.name}: interrupted before the first step"
    last: Epoch = epochs[-1]
    accuracy = "" if last.train_accuracy is None else f", accuracy {100 * last.train_accuracy:.1f} %"
    return (
        f"{trained.network.name}: loss {last.train_loss:.4f}{accuracy} "
        f"after {len(epochs)} steps, {trained.seconds:.1f} s"
    )


class _Notes(RunFolder):
    """A run's folder, for one of several networks: metrics are named after it, and few of many are kept."""

    def __init__(self, folder: RunFolder, network: str, every: int) -> None:
        self.path = folder.path
        self.network, self.every, self.before = network, every, 0

    def append_jsonl(self, name: str, values: Mapping[str, Any]) -> None:
        """Add one line to a file of lines, once in so many steps."""
        step = self.before + values["epoch"]
        if step == 1 or step % self.every == 0:
            super().append_jsonl(name, {"network": self.network, **values, "epoch": step})


def _ignore(line: str) -> None:
    """Print nothing: a line for each of many networks is enough."""
