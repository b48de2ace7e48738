"""Engines: what learns from a minibatch, be it NumPy's work or another library's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.errors import InputError
from npnet.nn import BCELoss, BCEWithLogitsLoss, Layer, Loss, MSELoss
from npnet.nn.step import Step, check_loss, check_model, plain_step
from npnet.optim import Optimizer, Schedule


class BatchResult(NamedTuple):
    """What a minibatch gave.

    Parameters
    ----------
    loss : float
        A mean, whether the loss averages or sums.
    divisor : float
        What the mean divides by, see `npnet.nn.Loss.divisor`; 0 if nothing in the minibatch counts.
    y : array
        The outputs.
    grads : dict
        By parameter name; empty where nothing is learnt.
    """

    loss: float
    divisor: float
    y: ndarray
    grads: dict[str, Any] = {}  # noqa: RUF012 - never written to


@runtime_checkable
class Engine(Protocol):
    """What the loop asks of whatever learns, be it NumPy's work or another library's."""

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """What samples must be; None if the model takes any."""

    @property
    def targets(self) -> str:
        """What the loss compares with: class "labels", "numbers" in the shape of the outputs, or "any"."""

    @property
    def ignore_index(self) -> int | None:
        """The label that marks what does not count, or None if targets are not class labels."""

    @property
    def couples_samples(self) -> bool:
        """Whether the samples of a minibatch bear on each other in training, as in batch norm."""

    def forward_backward(self, x: ndarray, target: ndarray, generator: Generator) -> BatchResult:
        """Run a minibatch forward and backward, in training mode; nothing is updated yet."""

    def update(self, grads: Mapping[str, Any]) -> None:
        """Move the parameters by gradients such as `learn` gave."""

    def predict(self, x: ndarray) -> ndarray:
        """Return the outputs for a minibatch, in evaluation mode."""

    def evaluate(self, x: ndarray, target: ndarray) -> BatchResult:
        """Run a minibatch forward through model and loss, in evaluation mode."""

    def end_epoch(self) -> None:
        """Do what is due after an epoch, such as changing the learning rate."""

    def weights(self) -> dict[str, Any]:
        """Return copies of all that was learnt."""

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Put weights back that `weights` returned."""


class NumPyEngine:
    """The engine of npnet: a model, what it is judged by, and what moves its parameters.

    Parameters
    ----------
    model : Layer
    loss : Loss
        Averages over the minibatch (``reduction="mean"``) or sums.
    optimizer : npnet.optim.Optimizer
        Made with this model's parameters.
    schedule : npnet.optim.Schedule, optional
        Steps after each epoch.
    step : Step
        How a minibatch goes forward and backward.

    Raises
    ------
    InputError
        If model, loss or optimizer is something else, the loss gives one value for each sample, or the
        optimizer moves other arrays, or not all that are to be trained.
    """

    def __init__(
        self,
        model: Layer,
        loss: Loss,
        optimizer: Optimizer,
        schedule: Schedule | None = None,
        step: Step = plain_step,
    ) -> None:
        check_model("fit", model)
        check_loss("fit", loss)
        check.instance(
            "fit",
            "optimizer",
            optimizer,
            Optimizer,
            "an optimizer such as optim.SGD(model.parameters, lr=0.1)",
        )
        if schedule is not None:
            expected = "a schedule such as optim.StepLR(optimizer, 10)"
            check.instance("fit", "schedule", schedule, Schedule, expected)
        check.function("fit", "step", step, "a function such as train.plain_step")
        _check_moves(optimizer, model)
        self.model, self.loss, self.optimizer, self.schedule = model, loss, optimizer, schedule
        self.step = step

    @property
    def lr(self) -> float:
        """The optimizer's learning rate."""
        return self.optimizer.lr

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The first parameter's."""
        return dtype_of(self.model)

    @property
    def targets(self) -> str:
        """What the loss compares with."""
        return targets_of(self.loss)

    @property
    def ignore_index(self) -> int | None:
        """The loss's."""
        return getattr(self.loss, "ignore_index", None)

    @property
    def couples_samples(self) -> bool:
        """Whether the model says so."""
        return self.model.couples_samples(training=True)

    def forward_backward(self, x: ndarray, target: ndarray, generator: Generator) -> BatchResult:
        """Run forward and backward as the step does."""
        value, y, grads = self.step(self.model, self.loss, x, target, generator)
        return batch_result(self.loss, value, y, target, grads)

    def update(self, grads: Mapping[str, Any]) -> None:
        """Let the optimizer step."""
        self.optimizer.step(grads)

    def predict(self, x: ndarray) -> ndarray:
        """Run the model in evaluation mode, over threads where the step has a way to."""
        predict = getattr(self.step, "predict", None)
        y: ndarray = self.model(x) if predict is None else predict(self.model, x)
        return y

    def evaluate(self, x: ndarray, target: ndarray) -> BatchResult:
        """Run model and loss forward in evaluation mode."""
        y = self.predict(x)
        return batch_result(self.loss, float(self.loss(y, target)), y, target)

    def end_epoch(self) -> None:
        """Step the schedule."""
        if self.schedule is not None:
            self.schedule.step()

    def weights(self) -> dict[str, ndarray]:
        """Return copies of parameters and buffers."""
        return self.model.state_dict()

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Put parameters and buffers back."""
        self.model.load_state_dict(weights)


def batch_result(
    loss: Loss, value: float, y: ndarray, target: ndarray, grads: dict[str, Any] | None = None
) -> BatchResult:
    """Return what a minibatch gave, with a mean in place of a sum."""
    divisor = float(loss.divisor(y, target))
    if getattr(loss, "reduction", "mean") == "sum":
        value = value / divisor if divisor else np.nan
    return BatchResult(value, divisor, y, grads or {})


def dtype_of(model: Layer) -> np.dtype[Any] | None:
    """Return the dtype of a model's first parameter; None if it has none."""
    first = next(iter(model.parameters.values()), None)
    return None if first is None else first.dtype


def targets_of(loss: Loss) -> str:
    """Return what a loss compares with: class "labels", "numbers" in the shape of the outputs, or "any"."""
    if hasattr(loss, "ignore_index"):
        return "labels"
    return "numbers" if isinstance(loss, MSELoss | BCELoss | BCEWithLogitsLoss) else "any"


# ---- checks --------------------------------------------------------------------------------------------


def check_engine(owner: str, engine: Any) -> None:
    """Require what the loop can ask."""
    if isinstance(engine, type) or not isinstance(engine, Engine):
        raise InputError(
            f"{owner}: engine must be an engine such as NumPyEngine(model, loss, optimizer), "
            f"got {check.described(engine)}"
        )


def _check_moves(optimizer: Optimizer, model: Layer) -> None:
    """Require an optimizer of this model's parameters, and of all that are not frozen."""
    own = {id(array) for array in model.parameters.values()}
    moved = {id(array) for array in optimizer.parameters.values()}
    if not moved <= own:
        raise InputError("fit: optimizer must be made with this model's parameters, got another model's")
    learnt = [name for name in model.parameters if name not in model.frozen_parameters]
    left = [name for name in learnt if name not in optimizer.parameters]
    if left:
        names = ", ".join(repr(name) for name in left)
        raise InputError(
            f"fit: optimizer must have all parameters that are not frozen, but lacks {names}; "
            f"freeze the others with model.freeze({names}), or make the optimizer with model.parameters"
        )
