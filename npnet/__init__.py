"""npnet: neural networks with hand-written backpropagation in NumPy, checked against PyTorch.

An operation is one function that computes y and returns, beside y, the function that turns ∂L/∂y into the
gradients of its inputs::

    y, backward = npnet.functional.linear(x, weight, bias)
    grad_x, grad_weight, grad_bias = backward(grad_y)

Names, arguments and shapes are those of ``torch.nn.functional``; returning ``(y, backward)`` is the one
difference. `npnet.nn` has layers made of these operations, `npnet.optim` what moves their parameters,
`npnet.data` what to learn from, and `npnet.fit` the loop around all of it.
"""

from npnet import data, functional, nn, optim
from npnet.errors import DTypeError, InputError, MissingError
from npnet.gradcheck import GradcheckError, GradcheckReport, gradcheck
from npnet.train import fit

__all__ = [
    "DTypeError",
    "GradcheckError",
    "GradcheckReport",
    "InputError",
    "MissingError",
    "data",
    "fit",
    "functional",
    "gradcheck",
    "nn",
    "optim",
]
__version__ = "0.1.0"
