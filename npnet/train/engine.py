"""Engines: how a minibatch is run forward and backward, and how the parameters are updated."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.errors import InputError
from npnet.nn import BCELoss, BCEWithLogitsLoss, Layer, Loss, MSELoss
from npnet.nn.step import Step, check_loss, check_model, plain_step
from npnet.optim import Optimizer, Schedule
from npnet.train.anomaly import detect_anomalies, first_not_finite
from npnet.train.description import described

ScheduleEvery = Literal["epoch", "step"]
SCHEDULE_EVERY: tuple[ScheduleEvery, ...] = ("epoch", "step")


class BatchResult(NamedTuple):
    """The result of one minibatch.

    Parameters
    ----------
    loss : float
        The mean loss, also where the loss function sums.
    divisor : float
        What the mean divides by, see `npnet.nn.Loss.divisor`; 0 if nothing in the minibatch counts.
    y : array
        The outputs.
    grads : dict
        Gradients by parameter name; empty in evaluation.
    """

    loss: float
    divisor: float
    y: ndarray
    grads: dict[str, Any] = {}  # noqa: RUF012 - never written to


@runtime_checkable
class Engine(Protocol):
    """What the training loop needs of an engine, be it NumPy's or another library's."""

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype that samples must have; None if the model takes any."""

    @property
    def targets(self) -> str:
        """What the loss compares with: class "labels", "numbers" in the shape of the outputs, or "any"."""

    @property
    def ignore_index(self) -> int | None:
        """The label that marks positions to ignore, or None if targets are not class labels."""

    @property
    def couples_samples(self) -> bool:
        """Whether a sample's output depends on the rest of its minibatch in training, as in batch norm."""

    def forward_backward(self, x: ndarray, target: ndarray, generator: Generator) -> BatchResult:
        """Run a minibatch forward and backward in training mode, without the update."""

    def update(self, grads: Mapping[str, Any]) -> None:
        """Update the parameters, given gradients from `forward_backward`."""

    def predict(self, x: ndarray) -> ndarray:
        """Return the outputs for a minibatch, in evaluation mode."""

    def evaluate(self, x: ndarray, target: ndarray) -> BatchResult:
        """Run a minibatch forward through model and loss, in evaluation mode."""

    def end_epoch(self) -> None:
        """Finish an epoch, for example by a step of the learning-rate schedule."""

    def weights(self) -> dict[str, Any]:
        """Return copies of all parameters and buffers."""

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Restore parameters and buffers that `weights` returned."""


@runtime_checkable
class ResumableEngine(Engine, Protocol):
    """An engine whose training can be checkpointed and resumed.

    Its weights are NumPy arrays.
    """

    @property
    def rank(self) -> int:
        """The number of this process among those that train together; process 0 writes the checkpoints."""

    def description(self) -> dict[str, str]:
        """Return what must be the same for a run to be resumed, such as the model, as text by name."""

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the state that later steps depend on.

        The values are arrays, numbers, text, None, and lists and dicts of these.
        """

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""


@runtime_checkable
class CheckingEngine(Engine, Protocol):
    """An engine that can look for NaN and ∞."""

    def first_not_finite(self, arrays: Mapping[str, Any]) -> str | None:
        """Say which value of gradients or weights is the first that is NaN or ∞, and where; None if none."""

    def detect_anomalies(self) -> AbstractContextManager[None]:
        """Within the block, raise `npnet.train.AnomalyError` where an operation first gives NaN or ∞."""


