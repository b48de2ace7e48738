"""Batch normalization layers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from numpy.typing import DTypeLike

from npnet import check
from npnet import functional as F
from npnet._types import BackwardMany
from npnet.errors import InputError
from npnet.nn.layer import Layer


class _BatchNorm(Layer):
    parameter_names = ("weight", "bias")
    buffer_names = ("running_mean", "running_var", "num_batches_tracked")
    setting_names = ("num_features", "eps", "momentum", "affine", "track_running_stats", "bias")
    layouts: ClassVar[dict[int, str]]  # the shapes that x may have, by their number of axes

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        owner = type(self).__name__
        self.num_features = num_features = check.integer(owner, "num_features", num_features, least=1)
        self.eps = check.number(owner, "eps", eps, least=0.0)
        self.momentum = None if momentum is None else check.number(owner, "momentum", momentum)
        self.affine = check.flag(owner, "affine", affine)
        self.track_running_stats = check.flag(owner, "track_running_stats", track_running_stats)
        bias = check.flag(owner, "bias", bias)
        dtype = check.float_dtype(owner, dtype)
        self.weight = np.ones(num_features, dtype) if affine else None
        self.bias = np.zeros(num_features, dtype) if affine and bias else None
        self.running_mean = np.zeros(num_features, dtype) if track_running_stats else None
        self.running_var = np.ones(num_features, dtype) if track_running_stats else None
        self.num_batches_tracked = np.array(0, np.int64) if track_running_stats else None

    def couples_samples(self, training: bool) -> bool:
        """Say yes where the minibatch's own statistics are used, no where the running ones are."""
        return training or not self.track_running_stats

    def apply(
        self, x: ndarray, *, training: bool, generator: Generator | None
    ) -> tuple[ndarray, BackwardMany]:
        """Apply `npnet.functional.batch_norm`."""
        check.float_arrays(type(self).__name__, x=x)
        if x.ndim not in self.layouts:
            layouts = " or ".join(self.layouts.values())
            single = x.ndim + 1 in self.layouts and x.shape[:1] == (self.num_features,)
            hint = "; a single sample needs a batch axis: write x[np.newaxis]" if single else ""
            raise InputError(f"{type(self).__name__}: x must have shape {layouts}, got {x.shape}{hint}")
        momentum = self.momentum
        if momentum is None:  # the average over all minibatches seen, this one included
            momentum = 0.0 if self.num_batches_tracked is None else 1 / (1 + int(self.num_batches_tracked))
        y, backward = F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training or not self.track_running_stats,
            momentum,
            self.eps,
        )
        if training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        return y, backward


class BatchNorm1d(_BatchNorm):
    """Normalise each feature over the minibatch; see `npnet.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Size of axis 1 of x, whose shape is (n, c) or (n, c, l).
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of a new minibatch in the running statistics; None averages over all minibatches seen.
    affine : bool
        Whether the layer learns a weight and a bias.
    track_running_stats : bool
        Whether running statistics are kept for evaluation; otherwise each minibatch's own are used.
    bias : bool
        Whether an affine layer has a bias beside its weight.
    dtype : float32 or float64

    Raises
    ------
    InputError
        If num_features is not a positive integer, eps is negative, or a setting is not of its type.
    DTypeError
        If dtype is neither float32 nor float64.

    Examples
    --------
    >>> layer = BatchNorm1d(2, dtype=np.float64)
    >>> y, backward = layer.forward(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> np.round(y, 3)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """

    layouts: ClassVar[dict[int, str]] = {2: "(n, c)", 3: "(n, c, l)"}


class BatchNorm2d(_BatchNorm):
    """Normalise each channel over the minibatch and its pixels; see `npnet.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Size of axis 1 of x, whose shape is (n, c, h, w).
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of a new minibatch in the running statistics; None averages over all minibatches seen.
    affine : bool
        Whether the layer learns a weight and a bias.
    track_running_stats : bool
        Whether running statistics are kept for evaluation; otherwise each minibatch's own are used.
    bias : bool
        Whether an affine layer has a bias beside its weight.
    dtype : float32 or float64

    Raises
    ------
    InputError
        If num_features is not a positive integer, eps is negative, or a setting is not of its type.
    DTypeError
        If dtype is neither float32 nor float64.

    Examples
    --------
    >>> layer = BatchNorm2d(3)
    >>> sorted(layer.buffers)
    ['num_batches_tracked', 'running_mean', 'running_var']
    """

    layouts: ClassVar[dict[int, str]] = {4: "(n, c, h, w)"}
