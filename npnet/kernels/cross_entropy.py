"""Cross-entropy of plain labels without a one-hot target.

Idea: a label's loss has a single term, log Z − z_t, which is read by its index, and the gradient p −
onehot(t) subtracts 1 at that index instead of building the one-hot matrix. It suits logits of shape (n, C)
with integer labels, no class weights and no label smoothing, which is nearly every classifier. The bound is
the exponential; on a small network the plain form takes three times as long as this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy import ndarray

from npnet.kernels.softmax import exponentials, has_wide_rows, log_softmax_rows
from npnet.shapes import Float, Integer

__all__ = ()  # for npnet itself, not for users


def suits(x: ndarray, target: object, weight: ndarray | None, label_smoothing: float) -> bool:
    """Say whether each row of logits has one label, and all labels count the same."""
    return (
        x.ndim == 2
        and weight is None
        and not label_smoothing
        and type(target) is ndarray
        and target.dtype.kind in "iu"
    )


def label_losses(
    x: Float[ndarray, "n c"], labels: Integer[ndarray, " n"]
) -> tuple[Float[ndarray, " n"], Callable[[ndarray], Float[ndarray, "n c"]]]:
    """Return the loss of each row, and the function from ∂L/∂losses to grad_x.

    Losses are float64, but float32 for wide rows. The upstream gradient has shape (n,), or () if it is the
    same for all rows.
    """
    own = np.arange(len(x)), labels  # the position of each label in x
    if has_wide_rows(x, 1):
        logs = log_softmax_rows(x)
        losses = -logs[own]
        probabilities = partial(np.exp, logs)
    else:
        shifted, powers, z = exponentials(x, 1)
        losses = np.log(z[:, 0]) - shifted[own]
        probabilities = partial(np.divide, powers, z)

    def gradient(grad_losses: ndarray) -> Float[ndarray, "n c"]:
        grad: ndarray = probabilities()  # softmax(x)
        grad[own] -= 1
        grad *= grad_losses[..., np.newaxis]
        return grad.astype(x.dtype, order="C", copy=False)

    return losses, gradient
