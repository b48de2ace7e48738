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
from numpy.random import Generator, SeedSequence

from npnet import __version__, metrics, nn, optim, parallel
from npnet import functional as F
from npnet.checkpoint import save_weights
from npnet.data import ArrayDataset, Dataset, Splits, minibatches
from npnet.errors import InputError, MissingError
from npnet.run import METRICS, MODEL, RESULT, SETTINGS, RunFolder
from npnet.train import Engine, Epoch, History, NumPyEngine, Tally, judge, predict, run

Report = Callable[[str], None]
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
    """What whoever runs a recipe asks for; None leaves what the recipe says."""

    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    data: Path | None = None  # the folder data sets are looked for in
    quick: bool = False  # a run cut short, to see that everything works
    progress: bool = True
    engine: str = "numpy"  # "torch", or "both" side by side
    device: str = "cpu"  # "cuda" for PyTorch
    threads: int | None = None  # None: all cores

    @property
    def as_written(self) -> bool:
        """Whether the recipe runs with its own settings."""
        return not self.quick and (self.epochs, self.batch_size, self.lr) == (None, None, None)


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    status: str  # "finished" or "interrupted"
    headline: str  # the one line that says what came out
    folder: Path
    figures: tuple[Path, ...]
    values: Mapping[str, Any]


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
            ended = {
                "status": result.status,
                "headline": result.headline,
                "as_written": options.as_written,
                "reached": {_engine_name(options.engine): {"headline": result.headline, "seconds": seconds}},
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
                    f"{self.name}: --device {options.device} must go with --engine torch: NumPy has the CPU alone"
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
        """Train, judge on the test part, draw the figures."""
        recipe = self.given(options)
        weights_seed, training_seed = np.random.SeedSequence(options.seed).spawn(2)
        splits = recipe.splits(options)
        model = recipe.model(np.random.default_rng(weights_seed))
        folder.write_json(SETTINGS, recipe.settings(options, splits, model))
        report(f"{self.name}: {self.title}")
        report(_sizes(splits, model))

        began = time.perf_counter()
        history = recipe.train(model, splits, np.random.default_rng(training_seed), options, folder, report)
        seconds = time.perf_counter() - began
        save_weights(folder.path / MODEL, model)
        report(_ending(history, recipe.epochs, seconds))
        return recipe.judge(model, splits, history, seconds, folder, report)

    def splits(self, options: Options) -> Splits[Any]:
        """Return the data, cut short for a quick run."""
        splits = self.data(options)
        return splits if not options.quick else _first(splits, self.quick_images)

    def train(
        self,
        model: nn.Layer,
        splits: Splits[Any],
        generator: Generator,
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> History:
        """Train the model by `npnet.train.fit`, writing and reporting each epoch."""
        optimizer = self.optimizer.make(optim, model.parameters)
        schedule = None if self.schedule is None else self.schedule(self.epochs).make(optim, optimizer)
        every = max(1, self.epochs // 100)  # of very many epochs, not all are reported

        def on_epoch(epoch: Epoch) -> None:
            folder.append_jsonl(METRICS, asdict(epoch))
            if epoch.epoch % every == 0 or epoch.epoch in (1, self.epochs):
                report(_line(epoch, self.epochs))

        return fit(
            model,
            self.loss.make(nn),
            optimizer,
            splits,
            epochs=self.epochs,
            batch_size=self.batch_size,
            generator=generator,
            schedule=schedule,
            patience=self.patience,
            progress=options.progress,
            on_epoch=on_epoch,
        )

    def judge(
        self,
        model: nn.Layer,
        splits: Splits[Any],
        history: History,
        seconds: float,
        folder: RunFolder,
        report: Report,
    ) -> Result:
        """Look at the test part, once, and draw the figures."""
        name = "training" if splits.test is None else "test"
        part = splits.train if splits.test is None else splits.test
        loss, accuracy = evaluate(model, self.loss.make(nn), part)
        figures = self.figures(model, splits, part, history, folder)
        for figure in figures:
            report(f"figure: {figure}")
        if accuracy is None:
            headline = f"{name} loss: {loss:.4g}"
        else:
            headline = f"{name} accuracy: {100 * accuracy:.2f} %"
        values = {
            "loss": loss,
            "accuracy": accuracy,
            "judged_on": name,
            "epochs": len(history.epochs),
            "best_epoch": history.best_epoch,
            "stopped_early": history.stopped_early,
            "seconds": round(seconds, 3),
        }
        status = "interrupted" if history.interrupted else "finished"
        return Result(status, headline, folder.path, tuple(figures), values)

    def figures(
        self, model: nn.Layer, splits: Splits[Any], part: Dataset, history: History, folder: RunFolder
    ) -> list[Path]:
        """Draw what there is to see of a trained network, and return the files."""
        from npnet import plot  # noqa: PLC0415 - matplotlib takes a second that importing need not

        files: list[Path] = []
        if history.epochs:
            label = LOSS_LABELS.get(self.loss.kind, "loss")
            curves = plot.learning_curves(history, title=self.title, loss_label=label)
            files.append(folder.figure("learning_curves.png", curves))
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
            "blas_threads": _blas_threads(),
            "versions": versions(),
        }


def versions() -> dict[str, str]:
    """Return the versions of what the numbers of a run depend on."""
    return {
        "npnet": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _blas_threads() -> int | None:
    """Return how many threads NumPy's matrix products take; other libraries bring pools of their own."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    own = [pool["num_threads"] for pool in pools if "numpy" in pool["filepath"]]
    return next(iter(own or [pool["num_threads"] for pool in pools]), None)


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


def _ending(history: History, epochs: int, seconds: float) -> str:
    ran = len(history.epochs)
    how = "trained"
    if history.interrupted:
        how = "interrupted after"
    elif history.stopped_early:
        how = "stopped early after"
    kept = f"; weights of epoch {history.best_epoch} kept" if history.best_epoch is not None else ""
    return f"{how} {ran} of {epochs} epochs in {seconds:.1f} s{kept}"
