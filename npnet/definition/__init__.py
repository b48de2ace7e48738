"""The operations as their textbook sums, in plain loops: slow, obvious, and right by reading.

Each function below is its equation, one loop for each index. Nothing is shared with
`npnet.functional`: no unfolding, no windows, no matrix product. So where the two agree, both are right
or both are wrong in different ways at once. Names, arguments and meaning are the same; what is
returned is the output alone. For `linear`, `conv2d` and `max_pool2d` the gradients stand here too: the
same loops once more, each term of the sum sending its gradient back to the numbers it was made of.
"""

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
    "linear",
    "linear_backward",
    "log_softmax",
    "max_pool2d",
    "max_pool2d_backward",
    "nll_loss",
    "softmax",
]
