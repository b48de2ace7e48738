"""Softmax, log-softmax and the negative log-likelihood, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log, nan

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.shapes import Float, Integer, Shaped


def softmax(x: Float[ndarray, "*n"], dim: int = -1) -> Float[ndarray, "*n"]:
    """Turn scores into probabilities: y[k] = exp(x[k]) / Σⱼ exp(x[j]) along the axis `dim`.

    The largest score m is subtracted first, so that nothing overflows; the factor exp(−m) cancels between
    numerator and denominator.

    Parameters
    ----------
    x : array
    dim : int

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([0.0, np.log(3.0)]))
    array([0.25, 0.75])
    """
    check.float_arrays("softmax", x=x)
    y = np.zeros(x.shape, x.dtype)
    for lane in _lanes(x, dim):
        scores = [float(x[place]) for place in lane]
        m = max(scores)
        total = sum(exp(score - m) for score in scores)
        for place, score in zip(lane, scores, strict=True):
            y[place] = exp(score - m) / total
    return y


def log_softmax(x: Float[ndarray, "*n"], dim: int = -1) -> Float[ndarray, "*n"]:
    """Return the logarithm of softmax: y[k] = x[k] − log Σⱼ exp(x[j]) along the axis `dim`.

    The largest score m is factored out of the sum, log Σⱼ exp(x[j]) = m + log Σⱼ exp(x[j] − m), so that
    nothing overflows.

    Parameters
    ----------
    x : array
    dim : int

    Returns
    -------
    y : array, the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> np.exp(log_softmax(np.array([0.0, np.log(3.0)])))
    array([0.25, 0.75])
    """
    check.float_arrays("log_softmax", x=x)
    y = np.zeros(x.shape, x.dtype)
    for lane in _lanes(x, dim):
        scores = [float(x[place]) for place in lane]
        m = max(scores)
        log_total = log(sum(exp(score - m) for score in scores))
        for place, score in zip(lane, scores, strict=True):
            y[place] = score - m - log_total
    return y


def nll_loss(
    x: Float[ndarray, "*n"],
    target: Integer[ndarray, "*m"],
    weight: Float[ndarray, " c"] | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Float[ndarray, "*r"]:
    """Return the negative log-probability of each sample's class: loss[n] = −w[t] x[n,t], t = target[n].

    The mean is weighted: Σₙ loss[n] / Σₙ w[target[n]]. Samples whose target is `ignore_index` have loss 0
    and are not counted.

    Parameters
    ----------
    x : array, shape (n, c, *d) or (c,)
        Log-probabilities.
    target : array of integers, shape (n, *d) or ()
        The class of each sample, 0 … c − 1.
    weight : array, shape (c,), optional
        The weight w of each class; 1 by default.
    ignore_index : int
    reduction : "none", "mean" or "sum"

    Returns
    -------
    loss : array, shape () or, with reduction "none", the shape of target

    Raises
    ------
    InputError
        If a target is not a class.

    Examples
    --------
    >>> import numpy as np
    >>> x, target = np.array([[-1.0, -2.0], [-3.0, -4.0]]), np.array([0, 1])
    >>> nll_loss(x, target, reduction="none")
    array([1., 4.])
    >>> float(nll_loss(x, target, np.array([1.0, 3.0])))
    3.25
    """
    check.float_arrays("nll_loss", x=x, weight=weight, optional=("weight",))
    check.array("nll_loss", "target", target, "iu")
    ignore_index = check.integer("nll_loss", "ignore_index", ignore_index)
    check.choice("nll_loss", "reduction", reduction, ("none", "mean", "sum"))
    classes = x.shape[0] if x.ndim == 1 else x.shape[1]
    losses = np.zeros(target.shape, x.dtype)
    weights = 0.0
    for place in np.ndindex(target.shape):
        t = int(target[place])
        if t == ignore_index:
            continue
        if not 0 <= t < classes:
            raise InputError(f"nll_loss: target must be 0 … {classes - 1}, got {t} at {place}")
        w = 1.0 if weight is None else float(weight[t])
        losses[place] = -w * x[*place[:1], t, *place[1:]]
        weights += w
    if reduction == "none":
        return losses
    total = sum(float(loss) for loss in losses.flat)
    if reduction == "mean":
        total = total / weights if weights else nan  # a mean over nothing
    return np.array(total, x.dtype)


def _lanes(x: Shaped[ndarray, "*n"], dim: int) -> Iterator[list[tuple[int, ...]]]:
    """Yield the indices along the axis `dim`, for each combination of the other indices."""
    if x.ndim == 0:
        yield [()]
        return
    axis = dim % x.ndim
    for others in np.ndindex(x.shape[:axis] + x.shape[axis + 1 :]):
        yield [(*others[:axis], k, *others[axis:]) for k in range(x.shape[axis])]
