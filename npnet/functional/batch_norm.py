"""Batch normalization."""

from __future__ import annotations

from math import prod

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.functional import _batch_norm_runs
from npnet.functional._batch_norm_runs import Statistics
from npnet.functional._quiet import quiet, quietly
from npnet.functional._types import BackwardMany
from npnet.functional._window import channels_last


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
    """Normalise each channel: x̂ = (x − μ) / √(σ² + ε), then y = γ x̂ + β.

    In training μ and σ² are the mean and the (biased) variance of the channel in this minibatch, over
    samples and pixels; in evaluation they are the running statistics.

    Parameters
    ----------
    x : array, shape (n, c) or (n, c, *spatial)
        A minibatch.
    running_mean, running_var : array, shape (c,), or None
        Running statistics. They are state rather than input: **training updates them in place**, as PyTorch
        does, to (1 − momentum)·running + momentum·batch, with the batch's unbiased variance
        (divided by m − 1). Evaluation needs both.
    weight, bias : array, shape (c,), optional
        γ and β; 1 and 0 where absent.
    training : bool
        Which statistics are used.
    momentum : float
        How fast the running statistics follow; any finite number, though only 0 to 1 average.
    eps : float
        ε, at least 0, which keeps the division safe for channels that do not vary.

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
    - In training x reaches the loss on three ways: directly, through μ and through σ². With ĝ = γ g and
      s = √(σ² + ε), and as ∂μ/∂x = 1/m, ∂σ²/∂x = 2(x − μ)/m:

      directly ĝ/s; through μ: −(1/m) Σ ĝ/s; through σ²: −(x̂/m) Σ ĝ x̂ / s.

      (σ² depends on μ too, but that path is Σ(x − μ) = 0.) Together, with means over the channel,
      **grad_x = (γ/s) (g − mean(g) − x̂ · mean(g x̂))**: what is left of g after its part along 1 and along
      x̂ is taken out, the two directions in which normalisation lets nothing through.

    Statistics are summed in float64 also for float32 arrays; those of large images in runs of pixels first.

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
    >>> grad_x, _, _ = backward(np.array([[1.0], [1.0]]))  # a shift of all values is normalised away
    >>> grad_x
    array([[0.],
           [0.]])
    """
    _check_shapes(x, running_mean, running_var, weight, bias)
    training = check.flag("batch_norm", "training", training)
    momentum = check.number("batch_norm", "momentum", momentum)
    eps = check.number("batch_norm", "eps", eps, least=0.0)
    _check_mode(x, running_mean, running_var, training)
    given = None
    if not training:
        assert running_mean is not None
        assert running_var is not None
        given = running_mean, running_var
    normalise = _batch_norm_runs.normalise if _batch_norm_runs.suits(x) else _normalise_plainly
    y, backward, (mean, var) = normalise(x, given, weight, bias, eps)
    m = x.size // max(x.shape[1], 1)
    if training and m:  # an empty minibatch says nothing about the statistics
        _follow(running_mean, mean, momentum)
        _follow(running_var, var * m / max(m - 1, 1), momentum)
    return y, backward


def _normalise_plainly(
    x: Float[ndarray, "n c *spatial"],
    given: Statistics | None,
    weight: Float[ndarray, " c"] | None,
    bias: Float[ndarray, " c"] | None,
    eps: float,
) -> tuple[Float[ndarray, "n c *spatial"], BackwardMany, Statistics]:
    """Normalise by the given mean and variance, or by those of x, which are also returned."""
    dtype, ndim, channels = x.dtype, x.ndim, x.shape[1]
    axes = (0, *range(2, ndim))
    m = prod(x.shape[axis] for axis in axes)
    training = given is None

    def per_channel(values: ndarray) -> ndarray:
        """Shape (c,) values to stand beside x: (1, c, 1, …)."""
        return values.astype(dtype, copy=False).reshape(-1, *[1] * (ndim - 2))

    if given is None:
        mean = x.sum(axis=axes, dtype=np.float64) / max(m, 1)
        centred = x - per_channel(mean)
        var = np.square(centred).sum(axis=axes, dtype=np.float64) / max(m, 1)
    else:
        mean, var = given
        centred = x - per_channel(mean)
    inverse_deviation = 1 / np.sqrt(var + eps)  # (c,)
    scale = inverse_deviation if weight is None else inverse_deviation * weight
    normalised = centred * per_channel(inverse_deviation)  # x̂
    y = normalised if weight is None else normalised * per_channel(weight)
    if bias is not None:
        y = y + per_channel(bias)
    form = check.form(y)

    def backward(
        grad_y: Float[ndarray, "n c *spatial"], needs: tuple[bool, bool, bool] = (True, True, True)
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        check.upstream("batch_norm", grad_y, form)
        check.needs("batch_norm", needs)
        with quiet():
            return gradients(grad_y, needs)

    def gradients(
        grad_y: Float[ndarray, "n c *spatial"], needs: tuple[bool, bool, bool]
    ) -> tuple[ndarray | None, ndarray | None, ndarray | None]:
        through_statistics = needs[0] and training
        unused = np.zeros(channels)
        sum_g = unused  # Σ g
        if through_statistics or needs[2]:
            sum_g = grad_y.sum(axis=axes, dtype=np.float64)
        sum_gx = unused  # Σ g x̂
        if through_statistics or needs[1]:
            sum_gx = (grad_y * normalised).sum(axis=axes, dtype=np.float64)
        grad_x = None
        if needs[0]:
            through = grad_y
            if training:
                through = (
                    grad_y - per_channel(sum_g / max(m, 1)) - normalised * per_channel(sum_gx / max(m, 1))
                )
            grad_x = through * per_channel(scale)
        grad_weight = sum_gx.astype(dtype) if needs[1] and weight is not None else None
        grad_bias = sum_g.astype(dtype) if needs[2] and bias is not None else None
        return grad_x, grad_weight, grad_bias

    return y, backward, (mean, var)


def _follow(running: ndarray | None, batch: ndarray, momentum: float) -> None:
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
