"""Cross-entropy of logits: the loss of classification."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import LossBackward
from npnet.errors import DTypeError, InputError
from npnet.functional._losses import (
    along_classes,
    check_labels,
    check_reduction,
    one_hot,
    reduce_losses,
    zero_ignored,
)
from npnet.functional.arguments import class_axis
from npnet.kernels import cross_entropy as kernel
from npnet.kernels.softmax import exponentials
from npnet.shapes import Float, Integer


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
        Labels, each from 0 to C − 1 or `ignore_index`; or probabilities, which are not checked to sum to 1.
    weight : array, shape (C,), optional
        A weight w for each class; 1 if absent.
    ignore_index : int
        Positions with this label have loss 0 and gradient 0.
    reduction : {"mean", "sum", "none"}
        "mean" divides ΣLₙ by the sum of the weights of the labels that are not ignored; with
        probabilities, whatever the weights, by the number of positions.
    label_smoothing : float
        The share ε of the target, from 0 to 1, that is distributed evenly over all classes.

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
        If x, weight and probabilities are not all float32 or all float64, or labels are not integers. A
        floating-point target that differs from x in shape counts as labels.

    Notes
    -----
    Write the loss of one position with log p_c = x_c − log Z, Z = Σⱼ exp(xⱼ), and collect terms:
    Lₙ = −Σ_c q_c x_c + s log Z, where s = Σ_c q_c. The first part has derivative −q_c with respect to x_c,
    and in the second ∂ log Z/∂x_c = exp(x_c)/Z = p_c, so ∂Lₙ/∂x_c = s p_c − q_c. By the chain rule
    **grad_x = ∂L/∂Lₙ (s softmax(x) − q)**. For a plain label this is the predicted probabilities minus the
    one-hot target. ∂L/∂Lₙ is the upstream gradient, under "mean" divided as above, and 0 where the label is
    ignored.

    log Z is computed from x less its maximum, so that no exponential overflows (see `log_softmax`). float32
    values are computed in float64 and rounded once. A label's loss has a single term, so p = 0 for other
    classes is harmless. With probabilities all terms count, and 0 log 0 is NaN, as in PyTorch. The mean of no
    losses, with all labels ignored or an empty batch, is NaN too. One case differs from PyTorch: with ε = 1
    a label whose logit is −∞ has loss ∞ instead of 0·∞, NaN.

    For labels without weights and smoothing, `npnet.kernels.cross_entropy` computes the same without q.

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
    if kernel.suits(x, target, weight, label_smoothing):
        assert isinstance(target, ndarray)
        return _label_cross_entropy(x, target, ignore_index, reduction)
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
        total = total or np.nan  # the mean of no weights is NaN, whatever label smoothing adds

    # The sum has no terms 0 log 0, except for probabilities, where they give NaN.
    shifted, powers, z = exponentials(x, axis)  # x − max x, its exponentials, and their sum Z
    losses = -np.sum(q * (shifted - np.log(z)), axis=axis, where=has_term)
    loss, loss_gradient = reduce_losses("cross_entropy", losses, reduction, x.dtype, total)

    def backward(grad_loss: ndarray | None = None) -> Float[ndarray, "*x"]:
        with quiet():
            grad: ndarray = powers / z  # softmax(x)
            grad *= q.sum(axis=axis, keepdims=True)
            grad -= q
            grad *= np.expand_dims(np.where(counts, loss_gradient(grad_loss), 0), axis)
            return grad.astype(x.dtype, order="C", copy=False)

    return loss, backward


def _label_cross_entropy(
    x: ndarray, target: ndarray, ignore_index: int, reduction: str
) -> tuple[ndarray, LossBackward]:
    """Compute the same by the kernel, for labels without weights and smoothing."""
    labels, counts = check_labels("cross_entropy", x, target, ignore_index)
    losses, gradient = kernel.label_losses(x, labels)
    total = float(len(x) if counts is None else counts.sum()) or np.nan
    losses = zero_ignored(losses, counts)
    loss, loss_gradient = reduce_losses("cross_entropy", losses, reduction, x.dtype, total)

    def backward(grad_loss: ndarray | None = None) -> Float[ndarray, "n c"]:
        with quiet():
            return gradient(zero_ignored(loss_gradient(grad_loss), counts))

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
