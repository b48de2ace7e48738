"""What a recipe is: an experiment as data, and what running it leaves behind."""

from __future__ import annotations

import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import __version__, metrics, nn, optim, parallel
from npnet import functional as F
from npnet.checkpoint import save_weights
from npnet.data import ArrayDataset, Dataset, Splits, minibatches
from npnet.errors import InputError, MissingError
from npnet.run import METRICS, MODEL, RESULT, SETTINGS, RunFolder
from npnet.table import table
from npnet.train import Engine, Epoch, History, NumPyEngine, judge, predict, run

Report = Callable[[str], None]
MODEL_BESIDE = "model-pytorch.safetensors"  # the weights of the second engine, where two were trained
ENGINES = {"numpy": "npnet", "torch": "PyTorch"}  # what each is called where people read it
LOSS_LABELS = {
    "CrossEntropyLoss": "cross-entropy (nats)",
    "NLLLoss": "negative log-likelihood (nats)",
    "MSELoss": "mean squared error",
    "BCELoss": "binary cross-entropy (nats)",
    "BCEWithLogitsLoss": "binary cross-entropy (nats)",
}


class Spec:
    """Something named, with its settings: ``Spec("SGD", lr=0.1)``, of which any engine makes its own.

    Parameters
    ----------
    kind : str
        The name of a class, the same in `npnet.optim` and ``torch.optim``, or in `npnet.nn` and ``torch.nn``.
    **settings
        What the class is called with by name.

    Examples
    --------
    >>> spec = Spec("SGD", lr=0.1, momentum=0.9)
    >>> spec
    SGD(lr=0.1, momentum=0.9)
    >>> spec.make(optim, {"weight": np.zeros(2)}).momentum
    0.9
    >>> spec.but(lr=0.5)
    SGD(lr=0.5, momentum=0.9)
    """

    def __init__(self, kind: str, **settings: Any) -> None:
        self.kind, self.settings = kind, settings

    def make(self, module: ModuleType, *arguments: Any) -> Any:
        """Call the class of this name in `module`."""
        return getattr(module, self.kind)(*arguments, **self.settings)

    def but(self, **settings: Any) -> Spec:
        """Return the same with some settings changed."""
        return Spec(self.kind, **{**self.settings, **settings})

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value in self.settings.items())})"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What whoever runs a recipe asks for; None leaves what the recipe says.

    Parameters
    ----------
    seed : int
        Of everything drawn at random.
    epochs, batch_size : int, optional
    lr : float, optional
    data : path, optional
        The folder data sets are looked for in.
    quick : bool
        Whether the run is cut short, to see that everything works.
    progress : bool
        Whether a bar is shown.
    engine : str
        "numpy", "torch", or "both" side by side.
    device : str
        Where PyTorch works: "cpu" or "cuda".
    threads : int, optional
        All cores if not given.
    """

    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    data: Path | None = None
    quick: bool = False
    progress: bool = True
    engine: str = "numpy"
    device: str = "cpu"
    threads: int | None = None

    @property
    def as_written(self) -> bool:
        """Whether the recipe runs with its own settings."""
        return not self.quick and (self.epochs, self.batch_size, self.lr) == (None, None, None)


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Parameters
    ----------
    status : str
        "finished" or "interrupted".
    headline : str
        The one line that says what came out.
    folder : path
        What the run left.
    figures : tuple of paths
        The pictures among it.
    values : mapping
        What ``result.json`` holds besides.
    """

    status: str
    headline: str
    folder: Path
    figures: tuple[Path, ...]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that one engine has trained and judged."""

    engine: str  # as people read it
    model: nn.Layer
    history: History
    seconds: float  # of training
    loss: float  # on the part it is judged by, like the accuracy
    accuracy: float | None  # in 0…1; None where targets are not class labels

    @property
    def status(self) -> str:
        """How training ended."""
        return "interrupted" if self.history.interrupted else "finished"

    @property
    def measure(self) -> str:
        """What it is judged by."""
        return "loss" if self.accuracy is None else "accuracy"

    @property
    def shown(self) -> str:
        """The measure as people read it."""
        return f"{self.loss:.4g}" if self.accuracy is None else f"{100 * self.accuracy:.2f} %"

    @property
    def images_per_second(self) -> float:
        """How many were learnt from in a second, over all finished epochs."""
        epochs = self.history.epochs
        images = sum(epoch.images_per_second * epoch.seconds for epoch in epochs)
        return images / sum(epoch.seconds for epoch in epochs) if epochs else 0.0

    def values(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "epochs": len(self.history.epochs),
            "best_epoch": self.history.best_epoch,
            "stopped_early": self.history.stopped_early,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
        }

    def reached(self, part: str) -> dict[str, Any]:
        """Return what the list of recipes shows of it."""
        shown = {"headline": f"{part} {self.measure}: {self.shown}", "seconds": round(self.seconds, 3)}
        return {self.engine: shown}


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """An experiment. One that is not the training of a network subclasses this and implements `carry_out`.

    Parameters
    ----------
    name : str
        As typed on the command line.
    title : str
        What it is, in a line.
    source : str
        Where the experiment comes from.
    reported : str
        What the source says comes out.
    expects : str
        What must come out here.
    dataset : str, optional
        The data set it needs, as `npnet.data.present` knows it; None if it makes its data itself.

    Attributes
    ----------
    engines : tuple of str
        Those it can run on, as `Options.engine` names them.
    """

    name: str
    title: str
    source: str
    reported: str
    expects: str
    dataset: str | None = None
    engines: ClassVar[tuple[str, ...]] = ("numpy",)

    def run(self, options: Options, out: str | Path = "runs", report: Report = print) -> Result:
        """Run the experiment and leave a folder of it under `out`.

        Parameters
        ----------
        options : Options
        out : path
            Where runs are collected; found unwritable before anything is done.
        report : callable
            Takes lines about how it goes.

        Returns
        -------
        result : Result

        Raises
        ------
        InputError
            If something does not fit; nothing is left behind then, unless training had begun.
        """
        self._check_engine(options)
        with RunFolder(out, self.name) as folder:
            began = time.perf_counter()
            result = self.carry_out(options, folder, report)
            seconds = round(time.perf_counter() - began, 3)
            engine = ENGINES.get(options.engine, options.engine)
            ended = {
                "status": result.status,
                "headline": result.headline,
                "as_written": options.as_written,
                "reached": {engine: {"headline": result.headline, "seconds": seconds}},
            }
            folder.write_json(RESULT, ended | dict(result.values))
        return result

    def _check_engine(self, options: Options) -> None:
        """Require an engine that the experiment can run on and that is there."""
        if options.engine not in self.engines:
            raise InputError(
                f"{self.name}: --engine must be {' or '.join(self.engines)} for this recipe, "
                f"got {options.engine}"
            )
        if options.engine == "numpy":
            if options.device != "cpu":
                raise InputError(
                    f"{self.name}: --device {options.device} must go with --engine torch, "
                    "as NumPy has the CPU alone"
                )
            return
        if util.find_spec("torch") is None:
            raise MissingError(
                f"--engine {options.engine} trains with PyTorch, which is not installed: "
                "pip install 'npnet[torch]'"
            )
        from ptref.engine import check_device  # noqa: PLC0415 - PyTorch is loaded when asked for

        check_device(options.device)

    def summary(self) -> str:
        """Return what the experiment is, as text."""
        lines = {
            "what": self.title,
            "source": self.source,
            "reported there": self.reported,
            "expected here": self.expects,
        }
        return "\n".join([self.name, *(f"  {name + ':':<16}{text}" for name, text in lines.items())])

    @abstractmethod
    def carry_out(self, options: Options, folder: RunFolder, report: Report) -> Result:
        """Do the experiment, write what is to be kept into the folder, and say how it ended."""


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
        As in `npnet.train.fit`.
    quick_epochs, quick_images : int
        The most of both when a run is cut short.
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
    quick_epochs: int = 2
    quick_images: int = 1000
    engines: ClassVar[tuple[str, ...]] = ("numpy", "torch", "both")

    def given(self, options: Options) -> NetworkRecipe:
        """Return the recipe as it is to be run, options applied."""
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
            "training": f"{self.epochs} epochs in minibatches of {self.batch_size}",
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
        """Return the data, cut short for a quick run."""
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
        with self.engine(model, options) as engine:
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
        with self.engine(model, options) as engine:
            began = time.perf_counter()
            history = self._run(engine, splits, generator, options, folder, report)
            seconds = time.perf_counter() - began
            tally = judge(engine, _judged_part(splits))
        trained = TrainedNetwork(ENGINES[options.engine], model, history, seconds, tally.loss, tally.accuracy)
        beside = (folder.path / MODEL).exists()
        save_weights(folder.path / (MODEL_BESIDE if beside else MODEL), model)
        report(_ending(trained, self.epochs))
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
        every = max(1, self.epochs // 100)  # of very many epochs, not all are reported

        def on_epoch(epoch: Epoch) -> None:
            folder.append_jsonl(METRICS, {"engine": ENGINES[options.engine], **asdict(epoch)})
            if epoch.epoch % every == 0 or epoch.epoch in (1, self.epochs):
                report(_line(epoch, self.epochs))

        return run(
            engine,
            splits,
            epochs=self.epochs,
            batch_size=self.batch_size,
            generator=generator,
            patience=self.patience,
            progress=options.progress,
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
        rows = [(each.engine, each.shown, _spaced(round(each.images_per_second))) for each in trained]
        report(table(["engine", f"{name} {first.measure}", "images/s"], rows))
        difference, epoch = _largest_difference([each.history for each in trained])
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
        from npnet import plot  # noqa: PLC0415 - matplotlib takes a second that importing need not

        files: list[Path] = []
        if history.epochs:
            files.append(_draw_curves(history, self, folder))
        samples = next(minibatches(part, len(part)))
        if splits.classes:
            files += self._classifier_figures(model, samples, splits.classes, folder)
        weight = _first_filters(model)
        if weight is not None:
            shown = plot.filters(weight, title=f"{self.name}: filters of the first layer")
            files.append(folder.figure("filters.png", shown))
        return files

    def _classifier_figures(
        self,
        model: nn.Layer,
        samples: tuple[ndarray, ndarray],
        classes: tuple[str, ...],
        folder: RunFolder,
    ) -> list[Path]:
        from npnet import plot  # noqa: PLC0415 - as above

        x, target = samples
        y = predict(model, ArrayDataset(x, target))
        matrix = metrics.confusion_matrix(y.argmax(axis=1), target, len(classes))
        right = f"{matrix.trace()} of {len(target)} right"
        figure = plot.confusion(matrix, classes, title=f"{self.name}: {right}")
        files = [folder.figure("confusion_matrix.png", figure)]
        if x.ndim == 4:
            probabilities, _ = F.softmax(y, dim=1)  # of log-probabilities these are the probabilities again
            figure = plot.misclassified(x, target, probabilities, classes, title=self.name)
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
    from npnet import plot  # noqa: PLC0415 - matplotlib takes a second that importing need not

    label = LOSS_LABELS.get(recipe.loss.kind, "loss")
    return folder.figure(
        "learning_curves.png", plot.learning_curves(runs, title=recipe.title, loss_label=label)
    )


def _largest_difference(histories: Sequence[History]) -> tuple[float, int]:
    """Return by how much the losses of several runs differ at most, and in which epoch."""
    worst = (0.0, 0)
    for epochs in zip(*(history.epochs for history in histories), strict=False):
        for name in ("train_loss", "validation_loss"):
            losses = [getattr(epoch, name) for epoch in epochs if getattr(epoch, name) is not None]
            if losses and max(losses) - min(losses) >= worst[0]:
                worst = (max(losses) - min(losses), epochs[0].epoch)
    return worst


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
    parts = ", ".join(f"{_spaced(len(part))} {name}" for name, part in splits.parts().items())
    parameters = sum(array.size for array in model.parameters.values())
    return f"data: {parts}; model: {_spaced(parameters)} parameters"


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _line(epoch: Epoch, epochs: int) -> str:
    """Return an epoch as a line."""

    def shown(loss: float, accuracy: float | None) -> str:
        return f"{loss:.4f}" if accuracy is None else f"{loss:.4f} {100 * accuracy:6.2f} %"

    line = f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}"
    line += f"  training {shown(epoch.train_loss, epoch.train_accuracy)}"
    if epoch.validation_loss is not None:
        line += f"  validation {shown(epoch.validation_loss, epoch.validation_accuracy)}"
    return f"{line}  {_spaced(round(epoch.images_per_second))} images/s"


def _ending(trained: TrainedNetwork, epochs: int) -> str:
    history = trained.history
    how = "trained"
    if history.interrupted:
        how = "interrupted after"
    elif history.stopped_early:
        how = "stopped early after"
    kept = f"; weights of epoch {history.best_epoch} kept" if history.best_epoch is not None else ""
    ran = f"{len(history.epochs)} of {epochs} epochs in {trained.seconds:.1f} s"
    return f"{trained.engine}: {how} {ran}{kept}"
