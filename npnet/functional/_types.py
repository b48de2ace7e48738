"""What operations return beside their output."""

from __future__ import annotations

from collections.abc import Callable

from numpy import ndarray

# Of one differentiable input: grad_x = backward(grad_y).
Backward = Callable[[ndarray], ndarray]

# Of several: grad_x, grad_weight, grad_bias = backward(grad_y, needs=(True, True, True)).
# `needs` says, in the order of the inputs, which gradients are wanted; the others come back as None
# and cost nothing. An input that was absent (bias=None) has the gradient None too.
BackwardMany = Callable[..., tuple[ndarray | None, ...]]

# Of a loss: grad_x = backward(), or backward(grad_loss) for an upstream gradient other than one.
LossBackward = Callable[..., ndarray]
