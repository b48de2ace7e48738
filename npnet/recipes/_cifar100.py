"""What the three experiments with CIFAR-100 share: the data, the setting of the source, and the figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet import data, metrics, nn, plot
from npnet.data import ArrayDataset, Splits
from npnet.engines import Spec
from npnet.recipes._both_settings import (
    AS_IN_SOURCE,
    OURS,
    BothSettings,
    held_out_at_random,
    setting,
)
from npnet.recipes._comparison import Learnt
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._spec import Options, Report
from npnet.run import RunFolder
from npnet.train import predict

SOURCE = "course exercise on CIFAR-100 (Krizhevsky, 2009)"


def as_published(options: Options) -> Splits[ArrayDataset]:
    """Return CIFAR-100 with pixels in [0, 1], a random fifth held out: 40 000 and 10 000 photographs."""
    return held_out_at_random(data.cifar100(options.data), 0.2)


def standardised(options: Options) -> Splits[ArrayDataset]:
    """Return CIFAR-100 standardised, a fifth of each class held out whatever the seed of the run."""
    return data.cifar100(options.data, validation=0.2, generator=np.random.default_rng(0)).standardized()


def as_in_source(model: Callable[[Generator], nn.Layer]) -> NetworkRecipe:
    """Return a network in the setting of the source: ten epochs of plain descent, judged after the last."""
    return setting(
        AS_IN_SOURCE,
        dataset="cifar100",
        data=as_published,
        input_shape=(3, 32, 32),
        model=model,
        optimizer=Spec("SGD", lr=0.01),
        epochs=10,
        batch_size=128,
        keep_best=False,
    )


def ours(
    model: Callable[[Generator], nn.Layer], optimizer: Spec, *, epochs: int, batch_size: int = 128
) -> NetworkRecipe:
    """Return a network in a setting of ours, its rate drawn down to 0."""
    return setting(
        OURS,
        dataset="cifar100",
        data=standardised,
        input_shape=(3, 32, 32),
        model=model,
        optimizer=optimizer,
        schedule=lambda epochs: Spec("CosineAnnealingLR", T_max=epochs),
        epochs=epochs,
        batch_size=batch_size,
    )


class HundredClasses(BothSettings):
    """A network in both settings, one of them judged class by class."""

    def study(self, learnt: Learnt, folder: RunFolder, report: Report) -> tuple[list[Path], dict[str, Any]]:
        """Draw the classes that are told best and worst."""
        return [draw_by_class(self.name, learnt, folder)], {}


def draw_by_class(recipe: str, learnt: Learnt, folder: RunFolder) -> Path:
    """Draw the classes that are told best and worst."""
    part, classes = learnt.test, learnt.splits.classes
    predicted = predict(learnt.model, part).argmax(axis=1)
    _, recall = metrics.precision_recall(metrics.confusion_matrix(predicted, part.y, len(classes)))
    drawn = plot.accuracy_by_class(
        recall,
        classes,
        overall=metrics.accuracy(predicted, part.y),
        title=f"{recipe}, {learnt.network.name}: test accuracy by class",
    )
    return folder.figure("accuracy_by_class.png", drawn)
