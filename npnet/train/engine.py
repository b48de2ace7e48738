"""Engines: what learns from a minibatch, be it NumPy's work or another library's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from numpy import ndarray
from numpy.random import Generator

from npnet.errors import InputError
from npnet.nn import Gradients, Layer, Loss
from npnet.optim import Optimizer, Schedule

# Forward and backward for one minibatch, without the update: the model, the loss, x, target and a source of
# noise go in; the loss, the model's outputs and the gradients by parameter name come out.
Step = Callable[[Layer, Loss, ndarray, ndarray, Generator], tuple[float, ndarray, Gradients]]


@runtime_checkable
class Engine(Protocol):
    """What the loop asks of whatever learns, be it NumPy's work or another library's."""

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""

    @property
    def ignore_index(self) -> int | None:
        """The label that marks what does not count, or None if targets are not class labels."""

    def learn(
        self, x: ndarray, target: ndarray, generator: Generator
    ) -> tuple[float, ndarray, Callable[[], None]]:
        """Return a minibatch's loss per sample and outputs, and the function that learns from it."""

    def predict(self, x: ndarray) -> ndarray:
        """Return the outputs for a minibatch, in evaluation mode."""

    def judge(self, x: ndarray, target: ndarray) -> tuple[float, ndarray]:
        """Return a minibatch's loss per sample and outputs, in evaluation mode."""

    def end_epoch(self) -> None:
        """Do what is due after an epoch, such as changing the learning rate."""

    def weights(self) -> dict[str, Any]:
        """Return copies of all that was learnt."""

    def load(self, weights: dict[str, Any]) -> None:
        """Put weights back that `weights` returned."""


def plain_step(
    model: Layer, loss: Loss, x: ndarray, target: ndarray, generator: Generator
) -> tuple[float, ndarray, Gradients]:
    """Run the whole minibatch forward and backward at once: backpropagation in four lines.

    Parameters
    ----------
    model : Layer
    loss : Loss
    x, target : array
        A minibatch.
    generator : numpy.random.Generator
        The source of noise, for dropout.

    Returns
    -------
    value : float
        The loss.
    y : array
        The model's outputs.
    grads : dict from parameter names to arrays

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Linear(3, 2, generator=rng, dtype=np.float64)
    >>> x, target = np.zeros((4, 3)), np.array([0, 1, 0, 1])
    >>> value, y, grads = plain_step(model, nn.CrossEntropyLoss(), x, target, rng)
    >>> y.shape, list(grads)
    ((4, 2), ['weight', 'bias'])
    """
    y, model_backward = model.forward(x, training=True, generator=generator)
    value, loss_backward = loss.forward(y, target)
    _, grads = model_backward(loss_backward(), needs_grad_x=False)
    return float(value), y, grads


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
        If the loss is none or gives one value for each sample, or the optimizer moves other arrays.
    """

    def __init__(
        self,
        model: Layer,
        loss: Loss,
        optimizer: Optimizer,
        schedule: Schedule | None = None,
        step: Step = plain_step,
    ) -> None:
        if getattr(loss, "reduction", "mean") == "none":
            raise InputError("fit: loss must be one number for a minibatch, got reduction='none'")
        if not isinstance(loss, Loss):
            raise InputError(f"fit: loss must be a loss such as nn.CrossEntropyLoss(), got {loss!r:.60}")
        own = {id(array) for array in model.parameters.values()}
        if any(id(array) not in own for array in getattr(optimizer, "parameters", {}).values()):
            raise InputError("fit: optimizer must be made with this model's parameters, got another model's")
        self.model, self.loss, self.optimizer, self.schedule = model, loss, optimizer, schedule
        self.step = step

    @property
    def lr(self) -> float:
        """The optimizer's learning rate."""
        return self.optimizer.lr

    @property
    def ignore_index(self) -> int | None:
        """The loss's."""
        return getattr(self.loss, "ignore_index", None)

    def learn(
        self, x: ndarray, target: ndarray, generator: Generator
    ) -> tuple[float, ndarray, Callable[[], None]]:
        """Run forward and backward; the function returned updates the parameters."""
        value, y, grads = self.step(self.model, self.loss, x, target, generator)
        return per_sample(self.loss, value, target), y, lambda: self.optimizer.step(grads)

    def predict(self, x: ndarray) -> ndarray:
        """Run the model in evaluation mode, over threads where the step has a way to."""
        predict = getattr(self.step, "predict", None)
        y: ndarray = self.model(x) if predict is None else predict(self.model, x)
        return y

    def judge(self, x: ndarray, target: ndarray) -> tuple[float, ndarray]:
        """Run model and loss forward in evaluation mode."""
        y = self.predict(x)
        return per_sample(self.loss, float(self.loss(y, target)), target), y

    def end_epoch(self) -> None:
        """Step the schedule."""
        if self.schedule is not None:
            self.schedule.step()

    def weights(self) -> dict[str, ndarray]:
        """Return copies of parameters and buffers."""
        return self.model.state_dict()

    def load(self, weights: dict[str, Any]) -> None:
        """Put parameters and buffers back."""
        self.model.load_state_dict(weights)


def per_sample(loss: Loss, value: float, target: ndarray) -> float:
    """Return an average, of which those of several minibatches can be averaged again."""
    return value / len(target) if getattr(loss, "reduction", "mean") == "sum" else value
