"""The operations: each one a function ``y, backward = op(...)``, forward and backward on one screen.

Names, argument order, defaults, shapes and conventions are those of ``torch.nn.functional``; the one
difference is the second thing returned. ``backward(grad_y)`` turns the gradient of the loss with respect to
the output into the gradients with respect to the array inputs, in their order.
"""

from npnet.functional.linear import linear
from npnet.functional.relu import relu

__all__ = ["linear", "relu"]
