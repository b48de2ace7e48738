"""Batch normalization, channel by channel."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.shapes import Float


def batch_norm(
    x: Float[ndarray, "n c *d"],
    running_mean: Float[ndarray, " c"] | None,
    running_var: Float[ndarray, " c"] | None,
    weight: Float[ndarray, " c"] | None = None,
    bias: Float[ndarray, " c"] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[ndarray, "n c *d"]:
    """Normalise every channel to mean 0 and variance 1, then scale and shift it.

    y[n,c,…] = (x[n,c,…] − μ[c]) / √(σ²[c] + ε) · w[c] + b[c]

    In training, μ[c] is the mean of the m numbers of channel c in the minibatch, 1/m Σ x, and σ²[c] their
    variance, 1/m Σ (x − μ)². The running statistics then move by the fraction `momentum` towards μ and
    towards the unbiased variance m/(m−1) σ². Outside training, μ and σ² are the running statistics.

    Parameters
    ----------
    x : array, shape (n, c, *d)
    running_mean, running_var : arrays, shape (c,), or None
        Updated in place in training.
    weight, bias : arrays, shape (c,), optional
    training : bool
    momentum, eps : float

    Returns
    -------
    y : array, the shape of x

    Raises
    ------
    InputError
        If running statistics are needed and absent, or a channel has only one number in training.

    Examples
    --------
    >>> import numpy as np
    >>> mean, var = np.zeros(1), np.ones(1)
    >>> batch_norm(np.array([[1.0], [3.0]]), mean, var, training=True, eps=0.0)
    array([[-1.],
           [ 1.]])
    >>> mean, var
    (array([0.2]), array([1.1]))
    """
    statistics = {"running_mean": running_mean, "running_var": running_var}
    parameters = {"weight": weight, "bias": bias}
    optional = (*statistics, *parameters)
    check.float_arrays("batch_norm", x=x, **statistics, **parameters, optional=optional)
    training = check.flag("batch_norm", "training", training)
    y = np.zeros(x.shape, x.dtype)
    for c in range(x.shape[1] if x.size else 0):
        places = [(n, c, *d) for n in range(len(x)) for d in np.ndindex(x.shape[2:])]
        m = len(places)
        if training and m == 1:
            raise InputError("batch_norm: x must have more than one number in a channel to train on")
        if training:
            mean = sum(float(x[place]) for place in places) / m
            var = sum((float(x[place]) - mean) ** 2 for place in places) / m
            if running_mean is not None and running_var is not None:
                running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean
                running_var[c] = (1 - momentum) * running_var[c] + momentum * var * m / (m - 1)
        elif running_mean is None or running_var is None:
            raise InputError("batch_norm: running_mean and running_var must be given outside training")
        else:
            mean, var = float(running_mean[c]), float(running_var[c])
        w = 1.0 if weight is None else float(weight[c])
        b = 0.0 if bias is None else float(bias[c])
        for place in places:
            y[place] = (float(x[place]) - mean) / sqrt(var + eps) * w + b
    return y
