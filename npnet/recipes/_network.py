"""The recipe of a network: data, model, loss, optimizer and schedule, trained by either engine."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import __version__, check, metrics, nn, optim, parallel, plot
from npnet import functional as F
from npnet._words import counted
from npnet.data import ArrayDataset, Dataset, Splits, minibatches
from npnet.errors import InputError
from npnet.recipes._recipe import TRAINING, Recipe
from npnet.recipes._spec import ENGINES, LOSS_LABELS, Options, Report, Result, Spec, become
from npnet.recipes._trained import (
    Due,
    TrainedNetwork,
    ending,
    free_name,
    largest_difference,
    line_of,
    spaced,
    weights_kept,
)
from npnet.run import METRICS, SETTINGS, RunFolder
from npnet.saved import save
from npnet.table import table
from npnet.train import Engine, Epoch, History, NumPyEngine, evaluate_engine, predict, run


@dataclass(frozen=True, kw_only=True)
class NetworkRecipe(Recipe):
    """A network trained on labelled data.

    Parameters
    ----------
    data : callable
        Gives the `Splits`, from the options.
    input_shape : tuple of int
        Shape of one sample.
    model : callable
        Gives the model, its weights drawn from a generator.
    loss, optimizer : Spec
    schedule : callable, optional
        Gives the schedule's Spec, from the number of epochs.
    epochs, batch_size : int
    patience : int, optional
    keep_best : bool
        Both as in `npnet.train.fit`; of a source that reports what it had after its last epoch, False.
    quick_epochs, quick_images : int
        The most of both when a run is cut short.

    Raises
    ------
    InputError
        If an argument is none of this.
    """

    data: Callable[[Options], Splits[Any]]
    input_shape: tuple[int, ...]
    model: Callable[[Generator], nn.Layer]
    optimizer: Spec
    epochs: int
    batch_size: int
    loss: Spec = field(default_factory=lambda: Spec("CrossEntropyLoss"))
    schedule: Callable[[int], Spec] | None = None
    patience: int | None = None
    keep_best: bool = True
    quick_epochs: int = 2
    quick_images: int = 1000
    engines: ClassVar[tuple[str, ...]] = ("numpy", "torch", "both")
    own_options: ClassVar[tuple[str, ...]] = TRAINING

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        for name in ("data", "model"):
            check.function(kind, name, getattr(self, name))
        if self.schedule is not None:
            check.function(kind, "schedule", self.schedule)
        for name, example in (("loss", 'Spec("MSELoss")'), ("optimizer", 'Spec("SGD", lr=0.1)')):
            check.instance(kind, name, getattr(self, name), Spec, f"a Spec, such as {example}")
        if not isinstance(self.input_shape, tuple | list):
            raise InputError(
                f"{kind}: input_shape must be a tuple of integers, got {check.described(self.input_shape)}"
            )
        shape = tuple(check.integer(kind, "input_shape", size, least=1) for size in self.input_shape)
        become(self, input_shape=shape)
        for name in ("epochs", "batch_size", "patience", "quick_epochs", "quick_images"):
            if name != "patience" or self.patience is not None:
                become(self, **{name: check.integer(kind, name, getattr(self, name), least=1)})
        become(self, keep_best=check.flag(kind, "keep_best", self.keep_best))

    def given(self, options: Options) -> NetworkRecipe:
        """Return the recipe as it is to be run, options applied.

        Raises
        ------
        InputError
            If the options are none.
        """
        check.instance(self.name, "options", options, Options, "npnet.recipes.Options")
        epochs = self.epochs if options.epochs is None else options.epochs
        if options.quick and options.epochs is None:
            epochs = min(epochs, self.quick_epochs)
        return replace(
            self,
            epochs=epochs,
            batch_size=self.batch_size if options.batch_size is None else options.batch_size,
            optimizer=self.optimizer if options.lr is None else self.optimizer.but(lr=options.lr),
        )

    def summary(self) -> str:
        """Return what the experiment is, its model layer by layer."""
        settings = {
            "loss": self.loss,
            "optimizer": self.optimizer,
            "schedule": self.schedule(self.epochs) if self.schedule is not None else "none",
            "training": f"{counted(self.epochs, 'epoch')} in minibatches of {self.batch_size}",
        }
        lines = [f"  {name + ':':<16}{setting}" for name, setting in settings.items()]
        model = self.model(np.random.default_rng(0))
        return "\n".join([super().summary(), *lines, "", str(model.summary(self.input_shape))])

    def carry_out(self, options: Options, folder: RunFolder, report: Report) -> Result:
        """Train, judge on the test part, draw the figures; with both engines, from equal weights."""
        recipe = self.given(options)
        weights_seed, training_seed = np.random.SeedSequence(options.seed).spawn(2)
        splits = recipe.splits(options)
        model = recipe.model(np.random.default_rng(weights_seed))
        folder.write_json(SETTINGS, recipe.settings(options, splits, model))
        report(f"{self.name}: {self.title}")
        report(_sizes(splits, model))

        trained: list[TrainedNetwork] = []
        for kind in ENGINES if options.engine == "both" else (options.engine,):
            own = replace(options, engine=kind)
            model = recipe.model(np.random.default_rng(weights_seed))
            generator = np.random.default_rng(training_seed)
            trained.append(recipe.learn(model, splits, generator, own, folder, report))
            if trained[-1].history.interrupted:
                break
        if len(trained) > 1:
            return recipe.compare(trained, splits, folder, report)
        return recipe.conclude(trained[0], splits, folder, report)

    def splits(self, options: Options) -> Splits[Any]:
        """Return the data, cut short for a quick run.

        Raises
        ------
        InputError
            If the options are none.
        """
        check.instance(self.name, "options", options, Options, "npnet.recipes.Options")
        splits = self.data(options)
        return splits if not options.quick else _first(splits, self.quick_images)

    @contextmanager
    def engine(self, model: nn.Layer, options: Options) -> Iterator[Engine]:
        """Give the engine the options ask for; at the end the model has what it learnt."""
        schedule = None if self.schedule is None else self.schedule(self.epochs)
        if options.engine == "torch":
            from ptref.engine import engine_for  # noqa: PLC0415 - PyTorch is loaded when asked for

            loss, device, threads = self.loss, options.device, options.threads
            with engine_for(model, loss, self.optimizer, schedule, device=device, threads=threads) as engine:
                yield engine
            return
        optimizer = self.optimizer.make(optim, model.parameters)
        planned = None if schedule is None else schedule.make(optim, optimizer)
        with parallel.Step(options.threads) as step:
            yield NumPyEngine(model, self.loss.make(nn), optimizer, planned, step)

    def train(
        self,
        model: nn.Layer,
        splits: Splits[Any],
        generator: Generator,
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> History:
        """Train the model with the engine asked for, writing and reporting each epoch."""
        with weights_kept(model, splits, folder), self.engine(model, options) as engine:
            return self._run(engine, splits, generator, options, folder, report)

    def learn(
        self,
        model: nn.Layer,
        splits: Splits[Any],
        generator: Generator,
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> TrainedNetwork:
        """Train the model, keep its weights, and look at the test part once, by the engine that trained."""
        with weights_kept(model, splits, folder, beside=True), self.engine(model, options) as engine:
            began = time.perf_counter()
            history = self._run(engine, splits, generator, options, folder, report)
            seconds = time.perf_counter() - began
            tally = evaluate_engine(engine, _judged_part(splits))
        trained = TrainedNetwork(ENGINES[options.engine], model, history, seconds, tally.loss, tally.accuracy)
        save(free_name(folder), model, splits)
        report(ending(trained, self.epochs))
        return trained

    def _run(
        self,
        engine: Engine,
        splits: Splits[Any],
        generator: Generator,
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> History:
        due = Due(self.epochs)

        def on_epoch(epoch: Epoch) -> None:
            folder.append_jsonl(METRICS, {"engine": ENGINES[options.engine], **asdict(epoch)})
            if due.now(epoch.epoch):
                report(line_of(epoch, self.epochs))

        return run(
            engine,
            splits,
            epochs=self.epochs,
            batch_size=self.batch_size,
            generator=generator,
            patience=self.patience,
            keep_best=self.keep_best,
            progress="bar" if options.progress else False,  # the lines are those of `report`
            on_epoch=on_epoch,
        )

    def conclude(
        self, trained: TrainedNetwork, splits: Splits[Any], folder: RunFolder, report: Report
    ) -> Result:
        """Draw the figures and say what came out."""
        name = _judged_name(splits)
        figures = self.figures(trained.model, splits, _judged_part(splits), trained.history, folder)
        for figure in figures:
            report(f"figure: {figure}")
        values = {"judged_on": name, **trained.values(), "reached": trained.reached(name)}
        headline = f"{name} {trained.measure}: {trained.shown}"
        return Result(trained.status, headline, folder.path, tuple(figures), values)

    def compare(
        self, trained: Sequence[TrainedNetwork], splits: Splits[Any], folder: RunFolder, report: Report
    ) -> Result:
        """Draw the curves of both engines in one figure, and say how far apart they are."""
        first, name = trained[0], _judged_name(splits)
        figures = self.figures(first.model, splits, _judged_part(splits), first.history, folder)
        histories = {each.engine: each.history for each in trained if each.history.epochs}
        if histories:
            _draw_curves(histories, self, folder)  # in place of those of one engine
        for figure in figures:
            report(f"figure: {figure}")
        rows = [(each.engine, each.shown, spaced(round(each.samples_per_second))) for each in trained]
        report(table(["engine", f"{name} {first.measure}", "samples/s"], rows))
        difference, epoch = largest_difference([each.history for each in trained])
        report(f"largest difference of the loss curves: {difference:.2g}, in epoch {epoch}")
        values = {
            "judged_on": name,
            "engines": {each.engine: each.values() for each in trained},
            "largest_loss_difference": difference,
            "reached": {key: value for each in trained for key, value in each.reached(name).items()},
        }
        shown = ", ".join(f"{each.engine} {each.shown}" for each in trained)
        headline = f"{name} {first.measure}: {shown}"
        return Result(trained[-1].status, headline, folder.path, tuple(figures), values)

    def figures(
        self, model: nn.Layer, splits: Splits[Any], part: Dataset, history: History, folder: RunFolder
    ) -> list[Path]:
        """Draw what there is to see of a trained network, and return the files."""
        files: list[Path] = []
        if history.epochs:
            files.append(_draw_curves(history, self, folder))
        samples = next(minibatches(part, len(part)))
        if splits.classes:
            files += self._classifier_figures(model, samples, splits.classes, folder)
        weight = _first_filters(model)
        if weight is not None:
            shown = plot.weight_images(weight, title=f"{self.name}: filters of the first layer")
            files.append(folder.figure("filters.png", shown))
        return files

    def _classifier_figures(
        self,
        model: nn.Layer,
        samples: tuple[ndarray, ndarray],
        classes: tuple[str, ...],
        folder: RunFolder,
    ) -> list[Path]:
        x, target = samples
        y = predict(model, ArrayDataset(x, target))
        matrix = metrics.confusion_matrix(y.argmax(axis=1), target, len(classes))
        right = f"{matrix.trace()} of {len(target)} right"
        figure = plot.confusion(matrix, classes, title=f"{self.name}: {right}")
        files = [folder.figure("confusion_matrix.png", figure)]
        if x.ndim == 4:
            probabilities, _ = F.softmax(y, dim=1)  # of log-probabilities these are the probabilities again
            figure = plot.predictions(
                x, target, probabilities, classes, select="misclassified", title=self.name
            )
            files.append(folder.figure("misclassified.png", figure))
        return files

    def settings(self, options: Options, splits: Splits[Any], model: nn.Layer) -> dict[str, Any]:
        """Return everything needed to do the run again."""
        return {
            "recipe": self.name,
            "engine": options.engine,
            "device": options.device,
            "threads": options.threads or parallel.cores(),
            "seed": options.seed,
            "quick": options.quick,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "patience": self.patience,
            "keep_best": self.keep_best,
            "loss": repr(self.loss),
            "optimizer": repr(self.optimizer.make(optim, model.parameters)),  # defaults included
            "schedule": None if self.schedule is None else repr(self.schedule(self.epochs)),
            "model": repr(model).splitlines(),
            "parameters": sum(array.size for array in model.parameters.values()),
            "data": {"name": splits.name} | {name: len(part) for name, part in splits.parts().items()},
            "versions": versions(options.engine),
        }


def versions(engine: str = "numpy") -> dict[str, str]:
    """Return the versions of what the numbers of a run depend on."""
    used = {} if engine == "numpy" else {"torch": metadata.version("torch")}
    return {
        "npnet": __version__,
        "numpy": np.__version__,
        **used,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _judged_name(splits: Splits[Any]) -> str:
    return "training" if splits.test is None else "test"


def _judged_part(splits: Splits[Any]) -> Dataset:
    """Return what a trained network is judged by in the end."""
    part: Dataset = splits.train if splits.test is None else splits.test
    return part


def _draw_curves(runs: History | Mapping[str, History], recipe: NetworkRecipe, folder: RunFolder) -> Path:
    label = LOSS_LABELS.get(recipe.loss.kind, "loss")
    return folder.figure(
        "learning_curves.png", plot.learning_curves(runs, title=recipe.title, loss_label=label)
    )


def _first(splits: Splits[Any], most: int) -> Splits[Any]:
    """Return some samples of each part, taken evenly: data may come class by class."""

    def some(part: Any) -> Any:
        if not isinstance(part, ArrayDataset) or len(part) <= most:
            return part
        return part.subset(np.linspace(0, len(part) - 1, most).astype(int))

    return replace(
        splits, train=some(splits.train), validation=some(splits.validation), test=some(splits.test)
    )


def _first_filters(model: nn.Layer) -> ndarray | None:
    """Return the weight of the first layer if it looks at images."""
    first = next(iter(model.parameters.values()), None)
    return first if first is not None and first.ndim == 4 else None


def _sizes(splits: Splits[Any], model: nn.Layer) -> str:
    parts = ", ".join(f"{spaced(len(part))} {name}" for name, part in splits.parts().items())
    parameters = sum(array.size for array in model.parameters.values())
    return f"data: {parts}; model: {spaced(parameters)} parameters"
