"""The runner of an experiment: it trains, judges, writes, draws and reports for one engine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.random import Generator

from npnet import checkpoint, engines, nn
from npnet._words import one_line
from npnet.data import Dataset, Splits
from npnet.engines import Spec
from npnet.errors import InputError, MissingError
from npnet.experiments._diagnosing import diagnosed_on_failure, diagnosis, recorder_for
from npnet.experiments.options import Options
from npnet.experiments.run import Run, judged_part
from npnet.experiments.setup import Setup
from npnet.run import METRICS, MODEL, RunFolder
from npnet.saved import save
from npnet.table import table
from npnet.train import (
    Engine,
    Epoch,
    ResumableEngine,
    RunningMetrics,
    evaluate_engine,
    read_checkpoint,
    run,
)
from npnet.train.recorder import as_arrays

if TYPE_CHECKING:
    from npnet.experiments.experiment import Experiment

T = TypeVar("T")
Report = Callable[[str], None]
WEIGHTS = "weights.safetensors"  # of all models of the first engine
MOST_LINES = 1000  # epochs of a run that are noted; of more, some evenly


class Runner:
    """What a study works with: the setups to train, an engine to train them, a folder, a way to report.

    Parameters
    ----------
    experiment : Experiment
    options : Options
    engine : str
        The name of one of the engines that the options ask for; the attribute is what people call it.
    folder : RunFolder
    report : callable
        Takes lines about how it goes.
    earlier : tuple of Runner
        Those of the engines that have done the same before.

    Attributes
    ----------
    setups : tuple of Setup
        Those of the experiment, options applied.
    runs : dict from names to Run
        What was trained so far.
    figures : list of paths
    left_out : dict
        Why figures are not there, by file name.
    tables : list of (headings, rows, title)
        Those that were reported.
    kept : pair of str, optional
        The run whose weights were kept last, and the setup that it is a run of.
    """

    def __init__(
        self,
        experiment: Experiment,
        options: Options,
        engine: str,
        folder: RunFolder,
        report: Report,
        earlier: tuple[Runner, ...] = (),
    ) -> None:
        self.experiment, self.options = experiment, options.for_engine(engine)
        self.setups = tuple(setup.with_options(options) for setup in experiment.setups)
        self._backend = engines.get(engine)
        self.engine = self._backend.title
        self.folder, self.report, self.earlier = folder, report, earlier
        self.runs: dict[str, Run] = {}
        self.figures: list[Path] = []
        self.left_out: dict[str, str] = {}
        self.tables: list[tuple[Sequence[str], Sequence[Sequence[Any]], str | None]] = []
        self.kept: tuple[str, str] | None = None
        self.interrupted = False
        self._trainings = 0
        self.seconds_drawing = 0.0
        self._made_once: dict[Any, Any] = earlier[0]._made_once if earlier else {}  # noqa: SLF001 - its own kind

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of samples to compare; of a run cut short fewer, unless some were asked for."""
        cut_short = self.options.quick and self.experiment.whole
        return self.experiment.quick_sizes if cut_short else self.experiment.sizes

    @property
    def best(self) -> Run:
        """The run of the lowest validation loss so far; without validation the first.

        One that has the weights of its last epoch is taken only where there is no other: nothing was chosen
        by its validation part, which may be the test part, as in some sources. The test part has no say.
        """
        return min(self.runs.values(), key=lambda run: (not run.setup.keep_best, run.validation_loss))

    # ---- training and judging --------------------------------------------------------------------------

    def train_all(self) -> dict[str, Run]:
        """Train one setup after the other, until one is interrupted.

        All start from the same seed: those of equal sizes start with equal weights, and those that share
        their data see it in the same order. The weights of the best so far are in the folder whatever becomes
        of the next.

        Returns
        -------
        runs : dict from names to Run
            In the order of the setups; after an interrupt some are missing.
        """
        for setup in self.setups:
            trained = self.train(setup, every_epoch=len(self.setups) == 1)
            if not self.experiment.keeps_all_weights:
                if self.best is trained:
                    self.keep(trained)
            elif not self.earlier:
                self._keep_beside_others(trained)
            if self.interrupted:
                break
        return self.runs

    def train(
        self,
        setup: Setup,
        *,
        seed: int | None = None,
        splits: Splits[Any] | None = None,
        model: nn.Layer | None = None,
        generator: Generator | None = None,
        every_epoch: bool = False,
    ) -> Run:
        """Train one setup and judge it.

        Parameters
        ----------
        setup : Setup
            Its name tells the run from others.
        seed : int, optional
            Of data, initial weights and the order of samples, in place of that of the options.
        splits : Splits, optional
            In place of the setup's own data.
        model : Layer, optional
            In place of a new one.
        generator : numpy.random.Generator, optional
            Draws the order of samples, and dropout.
        every_epoch : bool
            Whether epochs are reported, beside how it ended.

        Returns
        -------
        run : Run

        Raises
        ------
        InputError
            If training goes wrong; what was learnt in finished epochs is kept in the folder.
        """
        options = self.options if seed is None else replace(self.options, seed=seed)
        weights_seed, training_seed = np.random.SeedSequence(options.seed).spawn(2)
        splits = self.splits(setup, options) if splits is None else splits
        model = setup.model(np.random.default_rng(weights_seed)) if model is None else model
        generator = np.random.default_rng(training_seed) if generator is None else generator
        checkpoints = self._next_checkpoints()
        notes = _Notes(self, setup, model, checkpoints, every_epoch=every_epoch)
        notes.resume()
        recorder = recorder_for(self, setup, model)
        with self._kept_on_failure(model, splits, notes), diagnosed_on_failure(self, setup, recorder):
            began = time.perf_counter()
            with self._engine(setup, model, setup.planned(splits)) as engine:
                history = run(
                    engine,
                    splits,
                    epochs=setup.epochs,
                    batch_size=setup.batch_size,
                    generator=generator,
                    patience=setup.patience,
                    keep_best=setup.keep_best,
                    checkpoint=checkpoints if isinstance(engine, ResumableEngine) else None,
                    resume=isinstance(engine, ResumableEngine),
                    progress="bar" if options.progress else False,  # the lines are those of `report`
                    on_epoch=lambda epoch: notes.add(epoch, engine),
                    recorder=recorder,
                )
            seconds = time.perf_counter() - began
            tally = self._judged(setup, model, judged_part(splits))
            judged = tally.loss, tally.accuracy
            done = Run(setup, self.engine, splits, model, history, seconds, *judged, notes.snapshots)
            self.report(done.line())
        done = replace(done, symptoms=diagnosis(self, setup, recorder, history))
        self.runs[setup.name] = done
        self.interrupted |= history.interrupted
        return done

    def _next_checkpoints(self) -> Path:
        """Return the folder for the checkpoints of the next training.

        A run that is resumed trains the same, one after another: what has finished is read, and what has not
        goes on.
        """
        self._trainings += 1
        return self.folder.checkpoints(f"{self.options.engine}-{self._trainings:04d}")

    def judge(self, trained: Run, part: Dataset) -> RunningMetrics:
        """Return loss and accuracy of a run on a part of its data, by the engine that trained it."""
        return self._judged(trained.setup, trained.model, part)

    def judge_parts(self, trained: Run) -> dict[str, float]:
        """Return the accuracy on each part, by the part's name."""
        tallies = {name: self.judge(trained, part) for name, part in trained.splits.parts().items()}
        return {name: float("nan") if t.accuracy is None else t.accuracy for name, t in tallies.items()}

    def extension(self) -> Callable[..., Any] | None:
        """Return what the engine alone can add to this experiment; None if nothing."""
        return self._backend.extension(self.experiment.name)

    def splits(self, setup: Setup, options: Options | None = None) -> Splits[Any]:
        """Return the data of a setup; what several setups and engines share is loaded once."""
        options = self.options if options is None else options
        key = (setup.data, setup.quick_images, options.seed)
        splits: Splits[Any] = self.once(key, lambda: setup.splits(options))
        return splits

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` gives, made once for all engines."""
        if key not in self._made_once:
            self._made_once[key] = make()
        return self._made_once[key]

    def _judged(self, setup: Setup, model: nn.Layer, part: Dataset) -> RunningMetrics:
        with self._engine(setup, model) as engine:
            return evaluate_engine(engine, part)

    @contextmanager
    def _engine(self, setup: Setup, model: nn.Layer, planned: Spec | None = None) -> Iterator[Engine]:
        """Give the engine for a model, with a schedule to train it; it leaves the model what was learnt."""
        (settings,) = self.options.engines().values()
        settings = replace(settings, threads=settings.threads or setup.threads)
        every: Any = {} if setup.schedule_every == "epoch" else {"schedule_every": setup.schedule_every}
        with self._backend.engine(model, setup.loss, setup.optimizer, planned, settings, **every) as engine:
            yield engine

    # ---- what is left in the folder --------------------------------------------------------------------

    @property
    def weights_file(self) -> Path:
        """The file for the weights that this engine's runs leave."""
        name = f"model-{self.engine.lower()}.safetensors" if self.earlier else MODEL
        return self.folder.path / name

    def keep(self, trained: Run, setup: str | None = None) -> None:
        """Write the weights of a run, in the place of those of the run before.

        Parameters
        ----------
        trained : Run
        setup : str, optional
            The name of the setup that it is a run of, where the run has another name.

        Raises
        ------
        InputError
            If they cannot be written there. They are written elsewhere then, and the message says where.
        """
        with _rescued(trained):
            save(self.weights_file, trained.model, trained.splits)
        self.kept = trained.name, trained.name if setup is None else setup

    def figure(self, file: str, draw: Callable[..., Any], *arguments: Any, **settings: Any) -> None:
        """Draw a figure, or a film, into the folder; of several engines, of the first alone."""
        if not self.earlier:
            self.figure_of_all(file, draw, *arguments, **settings)

    def figure_of_all(self, file: str, draw: Callable[..., Any], *arguments: Any, **settings: Any) -> None:
        """Draw a figure that shows this engine beside the earlier ones, in the place of theirs.

        One that cannot be drawn or written is left out: no figure is worth a run.
        """

        def make() -> Path:
            drawn = draw(*arguments, **settings)
            if isinstance(drawn, bytes):
                return self.folder.write(file, lambda out: out.write(drawn))
            return self.folder.figure(file, drawn)

        path = self.attempt(f"figure {file}", file, make)
        if path is not None:
            self.figures.append(path)
            self.report(f"figure: {path}")

    def attempt(self, what: str, file: str, make: Callable[[], T]) -> T | None:
        """Return what `make` gives; None if it fails, which report and result say, and the run goes on.

        Parameters
        ----------
        what : str
            As people read it.
        file : str
            Which of the files left in the folder is not there, or what of it.
        make : callable

        Returns
        -------
        made : anything
        """
        began = time.perf_counter()
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
            self.left_out[file] = one_line(str(error) or type(error).__name__)
            self.report(f"{what} is left out: {self.left_out[file]}")
            return None
        finally:
            self.seconds_drawing += time.perf_counter() - began

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
        """Report a table."""
        self.tables.append((headings, rows, title))
        self.report(table(headings, rows, title=title))

    def _keep_beside_others(self, trained: Run) -> None:
        """Write the weights beside those of the runs before, under the run's name."""
        path = self.folder.path / WEIGHTS
        before = checkpoint.load(path)[0] if path.exists() else {}
        own = {f"{trained.name}/{name}": array for name, array in trained.model.state_dict().items()}
        with _rescued(trained):
            checkpoint.save(path, before | own)

    @contextmanager
    def _kept_on_failure(self, model: nn.Layer, splits: Splits[Any], notes: _Notes) -> Iterator[None]:
        """Write what a model has learnt if training or judging ends in an error after an epoch or more.

        Training has put the best weights so far back into the model by then. Weights of another run that are
        there already stay.
        """
        try:
            yield
        except BaseException:
            if notes.epochs and not self.weights_file.exists():
                with suppress(InputError):  # the error under way may be that nothing can be written
                    save(self.weights_file, model, splits)
            raise


@contextmanager
def _rescued(trained: Run) -> Iterator[None]:
    """Write weights elsewhere, to the system's temporary files, if they cannot be written where they belong.

    The message of the error says where they are.
    """
    try:
        yield
    except InputError as error:
        try:
            path = Path(tempfile.mkdtemp(prefix="npnet-")) / MODEL
            save(path, trained.model, trained.splits)
            told = f"The weights are safe in {path}; copy them from there. Name a folder with room by --out"
        except (InputError, OSError) as another:
            told = f"Nor can the weights be written to temporary files ({one_line(str(another))})"
        raise InputError(f"{error}. {told}") from None


class _Notes:
    """What is noted and told of each epoch of a run, and which weights are kept on the way."""

    def __init__(
        self, runner: Runner, setup: Setup, model: nn.Layer, checkpoints: Path, *, every_epoch: bool
    ) -> None:
        self.runner, self.setup, self.every_epoch = runner, setup, every_epoch
        self.checkpoints = checkpoints
        self.epochs = 0  # finished ones
        self._wanted = () if setup.snapshot_epochs is None else setup.snapshot_epochs(setup.epochs)
        self.snapshots = {0: model.state_dict()} if 0 in self._wanted else {}
        self._noted = _Spaced(setup.epochs, MOST_LINES)
        self._told = _Spaced(setup.epochs, 100, seconds=10.0)

    def add(self, epoch: Epoch, engine: Engine) -> None:
        """Take an epoch that is finished into account."""
        if epoch.epoch in self._wanted:
            self.snapshots[epoch.epoch] = as_arrays(engine.weights())
            if self.checkpoints.is_dir():
                checkpoint.save(self._snapshot(epoch.epoch), self.snapshots[epoch.epoch])
        self._note(epoch)
        if self.every_epoch and self._told.now(epoch.epoch):
            self.runner.report(epoch.line(self.setup.epochs))

    def resume(self) -> None:
        """Take the epochs into account that finished before the run was interrupted."""
        try:
            finished = read_checkpoint(self.checkpoints).history.epochs
        except MissingError:
            return
        for epoch in finished:
            self._note(epoch)
            if epoch.epoch in self._wanted:
                self.snapshots[epoch.epoch] = checkpoint.load(self._snapshot(epoch.epoch))[0]

    def _snapshot(self, epoch: int) -> Path:
        return self.checkpoints / f"weights-{epoch:09d}.safetensors"

    def _note(self, epoch: Epoch) -> None:
        self.epochs = epoch.epoch
        if self._noted.now(epoch.epoch):
            name = {"network": self.setup.name} if self.setup.name else {}
            line = {**name, "engine": self.runner.engine, **asdict(epoch)}
            self.runner.folder.append_jsonl(METRICS, line)


class _Spaced:
    """Selects the epochs to print: not all of very many, but at least one every few seconds.

    Examples
    --------
    >>> spaced = _Spaced(10_000, 1000)
    >>> [epoch for epoch in range(1, 41) if spaced.now(epoch)]
    [1, 10, 20, 30, 40]
    """

    def __init__(self, epochs: int, most: int, seconds: float = float("inf")) -> None:
        self.epochs, self.every, self.seconds = epochs, max(1, epochs // most), seconds
        self._last = time.perf_counter()

    def now(self, epoch: int) -> bool:
        """Tell whether an epoch is told."""
        long_ago = time.perf_counter() - self._last >= self.seconds
        if epoch % self.every and epoch not in (1, self.epochs) and not long_ago:
            return False
        self._last = time.perf_counter()
        return True
