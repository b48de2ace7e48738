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

from functools import partial
from math import log
from typing import Any

import numpy as np

from npnet import nn, plot
from npnet.experiments import (
    AS_IN_SOURCE,
    Experiment,
    Run,
    Runner,
    Setup,
    Spec,
    draw_curves,
    draw_network,
    probabilities,
)
from npnet.models import mlp
from npnet.recipes.common.mnist import TRAINING, as_in_source, best_of_each_setting, classifier
from npnet.train import evaluate

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


def network(name: str, optimizer: Spec | None = None, *, batch_norm: bool = False, **settings: Any) -> Setup:
    """Return one of our networks; its name begins with the sizes of its layers."""
    model = partial(sized, name, batch_norm=batch_norm)
    return classifier(
        name=name, model=model, optimizer=optimizer or Spec("SGD", lr=0.3), patience=5, **settings
    )


def of_source(name: str, *, decay: float = 0.0, batch_norm: bool = False) -> Setup:
    """Return one of the source's networks; its name begins with the sizes of its layers."""
    model = partial(sized, name, batch_norm=batch_norm)
    return as_in_source(name=name, model=model, decay=decay, patience=5)


def sized(name: str, generator: np.random.Generator, *, batch_norm: bool) -> nn.Sequential:
    """Return the network of the sizes that a name begins with."""
    sizes = [int(size) for size in name.partition(",")[0].split("-")]
    return mlp(sizes, batch_norm=batch_norm, generator=generator)


def study(runner: Runner) -> tuple[str, dict[str, Any]]:
    """Draw the networks side by side, what they are before they learn, and what the best finds hard."""
    runs = runner.train_all()
    chosen = runner.best
    untrained = draw_untrained(runner, runs.get(SHALLOW) or next(iter(runs.values())))
    runner.report(f"untrained loss: {untrained:.4f}; log 10 = {log(10):.4f}")
    panels = {title: {name: runs[name] for name in names if name in runs} for title, names in PANELS.items()}
    draw_curves(runner, panels)
    draw_standings(runner)
    for part, digits in (("training", chosen.splits.train), ("test", chosen.test)):
        p, title = probabilities(chosen.model, digits), f"{chosen.name}: {part} digits"
        judged, file = (digits.x, digits.y, p, chosen.splits.classes), f"hardest_{part}.png"
        runner.figure(file, plot.predictions, *judged, select="hardest", title=title)
    draw_network(runner, chosen)
    return best_of_each_setting(runs), {"untrained_loss": untrained}


def draw_untrained(runner: Runner, run: Run) -> float:
    """Draw how the loss of initial weights depends on their size; return that of the weights as they are."""
    weights_seed, _ = np.random.SeedSequence(runner.options.seed).spawn(2)
    model = run.setup.model(np.random.default_rng(weights_seed))
    drawn, losses = model.state_dict(), {}
    for scale in SCALES:
        scaled = {name: scale * array for name, array in drawn.items() if name in model.parameters}
        model.load_state_dict(drawn | scaled)
        losses[scale] = evaluate(model, nn.CrossEntropyLoss(), run.test)[0]
    classes = len(run.splits.classes)
    curve = plot.LinePlot(
        {"measured": losses},
        "factor of the initial weights (1: as they are drawn)",
        run.setup.loss_label,
        references={f"log {classes} = {log(classes):.3f}": log(classes)},
        from_zero=True,
    )
    runner.figure(
        "untrained.png", plot.line_plots, [curve], title=f"{run.name} before it has learnt anything"
    )
    return losses[1.0]


def draw_standings(runner: Runner) -> None:
    """Draw the accuracies of all networks beside one another."""
    reached = {
        name: {"validation": run.kept.validation_accuracy, "test": run.accuracy}
        for name, run in runner.runs.items()
        if run.kept is not None
    }
    if reached:
        title = "Accuracy with the weights of the best epoch"
        runner.figure("standings.png", plot.accuracies, reached, must_reach=GOAL, title=title)


recipe = Experiment(
    name="mnist-deep",
    title="fully connected networks on MNIST: depth, L2, minibatches, Adam, batch norm",
    source="Deep learning laboratory, University of Zagreb (FER), exercise 1: mnist_shootout",
    reported="no figure",
    expects="98 % of the test digits with the network of the lowest validation loss",
    dataset="mnist",
    study=study,
    setups=(
        *(of_source(name) for name in SOURCE_DEPTHS),
        *(of_source(name, decay=float(decay)) for decay, name in SOURCE_STRENGTHS.items()),
        of_source(SOURCE_BATCH_NORM, batch_norm=True),
        network(SHALLOW),
        network(DEEP),
        network(DEEPEST),
        network(WEAK_L2, Spec("SGD", lr=0.3, weight_decay=1e-4)),
        network(STRONG_L2, Spec("SGD", lr=0.3, weight_decay=1e-3)),
        network(FULL_BATCH, batch_size=TRAINING, fixed_batch_size=True),
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
