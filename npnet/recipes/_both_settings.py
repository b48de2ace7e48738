"""Experiments with a network in the setting of its source and in one of ours, side by side.

A recipe of this kind is a list of two entries::

    recipe = BothSettings(
        name=...,
        networks=(
            setting(AS_IN_SOURCE, data=..., model=..., optimizer=Spec("SGD", lr=0.01), keep_best=False, ...),
            setting(OURS, data=..., model=..., optimizer=Spec("AdamW", lr=1e-3), ...),
        ),
    )

What stands under `AS_IN_SOURCE` is the source's to the letter: network, data preparation and training. Where
the source leaves something open, the recipe says what was put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from npnet import nn
from npnet.data import ArrayDataset, Splits, split
from npnet.recipes._comparison import Comparison, Conclusion, Learnt, best, draw_curves, draw_mistakes
from npnet.recipes._networks import setting
from npnet.recipes._spec import Options, Report
from npnet.run import RunFolder
from npnet.table import table
from npnet.train import evaluate

__all__ = ["AS_IN_SOURCE", "OURS", "BothSettings", "held_out_at_random", "judge_parts", "setting"]

AS_IN_SOURCE, OURS = "as in the source", "our setting"


class BothSettings(Comparison):
    """A network in both settings, judged on all parts; ours is looked at more closely, if it was trained."""

    def study(self, learnt: Learnt, folder: RunFolder, report: Report) -> tuple[list[Path], dict[str, Any]]:
        """Look closer at a network, and return figures and numbers; nothing unless a recipe says what."""
        return [], {}

    def conclude(
        self, learnt: Mapping[str, Learnt], options: Options, folder: RunFolder, report: Report
    ) -> Conclusion:
        """Draw both curves, judge each part, and look closer at one network."""
        accuracies = {name: judge_parts(each) for name, each in learnt.items()}
        titles = list(dict.fromkeys(title for shares in accuracies.values() for title in shares))
        rows = [
            [name, *(percent(shares[title]) if title in shares else "–" for title in titles)]
            for name, shares in accuracies.items()
        ]
        report(table(["setting", *titles], rows))
        chosen = best(list(learnt.values()))
        files = draw_curves({self.title: learnt}, "", "learning_curves.png", folder)
        files += draw_mistakes(self.name, chosen, folder)
        more, values = self.study(chosen, folder, report)
        return Conclusion([*files, *more], {"accuracy": chosen.accuracy, "accuracies": accuracies, **values})

    def headline(self, learnt: Mapping[str, Learnt]) -> str:
        """Return what was reached in either setting."""
        return f"test accuracy: {side_by_side({name: each.shown for name, each in learnt.items()})}"


def side_by_side(shown: Mapping[str, str]) -> str:
    """Return what several settings reached as part of a line.

    Examples
    --------
    >>> side_by_side({"as in the source": "55.00 %", "our setting": "71.18 %"})
    '55.00 % as in the source, 71.18 % our setting'
    """
    return ", ".join(f"{reached} {name}" for name, reached in shown.items())


def best_of_each(learnt: Mapping[str, Learnt]) -> str:
    """Return the headline of many networks, each with its setting in its name: what the best of either did.

    The best is that of the lowest validation loss.
    """
    of_source = {name: each for name, each in learnt.items() if AS_IN_SOURCE in name}
    settings = {
        AS_IN_SOURCE: of_source,
        OURS: {name: learnt[name] for name in learnt if name not in of_source},
    }
    chosen = {title: best(list(some.values())) for title, some in settings.items() if some}
    shown = (f"{each.shown} {title} ({which(each.network.name, title)})" for title, each in chosen.items())
    return f"test accuracy: {', '.join(shown)}"


def which(name: str, title: str) -> str:
    """Return the name of a network without that of its setting.

    Examples
    --------
    >>> which("784-10, as in the source, batch norm", "as in the source")
    '784-10, batch norm'
    """
    return ", ".join(part for part in name.split(", ") if part != title)


def judge_parts(learnt: Learnt) -> dict[str, float]:
    """Return the accuracy on each part, by the weights that were kept and in evaluation mode.

    Parameters
    ----------
    learnt : Learnt

    Returns
    -------
    accuracies : dict from the names of the parts to floats
    """
    loss = learnt.network.loss.make(nn)
    judged = {title: evaluate(learnt.model, loss, part) for title, part in learnt.splits.parts().items()}
    return {title: float("nan") if share is None else share for title, (_, share) in judged.items()}


def percent(share: float) -> str:
    """Return a share as people read it.

    Examples
    --------
    >>> percent(0.123)
    '12.30 %'
    """
    return f"{100 * share:.2f} %"


def held_out_at_random(splits: Splits[ArrayDataset], share: float) -> Splits[ArrayDataset]:
    """Return data whose validation part is drawn from the training part at random, not class by class.

    It is the same one whatever the seed of a run.

    Parameters
    ----------
    splits : Splits
    share : float
        How much of the training part is held out.

    Returns
    -------
    splits : Splits

    Examples
    --------
    >>> part = ArrayDataset(np.arange(10.0), np.zeros(10, int))
    >>> {name: len(each) for name, each in held_out_at_random(Splits(part), 0.2).parts().items()}
    {'train': 8, 'validation': 2}
    """
    train, validation = split(splits.train, (1 - share, share), np.random.default_rng(0), stratify=False)
    return replace(splits, train=train, validation=validation)
