"""Fully connected networks on MNIST: depth, L2, minibatches, Adam, early stopping, batch norm.

Data: MNIST, pixels in [0, 1]. A fifth of the 60 000 is held out; after each epoch the validation loss on it
is measured, training stops early after five epochs without a lower one, and the weights of the best epoch
are kept. The 10 000 test digits are looked at once for each network.

Each network is [784, 100, …, 10] with ReLU; minibatches of 100 digits are shuffled anew for each epoch, of
which there are at most 20. Seven networks are as in the source: Adam, lr 1e-4, by ``ExponentialLR`` times
1 − 1e-4 after each epoch (it names no size of minibatches and no number of epochs):

==========  ====================================================================================
depth       [784, 10], [784, 100, 10], [784, 100, 100, 10], [784, 100, 100, 100, 10]
L2          [784, 100, 10] with λ = 1e-4 and λ = 1e-3 (penalty λ/2 · ‖θ‖²)
batch norm  [784, 100, 100, 10], normalised after each hidden affine map
==========  ====================================================================================

Ten are ours. Unless it says otherwise they learn by SGD, lr 0.3:

===========  ==================================================================================
depth        [784, 100, 10], [784, 100, 100, 10], [784, 100, 100, 100, 10]
L2           [784, 100, 100, 10] with λ = 1e-4 and λ = 1e-3 (penalty λ/2 · ‖θ‖²)
minibatches  [784, 100, 10], all 48 000 digits at every step, for as many epochs
Adam         [784, 100, 10], Adam at lr 1e-4; the same, lr times 1 − 1e-4 from step to step
batch norm   [784, 100, 100, 10]; the same with λ = 1e-4 and lr drawn down to 0 along a cosine
===========  ==================================================================================

The source asks these questions and reports no figures. What to expect:

- **Untrained**, each network has a loss near log 10 = 2.303. Its small weights give every class nearly the
  same score, so p = 1/10 and −log p = log 10. While scores know nothing of the digits the loss cannot be
  lower on average: (1/10) Σₖ −log pₖ ≥ log 10 for any p, by the inequality of the means, and equal only if
  all pₖ are. Weights drawn too large give a larger one: the network is sure, and wrong. ``untrained.png``
- **Depth** lets the training loss fall faster, and leaves the validation loss where it was: it turns while
  the training loss goes on to fall. That is what early stopping is for.
- **Minibatches**: the gradient of 100 shuffled digits points nearly where that of all 48 000 does, at 1/480
  of the price. In 20 epochs one takes 9 600 steps, the other 20, which are not enough to learn digits.
- **Adam** at 1e-4 is slow and steady. With ``ExponentialLR(gamma=1 - 1e-4)`` stepped after each epoch, as in
  the source, the rate is 0.2 % lower after twenty, which nobody can see; stepped at every update it falls to
  38 %. The latter is ours: as schedules step after each epoch, gamma is (1 − 1e-4)^480.
- **Batch norm** needs fewer epochs, each of which takes longer.
- The **hardest digits** of the best network are those with the largest −log p. Of the training digits it has
  learnt every one by heart (``hardest_training.png``); of the test digits (``hardest_test.png``) two dozen
  make up a third of the loss, and of some the label may be doubted.

Ours must reach 98 % with the network that the validation loss chooses; it chooses one of either setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import numpy as np

from npnet import functional as F
from npnet import nn, plot
from npnet.engines import Spec
from npnet.models import mlp
from npnet.recipes._both_settings import AS_IN_SOURCE, best_of_each
from npnet.recipes._comparison import (
    Comparison,
    Conclusion,
    FixedMinibatch,
    Learnt,
    best,
    draw_curves,
    draw_mistakes,
)
from npnet.recipes._mnist import TRAINING, as_in_source, classifier
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._spec import LOSS_LABELS, Options, Report
from npnet.run import RunFolder
from npnet.train import evaluate, predict

BATCH = 100
STEPS = TRAINING // BATCH  # in an epoch
SCALES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
GOAL = 0.98

SHALLOW, DEEP, DEEPEST = "784-100-10", "784-100-100-10", "784-100-100-100-10"
WEAK_L2, STRONG_L2 = f"{DEEP}, λ = 1e-4", f"{DEEP}, λ = 1e-3"
FULL_BATCH = f"{SHALLOW}, all digits at every step"
ADAM, FALLING_ADAM = f"{SHALLOW}, Adam 1e-4", f"{SHALLOW}, Adam 1e-4 falling at every step"
BATCH_NORM, OURS = f"{DEEP}, batch norm", f"{DEEP}, batch norm, λ = 1e-4, cosine"

SOURCE_DEPTHS = tuple(f"{sizes}, {AS_IN_SOURCE}" for sizes in ("784-10", SHALLOW, DEEP, DEEPEST))
SOURCE_STRENGTHS = {decay: f"{SHALLOW}, {AS_IN_SOURCE}, λ = {decay}" for decay in ("1e-4", "1e-3")}
SOURCE_BATCH_NORM = f"{DEEP}, {AS_IN_SOURCE}, batch norm"

PANELS = {
    "As in the source: depth": SOURCE_DEPTHS,
    "As in the source: strength of the L2 penalty": (SOURCE_DEPTHS[1], *SOURCE_STRENGTHS.values()),
    "As in the source: batch norm": (SOURCE_DEPTHS[2], SOURCE_BATCH_NORM),
    "Depth": (SHALLOW, DEEP, DEEPEST),
    "Strength of the L2 penalty": (DEEP, WEAK_L2, STRONG_L2),
    "Minibatches of 100, or all digits at every step; Adam": (SHALLOW, FULL_BATCH, ADAM, FALLING_ADAM),
    "Batch norm": (DEEP, BATCH_NORM, OURS),
}


def network(
    name: str, optimizer: Spec | None = None, *, batch_norm: bool = False, **settings: Any
) -> NetworkRecipe:
    """Return one of our networks; its name begins with the sizes of its layers."""
    model = partial(_model, name, batch_norm=batch_norm)
    return classifier(
        name, model, optimizer or Spec("SGD", lr=0.3), epochs=20, patience=5,
        **{"batch_size": BATCH, **settings},
    )  # fmt: skip


def of_source(name: str, *, decay: float = 0.0, batch_norm: bool = False) -> NetworkRecipe:
    """Return one of the source's networks; its name begins with the sizes of its layers."""
    return as_in_source(name, partial(_model, name, batch_norm=batch_norm), decay=decay, patience=5)


