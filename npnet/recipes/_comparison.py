"""Experiments that train several networks on the same data and look at them side by side."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from npnet import engines, nn, plot
from npnet._words import counted
from npnet.data import ArrayDataset, Splits
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._networks import RecipeOfNetworks, quoted
from npnet.recipes._recipe import TRAINING
from npnet.recipes._several import Notes, ignore
from npnet.recipes._spec import LOSS_LABELS, Options, Report, Result, told
from npnet.recipes._trained import TrainedNetwork, spaced
from npnet.run import MODEL, SETTINGS, RunFolder
from npnet.saved import save
from npnet.table import table
from npnet.train import Epoch, History, evaluate


@dataclass(frozen=True)
class Conclusion:
    """What is drawn and kept of an experiment, beside what each network reached."""

    figures: Sequence[Path]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Learnt(TrainedNetwork):
    """A network that was trained and judged by the test part, the settings it had, and its data."""

    network: NetworkRecipe
    splits: Splits[ArrayDataset]

    @property
    def test(self) -> ArrayDataset:
        """The test part, of data that has one."""
        return judged_part(self.splits)

    @property
    def kept(self) -> Epoch | None:
        """The epoch whose weights it has; None if no epoch was finished."""
        epochs, best = self.history.epochs, self.history.best_epoch
        return (epochs[-1] if best is None else epochs[best - 1]) if epochs else None

    @property
    def validation_loss(self) -> float:
        """That of the weights it has, and infinite before the first epoch."""
        loss = None if self.kept is None else self.kept.validation_loss
        return float("inf") if loss is None else loss


class FixedMinibatch(NetworkRecipe):
    """A network whose minibatch has its own size, whatever is asked for: it is what this one shows."""

    own_options: ClassVar[tuple[str, ...]] = tuple(name for name in TRAINING if name != "batch_size")

    def given(self, options: Options) -> NetworkRecipe:
        """Return the recipe as it is to be run, options applied but for the size of the minibatch."""
        return replace(super().given(options), batch_size=self.batch_size)


@dataclass(frozen=True, kw_only=True)
class Comparison(RecipeOfNetworks):
    """An experiment with several networks that differ in a setting or two.

    All start from the same seed: those of equal sizes start with equal weights, and those that share their
    data see it in the same order. The one of the lowest validation loss is kept, see `best`; the test part
    has no say in which that is.

    Parameters
    ----------
    networks : tuple of NetworkRecipe
        Their names tell them apart.
    """

    def summary(self) -> str:
        """Return what the experiment is, with the settings of each network."""
        rows = [
            [
                quoted(network.name),
                network.model(np.random.default_rng(0)).summary(network.input_shape).parameters,
                repr(network.optimizer),
                "" if network.schedule is None else repr(network.schedule(network.epochs)),
                network.batch_size,
                network.epochs,
            ]
            for network in self.networks
        ]
        headings = ["network", "parameters", "optimizer", "schedule", "minibatch", "epochs"]
        return f"{super().summary()}\n\n{table(headings, rows)}"

    def carry_out(self, options: Options, folder: RunFolder, report: Report) -> Result:
        """Train one network after the other, with both engines if asked, then conclude."""
        report(f"{self.name}: {self.title}")
        networks = [network.given(options) for network in self.networks]
        splits = loaded(networks, options)
        folder.write_json(SETTINGS, self._settings(networks, splits, options))
        for line in _data_lines(networks, splits):
            report(line)

        passes: list[list[Learnt]] = []
        for kind in options.engines:
            passes.append(learn_all(networks, splits, options.for_engine(kind), folder, report))
            if passes[-1][-1].history.interrupted:
                break
        conclusion = self.conclude(by_name(passes[0]), options, folder, report)
        return self._result(conclusion, passes, folder, report)

    def headline(self, learnt: Mapping[str, Learnt]) -> str:
        """Return the one line that says what the networks of one engine came to: what the best did."""
        chosen = best(list(learnt.values()))
        return f"test {chosen.measure}: {chosen.shown} ({chosen.network.name})"

    @abstractmethod
    def conclude(
        self,
        learnt: Mapping[str, Learnt],
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> Conclusion:
        """Look at what the first engine learnt, and draw it.

        Parameters
        ----------
        learnt : mapping from names to Learnt
            In the order of the networks; after an interrupt some are missing.
        options : Options
        folder : RunFolder
        report : callable
        """

    def _settings(
        self,
        networks: Sequence[NetworkRecipe],
        splits: Mapping[str, Splits[ArrayDataset]],
        options: Options,
    ) -> dict[str, Any]:
        rng = np.random.default_rng(0)
        each = {
            network.name: network.settings(options, splits[network.name], network.model(rng))
            for network in networks
        }
        return {"recipe": self.name, "seed": options.seed, "quick": options.quick, "networks": each}

    def _result(
        self, conclusion: Conclusion, passes: Sequence[Sequence[Learnt]], folder: RunFolder, report: Report
    ) -> Result:
        figures = list(conclusion.figures)
        headlines = {each[0].engine: self.headline(by_name(each)) for each in passes}
        values: dict[str, Any] = {
            "best": best(passes[0]).network.name,
            "reached": {
                each[0].engine: {"headline": headlines[each[0].engine], "seconds": seconds(each)}
                for each in passes
            },
            "networks": {each[0].engine: {one.network.name: one.values() for one in each} for each in passes},
        }
        if len(passes) == 2:
            values["largest_loss_difference"] = _difference(passes, report)
            figures += _draw_engines(passes, folder)
        for figure in figures:
            report(f"figure: {figure}")
        status = (
            "interrupted" if any(one.history.interrupted for each in passes for one in each) else "finished"
        )
        return Result(status, told(headlines), folder.path, tuple(figures), values | dict(conclusion.values))


def loaded(networks: Sequence[NetworkRecipe], options: Options) -> dict[str, Splits[ArrayDataset]]:
    """Return the data of each network, by the network's name; what several share is loaded once."""
    shared: dict[Any, Splits[ArrayDataset]] = {}
    for network in networks:
        if network.data not in shared:
            shared[network.data] = network.splits(options)
    return {network.name: shared[network.data] for network in networks}


