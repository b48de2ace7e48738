"""The cross-entropy between logits and what should be: the loss of classification."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer
from numpy import ndarray

from npnet import check
from npnet.errors import DTypeError, InputError
from npnet.functional._losses import (
    along_classes,
    check_labels,
    check_reduction,
    class_axis,
    if_counting,
    one_hot,
    reduced,
)
from npnet.functional._quiet import quiet, quietly
from npnet.functional._types import LossBackward
from npnet.functional.softmax import exponentials


@quietly
def cross_entropy(
    x: Float[ndarray, "*x"],
    target: Integer[ndarray, "*target"] | Float[ndarray, "*x"],
    weight: Float[ndarray, " c"] | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Float[ndarray, "*loss"], LossBackward]:
    """Compare logits with labels or probabilities: Lₙ = −Σ_c q[n,c] log p[n,c], p = softmax(x).

    q is the target: 1 for the label's class and 0 for the others, or the given probabilities t. With
    label smoothing ε and class weights w it is q[n,c] = w[c] ((1 − ε) t[n,c] + ε/C).

    Parameters
    ----------
    x : array, shape (C,), (N, C) or (N, C, d1, ...)
        The logits of C classes.
    target : integer array, shape (), (N,) or (N, d1, ...), or float array, the shape of x
        Labels, each from 0 to C − 1 or `ignore_index`; or probabilities. These are taken as they are:
        whether they sum to 1 is not checked.
    weight : array, shape (C,), optional
        A weight w for each class; 1 if absent.
    ignore_index : int
        Positions with this label cost nothing and get no gradient.
    reduction : {"mean", "sum", "none"}
        "mean" divides ΣLₙ by the sum of the weights of the labels that are not ignored; with
        probabilities, whatever the weights, by the number of positions.
    label_smoothing : float
        The share ε of the target, from 0 to 1, that is spread evenly over all classes.

    Returns
    -------
    loss : array, shape (), or with "none" the shape of x without its class axis
    backward : callable
        ``grad_x = backward(grad_loss=None)``; the upstream gradient is 1 by default.

    Raises
    ------
    InputError
        If the shapes do not fit together, a label names no class, the reduction is unknown, ε is not
        from 0 to 1, or probabilities meet an `ignore_index` that is not negative.
    DTypeError
        If x, weight and probabilities are not all float32 or all float64, or labels are not integers: a
        target of floats that has not the shape of x is taken for such labels.

    Notes
    -----
    Write one position's loss with log p_c = x_c − log Z, Z = Σⱼ exp(xⱼ), and gather the terms:
    Lₙ = −Σ_c q_c x_c + s log Z, where s = Σ_c q_c. A logit x_c has slope −q_c in the first part, and
    ∂ log Z/∂x_c = exp(x_c)/Z = p_c in the second, so ∂Lₙ/∂x_c = s p_c − q_c: by the chain rule
    **grad_x = ∂L/∂Lₙ (s softmax(x) − q)**. For a plain label this is softmax minus target: what the
    network said minus what it should have said. ∂L/∂Lₙ is the upstream gradient, under "mean" divided
    as above, and 0 where the label is ignored.

    Logarithm, exponential and sum are taken in one go from x less its maximum, so that no logit is too
    large (see `log_softmax`); float32 values are worked out in float64 and rounded once. A label's loss
    has a single term: that other classes have p = 0 does not matter. With probabilities all terms count,
    and 0 log 0 is NaN, as in PyTorch. So is the mean of nothing, with all labels ignored or no batch.
    One case differs: with ε = 1 a label whose logit is −∞ costs ∞, where PyTorch has 0·∞, NaN.

    References
    ----------
    Goodfellow, Bengio, Courville, *Deep Learning* (2016), section 6.2.2.3.
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, *Rethinking the Inception architecture for computer
    vision* (2016), section 7, for label smoothing.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.log(np.array([[1.0, 3.0], [2.0, 2.0]]))
    >>> loss, backward = cross_entropy(x, np.array([1, 0]))
    >>> loss.round(6)  # −(log 0.75 + log 0.5) / 2
    np.float64(0.490415)
    >>> backward().round(9)
    array([[ 0.125, -0.125],
           [-0.25 ,  0.25 ]])
    """
    ignore_index = check.integer("cross_entropy", "ignore_index", ignore_index)
    label_smoothing = check.number("cross_entropy", "label_smoothing", label_smoothing, least=0.0, most=1.0)
    _check_arguments(x, weight, reduction)
    if x.ndim == 2 and weight is None and not label_smoothing and _are_labels(target):
        return _of_labels(x, target, ignore_index, reduction)
    axis = class_axis("cross_entropy", x)
    if type(target) is ndarray and target.dtype.kind == "f":
        _check_probabilities(x, target, ignore_index)
        counts = np.ones(x.shape[:axis] + x.shape[axis + 1 :], dtype=bool)
        has_term = np.expand_dims(counts, axis)
        q, total = _weighted_target(x, target, weight, label_smoothing), float(counts.size)
    else:
        labels, counting = check_labels("cross_entropy", x, target, ignore_index)
        counts = np.ones(labels.shape, bool) if counting is None else counting
        chosen = one_hot(x, axis, labels, counts)
        has_term = np.expand_dims(counts, axis) if label_smoothing else chosen
        q = np.where(has_term, _weighted_target(x, chosen, weight, label_smoothing), 0)
        total = float(counts.sum()) if weight is None else weight[labels].sum(where=counts, dtype=np.float64)
        total = total or np.nan  # a mean over no weight is NaN, whatever label smoothing adds to it

    # 0 log 0 is left out, or becomes NaN
    shifted, powers, z = exponentials(x, axis)
    losses = -np.sum(q * (shifted - np.log(z)), axis=axis, where=has_term)
    loss, spread = reduced("cross_entropy", losses, reduction, x.dtype, total)

    def backward(grad_loss: ndarray | None = None) -> Float[ndarray, "*x"]:
        with quiet():
            grad: ndarray = powers / z
            grad *= q.sum(axis=axis, keepdims=True)
            grad -= q
            grad *= np.expand_dims(np.where(counts, spread(grad_loss), 0), axis)
            return grad.astype(x.dtype, order="C", copy=False)

    return loss, backward


def _are_labels(target: object) -> bool:
    return type(target) is ndarray and target.dtype.kind in "iu"


def _of_labels(
    x: ndarray, target: ndarray, ignore_index: int, reduction: str
) -> tuple[ndarray, LossBackward]:
    """Do the same where q is 1 for the label and 0 elsewhere: all but one of the products need not be made.

    This is the loss of nearly every classifier, and of small networks it takes a third of the time.
    """
    labels, counts = check_labels("cross_entropy", x, target, ignore_index)
    own = np.arange(len(x)), labels  # the places of the labels in x
    shifted, powers, z = exponentials(x, 1)
    losses = if_counting(np.log(z[:, 0]) - shifted[own], counts)
    number = float(len(x) if counts is None else counts.sum())
    loss, spread = reduced("cross_entropy", losses, reduction, x.dtype, number or np.nan)

    def backward(grad_loss: ndarray | None = None) -> Float[ndarray, "n c"]:
        with quiet():
            grad_losses = if_counting(spread(grad_loss), counts)
            grad: ndarray = powers / z
            grad[own] -= 1
            grad *= grad_losses[..., np.newaxis]
            return grad.astype(x.dtype, order="C", copy=False)

    return loss, backward


def _weighted_target(x: ndarray, target: ndarray, weight: ndarray | None, smoothing: float) -> ndarray:
    q = target.astype(np.float64)
    if smoothing:
        q = (1 - float(smoothing)) * q + float(smoothing) / x.shape[class_axis("cross_entropy", x)]
    return q if weight is None else along_classes(weight, x) * q


def _check_arguments(x: ndarray, weight: ndarray | None, reduction: str) -> None:
    check.float_arrays("cross_entropy", x=x, weight=weight, optional=("weight",))
    classes = x.shape[class_axis("cross_entropy", x)]
    check.shape("cross_entropy", "weight", weight, (classes,), "for x of shape {}", x.shape)
    check_reduction("cross_entropy", reduction)


def _check_probabilities(x: ndarray, target: ndarray, ignore_index: int) -> None:
    if target.shape != x.shape:
        raise DTypeError(
            "cross_entropy: target must hold integer class labels, or probabilities in the shape of x, "
            f"{x.shape}, got {target.dtype} of shape {target.shape}; convert labels with .astype(np.int64)"
        )
    check.float_arrays("cross_entropy", x=x, target=target)
    if ignore_index >= 0:
        raise InputError(
            f"cross_entropy: ignore_index must be negative with probabilities as target, got {ignore_index}"
        )
