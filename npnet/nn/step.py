"""The step of training before the update: one minibatch forward and backward through model and loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.errors import InputError
from npnet.nn.layer import Gradients, Layer
from npnet.nn.losses import Loss

# value, y, grads = step(model, loss, x, target, generator): the value of the loss, the model's outputs, and
# the gradients by parameter name.
Step = Callable[[Layer, Loss, ndarray, ndarray, Generator], tuple[float, ndarray, Gradients]]


def plain_step(
    model: Layer, loss: Loss, x: ndarray, target: ndarray, generator: Generator
) -> tuple[float, ndarray, Gradients]:
    """Run a whole minibatch forward and backward: backpropagation in four lines.

    Parameters
    ----------
    model : Layer
    loss : Loss
    x, target : array
        A minibatch.
    generator : numpy.random.Generator
        The source of randomness for dropout.

    Returns
    -------
    value : float
        The loss.
    y : array
        The model's outputs.
    grads : dict from parameter names to arrays

    Raises
    ------
    InputError
        If model, loss or generator is of another kind, or the minibatch does not fit.

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
    check_model("plain_step", model)
    check_loss("plain_step", loss)
    check.generator("plain_step", generator)
    y, model_backward = model.forward(x, training=True, generator=generator)
    value, loss_backward = loss.forward(y, target)
    _, grads = model_backward(loss_backward(), needs_grad_x=False)
    return float(value), y, grads


def check_model(owner: str, model: Any) -> None:
    """Require a model of npnet; a module of PyTorch is told how to be converted."""
    if hasattr(model, "state_dict") and hasattr(model, "named_modules"):  # a module of PyTorch
        raise InputError(
            f"{owner}: model must be a layer of npnet.nn, got {check.described(model)}; "
            "ptref.convert.from_torch(module) makes a model of it, and ptref.train.fit trains it as it is"
        )
    check.instance(owner, "model", model, Layer, "a layer such as nn.Sequential(…)")


def check_loss(owner: str, loss: Any) -> None:
    """Require a loss that returns one number for a minibatch."""
    check.instance(owner, "loss", loss, Loss, "a loss such as nn.CrossEntropyLoss()")
    if getattr(loss, "reduction", "mean") == "none":
        raise InputError(f"{owner}: loss must be one number for a minibatch, got reduction='none'")
