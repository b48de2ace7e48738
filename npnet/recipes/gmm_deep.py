"""Deep networks on random Gaussians of the plane: what layers add to a line, and a film of how they learn.

Data: `sample_gmm_2d(4, 2, 40)` and `sample_gmm_2d(6, 2, 10)`; as many samples again for the test. Models:
[2, 2], which is logistic regression, [2, 10, 2] and [2, 10, 10, 2], each with ReLU and with sigmoid. Loss:
mean cross-entropy plus λ/2 · ‖θ‖², λ = 1e-4. Optimizer: gradient descent, all samples at every step, 10 000
steps, lr 0.1.

Judged by accuracy, recall and precision of each class, and average precision, on the samples learnt from, as
in the source, and on the test samples, which the source does not have.

The source reports no figures. What to expect: on the training samples every hidden layer helps, since no line
separates these classes. On the test samples the deepest network need not be the best: 60 samples are few for
162 weights, and its surface bends around single ones. ReLU's surfaces have corners, sigmoid's are smooth.
Accuracy, training / test, measured with seed 0:

====================  ================  ================
network               (4, 2, 40)        (6, 2, 10)
====================  ================  ================
[2, 2]                82.5 / 80.6 %     78.3 / 76.7 %
[2, 10, 2] ReLU       90.6 / 86.2 %     90.0 / 90.0 %
[2, 10, 10, 2] ReLU   95.0 / 91.9 %     95.0 / 85.0 %
[2, 10, 2] sigmoid    91.9 / 86.2 %     93.3 / 88.3 %
[2, 10, 10, 2] sigm.  93.1 / 86.2 %     96.7 / 88.3 %
====================  ================  ================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npnet import plot
from npnet.experiments import Experiment, Run, Runner, Setup
from npnet.recipes.common import gmm

__all__ = ["recipe"]

MIXTURES = ((4, 2, 40), (6, 2, 10))  # components, classes, samples of each component
KINDS = (
    ([2, 2], "relu"),  # has no hidden layer, and thus no activation
    ([2, 10, 2], "relu"),
    ([2, 10, 10, 2], "relu"),
    ([2, 10, 2], "sigmoid"),
    ([2, 10, 10, 2], "sigmoid"),
)
MOST_FRAMES = 48


def kind_name(sizes: Sequence[int], activation: str) -> str:
    """Return such as "2-10-2 relu"."""
    joined = "-".join(map(str, sizes))
    return joined if len(sizes) == 2 else f"{joined} {activation}"


FILMED = f"{kind_name([2, 10, 10, 2], 'relu')} on {MIXTURES[0]}"


def network(mixture: tuple[int, int, int], sizes: Sequence[int], activation: str) -> Setup:
    """Return one of the networks, with the source's settings."""
    components, _, samples = mixture
    name = f"{kind_name(sizes, activation)} on {mixture}"
    return gmm.classifier(
        name, gmm.mixture(*mixture), sizes, activation,
        samples=components * samples, steps=10_000, quick_steps=200, lr=0.1, decay=1e-4,
        snapshot_epochs=frames if name == FILMED else None,
    )  # fmt: skip


def frames(steps: int) -> list[int]:
    """Return the steps to film: most changes at first, so they stand ever further apart."""
    count = max(2, min(MOST_FRAMES - 1, steps // 40))
    return sorted({0, *np.geomspace(1, steps, count).round().astype(int).tolist()})


def study(runner: Runner) -> tuple[str, dict[str, Any]]:
    """Judge each network on both parts; draw surfaces, losses and a film."""
    runs = runner.train_all()
    judged = {name: gmm.judge_parts(run) for name, run in runs.items()}
    values = gmm.report_judgements(runner, "network", judged)
    for mixture in MIXTURES:
        draw_surfaces(runner, mixture, judged)
    panels: dict[str, dict[str, list[float]]] = {}
    for run in runs.values():
        if run.losses:
            panels.setdefault(run.splits.name, {})[kind_of(run)] = run.losses
    if panels:
        shown = [gmm.loss_panel(curves, mixture) for mixture, curves in panels.items()]
        runner.figure("losses.png", plot.line_plots, shown, title="Training loss")
    for run in runs.values():
        if run.snapshots:
            film = [
                gmm.surface(f"after {step} steps", run, weights) for step, weights in run.snapshots.items()
            ]
            runner.figure("learning.gif", plot.film, film, run.splits.classes, title=kind_of(run))
    return headline(runs, judged), {"judged": values}


def headline(runs: Mapping[str, Run], judged: Mapping[str, Mapping[str, gmm.Judgement]]) -> str:
    """Return what the deepest networks with ReLU came to, or, if none was trained, what the last one did."""
    deepest = kind_name([2, 10, 10, 2], "relu")
    shown = [run for run in runs.values() if run.name.startswith(deepest) and not run.history.interrupted]
    percents = {name: f"{100 * parts['training'].accuracy:.1f} %" for name, parts in judged.items()}
    if not shown:
        last = list(runs.values())[-1]
        return (
            f"training accuracy of {last.name}: {percents[last.name]} "
            f"after {len(last.losses)} of {last.setup.epochs} steps"
        )
    each_on = (f"{run.name.partition(' on ')[2]} {percents[run.name]}" for run in shown)
    return f"training accuracy of {deepest}: {', '.join(each_on)}"


def kind_of(run: Run) -> str:
    """Return the name of a network without that of its mixture."""
    return run.name.partition(" on ")[0]


def draw_surfaces(
    runner: Runner, mixture: tuple[int, int, int], judged: Mapping[str, Mapping[str, gmm.Judgement]]
) -> None:
    """Draw a figure for a mixture: a row for each activation, a column for each depth."""
    names = [f"{kind_name(*kind)} on {mixture}" for kind in KINDS]
    there = [runner.runs[name] for name in names if name in runner.runs]
    if not there:
        return
    shown = {}
    for run in there:
        shares = ", ".join(f"{part} {100 * j.accuracy:.1f} %" for part, j in judged[run.name].items())
        shown[run.name] = gmm.surface(f"{kind_of(run)}\n{shares}", run)
    placed = [shown.get(name) for name in names]
    placed.insert(3, None)  # below the network without a hidden layer there is none with sigmoid
    splits = there[0].splits
    file, title = (
        f"decision_surfaces_{'_'.join(map(str, mixture))}.png",
        f"{splits.name}: surfaces and training samples",
    )
    runner.figure(file, plot.surfaces, placed, splits.classes, columns=3, title=title)


recipe = Experiment(
    name="gmm-deep",
    title="networks of one, two and three layers on random Gaussians, ReLU and sigmoid, with a film",
    source="Deep learning laboratory, University of Zagreb (FER), exercise 1: pt_deep",
    reported="no figure; decision surfaces",
    expects="2-10-10-2 with ReLU 10 points above 2-2 in training accuracy, on both mixtures",
    study=study,
    setups=tuple(network(mixture, *kind) for mixture in MIXTURES for kind in KINDS),
    keeps_all_weights=True,
)
