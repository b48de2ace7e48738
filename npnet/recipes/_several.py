"""Experiments that train several networks and look at them together."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from npnet import checkpoint, engines, nn, plot
from npnet._words import counted
from npnet.data import ArrayDataset, Splits
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._networks import RecipeOfNetworks, quoted
from npnet.recipes._spec import LOSS_LABELS, Options, Report, Result, told
from npnet.run import SETTINGS, RunFolder
from npnet.table import table
from npnet.train import Epoch, History

WEIGHTS = "weights.safetensors"  # of all networks of the first engine


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


def _no_figures(_: RunFolder) -> list[Path]:
    return []


@dataclass(frozen=True)
class Verdict:
    """What one engine's networks came to.

    Parameters
    ----------
    headline : str
        The one line that says it.
    values : mapping
        What ``result.json`` holds besides.
    draw : callable
        Draws it into a folder, and returns the files; called for one engine alone.
    interrupted : bool
        Whether judging was.
    """

    headline: str
    values: Mapping[str, Any]
    draw: Callable[[RunFolder], list[Path]] = _no_figures
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True)
class SeveralNetworks(RecipeOfNetworks):
    """An experiment with several small networks, each learning from all of its data at every step.

    Parameters
    ----------
    networks : tuple of NetworkRecipe
        Each with its own data; their names tell them apart. All start from the same seed, so those of the
        same sizes start with the same weights.
    pauses : callable, optional
        After how many steps to look at a network, from the network.
    """

    pauses: Callable[[NetworkRecipe], Sequence[int]] = field(default=lambda _: ())

    def summary(self) -> str:
        """Return what the experiment is, with the settings of each network."""
        rows = [
            [quoted(network.name), repr(network.loss), repr(network.optimizer), network.epochs]
            for network in self.networks
        ]
        return f"{super().summary()}\n\n{table(['network', 'loss', 'optimizer', 'steps'], rows)}"

    def carry_out(self, options: Options, folder: RunFolder, report: Report) -> Result:
        """Train one network after the other, judge those of each engine, and draw the first engine's."""
        report(f"{self.name}: {self.title}")
        settings = [network_settings(network, options) for network in self.networks]
        folder.write_json(SETTINGS, {"recipe": self.name, "seed": options.seed, "networks": settings})
        kinds = options.engines
        done = self._train_all(kinds, options, folder, report)  # for each network, by engine
        verdicts: list[Verdict] = []
        reached: dict[str, dict[str, Any]] = {}
        for kind in kinds:
            trained = [by_engine[kind] for by_engine in done if kind in by_engine]
            if not trained:  # interrupted before the second engine's turn
                break
            if len(kinds) > 1:
                report(f"{engines.get(kind).title}:")
            began = time.perf_counter()
            verdicts.append(self.judge(trained, options.for_engine(kind), folder, report))
            taken = seconds(trained) + time.perf_counter() - began
            reached[engines.get(kind).title] = {"headline": verdicts[-1].headline, "seconds": round(taken, 3)}
        values = {"seconds": seconds([each[kinds[0]] for each in done]), "reached": reached}
        figures = verdicts[0].draw(folder)
        if len(kinds) > 1:
            values["largest_loss_difference"] = differences(done)
            figures += draw_engines(self.name, done, folder)
        for figure in figures:
            report(f"figure: {figure}")
        interrupted = any(trained.history.interrupted for pair in done for trained in pair.values())
        interrupted |= any(verdict.interrupted for verdict in verdicts)
        status = "interrupted" if interrupted else "finished"
        headline = told({engine: each["headline"] for engine, each in reached.items()})
        return Result(status, headline, folder.path, tuple(figures), {**values, **verdicts[0].values})

    def _train_all(
        self, kinds: Sequence[str], options: Options, folder: RunFolder, report: Report
    ) -> list[dict[str, Trained]]:
        """Train each network with each engine, until one is interrupted."""
        done: list[dict[str, Trained]] = []
        for network in self.networks:
            pauses = self.pauses(network.given(options))
            done.append({})
            for kind in kinds:
                done[-1][kind] = train(network, options.for_engine(kind), folder, pauses)
                report(line_about(done[-1][kind], engines.get(kind).title if len(kinds) > 1 else ""))
                if kind == kinds[0]:
                    keep_weights(folder, network.name, done[-1][kind].model)
                if done[-1][kind].history.interrupted:
                    return done
        return done

    @abstractmethod
    def judge(
        self,
        trained: Sequence[Trained],
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> Verdict:
        """Say what the networks of one engine, which the options name, came to.

        All that were chosen are there, in their order, unless training was interrupted. Only what is trained
        for the judgement is noted in the folder; figures are left to `Verdict.draw`.
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
    options = replace(options, threads=options.threads or 1)  # networks this small only lose by sharing
    weights_seed, training_seed = np.random.SeedSequence(options.seed).spawn(2)
    generator = np.random.default_rng(training_seed)
    splits = network.splits(options)
    model = network.model(np.random.default_rng(weights_seed))
    notes = _SparseNotes(folder, network.name, every=max(1, network.epochs // 100))
    history, done = History(), 0
    looks = {0: model.state_dict()} if 0 in pauses else {}
    began = time.perf_counter()
    for stop in _stops(pauses, network.epochs):
        stretch = replace(network, epochs=stop - done)
        ran = stretch.train(model, splits, generator, options, notes, ignore)
        history.epochs += [replace(epoch, epoch=done + epoch.epoch) for epoch in ran.epochs]
        history.interrupted = ran.interrupted
        if history.interrupted:
            break
        done = notes.before = stop
        if stop in pauses:
            looks[stop] = model.state_dict()
    return Trained(network, splits, model, history, time.perf_counter() - began, looks)


def keep_weights(folder: RunFolder, network: str, model: nn.Layer) -> None:
    """Write the weights of a network beside those of the networks before, under its name."""
    path = folder.path / WEIGHTS
    before = checkpoint.load(path)[0] if path.exists() else {}
    own = {f"{network}/{name}": array for name, array in model.state_dict().items()}
    checkpoint.save(path, before | own)


def _stops(pauses: Sequence[int], steps: int) -> Iterator[int]:
    yield from sorted({pause for pause in pauses if 0 < pause < steps})
    yield steps


def network_settings(network: NetworkRecipe, options: Options) -> dict[str, Any]:
    """Return everything needed to train a network again."""
    network = network.given(options)
    options = replace(options, threads=options.threads or 1)
    model = network.model(np.random.default_rng(0))
    return network.settings(options, network.splits(options), model)


def line_about(trained: Trained, engine: str = "") -> str:
    """Return in a line how training went."""
    name = f"{trained.network.name} ({engine})" if engine else trained.network.name
    if not trained.losses:
        return f"{name}: interrupted before the first step"
    last: Epoch = trained.history.epochs[-1]
    accuracy = "" if last.train_accuracy is None else f", accuracy {100 * last.train_accuracy:.1f} %"
    return (
        f"{name}: loss {last.train_loss:.4f}{accuracy} "
        f"after {counted(len(trained.losses), 'step')}, {trained.seconds:.1f} s"
    )


def seconds(trained: Sequence[Trained]) -> float:
    """Return how long training took."""
    return round(sum(each.seconds for each in trained), 3)


def differences(done: Sequence[Mapping[str, Trained]]) -> dict[str, float]:
    """Return for each network by how much the losses of the engines differ at most."""
    found = {}
    for by_engine in (each for each in done if len(each) > 1):
        name = next(iter(by_engine.values())).network.name
        pairs = zip(*(trained.losses for trained in by_engine.values()), strict=False)
        found[name] = max((max(pair) - min(pair) for pair in pairs), default=0.0)
    return found


def draw_engines(name: str, done: Sequence[Mapping[str, Trained]], folder: RunFolder) -> list[Path]:
    """Draw the losses of both engines, a panel for each network."""
    panels: list[plot.LinePlot] = []
    apart = differences(done)
    for by_engine in done:
        curves = {
            engines.get(kind).title: trained.losses for kind, trained in by_engine.items() if trained.losses
        }
        network = next(iter(by_engine.values())).network
        label = LOSS_LABELS.get(network.loss.kind, "loss")
        if len(curves) > 1:
            title = f"{network.name}\nat most {apart[network.name]:.1e} apart"
            panels.append(plot.LinePlot(curves, y_label=label, title=title, x_scale="log", y_scale="log"))
    if not panels:
        return []
    drawn = plot.line_plots(panels, title=f"{name}: both engines from equal weights")
    return [folder.figure("engines.png", drawn)]


class Notes(RunFolder):
    """A run's folder, for one of several networks: metrics are named after it."""

    def __init__(self, folder: RunFolder, network: str) -> None:
        self.path, self.network = folder.path, network

    def append_jsonl(self, name: str, values: Mapping[str, Any]) -> None:
        """Add one line to a file of lines."""
        super().append_jsonl(name, {"network": self.network, **values})


class _SparseNotes(Notes):
    """The same, of which few lines of many are kept, and which goes on counting after a pause."""

    def __init__(self, folder: RunFolder, network: str, every: int) -> None:
        super().__init__(folder, network)
        self.every, self.before = every, 0

    def append_jsonl(self, name: str, values: Mapping[str, Any]) -> None:
        """Add one line to a file of lines, once in so many steps."""
        step = self.before + values["epoch"]
        if step == 1 or step % self.every == 0:
            super().append_jsonl(name, {**values, "epoch": step})


def ignore(line: str) -> None:
    """Print nothing: a line for each of many networks is enough."""
