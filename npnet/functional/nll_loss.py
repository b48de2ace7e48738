"""The negative log-likelihood of class labels."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import LossBackward
from npnet.functional._losses import check_labels, check_reduction, reduce_losses, zero_ignored
from npnet.functional.arguments import class_axis
from npnet.shapes import Float, Integer


@quietly
def nll_loss(
    x: Float[ndarray, "*x"],
    target: Integer[ndarray, "*target"],
    weight: Float[ndarray, " c"] | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[Float[ndarray, "*loss"], LossBackward]:
    """Take the negative log-probability of each label: Lₙ = −w[tₙ] x[n, tₙ].

    Parameters
    ----------
    x : array, shape (C,), (N, C) or (N, C, d1, ...)
        Log-probabilities of C classes, such as the output of `log_softmax`.
    target : integer array, shape (), (N,) or (N, d1, ...)
        The labels, each from 0 to C − 1, or `ignore_index`.
    weight : array, shape (C,), optional
        A weight w for each class; 1 if absent.
    ignore_index : int
        Positions with this label have loss 0 and gradient 0.
    reduction : {"mean", "sum", "none"}
        "mean" is Σ Lₙ / Σ w[tₙ], over the positions that are not ignored.

    Returns
    -------
    loss : array, shape (), or the shape of target with "none"
    backward : callable
        ``grad_x = backward(grad_loss=None)``; the upstream gradient is 1 by default.

    Raises
    ------
    InputError
        If the shapes do not fit together, a label names no class, or the reduction is unknown.
    DTypeError
        If x and weight are not both float32 or both float64, or the labels are not integers.

    Notes
    -----
    Of all log-probabilities of position n, the loss Lₙ contains x[n, tₙ] alone, with factor −w[tₙ], so
    **grad_x[n, c] = −w[tₙ] ∂L/∂Lₙ where c = tₙ, else 0**. ∂L/∂Lₙ is the upstream gradient, under "mean"
    divided by Σ w[tₙ]. The mean of nothing, with all labels ignored or no batch, is NaN, as in PyTorch.

    References
    ----------
    Goodfellow, Bengio, Courville, *Deep Learning* (2016), section 5.5.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    >>> loss, backward = nll_loss(x, np.array([1, 0]))
    >>> loss.round(6)  # −(log 0.75 + log 0.5) / 2
    np.float64(0.490415)
    >>> backward()
    array([[ 0. , -0.5],
           [-0.5,  0. ]])
    """
    check.float_arrays("nll_loss", x=x, weight=weight, optional=("weight",))
    check_reduction("nll_loss", reduction)
    axis = class_axis("nll_loss", x)
    check.shape("nll_loss", "weight", weight, (x.shape[axis],), "for x of shape {}", x.shape)
    labels, counts = check_labels("nll_loss", x, target, ignore_index)
    index = np.expand_dims(labels, axis)  # of each position's label, along the class axis
    # w[tₙ]
    factor = zero_ignored(np.ones(labels.shape, x.dtype) if weight is None else weight[labels], counts)

    # Zeroed again, because 0 · ∞ is NaN.
    losses = zero_ignored(-factor * np.take_along_axis(x, index, axis).squeeze(axis), counts)
    loss, loss_gradient = reduce_losses("nll_loss", losses, reduction, x.dtype, factor.sum(dtype=np.float64))

    def backward(grad_loss: ndarray | None = None) -> Float[ndarray, "*x"]:
        with quiet():
            grad_label = zero_ignored(-factor * loss_gradient(grad_loss), counts)
        grad = np.zeros(x.shape, x.dtype)
        np.put_along_axis(grad, index, np.expand_dims(grad_label, axis), axis)
        return grad

    return loss, backward
