"""A short run with what it recorded, for tests of the figures of training."""

import numpy as np

from npnet import fit, nn, optim
from npnet.train import Recorder

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 4)).astype(np.float32)
TARGET = RNG.integers(0, 3, 40)
MODEL = nn.Sequential(nn.Linear(4, 6, generator=RNG), nn.ReLU(), nn.Linear(6, 3, generator=RNG))


def recorded(model=MODEL, *, lr=0.1, epochs=3):
    """Train a copy of a model for a few steps and return the recorder."""
    recorder, twin = Recorder(samples=20), nn.Sequential(*model.children.values())
    before = model.state_dict()
    sgd = optim.SGD(twin.parameters, lr=lr)
    fit(
        twin, nn.CrossEntropyLoss(), sgd, (X, TARGET), epochs=epochs, batch_size=10, recorder=recorder,
        progress=False,
    )  # fmt: skip
    model.load_state_dict(before)
    return recorder
