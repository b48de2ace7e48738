"""What training asks of its data and settings before it begins, and of its loss while it runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.data import ArrayDataset, Dataset, Splits, minibatches
from npnet.errors import InputError
from npnet.train.engine import Engine
from npnet.train.history import State

Data = Splits[Any] | tuple[Dataset, Dataset] | Dataset


def parts(data: Data) -> tuple[Dataset, Dataset | None]:
    """Return the training part and, where there is one, the validation part."""
    if isinstance(data, Splits):
        validation = data.validation
        return data.train, validation if validation is not None and len(validation) else None
    if isinstance(data, tuple) and not hasattr(data, "_fields"):
        if len(data) != 2 or any(isinstance(part, ndarray) for part in data):
            raise InputError(
                "fit: data must be splits, a data set, or a pair (training, validation) of data sets; "
                "make one of arrays by npnet.data.ArrayDataset(x, y)"
            )
        return data
    return data, None


def check_settings(
    training: Dataset,
    validation: Dataset | None,
    epochs: int,
    batch_size: int,
    generator: Generator,
    patience: int | None,
) -> None:
    """Require data to learn from, positive numbers, and a generator."""
    for name, part in (("training", training), ("validation", validation)):
        if part is not None and not len(part):
            raise InputError(f"fit: the {name} data must not be empty, got 0 samples")
    for name, number in (("epochs", epochs), ("batch_size", batch_size), ("patience", patience)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise InputError(f"fit: {name} must be a positive integer, got {number!r}")
    if not isinstance(generator, Generator):
        raise InputError(f"fit: generator must be a numpy.random.Generator, got {type(generator).__name__}")
    if patience is not None and validation is None:
        raise InputError("fit: patience needs validation data to judge by, got none")


def check_fits(engine: Engine, name: str, part: Dataset, batch_size: int) -> None:
    """Meet what does not fit before anything is learnt: try one minibatch, and look at all labels."""
    x, target = next(iter(minibatches(part, min(batch_size, len(part)))))
    labels = part.y if isinstance(part, ArrayDataset) else target
    y = engine.predict(x)
    if engine.ignore_index is not None and labels.dtype.kind in "iu" and y.ndim >= 2:
        # The loss would refuse them too, but later, and without saying where in the data set they stand.
        _check_labels(name, labels, y.shape[1], engine.ignore_index)
    engine.judge(x, target)


def _check_labels(name: str, labels: ndarray, outputs: int, ignore_index: int) -> None:
    signed = labels.astype(np.int64)
    wrong = np.argwhere(((signed < 0) | (signed >= outputs)) & (signed != ignore_index))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise InputError(
            f"fit: {name} labels must be in 0…{outputs - 1}, as the model has {outputs} outputs, "
            f"got {signed[place]} at index {place[0] if len(place) == 1 else place}"
        )


def check_finite(loss: float, engine: Engine, state: State, what: str) -> None:
    """Require a loss that is a number; training on would only lose what was learnt."""
    if math.isfinite(loss):
        return
    kept = state.history.best_epoch
    raise InputError(
        f"fit: the {what} became {loss} in epoch {state.epoch + 1}, after step {state.step}; "
        f"try a smaller learning rate (it was {engine.lr:g}), and inputs of mean 0 and deviation 1"
        + (f". The model has the weights of epoch {kept}" if kept else "")
    )
