"""The digits of MNIST as its experiments cut them, and the networks that several of them train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet import data, nn
from npnet.engines import Spec
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._networks import setting
from npnet.recipes._spec import Options

TRAINING, TEST = 48_000, 10_000  # a fifth of the published 60 000 is held out


def digits(options: Options) -> data.Splits[data.ArrayDataset]:
    """Return MNIST, a fifth of its training part held out: the same one whatever the seed of the run.

    Pixels are the published bytes divided by 255, as in the course.
    """
    return data.mnist(options.data, validation=0.2, generator=np.random.default_rng(0))


def as_in_source(
    name: str, model: Callable[[Generator], nn.Layer], *, decay: float = 0.0, **settings: Any
) -> NetworkRecipe:
    """Return one in the setting of the source: Adam, its rate times 1 − 1e-4 after each epoch.

    The source names neither the number of epochs nor the size of minibatches.
    """
    return classifier(
        name,
        model,
        Spec("Adam", lr=1e-4, weight_decay=decay),
        epochs=20,
        schedule=lambda _: Spec("ExponentialLR", gamma=1 - 1e-4),
        **settings,
    )


def classifier(
    name: str,
    model: Callable[[Generator], nn.Layer],
    optimizer: Spec,
    *,
    epochs: int,
    kind: type[NetworkRecipe] = NetworkRecipe,
    **settings: Any,
) -> NetworkRecipe:
    """Return one of several networks that tell digits; the experiment says where it is from."""
    return setting(
        name,
        kind=kind,
        dataset="mnist",
        data=digits,
        input_shape=(1, 28, 28),
        model=model,
        optimizer=optimizer,
        epochs=epochs,
        **{"batch_size": 100, "quick_epochs": 3, "quick_images": 2000, **settings},
    )
