"""What the recipes for Sign Language MNIST share: the data, and the figures beside those of every network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import data, plot
from npnet.data import ArrayDataset, Splits
from npnet.experiments import AS_IN_SOURCE, OURS, Options, Run, Runner, Setup, judge_setups
from npnet.recipes.common import held_out_at_random, layer_outputs

SOURCE = "course exercise on Sign Language MNIST (kaggle.com/datasets/datamunge/sign-language-mnist)"
ALPHABET = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
J = ALPHABET.index("J")


def as_published(options: Options) -> Splits[ArrayDataset]:
    """Return the published parts, pixels in [0, 1] and labels as published, a random tenth held out.

    Labels count the letters of the alphabet: of its 26 classes J and Z have no photograph.
    """
    splits = data.signs(options.data)
    train, test = (ArrayDataset(part.x, part.y + (part.y >= J)) for part in splits.parts().values())
    return held_out_at_random(replace(splits, train=train, test=test, classes=ALPHABET), 0.1)


def signs(options: Options) -> Splits[ArrayDataset]:
    """Return the published parts standardised, the same tenth of the first held out for every seed."""
    return data.signs(options.data, validation=0.1, generator=np.random.default_rng(0)).standardized()


as_in_source = partial(
    Setup,
    name=AS_IN_SOURCE,
    data=as_published,
    input_shape=(1, 28, 28),
    batch_size=128,
    keep_best=False,  # judged after its last epoch
    quick_epochs=5,
)
ours = partial(Setup, name=OURS, data=signs, input_shape=(1, 28, 28), batch_size=128, quick_epochs=5)


def layers(run: Run, x: ndarray) -> dict[str, ndarray]:
    """Return what is worth seeing between an image and its scores, by name, and the scores."""
    outputs = layer_outputs(run.model, x[None])
    *names, last = outputs
    # Flattening and, in evaluation, dropout show nothing that the layer before does not.
    shown = {name: outputs[name][0] for name in names if not name.startswith(("flatten", "dropout"))}
    return {**shown, "scores": outputs[last][0]}


def study(
    runner: Runner, seen: Callable[[Run, ndarray], dict[str, ndarray]] = layers
) -> tuple[str, dict[str, Any]]:
    """Train both settings; draw how often each letter comes, and what the better makes of one image."""
    headline, values = judge_setups(runner)
    run = runner.best
    splits, classes = run.splits, run.splits.classes
    parts = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    labels = {name: part.y for name, part in parts.items() if part is not None}
    title = guessing(labels, classes)
    runner.figure("class_histogram.png", plot.class_histogram, labels, classes, title=title)
    x, target = run.test[0]
    title = f"{runner.experiment.name}, {run.name}: the letter {classes[target]}, layer by layer"
    runner.figure("layer_by_layer.png", plot.feature_maps, seen(run, x), x, classes, title=title)
    return headline, values


def guessing(labels: Mapping[str, ndarray], classes: tuple[str, ...]) -> str:
    """Say how often the commonest letter of the training part is right elsewhere: what to beat.

    Examples
    --------
    >>> guessing({"training": np.array([0, 1, 1]), "test": np.array([0, 0, 0, 1])}, ("A", "B"))
    'Letters in each part; to always guess B is right on 25.0 % of the test part'
    """
    commonest = int(np.bincount(labels["training"]).argmax())
    judged = list(labels)[-1]
    share = 100 * float((labels[judged] == commonest).mean())
    return (
        f"Letters in each part; to always guess {classes[commonest]} is right "
        f"on {share:.1f} % of the {judged} part"
    )
