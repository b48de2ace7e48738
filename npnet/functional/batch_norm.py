"""Batch normalization."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import quiet, quietly
from npnet._types import BackwardMany
from npnet.errors import InputError
from npnet.functional.arguments import channels_last
from npnet.kernels import batch_norm as kernel
from npnet.kernels.batch_norm import Statistics
from npnet.shapes import Float


@quietly
def batch_norm(
    x: Float[ndarray, "n c *spatial"],
    running_mean: Float[ndarray, " c"] | None,
    running_var: Float[ndarray, " c"] | None,
    weight: Float[ndarray, " c"] | None = None,
    bias: Float[ndarray, " c"] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Float[ndarray, "n c *spatial"], BackwardMany]:
    """Normalize each channel: x̂ = (x − μ) / √(σ² + ε), then y = γ x̂ + β.

    In training μ and σ² are the mean and the (biased) variance of the channel in this minibatch, over
    samples and pixels; in evaluation they are the running statistics.

    Parameters
    ----------
    x : array, shape (n, c) or (n, c, *spatial)
        A minibatch.
    running_mean, running_var : array, shape (c,), or None
        Running statistics, which are state rather than inputs: **training updates them in place**, as in
        PyTorch, to (1 − momentum)·running + momentum·batch, with the unbiased variance of the batch
        (divided by m − 1). Evaluation needs both.
    weight, bias : array, shape (c,), optional
        γ and β; by default 1 and 0.
    training : bool
        Whether to use the statistics of this minibatch; otherwise the running statistics.
    momentum : float
        Weight of the newest batch in the running statistics. Any finite number is accepted, though only 0 to
        1 gives an average.
    eps : float
        ε, at least 0; prevents a division by zero for channels that do not vary.

    Returns
    -------
    y : array, the shape of x
    backward : callable
        ``grad_x, grad_weight, grad_bias = backward(grad_y, needs=(True, True, True))``.

    Raises
    ------
    InputError
        If shapes do not fit, training meets a single value per channel, or evaluation lacks statistics.
    DTypeError
        If the arrays are not all float32 or all float64.

    Notes
    -----
    Sums run over the m = n·(pixels) values of one channel; g stands for ∂L/∂y.

    - β is added to each value and γ multiplies each x̂: **grad_bias = Σ g**, **grad_weight = Σ g x̂**.
    - In evaluation μ and σ are constants, so **grad_x = γ g / √(σ² + ε)**.
    - In training x affects the loss in three ways: directly, through μ and through σ². With ĝ = γ g,
      s = √(σ² + ε), ∂μ/∂x = 1/m and ∂σ²/∂x = 2(x − μ)/m:

      directly ĝ/s; through μ: −(1/m) Σ ĝ/s; through σ²: −(x̂/m) Σ ĝ x̂ / s.

      (σ² depends on μ too, but that path contributes Σ(x − μ) = 0.) Together, with means over the channel,
      **grad_x = (γ/s) (g − mean(g) − x̂ · mean(g x̂))**: g without its components along 1 and along x̂,
      because shifting or scaling a channel leaves x̂ unchanged.

    Statistics are summed in float64 for float32 arrays too. `_normalize` below is this derivation, line by
    line; for large images `npnet.kernels.batch_norm` computes the same in fewer passes over memory.

    References
    ----------
    Ioffe, Szegedy, *Batch normalization* (2015), algorithm 1 and section 3.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0]])
    >>> y, backward = batch_norm(x, None, None, training=True, eps=0.0)
    >>> y
    array([[-1.],
           [ 1.]])
    >>> grad_x, _, _ = backward(np.array([[1.0], [1.0]]))  # normalization removes a common shift
    >>> grad_x
    array([[0.],
           [0.]])
    """
    _check_shapes(x, running_mean, running_var, weight, bias)
    training = check.flag("batch_norm", "training", training)
    momentum = check.number("batch_norm", "momentum", momentum)
    eps = check.number("batch_norm", "eps", eps, least=0.0)
    _check_mode(x, running_mean, running_var, training)
    running = None
    if not training:
        assert running_mean is not None
        assert running_var is not None
        running = running_mean, running_var
    normalize = kernel.batch_norm if kernel.suits(x) else _normalize
    y, gradients, (mean, var) = normalize(x, running, weight, bias, eps)
    m = x.size // max(x.shape[1], 1)
    if training and m:  # an empty minibatch has no statistics
        _update_running(running_mean, mean, momentum)
        _update_running(running_var, var * m / max(m - 1, 1), momentum)
    form = check.form(y)

    def backward(
        grad_y: Float[ndarray, "n c *spatial"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ...]:
        check.upstream("batch_norm", grad_y, form)
        check.needs("batch_norm", needs)
        with quiet():
            return gradients(grad_y, needs)

    return y, backward


def _normalize(
    x: Float[ndarray, "n c *spatial"],
    running: Statistics | None,
    weight: Float[ndarray, " c"] | None,
    bias: Float[ndarray, " c"] | None,
    eps: float,
) -> tuple[Float[ndarray, "n c *spatial"], BackwardMany, Statistics]:
    """Normalize by the running mean and variance, or else by those of x; also return the two."""
    dtype, ndim, channels = x.dtype, x.ndim, x.shape[1]
    axes = (0, *range(2, ndim))
    m = prod(x.shape[axis] for axis in axes)
    training = running is None

    def per_channel(values: ndarray) -> ndarray:
        """Shape (c,) → (1, c, 1, …), which broadcasts with x."""
        return values.astype(dtype, copy=False).reshape(-1, *[1] * (ndim - 2))

    if running is None:
        mean = x.sum(axis=axes, dtype=np.float64) / max(m, 1)
        centred = x - per_channel(mean)
        var = np.square(centred).sum(axis=axes, dtype=np.float64) / max(m, 1)
    else:
        mean, var = running
        centred = x - per_channel(mean)
    inverse_deviation = 1 / np.sqrt(var + eps)  # 1/s: (c,)
    scale = inverse_deviation if weight is None else inverse_deviation * weight  # γ/s
    normalized = centred * per_channel(inverse_deviation)  # x̂
    y = normalized if weight is None else normalized * per_channel(weight)
    if bias is not None:
        y = y + per_channel(bias)

    def backward(
        grad_y: Float[ndarray, "n c *spatial"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        through_statistics = needs[0] and training
        sum_g = sum_gx = np.zeros(channels)
        if through_statistics or needs[2]:
            sum_g = grad_y.sum(axis=axes, dtype=np.float64)  # Σ g
        if through_statistics or needs[1]:
            sum_gx = (grad_y * normalized).sum(axis=axes, dtype=np.float64)  # Σ g x̂
        grad_x = None
        if needs[0]:
            remaining = grad_y
            if training:
                mean_g, mean_gx = per_channel(sum_g / max(m, 1)), per_channel(sum_gx / max(m, 1))
                remaining = grad_y - mean_g - normalized * mean_gx
            grad_x = remaining * per_channel(scale)
        grad_weight = sum_gx.astype(dtype) if needs[1] and weight is not None else None
        grad_bias = sum_g.astype(dtype) if needs[2] and bias is not None else None
        return grad_x, grad_weight, grad_bias

    return y, backward, (mean, var)


def _update_running(running: ndarray | None, batch: ndarray, momentum: float) -> None:
    if running is not None:
        running[...] = (1 - momentum) * running + momentum * batch


def _check_shapes(x: ndarray, *per_channel: ndarray | None) -> None:
    named = dict(zip(("running_mean", "running_var", "weight", "bias"), per_channel, strict=True))
    check.float_arrays("batch_norm", x=x, **named, optional=tuple(named))
    if x.ndim < 2:
        raise InputError(f"batch_norm: x must have shape (n, c) or (n, c, *spatial), got {x.shape}")
    for name, array in named.items():
        if array is not None and array.shape != (x.shape[1],):
            hint = channels_last(x, array.shape[0]) if array.ndim == 1 and x.ndim == 4 else ""
            raise InputError(
                f"batch_norm: {name} must have shape {(x.shape[1],)} for the channels of x {x.shape}, "
                f"got {array.shape}{hint}"
            )


def _check_mode(
    x: ndarray, running_mean: ndarray | None, running_var: ndarray | None, training: bool
) -> None:
    if training and x.shape[1] and x.size == x.shape[1]:
        raise InputError(
            f"batch_norm: training must have more than one value per channel, got x {x.shape}; a minibatch "
            "needs two samples: if this is the last and smallest one, leave it out with drop_last=True or "
            "choose another batch_size"
        )
    if not training and (running_mean is None or running_var is None):
        missing = "running_mean" if running_mean is None else "running_var"
        raise InputError(f"batch_norm: {missing} must be given in evaluation, got None")
