"""Binary cross-entropy of logits."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import LossBackward
from npnet.functional._losses import check_broadcast, check_reduction, reduce_losses
from npnet.functional.sigmoid import sigmoid
from npnet.shapes import Float


@quietly
def binary_cross_entropy_with_logits(
    x: Float[ndarray, "*n"],
    target: Float[ndarray, "*n"],
    weight: Float[ndarray, "*weight"] | None = None,
    reduction: str = "mean",
    pos_weight: Float[ndarray, "*pos_weight"] | None = None,
) -> tuple[Float[ndarray, "*loss"], LossBackward]:
    """Compare logits of "yes" with targets: Lᵢ = −wᵢ (aᵢ tᵢ log σ(xᵢ) + (1 − tᵢ) log σ(−xᵢ)).

    σ is the logistic sigmoid; σ(−x) = 1 − σ(x) is the probability of "no".

    Parameters
    ----------
    x : array, any shape
        The logits.
    target : array, the shape of x
        1 for yes, 0 for no, or a probability in between (not checked, as in PyTorch).
    weight : array that broadcasts to the shape of x, optional
        The weights w; 1 if absent.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements, whatever the weights.
    pos_weight : array that broadcasts to the shape of x, optional
        The factor a by which "yes" counts more than "no"; usually one number per class, on the last axis.

    Returns
    -------
    loss : array, shape (), or the shape of x with "none"
    backward : callable
        ``grad_x = backward(grad_loss=None)``; the upstream gradient is 1 by default.

    Raises
    ------
    InputError
        If the shapes do not fit together, or the reduction is unknown.
    DTypeError
        If the arrays are not all float32 or all float64.

    Notes
    -----
    −log σ(−x) = log(1 + eˣ) is the softplus function ζ(x), and −log σ(x) = ζ(−x), so
    Lᵢ = w ((1 − t) ζ(x) + a t ζ(−x)). Its slope is ζ′(x) = eˣ/(1 + eˣ) = σ(x), and by the chain rule
    that of ζ(−x) is −σ(−x). Each Lᵢ depends on its own xᵢ alone, so
    **grad_x = w ((1 − t) σ(x) − a t σ(−x)) ∂L/∂Lᵢ**, where ∂L/∂Lᵢ is the upstream gradient, under "mean"
    divided by the number of elements. Without weights that is σ(x) − t, probability minus target; the longer
    form does not cancel where the two are almost equal.

    eˣ overflows for large x, so the softplus is computed as ζ(x) = max(x, 0) + log(1 + e^−|x|). The losses
    of float32 values are computed in float64 and rounded once. With an infinite logit, a certain and right
    target gives 0 · ∞, which is NaN as in PyTorch, and any other target gives ∞. PyTorch sums differently and
    has NaN for every target from 0 to 1 when the logit is −∞.

    References
    ----------
    Goodfellow, Bengio, Courville, *Deep Learning* (2016), section 6.2.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([0.0, 1000.0])
    >>> loss, backward = binary_cross_entropy_with_logits(x, np.array([1.0, 0.0]), reduction="none")
    >>> loss.round(6)  # log 2, 1000
    array([6.93147e-01, 1.00000e+03])
    >>> backward()
    array([-0.5,  1. ])
    """
    _check_arguments(x, target, weight, pos_weight, reduction)
    w = 1.0 if weight is None else weight
    yes = target if pos_weight is None else pos_weight * target
    no = 1 - target
    tail = np.log1p(np.exp(-np.abs(x), dtype=np.float64))
    losses = w * (no * (np.maximum(x, 0) + tail) + yes * (np.maximum(-x, 0) + tail))
    loss, loss_gradient = reduce_losses("binary_cross_entropy_with_logits", losses, reduction, x.dtype)

    def backward(grad_loss: ndarray | None = None) -> Float[ndarray, "*n"]:
        with quiet():
            slope = no * sigmoid(x)[0] - yes * sigmoid(np.asarray(-x))[0]
            return np.asarray(w * slope * loss_gradient(grad_loss))

    return loss, backward


def _check_arguments(
    x: ndarray, target: ndarray, weight: ndarray | None, pos_weight: ndarray | None, reduction: str
) -> None:
    operation = "binary_cross_entropy_with_logits"
    check.float_arrays(
        operation, x=x, target=target, weight=weight, pos_weight=pos_weight, optional=("weight", "pos_weight")
    )
    check.shape(operation, "target", target, x.shape, "like x")
    check_broadcast(operation, "weight", weight, x)
    check_broadcast(operation, "pos_weight", pos_weight, x)
    check_reduction(operation, reduction)
