"""The digits of MNIST as its experiments cut them, and the networks that several of them train."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from npnet import data
from npnet.experiments import AS_IN_SOURCE, OURS, Options, Run, Setup, Spec

TRAINING, TEST = 48_000, 10_000  # a fifth of the published 60 000 is held out


def digits(options: Options) -> data.Splits[data.ArrayDataset]:
    """Return MNIST, a fifth of its training part held out: the same one whatever the seed of the run.

    Pixels are the published bytes divided by 255, as in the course.
    """
    return data.mnist(options.data, validation=0.2, generator=np.random.default_rng(0))


classifier = partial(
    Setup, data=digits, input_shape=(1, 28, 28), batch_size=100, epochs=20, quick_epochs=3, quick_images=2000
)


def as_in_source(decay: float = 0.0, **settings: Any) -> Setup:
    """Return one in the setting of the source: Adam, its rate times 1 − 1e-4 after each epoch.

    The source names neither the number of epochs nor the size of minibatches.
    """
    optimizer = Spec("Adam", lr=1e-4, weight_decay=decay)
    return classifier(
        optimizer=optimizer, schedule=lambda _: Spec("ExponentialLR", gamma=1 - 1e-4), **settings
    )


def best_of_each_setting(runs: Mapping[str, Run]) -> str:
    """Return the headline of many networks, each with its setting in its name: what the best of each did.

    The best is that of the lowest validation loss.
    """
    of_source = {name: run for name, run in runs.items() if AS_IN_SOURCE in name}
    settings = {AS_IN_SOURCE: of_source, OURS: {name: runs[name] for name in runs if name not in of_source}}
    chosen = {
        title: min(some.values(), key=lambda run: run.validation_loss)
        for title, some in settings.items()
        if some
    }
    shown = (f"{run.shown} {title} ({without(run.name, title)})" for title, run in chosen.items())
    return f"test accuracy: {', '.join(shown)}"


def without(name: str, title: str) -> str:
    """Return the name of a network without that of its setting."""
    return ", ".join(part for part in name.split(", ") if part != title)
