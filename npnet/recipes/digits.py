"""A small convolutional network on the 1 797 real handwritten digits that need no download."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from npnet import data, nn
from npnet.experiments import Experiment, Options, Setup, Spec


def digits(_: Options) -> data.Splits[data.ArrayDataset]:
    """Return 8×8 images; the same fifth is held out for the test whatever the seed of the run."""
    return data.digits(np.random.default_rng(0))


def network(generator: Generator) -> nn.Sequential:
    """Two convolutions that keep the size, one halving of it, one fully connected layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, generator=generator),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, generator=generator),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(1),
        nn.Dropout(0.5),
        nn.Linear(32 * 4 * 4, 10, generator=generator),
    )


recipe = Experiment(
    name="digits",
    title="a small convolutional network on 8×8 handwritten digits",
    source="Alpaydin, Kaynak (1998), Optical recognition of handwritten digits; as shipped by scikit-learn",
    reported="98.00 % on these digits, by the nearest neighbour among 3 823 digits of other writers",
    expects="98.5 % of the held-out fifth",
    dataset="digits",
    setups=(
        Setup(
            data=digits,
            input_shape=(1, 8, 8),
            model=network,
            optimizer=Spec("AdamW", lr=5e-3, weight_decay=0.01),
            schedule=lambda epochs: Spec("CosineAnnealingLR", T_max=epochs),
            epochs=30,
            batch_size=32,
        ),
    ),
)