def _model(name: str, generator: np.random.Generator, *, batch_norm: bool) -> nn.Sequential:
    sizes = [int(size) for size in name.partition(",")[0].split("-")]
    return mlp(sizes, batch_norm=batch_norm, generator=generator)


class DeepNetworks(Comparison):
    """The networks side by side, what they are before they learn, and what the best finds hard."""

    def conclude(
        self,
        learnt: Mapping[str, Learnt],
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> Conclusion:
        """Draw curves, standings, hardest digits and the untrained loss."""
        chosen = best(list(learnt.values()))
        panels = {
            title: {name: learnt[name] for name in names if name in learnt} for title, names in PANELS.items()
        }
        untrained, drawn = _untrained(_shallow(learnt), options, folder)
        report(f"untrained loss: {untrained:.4f}; log 10 = {log(10):.4f}")
        figures = [
            *draw_curves(panels, self.title, "learning_curves.png", folder),
            *_draw_standings(learnt, folder),
            drawn,
            *_draw_hardest(chosen, folder),
            *draw_mistakes(self.name, chosen, folder),
        ]
        return Conclusion(figures, {"untrained_loss": untrained})

    def headline(self, learnt: Mapping[str, Learnt]) -> str:
        """Return what the best network reached in either setting."""
        return best_of_each(learnt)


def _shallow(learnt: Mapping[str, Learnt]) -> Learnt:
    """Return the network with one hidden layer, or the first there is where others alone were asked for."""
    return learnt.get(SHALLOW) or next(iter(learnt.values()))


def _untrained(learnt: Learnt, options: Options, folder: RunFolder) -> tuple[float, Path]:
    """Return the loss of initial weights, and a figure of how it depends on their size."""
    network = learnt.network
    weights_seed, _ = np.random.SeedSequence(options.seed).spawn(2)
    model = network.model(np.random.default_rng(weights_seed))
    drawn = model.state_dict()
    losses = []
    for scale in SCALES:
        scaled = {name: scale * array for name, array in drawn.items() if name in model.parameters}
        model.load_state_dict(drawn | scaled)
        losses.append(evaluate(model, network.loss.make(nn), learnt.test)[0])
    title = f"{network.name} before it has learnt anything"
    guessing = log(len(learnt.splits.classes))
    curve = plot.LinePlot(
        {"measured": dict(zip(SCALES, losses, strict=True))},
        "factor of the initial weights (1: as they are drawn)",
        LOSS_LABELS["CrossEntropyLoss"],
        references={f"log {len(learnt.splits.classes)} = {guessing:.3f}": guessing},
        from_zero=True,
    )
    figure = plot.line_plots([curve], title=title)
    return losses[SCALES.index(1.0)], folder.figure("untrained.png", figure)


def _draw_standings(learnt: Mapping[str, Learnt], folder: RunFolder) -> list[Path]:
    reached = {
        name: {"validation": each.kept.validation_accuracy, "test": each.accuracy}
        for name, each in learnt.items()
        if each.kept is not None and each.kept.validation_accuracy is not None and each.accuracy is not None
    }
    if not reached:
        return []
    drawn = plot.accuracies(reached, must_reach=GOAL, title="Accuracy with the weights of the best epoch")
    return [folder.figure("standings.png", drawn)]


def _draw_hardest(learnt: Learnt, folder: RunFolder) -> list[Path]:
    files = []
    for name, part in (("training", learnt.splits.train), ("test", learnt.test)):
        probabilities, _ = F.softmax(predict(learnt.model, part), dim=1)
        title = f"{learnt.network.name}: {name} digits"
        drawn = plot.predictions(
            part.x, part.y, probabilities, learnt.splits.classes, select="hardest", title=title
        )
        files.append(folder.figure(f"hardest_{name}.png", drawn))
    return files


recipe = DeepNetworks(
    name="mnist-deep",
    title="fully connected networks on MNIST: depth, L2, minibatches, Adam, batch norm",
    source="Deep learning laboratory, University of Zagreb (FER), exercise 1: mnist_shootout",
    reported="no figure",
    expects="98 % of the test digits with the network of the lowest validation loss",
    dataset="mnist",
    networks=(
        *(of_source(name) for name in SOURCE_DEPTHS),
        *(of_source(name, decay=float(decay)) for decay, name in SOURCE_STRENGTHS.items()),
        of_source(SOURCE_BATCH_NORM, batch_norm=True),
        network(SHALLOW),
        network(DEEP),
        network(DEEPEST),
        network(WEAK_L2, Spec("SGD", lr=0.3, weight_decay=1e-4)),
        network(STRONG_L2, Spec("SGD", lr=0.3, weight_decay=1e-3)),
        network(FULL_BATCH, kind=FixedMinibatch, batch_size=TRAINING),
        network(ADAM, Spec("Adam", lr=1e-4)),
        network(
            FALLING_ADAM,
            Spec("Adam", lr=1e-4),
            schedule=lambda _: Spec("ExponentialLR", gamma=(1 - 1e-4) ** STEPS),
        ),
        network(BATCH_NORM, batch_norm=True),
        network(
            OURS,
            Spec("SGD", lr=0.3, weight_decay=1e-4),
            batch_norm=True,
            schedule=lambda epochs: Spec("CosineAnnealingLR", T_max=epochs),
        ),
    ),
)
