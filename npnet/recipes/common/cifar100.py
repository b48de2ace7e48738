"""What the three experiments with CIFAR-100 share: the data, the setting of the source, and the figures."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from npnet import data, metrics, plot
from npnet.data import ArrayDataset, Splits
from npnet.experiments import AS_IN_SOURCE, OURS, Options, Runner, Setup, Spec, judge_setups
from npnet.recipes.common import held_out_at_random
from npnet.train import predict

SOURCE = "course exercise on CIFAR-100 (Krizhevsky, 2009)"


def as_published(options: Options) -> Splits[ArrayDataset]:
    """Return CIFAR-100 with pixels in [0, 1], a random fifth held out: 40 000 and 10 000 photographs."""
    return held_out_at_random(data.cifar100(options.data), 0.2)


def standardised(options: Options) -> Splits[ArrayDataset]:
    """Return CIFAR-100 standardised, a fifth of each class held out whatever the seed of the run."""
    return data.cifar100(options.data, validation=0.2, generator=np.random.default_rng(0)).standardized()


# In the setting of the source: ten epochs of plain descent, judged after the last.
as_in_source = partial(
    Setup,
    name=AS_IN_SOURCE,
    data=as_published,
    input_shape=(3, 32, 32),
    optimizer=Spec("SGD", lr=0.01),
    epochs=10,
    batch_size=128,
    keep_best=False,
)
# In ours: the rate is drawn down to 0.
ours = partial(
    Setup,
    name=OURS,
    data=standardised,
    input_shape=(3, 32, 32),
    schedule=lambda epochs: Spec("CosineAnnealingLR", T_max=epochs),
)


def study(runner: Runner) -> tuple[str, dict[str, Any]]:
    """Train both settings, and draw the classes that the better one tells best and worst."""
    headline, values = judge_setups(runner)
    run = runner.best
    predicted, classes = predict(run.model, run.test).argmax(axis=1), run.splits.classes
    _, recall = metrics.precision_recall(metrics.confusion_matrix(predicted, run.test.y, len(classes)))
    title = f"{runner.experiment.name}, {run.name}: test accuracy by class"
    overall = metrics.accuracy(predicted, run.test.y)
    runner.figure(
        "accuracy_by_class.png", plot.accuracy_by_class, recall, classes, overall=overall, title=title
    )
    return headline, values
