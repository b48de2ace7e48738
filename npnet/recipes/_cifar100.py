"""What the three experiments with CIFAR-100 share: the data, the setting of the source, and the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet import data, metrics, nn
from npnet.data import ArrayDataset, Splits
from npnet.recipes._comparison import (
    Comparison,
    Conclusion,
    Learnt,
    best,
    draw_curves,
    draw_mistakes,
    judged_part,
)
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._spec import Options, Report, Spec
from npnet.run import RunFolder
from npnet.table import table
from npnet.train import evaluate, predict

SOURCE = "course exercise on CIFAR-100 (Krizhevsky, 2009)"
AS_IN_SOURCE, OURS = "as in the source", "our setting"


def photographs(options: Options) -> Splits[ArrayDataset]:
    """Return CIFAR-100 standardised, a fifth held out for validation whatever the seed of the run."""
    return data.cifar100(options.data, validation=0.2, generator=np.random.default_rng(0)).standardized()


def both_settings(
    model: Callable[[Generator], nn.Layer], ours: Spec, *, epochs: int, batch_size: int = 128
) -> tuple[NetworkRecipe, NetworkRecipe]:
    """Return a network in the setting of the source, ten epochs of plain descent, and in one of ours."""

    def network(name: str, optimizer: Spec, **settings: Any) -> NetworkRecipe:
        return NetworkRecipe(
            name=name,
            title=name,
            source="",
            reported="",
            expects="",
            dataset="cifar100",
            data=photographs,
            input_shape=(3, 32, 32),
            model=model,
            optimizer=optimizer,
            **settings,
        )

    return (
        network(AS_IN_SOURCE, Spec("SGD", lr=0.01), epochs=10, batch_size=128),
        network(
            OURS,
            ours,
            epochs=epochs,
            batch_size=batch_size,
            schedule=lambda epochs: Spec("CosineAnnealingLR", T_max=epochs),
        ),
    )


class HundredClasses(Comparison):
    """A network trained in two settings, judged on all three parts and class by class."""

    def conclude(
        self,
        learnt: Mapping[str, Learnt],
        splits: Splits[ArrayDataset],
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> Conclusion:
        """Draw both curves, judge each part, and look closer at the better network by validation."""
        accuracies = {name: judge_parts(each, splits) for name, each in learnt.items()}
        rows = [(name, *(percent(share) for share in shares.values())) for name, shares in accuracies.items()]
        report(table(["setting", *splits.parts()], rows))
        chosen = best(list(learnt.values()))
        files = draw_curves({self.title: learnt}, "", "learning_curves.png", folder)
        files += draw_mistakes(self.name, chosen, splits, folder)
        files.append(draw_by_class(self.name, chosen, splits, folder))
        return Conclusion(files, {"accuracies": accuracies})

    def headline(self, learnt: Mapping[str, Learnt]) -> str:
        """Return what was reached in either setting."""
        shown = ", ".join(f"{each.shown} {name}" for name, each in learnt.items())
        return f"test accuracy: {shown}"


def judge_parts(learnt: Learnt, splits: Splits[ArrayDataset]) -> dict[str, float]:
    """Return the accuracy on each part, by the weights that were kept and in evaluation mode."""
    loss = learnt.network.loss.make(nn)
    judged = {title: evaluate(learnt.model, loss, part) for title, part in splits.parts().items()}
    return {title: float("nan") if share is None else share for title, (_, share) in judged.items()}


def percent(share: float) -> str:
    """Return a share as people read it.

    Examples
    --------
    >>> percent(0.123)
    '12.30 %'
    """
    return f"{100 * share:.2f} %"


def draw_by_class(recipe: str, learnt: Learnt, splits: Splits[ArrayDataset], folder: RunFolder) -> Path:
    """Draw the classes that are told best and worst."""
    from npnet.plot import cifar as plot_cifar  # noqa: PLC0415 - matplotlib takes a second that importing need not

    part = judged_part(splits)
    predicted = predict(learnt.model, part).argmax(axis=1)
    _, recall = metrics.precision_recall(metrics.confusion_matrix(predicted, part.y, len(splits.classes)))
    drawn = plot_cifar.accuracy_by_class(
        recall,
        splits.classes,
        overall=metrics.accuracy(predicted, part.y),
        title=f"{recipe}, {learnt.network.name}: test accuracy by class",
    )
    return folder.figure("accuracy_by_class.png", drawn)
