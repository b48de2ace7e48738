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
from pathlib import Path

import numpy as np

from npnet import plot
from npnet.recipes import _gmm
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._several import SeveralNetworks, Trained, Verdict
from npnet.recipes._spec import Options, Report
from npnet.run import RunFolder
from npnet.table import table

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


def network(mixture: tuple[int, int, int], sizes: Sequence[int], activation: str) -> NetworkRecipe:
    """Return one of the networks, with the source's settings."""
    components, _, samples = mixture
    return _gmm.classifier(
        f"{kind_name(sizes, activation)} on {mixture}", _gmm.mixture(*mixture), sizes, activation,
        samples=components * samples, steps=10_000, quick_steps=200, lr=0.1, decay=1e-4,
    )  # fmt: skip


FILMED = f"{kind_name([2, 10, 10, 2], 'relu')} on {MIXTURES[0]}"


def frames(steps: int) -> list[int]:
    """Return the steps to film: most changes at first, so they stand ever further apart."""
    count = max(2, min(MOST_FRAMES - 1, steps // 40))
    return sorted({0, *np.geomspace(1, steps, count).round().astype(int).tolist()})


class DeepNetworks(SeveralNetworks):
    """Ten networks, judged and drawn."""

    def judge(
        self, trained: Sequence[Trained], options: Options, folder: RunFolder, report: Report
    ) -> Verdict:
        """Judge each on both parts; there are surfaces, losses and a film to draw."""
        judged = {each.network.name: _gmm.judge_parts(each) for each in trained}
        rows = [[name, part, *j.cells()] for name, parts in judged.items() for part, j in parts.items()]
        report(table(["network", "part", *_gmm.JUDGEMENT_HEADINGS], rows))
        values = {
            name: {part: judgement.rounded() for part, judgement in parts.items()}
            for name, parts in judged.items()
        }

        def draw(into: RunFolder) -> list[Path]:
            files = [*_draw_surfaces(trained, judged, into), *_draw_losses(trained, into)]
            return files + [_draw_film(each, into) for each in trained if each.looks]

        return Verdict(_headline(trained, judged), {"networks": values}, draw)


def _headline(trained: Sequence[Trained], judged: Mapping[str, Mapping[str, _gmm.Judgement]]) -> str:
    """Return what the deepest networks with ReLU came to, or, if none was trained, what the last one did."""
    deepest = kind_name([2, 10, 10, 2], "relu")
    shown = [
        each for each in trained if each.network.name.startswith(deepest) and not each.history.interrupted
    ]
    percents = {name: f"{100 * parts['training'].accuracy:.1f} %" for name, parts in judged.items()}
    if not shown:
        last = trained[-1]
        return (
            f"training accuracy of {last.network.name}: {percents[last.network.name]} "
            f"after {len(last.losses)} of {last.network.epochs} steps"
        )
    each_on = (f"{each.network.name.partition(' on ')[2]} {percents[each.network.name]}" for each in shown)
    return f"training accuracy of {deepest}: {', '.join(each_on)}"


def _draw_surfaces(
    trained: Sequence[Trained], judged: Mapping[str, Mapping[str, _gmm.Judgement]], folder: RunFolder
) -> list[Path]:
    """Draw a figure for each mixture: a row for each activation, a column for each depth."""
    files = []
    for mixture in MIXTURES:
        names = [network(mixture, *kind).name for kind in KINDS]
        of_mixture = {each.network.name: each for each in trained if each.network.name in names}
        if of_mixture:
            shown = {n: _gmm.surface(_title(each, judged[n]), each) for n, each in of_mixture.items()}
            placed = [shown.get(n) for n in names]
            placed.insert(3, None)  # below the network without a hidden layer there is none with sigmoid
            splits = next(iter(of_mixture.values())).splits
            title = f"{splits.name}: surfaces and training samples"
            drawn = plot.surfaces(placed, splits.classes, columns=3, title=title)
            numbers = "_".join(map(str, mixture))
            files.append(folder.figure(f"decision_surfaces_{numbers}.png", drawn))
    return files


def _title(trained: Trained, judged: Mapping[str, _gmm.Judgement]) -> str:
    name = trained.network.name.partition(" on ")[0]
    shares = (f"{part} {100 * judgement.accuracy:.1f} %" for part, judgement in judged.items())
    return f"{name}\n{', '.join(shares)}"


def _draw_losses(trained: Sequence[Trained], folder: RunFolder) -> list[Path]:
    panels: dict[str, dict[str, list[float]]] = {}
    for each in trained:
        if each.losses:
            curves = panels.setdefault(each.splits.name, {})
            curves[each.network.name.partition(" on ")[0]] = each.losses
    if not panels:
        return []
    shown = [
        plot.LinePlot(curves, y_label="cross-entropy (nats)", title=mixture, x_scale="log", y_scale="log")
        for mixture, curves in panels.items()
    ]
    drawn = plot.line_plots(shown, title="Training loss")
    return [folder.figure("losses.png", drawn)]


def _draw_film(trained: Trained, folder: RunFolder) -> Path:
    shown = [_gmm.surface(f"after {step} steps", trained, weights) for step, weights in trained.looks.items()]
    name = trained.network.name.partition(" on ")[0]
    gif = plot.film(shown, trained.splits.classes, title=name)
    return folder.write("learning.gif", lambda file: file.write(gif))


recipe = DeepNetworks(
    name="gmm-deep",
    title="networks of one, two and three layers on random Gaussians, ReLU and sigmoid, with a film",
    source="Deep learning laboratory, University of Zagreb (FER), exercise 1: pt_deep",
    reported="no figure; decision surfaces",
    expects="2-10-10-2 with ReLU 10 points above 2-2 in training accuracy, on both mixtures",
    networks=tuple(network(mixture, *kind) for mixture in MIXTURES for kind in KINDS),
    pauses=lambda each: frames(each.epochs) if each.name == FILMED else (),
)