def _data_lines(
    networks: Sequence[NetworkRecipe], splits: Mapping[str, Splits[ArrayDataset]]
) -> Iterator[str]:
    """Say how large the parts are, once if they are so for all networks."""
    sizes = {
        network.name: ", ".join(
            f"{spaced(len(part))} {name}" for name, part in splits[network.name].parts().items()
        )
        for network in networks
    }
    if len(set(sizes.values())) == 1:
        yield f"data: {sizes[networks[0].name]}"
    else:
        yield from (f"data: {shown} ({name})" for name, shown in sizes.items())


def learn_all(
    networks: Sequence[NetworkRecipe],
    splits: Mapping[str, Splits[ArrayDataset]],
    options: Options,
    folder: RunFolder,
    report: Report,
) -> list[Learnt]:
    """Train one network after the other until one is interrupted, and report them in a table.

    The weights of the best so far, by the first engine, are in the folder whatever becomes of the next.
    """
    done: list[Learnt] = []
    first = not (folder.path / MODEL).exists()
    for network in networks:
        done.append(learn(network, splits[network.name], options, folder))
        if first:
            save(folder.path / MODEL, best(done).model, best(done).splits)
        report(f"{done[-1].engine}: {line_about(done[-1])}")
        if done[-1].history.interrupted:
            break
    report(table(HEADINGS, [_cells(each) for each in done]))
    return done


def learn(
    network: NetworkRecipe, splits: Splits[ArrayDataset], options: Options, folder: RunFolder
) -> Learnt:
    """Train a network, options applied, as `NetworkRecipe.carry_out` does, from the same seeds."""
    weights_seed, training_seed = np.random.SeedSequence(options.seed).spawn(2)
    model = network.model(np.random.default_rng(weights_seed))
    notes = Notes(folder, network.name)
    began = time.perf_counter()
    history = network.train(model, splits, np.random.default_rng(training_seed), options, notes, ignore)
    seconds = time.perf_counter() - began
    loss, accuracy = evaluate(model, network.loss.make(nn), judged_part(splits))
    return Learnt(engines.get(options.engine).title, model, history, seconds, loss, accuracy, network, splits)


