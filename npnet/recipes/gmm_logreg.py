"""Multiclass logistic regression on random Gaussians of the plane, and what L2 regularisation does to it.

Logistic regression is one linear layer with softmax and cross-entropy behind it: between any two classes it
decides by a line. It learns here by plain gradient descent, all samples at every step, 1000 steps at lr 0.5,
three things being looked at:

1. Two and three classes, a Gaussian each, 100 samples of each to learn from. Where Gaussians overlap, no line
   is right everywhere.
2. The loss is a mean over the samples. So it does not depend on how many there are: with every sample taken
   ten times over, the same weights give the same loss, the same gradient, and the same run.
3. An L2 penalty λ/2 · ‖θ‖², at four strengths: the larger λ, the smaller the weights, and the further from the
   line stays the ground unsure of itself (pale). λ = 1 leaves hardly a decision.

Model: `npnet.models.mlp([2, C])`. Optimizer: SGD, lr 0.5, weight_decay λ. The penalty takes in the biases,
which the source leaves out.

Inputs lie in [−10, 10]² and are not standardised, as in the source. The step is too long for that: where
classes overlap, the loss goes up and down at first, and the line with it.

The source reports no figures; it shows decision surfaces. What to expect here, as measured with seed 0: see
`recipe.expects`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from npnet.data import ArrayDataset, Splits
from npnet.recipes import _gmm
from npnet.recipes._recipe import NetworkRecipe, Options, Report
from npnet.recipes._several import Conclusion, SeveralNetworks, Trained
from npnet.run import RunFolder
from npnet.table import table

SAMPLES = 100  # of each class
STRENGTHS = (0.0, 0.01, 0.1, 1.0)
COPIES = 10


def two_classes(options: Options) -> Splits[ArrayDataset]:
    """Return samples of two Gaussians."""
    return _gmm.mixture(2, 2, SAMPLES)(options)


def three_classes(options: Options) -> Splits[ArrayDataset]:
    """Return samples of three Gaussians."""
    return _gmm.mixture(3, 3, SAMPLES)(options)


def ten_times_over(options: Options) -> Splits[ArrayDataset]:
    """Return three classes, each sample to learn from ten times."""
    once = three_classes(options)
    many = ArrayDataset(np.repeat(once.train.x, COPIES, axis=0), np.repeat(once.train.y, COPIES))
    return Splits(many, None, once.test, classes=once.classes, name=f"{once.name}, {COPIES} times")


def strength(decay: float) -> NetworkRecipe:
    """Return the network of three classes with an L2 penalty."""
    return _network(f"3 classes, λ = {decay:g}", 3, decay=decay)


def _network(name: str, classes: int, *, copies: int = 1, decay: float = 0.0) -> NetworkRecipe:
    data = {2: two_classes, 3: three_classes if copies == 1 else ten_times_over}[classes]
    return _gmm.classifier(
        name, data, [2, classes], samples=classes * SAMPLES * copies, steps=1000, quick_steps=300, lr=0.5,
        decay=decay,
    )  # fmt: skip


class LogisticRegression(SeveralNetworks):
    """The three things to look at."""

    def conclude(
        self, trained: Sequence[Trained], options: Options, folder: RunFolder, report: Report
    ) -> Conclusion:
        """Judge each network on its test part, and draw the three figures."""
        from npnet import plot_plane  # noqa: PLC0415 - importing matplotlib takes a second

        done = {each.network.name: each for each in trained}
        judged = {name: self.judge(each) for name, each in done.items()}
        rows = [[name, *judgement.cells()] for name, judgement in judged.items()]
        report(table(["on the test part", *_gmm.JUDGEMENT_HEADINGS], rows))
        figures = [self._surfaces(done, judged, folder), *self._strengths(done, folder)]
        values = {name: judgement.rounded() for name, judgement in judged.items()}
        headline = ", ".join(
            f"{name}: {100 * judged[name].accuracy:.1f} %" for name in list(judged)[:2]
        )
        conclusion = {"test": values, "weights": {name: size(each) for name, each in done.items()}}
        if OVER in done and done[OVER].losses:
            pair = {"once": done[PLAIN].losses, f"{COPIES} times over": done[OVER].losses}
            apart = largest_difference(*pair.values())
            report(f"losses with every sample once and {COPIES} times differ by at most {apart:.1e}")
            conclusion["loss_differs_with_size_by"] = apart
            title = f"The mean loss does not depend on the number of samples: at most {apart:.0e} apart"
            drawn = plot_plane.losses({PLAIN: pair}, loss_label="cross-entropy (nats)", title=title)
            figures.append(folder.figure("loss_and_data_size.png", drawn))
        return Conclusion(f"test accuracy, {headline}", figures, conclusion)

    def judge(self, trained: Trained) -> _gmm.Judgement:
        """Judge a network on its test part."""
        part = trained.splits.test
        assert part is not None
        return _gmm.judge(trained.model(part.x), part.y)
