"""Types of the backward functions that operations return with their output."""

from __future__ import annotations

from collections.abc import Callable

from numpy import ndarray

# With one differentiable input: grad_x = backward(grad_y).
Backward = Callable[[ndarray], ndarray]

# With several: grad_x, grad_weight, grad_bias = backward(grad_y, needs=(True, True, True)).
# `needs` says which gradients are wanted, in the order of the inputs; the others are None and are not
# computed. The gradient of an absent input (bias=None) is None too.
BackwardMany = Callable[..., tuple[ndarray | None, ...]]

# With a loss: grad_x = backward(), or backward(grad_loss) for an upstream gradient other than 1.
LossBackward = Callable[..., ndarray]
