"""Binary cross-entropy of probabilities."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import LossBackward
from npnet.errors import InputError
from npnet.functional._losses import check_broadcast, check_reduction, first_marked, reduce_losses
from npnet.shapes import Float

LEAST_LOG = -100.0  # replaces log 0
LEAST_DENOMINATOR = float(np.float32(1e-12))  # PyTorch rounds it to float32, for float64 arrays too


@quietly
def binary_cross_entropy(
    x: Float[ndarray, "*n"],
    target: Float[ndarray, "*n"],
    weight: Float[ndarray, "*weight"] | None = None,
    reduction: str = "mean",
) -> tuple[Float[ndarray, "*loss"], LossBackward]:
    """Compare probabilities of "yes" with targets: Lᵢ = −wᵢ (tᵢ log xᵢ + (1 − tᵢ) log(1 − xᵢ)).

    Parameters
    ----------
    x : array, any shape
        Probabilities, such as the output of `sigmoid`. For logits use `binary_cross_entropy_with_logits`,
        which is more accurate.
    target : array, the shape of x
        1 for yes, 0 for no, or a probability in between.
    weight : array that broadcasts to the shape of x, optional
        The weights w; 1 if absent.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements, whatever the weights.

    Returns
    -------
    loss : array, shape (), or the shape of x with "none"
    backward : callable
        ``grad_x = backward(grad_loss=None)``; the upstream gradient is 1 by default.

    Raises
    ------
    InputError
        If the shapes do not fit together, x or target is not from 0 to 1 (NaN is not), or the reduction
        is unknown.
    DTypeError
        If the arrays are not all float32 or all float64.

    Notes
    -----
    Each Lᵢ depends on its own xᵢ alone, with slope −w (t/x − (1 − t)/(1 − x)). Over a common denominator,
    t (1 − x) − (1 − t) x = t − x, so **grad_x = w (x − t) / (x (1 − x)) ∂L/∂Lᵢ**, where ∂L/∂Lᵢ is the
    upstream gradient, under "mean" divided by the number of elements.

    At x = 0 and x = 1 one logarithm is −∞, and 0 · ∞ would be NaN. As in PyTorch, logarithms are clamped to
    at least −100, and the denominator x (1 − x) of the gradient to at least 1e−12: a certain and wrong
    answer has loss 100 and gradient ±1e12, a certain and right one has loss 0 and gradient 0. The losses of
    float32 values are computed and summed in float64 and rounded once.

    References
    ----------
    Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.2.

    Examples
    --------
    >>> import numpy as np
    >>> loss, backward = binary_cross_entropy(np.array([0.5, 1.0]), np.array([1.0, 1.0]), reduction="sum")
    >>> loss.round(6)  # −log 0.5
    np.float64(0.693147)
    >>> backward()
    array([-2.,  0.])
    """
    _check_arguments(x, target, weight, reduction)
    w = 1.0 if weight is None else weight
    log_yes = np.maximum(np.log(x, dtype=np.float64), LEAST_LOG)
    log_no = np.maximum(np.log1p(-x, dtype=np.float64), LEAST_LOG)
    losses = w * ((target - 1) * log_no - target * log_yes)
    loss, loss_gradient = reduce_losses("binary_cross_entropy", losses, reduction, x.dtype)

    def backward(grad_loss: ndarray | None = None) -> Float[ndarray, "*n"]:
        with quiet():
            slope = (x - target) / np.maximum(x * (1 - x), LEAST_DENOMINATOR)
            return np.asarray(w * slope * loss_gradient(grad_loss))

    return loss, backward


def _check_arguments(x: ndarray, target: ndarray, weight: ndarray | None, reduction: str) -> None:
    operation = "binary_cross_entropy"
    check.float_arrays(operation, x=x, target=target, weight=weight, optional=("weight",))
    check.shape(operation, "target", target, x.shape, "like x")
    check_broadcast(operation, "weight", weight, x)
    check_reduction(operation, reduction)
    for name, array in (("x", x), ("target", target)):
        wrong = ~np.asarray((array >= 0) & (array <= 1))
        if wrong.any():
            raise InputError(f"{operation}: {name} must be from 0 to 1, got {first_marked(wrong, array)}")
