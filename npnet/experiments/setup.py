"""A setup: data, model, loss, optimizer and schedule, and how the model is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet import check, nn, optim
from npnet.data import ArrayDataset, Splits, count_minibatches
from npnet.engines import Spec
from npnet.errors import InputError
from npnet.experiments.options import Options, set_fields
from npnet.train import ScheduleEvery
from npnet.train.engine import SCHEDULE_EVERY

LOSS_LABELS = {
    "CrossEntropyLoss": "cross-entropy (nats)",
    "NLLLoss": "negative log-likelihood (nats)",
    "MSELoss": "mean squared error",
    "BCELoss": "binary cross-entropy (nats)",
    "BCEWithLogitsLoss": "binary cross-entropy (nats)",
}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A model to be trained on labelled data, and how.

    Parameters
    ----------
    data : callable
        Gives the `Splits`, from the options.
    input_shape : tuple of int
        Shape of one sample.
    model : callable
        Gives the model, its weights drawn from a generator.
    optimizer : Spec
    epochs, batch_size : int
    name : str
        What tells it from the other setups of its experiment; empty if there is one alone.
    loss : Spec
    schedule : callable, optional
        Gives the schedule's Spec, from the number of epochs; where it steps after each update, from the
        number of all updates.
    schedule_every : "epoch" or "step"
        Whether the schedule steps after each epoch or after each update of the weights.
    patience : int, optional
    keep_best : bool
        Both as in `npnet.train.fit`; of a source that reports what it had after its last epoch, False.
    fixed_batch_size : bool
        Whether the size of its minibatches is what it shows, so that nobody can ask for another.
    snapshot_epochs : callable, optional
        After which epochs the weights are noted, from the number of epochs; 0 is before the first.
    threads : int, optional
        How many it is trained with unless others are asked for; all cores if not given. The smallest networks
        are fastest with one.
    quick_epochs, quick_images : int
        The most of both when a run is cut short.

    Raises
    ------
    InputError
        If an argument has the wrong type or value.
    """

    data: Callable[[Options], Splits[Any]]
    input_shape: tuple[int, ...]
    model: Callable[[Generator], nn.Layer]
    optimizer: Spec
    epochs: int
    batch_size: int
    name: str = ""
    loss: Spec = field(default_factory=lambda: Spec("CrossEntropyLoss"))
    schedule: Callable[[int], Spec] | None = None
    schedule_every: ScheduleEvery = "epoch"
    patience: int | None = None
    keep_best: bool = True
    fixed_batch_size: bool = False
    snapshot_epochs: Callable[[int], Sequence[int]] | None = None
    threads: int | None = None
    quick_epochs: int = 2
    quick_images: int = 1000

    def __post_init__(self) -> None:
        check.instance("Setup", "name", self.name, str, "text")
        for name in ("data", "model"):
            check.function("Setup", name, getattr(self, name))
        for name in ("schedule", "snapshot_epochs"):
            if getattr(self, name) is not None:
                check.function("Setup", name, getattr(self, name))
        check.choice("Setup", "schedule_every", self.schedule_every, SCHEDULE_EVERY)
        for name, example in (("loss", 'Spec("MSELoss")'), ("optimizer", 'Spec("SGD", lr=0.1)')):
            check.instance("Setup", name, getattr(self, name), Spec, f"a Spec, such as {example}")
        if not isinstance(self.input_shape, tuple | list):
            raise InputError(
                f"Setup: input_shape must be a tuple of integers, got {check.described(self.input_shape)}"
            )
        shape = tuple(check.integer("Setup", "input_shape", size, least=1) for size in self.input_shape)
        set_fields(self, input_shape=shape)
        for name in ("epochs", "batch_size", "patience", "threads", "quick_epochs", "quick_images"):
            if getattr(self, name) is not None or name not in ("patience", "threads"):
                set_fields(self, **{name: check.integer("Setup", name, getattr(self, name), least=1)})
        for name in ("keep_best", "fixed_batch_size"):
            set_fields(self, **{name: check.flag("Setup", name, getattr(self, name))})

    def with_options(self, options: Options) -> Setup:
        """Return the setup as it is to be trained, options applied.

        Raises
        ------
        InputError
            If the options are none.
        """
        check.instance("Setup", "options", options, Options, "npnet.experiments.Options")
        epochs = self.epochs if options.epochs is None else options.epochs
        if options.quick and options.epochs is None:
            epochs = min(epochs, self.quick_epochs)
        asked = None if self.fixed_batch_size else options.batch_size
        changed: dict[str, Any] = {"batch_size": self.batch_size if asked is None else asked}
        if options.lr is not None:
            changed["optimizer"] = self.optimizer.but(lr=options.lr)
            changed["schedule"] = None if self.schedule is None else _up_to(options.lr, self.schedule)
        return replace(self, epochs=epochs, **changed)

    def splits(self, options: Options) -> Splits[Any]:
        """Return the data, cut short for a quick run.

        Raises
        ------
        InputError
            If the options are none.
        """
        check.instance("Setup", "options", options, Options, "npnet.experiments.Options")
        splits = self.data(options)
        return splits if not options.quick else _first(splits, self.quick_images)

    @property
    def loss_label(self) -> str:
        """What the loss is called in figures, with its unit."""
        return LOSS_LABELS.get(self.loss.kind, "loss")

    def planned(self, splits: Splits[Any]) -> Spec | None:
        """Return the schedule over all epochs, on this data.

        Raises
        ------
        InputError
            If the data are no splits.
        """
        check.instance("Setup", "splits", splits, Splits, "Splits, such as Setup.splits gives")
        if self.schedule is None:
            return None
        by_step = self.schedule_every == "step"
        return self.schedule(
            self.epochs * (count_minibatches(splits.train, self.batch_size) if by_step else 1)
        )

    @property
    def schedule_told(self) -> str:
        """The schedule in words, without what depends on the number of steps, which the data tells."""
        if self.schedule is None:
            return ""
        spec = self.schedule(self.epochs)
        if self.schedule_every == "epoch":
            return repr(spec)
        longer = self.schedule(2 * self.epochs).settings
        settings = {name: value for name, value in spec.settings.items() if longer.get(name) == value}
        return f"{Spec(spec.kind, **settings)} at every step"

    def settings(self, splits: Splits[Any]) -> dict[str, Any]:
        """Return everything needed to train it again, from the options and on the data."""
        model, planned = self.model(np.random.default_rng(0)), self.planned(splits)
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "patience": self.patience,
            "keep_best": self.keep_best,
            **({} if self.threads is None else {"threads": self.threads}),
            "loss": repr(self.loss),
            "optimizer": repr(self.optimizer.make(optim, model.parameters)),  # defaults included
            "schedule": None if planned is None else repr(planned),
            **({} if self.schedule_every == "epoch" else {"schedule_every": self.schedule_every}),
            "model": repr(model).splitlines(),
            "parameters": sum(array.size for array in model.parameters.values()),
            "data": {"name": splits.name} | {name: len(part) for name, part in splits.parts().items()},
        }


def _up_to(lr: float, schedule: Callable[[int], Spec]) -> Callable[[int], Spec]:
    """Return a schedule that leads up to this learning rate, if it leads up to one."""

    def planned(duration: int) -> Spec:
        spec = schedule(duration)
        return spec.but(max_lr=lr) if "max_lr" in spec.settings else spec

    return planned


def _first(splits: Splits[Any], most: int) -> Splits[Any]:
    """Return some samples of each part, taken evenly: data may come class by class."""
    parts = {name: evenly(getattr(splits, name), most) for name in ("train", "validation", "test")}
    return replace(splits, **parts)


def evenly(part: Any, most: int) -> Any:
    """Return at most so many samples of a part, taken evenly; of what is no array, all.

    Parameters
    ----------
    part : data set, or None
    most : int

    Returns
    -------
    part : data set, or None

    Examples
    --------
    >>> evenly(ArrayDataset(np.arange(5.0), np.arange(5)), 3).y.tolist()
    [0, 2, 4]
    """
    if not isinstance(part, ArrayDataset) or len(part) <= most:
        return part
    return part.subset(np.linspace(0, len(part) - 1, most).astype(int))
