"""The operations as textbook sums in plain loops: slow, but simple enough to verify by reading.

Each function is its equation, with one loop for each index. It shares no code with `npnet.functional`: no
im2col, no window views, no matrix product. So it is unlikely that both make the same mistake, and agreement
between the two is evidence for both. Names, arguments and meaning are the same, but only the output is
returned. `linear`, `conv2d` and `max_pool2d` also have their gradients here, in the same loops: each term of
the sum adds its gradient to the numbers it was computed from.
"""

from npnet.definition.activations import leaky_relu, relu, sigmoid, softplus, tanh
from npnet.definition.batch_norm import batch_norm
from npnet.definition.conv2d import conv2d, conv2d_backward
from npnet.definition.linear import linear, linear_backward
from npnet.definition.pooling import avg_pool2d, max_pool2d, max_pool2d_backward
from npnet.definition.softmax import log_softmax, nll_loss, softmax

__all__ = [
    "avg_pool2d",
    "batch_norm",
    "conv2d",
    "conv2d_backward",
    "leaky_relu",
    "linear",
    "linear_backward",
    "log_softmax",
    "max_pool2d",
    "max_pool2d_backward",
    "nll_loss",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "tanh",
]
