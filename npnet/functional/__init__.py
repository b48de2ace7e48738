"""The operations: each one a function ``y, backward = op(...)``, forward and backward on one screen.

Names, argument order, defaults, shapes and conventions are those of ``torch.nn.functional``; the one
difference is the second thing returned. ``backward(grad_y)`` turns the gradient of the loss with respect to
the output into the gradients with respect to the array inputs, in their order.
"""

from npnet.functional.avg_pool2d import adaptive_avg_pool2d, avg_pool2d
from npnet.functional.batch_norm import batch_norm
from npnet.functional.binary_cross_entropy import binary_cross_entropy
from npnet.functional.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from npnet.functional.conv2d import conv2d
from npnet.functional.cross_entropy import cross_entropy
from npnet.functional.dropout import dropout
from npnet.functional.flatten import flatten
from npnet.functional.leaky_relu import leaky_relu
from npnet.functional.linear import linear
from npnet.functional.log_softmax import log_softmax
from npnet.functional.max_pool2d import max_pool2d
from npnet.functional.mse_loss import mse_loss
from npnet.functional.nll_loss import nll_loss
from npnet.functional.relu import relu
from npnet.functional.sigmoid import sigmoid
from npnet.functional.softmax import softmax
from npnet.functional.tanh import tanh

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv2d",
    "cross_entropy",
    "dropout",
    "flatten",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]