class NumPyEngine:
    """The engine of npnet: a model, its loss, and its optimizer.

    Parameters
    ----------
    model : Layer
    loss : Loss
        Averages over the minibatch (``reduction="mean"``) or sums.
    optimizer : npnet.optim.Optimizer
        Made with this model's parameters.
    schedule : npnet.optim.Schedule, optional
    step : Step
        How a minibatch is run forward and backward.
    schedule_every : "epoch" or "step"
        Whether the schedule steps after each epoch or after each update.

    Raises
    ------
    InputError
        If an argument has another type, the loss gives one value for each sample, or the optimizer's
        parameters are not the model's trainable parameters.
    """

    rank = 0

    def __init__(
        self,
        model: Layer,
        loss: Loss,
        optimizer: Optimizer,
        schedule: Schedule | None = None,
        step: Step = plain_step,
        schedule_every: ScheduleEvery = "epoch",
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
        check.choice("fit", "schedule_every", schedule_every, SCHEDULE_EVERY)
        check.function("fit", "step", step, "a function such as train.plain_step")
        _check_optimizes(optimizer, model)
        self.model, self.loss, self.optimizer, self.schedule = model, loss, optimizer, schedule
        self.step, self.schedule_every = step, schedule_every

    # ---- properties --------------------------------------------------------------------------------

    @property
    def lr(self) -> float:
        """The optimizer's learning rate."""
        return self.optimizer.lr

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype of the first parameter."""
        return dtype_of(self.model)

    @property
    def targets(self) -> str:
        """What the loss compares with."""
        return targets_of(self.loss)

    @property
    def ignore_index(self) -> int | None:
        """The loss's `ignore_index`."""
        return getattr(self.loss, "ignore_index", None)

    @property
    def couples_samples(self) -> bool:
        """Whether the model does."""
        return self.model.couples_samples(training=True)

    # ---- running -----------------------------------------------------------------------------------

    def forward_backward(self, x: ndarray, target: ndarray, generator: Generator) -> BatchResult:
        """Run the minibatch by means of `step`."""
        value, y, grads = self.step(self.model, self.loss, x, target, generator)
        return batch_result(self.loss, value, y, target, grads)

    def update(self, grads: Mapping[str, Any]) -> None:
        """Let the optimizer step, and the schedule after it if it does so at every step."""
        self.optimizer.step(grads)
        self._step_schedule("step")

    def predict(self, x: ndarray) -> ndarray:
        """Run the model in evaluation mode, over threads if the step can."""
        predict = getattr(self.step, "predict", None)
        y: ndarray = self.model(x) if predict is None else predict(self.model, x)
        return y

    def evaluate(self, x: ndarray, target: ndarray) -> BatchResult:
        """Run model and loss forward in evaluation mode."""
        y = self.predict(x)
        return batch_result(self.loss, float(self.loss(y, target)), y, target)

    def end_epoch(self) -> None:
        """Step the schedule, if it does so after each epoch."""
        self._step_schedule("epoch")

    def _step_schedule(self, after: ScheduleEvery) -> None:
        if self.schedule is not None and self.schedule_every == after:
            self.schedule.step()

    # ---- state -------------------------------------------------------------------------------------

    def weights(self) -> dict[str, ndarray]:
        """Return copies of parameters and buffers."""
        return self.model.state_dict()

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Restore parameters and buffers."""
        self.model.load_state_dict(weights)

    def description(self) -> dict[str, str]:
        """Return model, loss, optimizer, schedule and step as text."""
        step = self.step if hasattr(self.step, "__qualname__") else type(self.step)
        shapes = {name: f"{array.dtype}{list(array.shape)}" for name, array in self.weights().items()}
        return {
            "engine": "numpy",
            "model": repr(self.model),
            "arrays of the model": " ".join(f"{name}:{shape}" for name, shape in shapes.items()),
            "frozen parameters": " ".join(sorted(self.model.frozen_parameters)) or "none",
            "loss": described(self.loss),
            "optimizer": repr(self.optimizer),
            "schedule": scheduled(
                None if self.schedule is None else repr(self.schedule), self.schedule_every
            ),
            "step": f"{step.__module__}.{step.__qualname__}",  # another step rounds differently
        }

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the state of model, optimizer and schedule."""
        schedule = None if self.schedule is None else self.schedule.state_dict()
        return {"model": self.weights(), "optimizer": self.optimizer.state_dict(), "schedule": schedule}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore model, optimizer and schedule."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])

    # ---- NaN and ∞ ---------------------------------------------------------------------------------

    def first_not_finite(self, arrays: Mapping[str, Any]) -> str | None:
        """Say which value is the first that is NaN or ∞, with the layer it belongs to."""
        found = first_not_finite(arrays)
        if found is None:
            return None
        name, place = found
        layers = dict(self.model.named_layers())
        owner = name.rpartition(".")[0]
        kind = f" of layer '{owner}' {type(layers[owner]).__name__}" if layers.get(owner) and owner else ""
        return f"'{name}'{kind} holds {place}"

    def detect_anomalies(self) -> AbstractContextManager[None]:
        """Check the result of every layer and of the loss, forward and backward."""
        return detect_anomalies(self.model, self.loss)


def scheduled(schedule: str | None, every: ScheduleEvery) -> str:
    """Return what a checkpoint says of a schedule: the schedule as text, and when it steps.

    Examples
    --------
    >>> scheduled("StepLR(step_size=3)", "step")
    'StepLR(step_size=3) at every step'
    """
    if schedule is None:
        return "none"
    return schedule if every == "epoch" else f"{schedule} at every step"


def batch_result(
    loss: Loss, value: float, y: ndarray, target: ndarray, grads: dict[str, Any] | None = None
) -> BatchResult:
    """Return the result of a minibatch, with the mean loss where the loss function sums."""
    divisor = float(loss.divisor(y, target))
    if getattr(loss, "reduction", "mean") == "sum":
        value = value / divisor if divisor else np.nan
    return BatchResult(value, divisor, y, grads or {})


def dtype_of(model: Layer) -> np.dtype[Any] | None:
    """Return the dtype of a model's first parameter; None if it has no parameters."""
    first = next(iter(model.parameters.values()), None)
    return None if first is None else first.dtype


def targets_of(loss: Loss) -> str:
    """Return what a loss compares with: class "labels", "numbers" in the shape of the outputs, or "any"."""
    if hasattr(loss, "ignore_index"):
        return "labels"
    return "numbers" if isinstance(loss, MSELoss | BCELoss | BCEWithLogitsLoss) else "any"


# ---- checks --------------------------------------------------------------------------------------------


def check_engine(owner: str, engine: Any) -> None:
    """Require an engine."""
    if isinstance(engine, type) or not isinstance(engine, Engine):
        raise InputError(
            f"{owner}: engine must be an engine such as NumPyEngine(model, loss, optimizer), "
            f"got {check.described(engine)}"
        )


def _check_optimizes(optimizer: Optimizer, model: Layer) -> None:
    """Require an optimizer with parameters of this model, and with all that are not frozen."""
    own = {id(array) for array in model.parameters.values()}
    updated = {id(array) for array in optimizer.parameters.values()}
    if not updated <= own:
        raise InputError("fit: optimizer must be made with this model's parameters, got another model's")
    trained = [name for name in model.parameters if name not in model.frozen_parameters]
    left = [name for name in trained if name not in optimizer.parameters]
    if left:
        names = ", ".join(repr(name) for name in left)
        raise InputError(
            f"fit: optimizer must have all parameters that are not frozen, but lacks {names}; "
            f"freeze the others with model.freeze({names}), or make the optimizer with model.parameters"
        )
