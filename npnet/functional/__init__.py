"""The operations: each is a function ``y, backward = op(...)``, with forward and backward on one screen.

Names, argument order, defaults, shapes and conventions are those of ``torch.nn.functional``. The one
difference is the second value returned: ``backward(grad_y)`` takes the gradient of the loss with respect to
the output and returns its gradients with respect to the array inputs, in their order.

This package holds the mathematics: equation, derivation and a plain form of each operation. Where a faster
form of the same computation exists, it is in `npnet.kernels`, and the operation uses it where it ``suits``.
Helpers from there replace NumPy functions of the same meaning: `matmul` is ``@``, `keep_where` is
``np.where(mask, values, 0)``; `elementwise` and `for_image_blocks` call a function on a large array block by
block, with the same result as one call on the whole array.
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
from npnet.functional.softplus import softplus
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
    "softplus",
    "tanh",
]
