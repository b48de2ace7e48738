"""What the recipes for Sign Language MNIST share: the data, and the figures beside those of every network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import data, nn, plot
from npnet.data import ArrayDataset, Dataset, Splits
from npnet.engines import Spec
from npnet.recipes._both_settings import AS_IN_SOURCE, OURS, held_out_at_random, setting
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._spec import Options
from npnet.run import RunFolder
from npnet.train import History

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


class SignsRecipe(NetworkRecipe):
    """A network that reads letters from hands, shown with the class histogram and one image's features."""

    def figures(
        self, model: nn.Layer, splits: Splits[Any], part: Dataset, history: History, folder: RunFolder
    ) -> list[Path]:
        """Draw what is drawn of every network, and what becomes of the first image of the part."""
        parts = {"training": splits.train, "validation": splits.validation, "test": splits.test}
        labels = {name: each.y for name, each in parts.items() if each is not None}
        histogram = plot.class_histogram(labels, splits.classes, title=guessing(labels, splits.classes))
        files = [folder.figure("class_histogram.png", histogram)]
        files += super().figures(model, splits, part, history, folder)

        x, target = part[0]
        title = f"{self.name}: the letter {splits.classes[target]}, layer by layer"
        shown, logits = self.seen(model, x, splits.classes)
        drawn = plot.feature_maps({**shown, "scores": logits}, x, splits.classes, title=title)
        files.append(folder.figure("layer_by_layer.png", drawn))
        return files

    def seen(
        self, model: nn.Layer, x: ndarray, classes: tuple[str, ...]
    ) -> tuple[dict[str, ndarray], ndarray]:
        """Return what is worth seeing between an image and its logits, by name, and the logits."""
        outputs = layer_outputs(model, x[None])
        logits = outputs.popitem()[1][0]
        # Flattening and, in evaluation, dropout show nothing that the layer before does not.
        shown = {name: y[0] for name, y in outputs.items() if not name.startswith(("flatten", "dropout"))}
        return shown, logits


def as_in_source(
    model: Callable[[Generator], nn.Layer],
    optimizer: Spec,
    *,
    epochs: int,
    kind: type[NetworkRecipe] = SignsRecipe,
) -> NetworkRecipe:
    """Return a network in the setting of the source, judged after its last epoch."""
    return setting(
        AS_IN_SOURCE,
        kind=kind,
        dataset="signs",
        data=as_published,
        input_shape=(1, 28, 28),
        model=model,
        optimizer=optimizer,
        epochs=epochs,
        quick_epochs=5,
        batch_size=128,
        keep_best=False,
    )


def ours(
    model: Callable[[Generator], nn.Layer],
    optimizer: Spec,
    *,
    epochs: int,
    kind: type[NetworkRecipe] = SignsRecipe,
    **settings: Any,
) -> NetworkRecipe:
    """Return a network in a setting of ours."""
    return setting(
        OURS,
        kind=kind,
        dataset="signs",
        data=signs,
        input_shape=(1, 28, 28),
        model=model,
        optimizer=optimizer,
        epochs=epochs,
        quick_epochs=5,
        batch_size=128,
        **settings,
    )


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


def layer_outputs(model: nn.Layer, x: ndarray) -> dict[str, ndarray]:
    """Return what every layer of a chain gives in evaluation mode, by the layer's name.

    Examples
    --------
    >>> chain = nn.Sequential({"relu": nn.ReLU(), "flatten": nn.Flatten()})
    >>> {name: y.tolist() for name, y in layer_outputs(chain, np.array([[[-1.0], [2.0]]])).items()}
    {'relu': [[[0.0], [2.0]]], 'flatten': [[0.0, 2.0]]}
    """
    outputs = {}
    for name, layer in model.children.items():
        x = outputs[name] = layer(x)
    return outputs