def by_name(learnt: Sequence[Learnt]) -> dict[str, Learnt]:
    """Return networks by their names."""
    return {each.network.name: each for each in learnt}


def seconds(learnt: Sequence[Learnt]) -> float:
    """Return how long training took."""
    return round(sum(each.seconds for each in learnt), 3)


def best(learnt: Sequence[Learnt]) -> Learnt:
    """Return the one of the lowest validation loss.

    One that has the weights of its last epoch is taken only where there is no other: nothing was chosen by
    its validation part, which may be the test part, as in some sources.
    """
    return min(learnt, key=lambda each: (not each.network.keep_best, each.validation_loss))


def judged_part(splits: Splits[ArrayDataset]) -> ArrayDataset:
    """Return the test part, of data that has one."""
    assert splits.test is not None
    return splits.test


def line_about(learnt: Learnt) -> str:
    """Return in a line how training went."""
    history, kept = learnt.history, learnt.kept
    if kept is None:
        return f"{learnt.network.name}: interrupted before the first epoch"
    how = f"{counted(len(history.epochs), 'epoch')}{', stopped early' if history.stopped_early else ''}"
    return f"{learnt.network.name}: {how}, {learnt.seconds:.1f} s; test {learnt.measure} {learnt.shown}"


HEADINGS = ["network", "weights of", "training", "validation", "test", "seconds"]


def _cells(learnt: Learnt) -> list[str]:
    kept = learnt.kept
    training, validation = (None, None) if kept is None else (kept.train_accuracy, kept.validation_accuracy)
    shares = (f"{100 * share:.2f} %" if share is not None else "–" for share in (training, validation))
    weights_of = "–" if kept is None else f"epoch {kept.epoch} of {len(learnt.history.epochs)}"
    return [learnt.network.name, weights_of, *shares, learnt.shown, f"{learnt.seconds:.1f}"]


def _difference(passes: Sequence[Sequence[Learnt]], report: Report) -> dict[str, float]:
    """Return by how much each network's loss curves differ at most between the engines."""
    apart = {
        one.network.name: max(
            (
                abs(a.train_loss - b.train_loss)
                for a, b in zip(one.history.epochs, other.history.epochs, strict=False)
            ),
            default=0.0,
        )
        for one, other in zip(*passes, strict=False)
    }
    rows = [[name, f"{difference:.2g}"] for name, difference in apart.items()]
    report(table(["network", "training losses of the engines differ by"], rows))
    return apart


# ---- figures -------------------------------------------------------------------------------------------


def draw_curves(
    panels: Mapping[str, Mapping[str, Learnt]], title: str, file: str, folder: RunFolder
) -> list[Path]:
    """Draw learning curves, a row of panels for each title, a colour for each network named in it."""
    histories = {
        panel: {name: each.history for name, each in networks.items() if each.history.epochs}
        for panel, networks in panels.items()
    }
    shown = {panel: named for panel, named in histories.items() if named}
    if not shown:
        return []
    drawn = plot.learning_curves(shown, loss_label=LOSS_LABELS["CrossEntropyLoss"], title=title)
    return [folder.figure(file, drawn)]


def draw_mistakes(recipe: str, learnt: Learnt, folder: RunFolder) -> list[Path]:
    """Draw what a network takes for what, and the test images it gets wrong."""
    network = replace(learnt.network, name=f"{recipe}, {learnt.network.name}")
    return network.figures(learnt.model, learnt.splits, learnt.test, History(), folder)


def _draw_engines(passes: Sequence[Sequence[Learnt]], folder: RunFolder) -> list[Path]:
    name, kind = best(passes[0]).network.name, best(passes[0]).network.loss.kind
    runs = {
        one.engine: one.history
        for each in passes
        for one in each
        if one.network.name == name and one.history.epochs
    }
    if not runs:
        return []
    drawn = plot.learning_curves(
        runs, title=f"{name}: both engines", loss_label=LOSS_LABELS.get(kind, "loss")
    )
    return [folder.figure("engines.png", drawn)]
