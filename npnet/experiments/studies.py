"""How networks are judged and drawn where an experiment does not say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy import ndarray

from npnet import check, metrics, nn, plot
from npnet import functional as F
from npnet.data import ArrayDataset, Dataset, minibatches
from npnet.errors import InputError
from npnet.experiments.run import Run
from npnet.experiments.runner import Runner
from npnet.shapes import Float, Integer
from npnet.train import predict

AS_IN_SOURCE, OURS = "as in the source", "our setting"


def judge_setups(runner: Runner) -> tuple[str, dict[str, Any]]:
    """Train every setup, judge each, and draw learning curves and what the best gets wrong.

    Parameters
    ----------
    runner : Runner

    Returns
    -------
    headline : str
        What each setup reached.
    values : dict
        What is kept of it.

    Raises
    ------
    InputError
        If the runner is none, or training goes wrong.
    """
    check.instance("judge_setups", "runner", runner, Runner, "a Runner")
    runs = runner.train_all()
    chosen = runner.best
    draw_curves(runner, {"": runs})
    draw_network(runner, chosen)
    reached = ", ".join(f"{run.shown} {name}".rstrip() for name, run in runs.items())
    headline = f"{chosen.judged_on} {chosen.measure}: {reached}"
    if list(runs) == [""]:
        return headline, {"judged_on": chosen.judged_on, **chosen.values()}
    accuracies = {name: runner.judge_parts(run) for name, run in runs.items()}
    parts = list(dict.fromkeys(part for shares in accuracies.values() for part in shares))
    rows = [
        [name, *(f"{100 * shares[part]:.2f} %" if part in shares else "–" for part in parts)]
        for name, shares in accuracies.items()
    ]
    runner.table(["setting", *parts], rows)
    return headline, {"accuracy": chosen.accuracy, "accuracies": accuracies}


# ---- figures -------------------------------------------------------------------------------------------


def draw_curves(
    runner: Runner,
    panels: Mapping[str, Mapping[str, Run]],
    *,
    title: str | None = None,
    of_all: bool = False,
) -> None:
    """Draw learning curves into ``learning_curves.png``: a row for each panel, a colour for each run in it.

    Parameters
    ----------
    runner : Runner
    panels : mapping from titles to mappings from names to Run
        Those of which no epoch was finished are left out.
    title : str, optional
        By default the experiment's.
    of_all : bool
        Whether the panels show the earlier engines too, so that it is drawn anew for each.

    Raises
    ------
    InputError
        If an argument has the wrong type or value.
    """
    check.instance("draw_curves", "runner", runner, Runner, "a Runner")
    if not isinstance(panels, Mapping) or not all(isinstance(runs, Mapping) for runs in panels.values()):
        raise InputError(f"draw_curves: panels must be mappings by title, got {check.described(panels)}")
    finished = {
        panel: {name: run.history for name, run in runs.items() if run.history.epochs}
        for panel, runs in panels.items()
    }
    shown: Any = {panel: histories for panel, histories in finished.items() if histories}
    if not shown:
        return
    label = next(run.setup.loss_label for runs in panels.values() for run in runs.values())
    shown = shown[""] if list(shown) == [""] else shown
    shown = shown[""] if list(shown) == [""] else shown  # a run without a name is drawn without a legend
    title = runner.experiment.title if title is None else title
    draw = runner.figure_of_all if of_all else runner.figure
    draw("learning_curves.png", plot.learning_curves, shown, title=title, loss_label=label)


def draw_network(runner: Runner, run: Run) -> None:
    """Draw what a network takes for what, the images it gets wrong, and its first filters.

    Parameters
    ----------
    runner : Runner
    run : Run
        Figures there is nothing for, such as images of a network that looks at none, are left out.

    Raises
    ------
    InputError
        If an argument has the wrong type or value.
    """
    check.instance("draw_network", "runner", runner, Runner, "a Runner")
    check.instance("draw_network", "run", run, Run, "a Run")
    name = f"{runner.experiment.name}, {run.name}" if run.name else runner.experiment.name
    classes = run.splits.classes
    if classes:
        x, _ = next(minibatches(run.test, len(run.test)))
        target, p = outcome(runner, run)
        matrix = metrics.confusion_matrix(p.argmax(axis=1), target, len(classes))
        right = f"{name}: {matrix.trace()} of {len(target)} right"
        runner.figure("confusion_matrix.png", plot.confusion, matrix, classes, title=right)
        if x.ndim == 4:
            runner.figure(
                "misclassified.png", plot.predictions, x, target, p, classes,
                select="misclassified", title=name,
            )  # fmt: skip
    first = next(iter(run.model.parameters.values()), None)
    if first is not None and first.ndim == 4:  # the kernels of a convolution
        runner.figure("filters.png", plot.weight_images, first, title=f"{name}: filters of the first layer")


def outcome(runner: Runner, run: Run) -> tuple[Integer[ndarray, " n"], Float[ndarray, "n classes"]]:
    """Return the classes of the part that a network is judged by, and what it takes each sample for.

    They are computed once for a run.
    """

    def judged() -> tuple[ndarray, ndarray]:
        x, target = next(minibatches(run.test, len(run.test)))
        return target, probabilities(run.model, ArrayDataset(x, target))

    target, p = runner.once((outcome, run), judged)
    return target, p


def probabilities(model: nn.Layer, dataset: Dataset) -> Float[ndarray, "n classes"]:
    """Return what a model takes each sample for; its outputs may be logits or log-probabilities.

    Parameters
    ----------
    model : Layer
    dataset : data set

    Returns
    -------
    p : array, shape (n, classes)
    """
    p, _ = F.softmax(predict(model, dataset), dim=1)
    return p
