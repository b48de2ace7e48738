"""A small training program, to be killed.

It trains a network with everything that has state: batch norm, dropout, Adam, a schedule, validation data.
Every step it takes is a line in ``steps.txt``; the bits it ends with are in ``result.txt``.
"""

import hashlib
import os
import signal
import sys
from pathlib import Path

import numpy as np

from npnet import nn, optim
from npnet.data import ArrayDataset
from npnet.errors import InputError
from npnet.train import _checkpoints, fit, plain_step

EPOCHS, STEPS, BATCH = 4, 6, 8
REFUSED = 2  # exit status after an InputError, whose message is in error.txt


def data():
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((60, 1, 6, 6)).astype(np.float32), rng.integers(3, size=60)
    return ArrayDataset(x[: STEPS * BATCH], y[: STEPS * BATCH]), ArrayDataset(x[48:], y[48:])


def model(rng):
    layers = [nn.Conv2d(1, 3, 3, generator=rng), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(48, 3, generator=rng))


def train(folder, *, checkpoint=True, **settings):
    """Train to the end, or go on where the checkpoints in ``folder/run`` say."""
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    network = model(np.random.default_rng(1))
    adam = optim.Adam(network.parameters, lr=0.01)
    generator = np.random.default_rng(2)
    log = os.open(folder / "steps.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def on_step(state):
        os.write(log, f"{state.epoch * STEPS + state.step}\n".encode())

    settings = {"progress": False} | settings
    if checkpoint:
        settings = {"checkpoint": folder / "run", "resume": True} | settings
    history = fit(
        network, nn.CrossEntropyLoss(), adam, data(), epochs=EPOCHS, batch_size=BATCH, generator=generator,
        schedule=optim.CosineAnnealingLR(adam, EPOCHS), step=plain_step, on_step=on_step,
        **settings,
    )  # fmt: skip
    if not history.interrupted:
        (folder / "result.txt").write_text(digest(network, adam, generator, history))
    return history


def digest(network, optimizer, generator, history):
    """Return a hash of all that a run leaves, without its times."""
    arrays = network.state_dict() | optimizer.state_dict()
    hashed = hashlib.sha256(repr(generator.bit_generator.state).encode())
    for name in sorted(arrays):
        hashed.update(name.encode() + arrays[name].tobytes())
    losses = [(e.train_loss, e.train_accuracy, e.validation_loss, e.lr) for e in history.epochs]
    return hashed.hexdigest() + repr((losses, history.best_epoch))


def child(folder, fault=None, settings=None):
    """Train in this process, under a fault, and leave with the status of a program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _checkpoints.SHARE = 1e9  # a checkpoint after each of these short epochs, whatever it takes
    if fault is not None:
        fault()
    try:
        train(folder, **(settings or {}))
    except InputError as error:
        Path(folder, "error.txt").write_text(str(error))
        sys.exit(REFUSED)
    except KeyboardInterrupt:  # it came before training had begun, or twice
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    child(sys.argv[1], settings={"progress": True})  # which says from where it resumes
