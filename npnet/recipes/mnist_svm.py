"""Support vector machines on MNIST beside networks that learn from the same digits: accuracy and time.

The machines are scikit-learn's `SVC`, one-vs-one: for each of the 45 pairs of digits there is a machine, and
the digit that wins most of its pairs is predicted. One is linear, C = 0.1; the other has the Gaussian kernel
exp(−γ ‖x − z‖²) with C = 5 and the γ that scikit-learn chooses, 1 / (784 · Var[x]) = 0.013. C was chosen by
validation with 6 000 digits, among 0.01, 0.1 and 1 and among 1 and 5. The networks are logistic regression,
[784, 100, 10] and LeNet-5; they learn in minibatches of 50 until they stop early.

A machine's time grows faster than the number of digits n: each pair meets about n/5 of them, and compares
many with many others. With all 48 000 digits a machine takes minutes, so the sizes here are 1 000, 4 000 and
12 000, the validation part a quarter of that, drawn evenly from the split that all experiments share.
Everything is judged by all 10 000 test digits. ``--sizes 48000`` is the experiment with all digits. Times are
those of this machine. `SVC` works in one thread, networks in as many as they are given; that they are
validated after each epoch, which early stopping needs, is counted. All classify by NumPy.

Of the networks that learnt from the most digits, the one of the lowest validation loss is kept.

The source asks for the comparison and reports no figures. For scale: LeCun, Cortes and Burges list an error
of 1.4 %, 98.6 % right, for a Gaussian machine trained on 60 000 digits. What to expect:

- The Gaussian machine is ahead of the fully connected network at every size. It needs no early stopping: its
  loss is convex.
- LeNet-5, the one that knows that images have two dimensions, is ahead of all.
- To *classify*, a machine compares each digit with every support vector, and their number grows with n; the
  time a network needs stays the same.

With all 48 000 digits the linear machine reached 94.70 %, the Gaussian one 98.33 % with 10 092 support
vectors; that one took three minutes to learn and one to classify 10 000 digits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from numpy import ndarray

from npnet import metrics, plot
from npnet.data import ArrayDataset, Splits
from npnet.errors import InputError
from npnet.experiments import TRAINING, Experiment, Runner, Setup, Spec
from npnet.experiments.setup import evenly
from npnet.models import lenet5, logistic_regression, mlp
from npnet.recipes.common.mnist import TRAINING as TRAINING_DIGITS
from npnet.recipes.common.mnist import classifier
from npnet.train import predict

MACHINES: Mapping[str, dict[str, Any]] = {
    "linear SVM": {"kernel": "linear", "C": 0.1},
    "Gaussian SVM": {"kernel": "rbf", "C": 5.0, "gamma": "scale"},
}
CACHE = 1000  # megabytes for kernel values
QUICK_TEST = 1000


@dataclass(frozen=True)
class Measured:
    """What a classifier reached that learnt from so many digits."""

    classifier: str
    digits: int
    accuracy: float  # on the test digits, in 0…1
    seconds_to_learn: float
    seconds_to_classify: float  # all test digits
    support_vectors: int | None = None
    engine: str | None = None  # as people read it; a machine has none

    def line(self) -> str:
        """Say what was measured."""
        return f"{self.digits} digits, {self.classifier}: {100 * self.accuracy:.2f} %"

    def cells(self) -> list[str]:
        """Return it as cells of a table."""
        support = "" if self.support_vectors is None else str(self.support_vectors)
        times = (f"{seconds:.2f}" for seconds in (self.seconds_to_learn, self.seconds_to_classify))
        return [str(self.digits), self.classifier, f"{100 * self.accuracy:.2f} %", *times, support]


HEADINGS = ["digits", "classifier", "test", "s to learn", "s to classify", "support vectors"]


def study(runner: Runner) -> tuple[str, dict[str, Any]]:
    """Let every classifier learn from every size; machines learn once, whatever engine the networks have."""
    rows: list[Measured] = []
    for size in runner.sizes:
        if runner.interrupted:
            break
        splits = cut(runner.splits(runner.setups[0]), size, quick=runner.options.quick)
        for name, settings in MACHINES.items():
            rows.append(runner.once((name, size), partial(machine, name, settings, splits)))
            runner.report(rows[-1].line())
        for setup in runner.setups:
            if not runner.interrupted:
                rows += network(runner, setup, splits)
    keep_best(runner)
    runner.table(HEADINGS, [row.cells() for row in rows])
    everyone: list[dict[str, Any]] = runner.once("rows of all engines", list)  # grows with each of them
    everyone += [asdict(row) for row in rows if asdict(row) not in everyone]
    draw(runner, [Measured(**row) for row in everyone])
    return headline(rows), {"rows": everyone}


def network(runner: Runner, setup: Setup, splits: Splits[Any]) -> list[Measured]:
    """Let a network learn from so many digits; nothing is measured if that is interrupted."""
    size = len(splits.train)
    run = runner.train(replace(setup, name=run_name(setup, size)), splits=splits)
    if run.history.interrupted or run.accuracy is None:
        return []
    began = time.perf_counter()
    predict(run.model, run.test)
    seconds = time.perf_counter() - began
    measured = Measured(setup.name, size, run.accuracy, run.seconds, seconds, engine=runner.engine)
    runner.report(measured.line())
    return [measured]


def run_name(setup: Setup, size: int) -> str:
    """Return what the run of a network with so many digits is called."""
    return f"{setup.name}, {size} digits"


def keep_best(runner: Runner) -> None:
    """Keep the network of the lowest validation loss, of those that learnt from the most digits."""
    for size in sorted(runner.sizes, reverse=True):
        runs = {setup.name: runner.runs.get(run_name(setup, size)) for setup in runner.setups}
        trained = {name: run for name, run in runs.items() if run is not None and run.history.epochs}
        if trained:
            best = min(trained, key=lambda name: trained[name].validation_loss)
            runner.keep(trained[best], best)
            return


def headline(rows: list[Measured]) -> str:
    """Return what the machines and the best network reached with the most digits."""
    largest = [row for row in rows if row.digits == max(each.digits for each in rows)]
    networks = [row for row in largest if row.engine is not None]
    shown = [row for row in largest if row.engine is None]
    shown += [max(networks, key=lambda row: row.accuracy)] if networks else []
    reached = ", ".join(f"{row.classifier} {100 * row.accuracy:.2f} %" for row in shown)
    digits = f"{largest[0].digits:,}".replace(",", " ")
    return f"test accuracy with {digits} digits: {reached}"


def cut(splits: Splits[ArrayDataset], size: int, *, quick: bool) -> Splits[ArrayDataset]:
    """Return so many digits to learn from, and a quarter of that for validation."""
    if not 10 <= size <= len(splits.train):
        raise InputError(f"mnist-svm: sizes must be 10…{len(splits.train)} digits, got {size}")
    return replace(
        splits,
        train=evenly(splits.train, size),
        validation=evenly(splits.validation, size // 4),
        test=evenly(splits.test, QUICK_TEST) if quick else splits.test,
    )


def machine(name: str, settings: Mapping[str, Any], splits: Splits[ArrayDataset]) -> Measured:
    """Let a support vector machine learn, and judge it by the test part."""
    from sklearn.svm import SVC  # noqa: PLC0415 - takes a second that not everybody needs

    train, test = splits.train, splits.test
    assert test is not None
    svc = SVC(cache_size=CACHE, decision_function_shape="ovo", **settings)
    began = time.perf_counter()
    svc.fit(flat(train), train.y)
    learnt = time.perf_counter()
    predicted = svc.predict(flat(test))
    classified = time.perf_counter()
    return Measured(
        name,
        len(train),
        metrics.accuracy(predicted, test.y),
        learnt - began,
        classified - learnt,
        len(svc.support_),
    )


def flat(part: ArrayDataset) -> ndarray:
    """Return the digits of a part as vectors."""
    return part.x.reshape(len(part), -1)


def draw(runner: Runner, rows: list[Measured]) -> None:
    """Draw error and times against the number of digits, of every engine so far."""
    several = len({row.engine for row in rows if row.engine is not None}) > 1
    measures: dict[str, Callable[[Measured], float]] = {
        "test error (%)": lambda row: 100 * (1 - row.accuracy),
        "seconds to learn": lambda row: row.seconds_to_learn,
        "seconds to classify the test digits": lambda row: row.seconds_to_classify,
    }
    panels = []
    for label, measure in measures.items():
        curves: dict[str, dict[float, float]] = {}
        for row in rows:
            name = f"{row.classifier} ({row.engine})" if several and row.engine else row.classifier
            curves.setdefault(name, {})[row.digits] = measure(row)
        panels.append(plot.LinePlot(curves, "digits learnt from", label, x_scale="log", y_scale="log"))
    title = runner.experiment.title
    runner.figure_of_all("accuracy_and_time.png", plot.line_plots, panels, title=title)


stops_early = partial(
    classifier, epochs=100, batch_size=50, patience=5, quick_epochs=10, quick_images=TRAINING_DIGITS
)

recipe = Experiment(
    name="mnist-svm",
    title="linear and Gaussian support vector machines beside networks, on the same digits",
    source="Deep learning laboratory, University of Zagreb (FER), exercise 1: mnist_shootout",
    reported="no figure; asks for the comparison",
    expects="with 12 000 digits: Gaussian 97 %, linear 93 %, LeNet-5 ahead of both",
    dataset="mnist",
    study=study,
    setups=(
        stops_early(
            name="softmax",
            model=lambda generator: logistic_regression(784, 10, generator=generator),
            optimizer=Spec("SGD", lr=0.1),
        ),
        stops_early(
            name="784-100-10",
            model=lambda generator: mlp([784, 100, 10], generator=generator),
            optimizer=Spec("SGD", lr=0.2),
        ),
        stops_early(
            name="LeNet-5",
            model=lambda generator: lenet5(1, 28, 10, generator=generator),
            optimizer=Spec("AdamW", lr=3e-3, weight_decay=0.01),
        ),
    ),
    sizes=(1_000, 4_000, 12_000),
    quick_sizes=(200, 400),
    takes=("sizes", *TRAINING),
    details={"machines": dict(MACHINES)},
)
