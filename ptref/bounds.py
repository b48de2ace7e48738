"""Error bounds of correctly rounded computations, with one rule for each kind of operation.

Floating-point arithmetic rounds each result to a relative error of at most u (2⁻²⁴ in float32, 2⁻⁵³ in
float64). The error of a sum of K products, added in any order, is then at most γ_K · Σ|aᵢ||bᵢ| with
γ_K = K·u/(1 − K·u): the error is proportional to the **sum of the absolute values**, not to the result, which
may be far smaller. So each element of a result has a *length* K and a *magnitude*, and its bound is
c · γ_K · magnitude. A `Rule` gives both for the output, each gradient and each state of an operation.

- `sums`: linear, conv2d, average-pooling, nll_loss and every other operation that is linear in each of its
  inputs with non-negative factors. The magnitude is the operation applied to absolute values.
- `exact`: relu, max_pool2d, flatten: nothing is rounded, so nothing may differ, including the routing of
  gradients. The upstream gradient holds whole numbers, so that its sums are exact too.
- `relative`: a few roundings with no cancellation: the magnitude is the result.
- one rule each for tanh, sigmoid, softmax, log_softmax, cross_entropy, the binary cross-entropies and
  batch_norm, from a first-order analysis of the rounding errors in the equation.
- `measured`: for everything else, one bound for a whole array. The magnitude is the largest value in the
  array, and the length that of the largest array involved. As it is unknown what cancels inside, the bound is
  at least four times the measured error of PyTorch's own float32, at least the effect of a few roundings of
  the inputs, and at least a few roundings of the largest gradient.

References
----------
Higham, *Accuracy and Stability of Numerical Algorithms* (2002), section 3.1 for γ_K, 4.2 for sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log, prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from npnet import check

PERTURBATION = 2.0**-24  # one rounding in float32
FEW = 16.0  # roundings that may accumulate inside an operation about which nothing is known
SLACK = 2.0  # c: first-order analysis neglects products of roundings, and the reference is itself rounded

Arrays = dict[str, Tensor]

__all__ = [
    "SLACK",
    "Bound",
    "Evaluation",
    "Rule",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "exact",
    "log_softmax",
    "measured",
    "mse",
    "relative",
    "sigmoid",
    "softmax",
    "sums",
    "tanh",
]


@dataclass(frozen=True)
class Bound:
    """The largest error of each element of an array: `length` roundings of numbers as large as `magnitude`.

    Attributes
    ----------
    length, magnitude : float or Tensor
        One value for all elements, or one for each.
    """

    length: Tensor | float
    magnitude: Tensor | float

    def of(self, dtype: np.dtype, shape: tuple[int, ...], largest_upstream: float) -> np.ndarray:
        """Return c · γ_K · magnitude for a dtype, plus the largest error due to underflow."""
        information = np.finfo(dtype)
        length = np.asarray(self.length, np.float64)
        magnitude = np.asarray(self.magnitude, np.float64)
        steps = length * float(information.eps) / 2
        underflow = length * float(information.smallest_normal) * max(1.0, largest_upstream)
        with np.errstate(all="ignore"):
            bound = np.where(length == 0, 0.0, SLACK * steps / (1 - steps) * magnitude + underflow)
        # If the magnitude is NaN, so is the reference, and no error is allowed.
        return np.broadcast_to(np.where(np.isnan(bound), 0.0, bound), shape)


@dataclass(frozen=True)
class Evaluation:
    """The input of a rule: the reference evaluated once in float64.

    Attributes
    ----------
    run : callable
        ``run(inputs, upstream)`` evaluates the reference again in float64 and returns the output, gradients
        and states by name.
    inputs : list of Tensor or None
    options : mapping
    upstream : Tensor
        The gradient of the loss with respect to the output.
    truth : dict of Tensor
    single_error : callable
        ``single_error(name)`` returns the largest error of PyTorch's own float32, in units of its roundoff.
    largest_array : int
        The number of elements of the largest input or parameter.
    unit : float
        The roundoff u of the dtype that is compared.
    """

    run: Callable[[Sequence[Tensor | None], Tensor], Arrays]
    inputs: Sequence[Tensor | None]
    options: Mapping[str, Any]
    upstream: Tensor
    truth: Arrays
    single_error: Callable[[str], float]
    largest_array: int
    unit: float


@dataclass(frozen=True)
class Rule:
    """The error bounds of an operation.

    Attributes
    ----------
    bounds : callable
        Maps an `Evaluation` to a `Bound` for each name in its truth.
    whole : bool
        Whether the upstream gradient holds whole numbers, so that its sums are exact.
    """

    bounds: Callable[[Evaluation], dict[str, Bound]]
    whole: bool = False


# ---- kinds ---------------------------------------------------------------------------------------------


def _exact(e: Evaluation) -> dict[str, Bound]:
    return {name: Bound(0.0, 0.0) for name in e.truth}


exact = Rule(_exact, whole=True)


def relative(length: float) -> Rule:
    """Allow a number of roundings of each result, for operations without cancellation.

    Parameters
    ----------
    length : float
        The number of roundings.

    Returns
    -------
    rule : Rule
    """
    length = check.number("relative", "length", length, least=0.0)
    return Rule(lambda e: {name: Bound(length, value.abs()) for name, value in e.truth.items()})


def sums(length: Callable[[Evaluation], float] | None = None) -> Rule:
    """Bound a sum of products by the same sum of absolute values.

    The operation must be linear in each of its inputs, with non-negative factors. Its result on absolute
    values is the magnitude, and its result on ones is the number of terms of each sum.

    Parameters
    ----------
    length : callable, optional
        Maps an `Evaluation` to the largest number of terms. It is needed for averages, where the result on
        ones does not count the terms.

    Returns
    -------
    rule : Rule
    """
    if length is not None:
        check.function("sums", "length", length)

    def bounds(e: Evaluation) -> dict[str, Bound]:
        magnitudes = e.run([_map(torch.abs, x) for x in e.inputs], e.upstream.abs())
        if length is None:
            ones = [_map(torch.ones_like, x) for x in e.inputs]
            lengths: Mapping[str, Tensor | float] = e.run(ones, torch.ones_like(e.upstream))
        else:
            lengths = dict.fromkeys(e.truth, length(e))
        return {name: Bound(lengths[name], magnitudes[name].abs()) for name in e.truth}

    return Rule(bounds)


def _measured(e: Evaluation) -> dict[str, Bound]:
    length = 64 + max(e.largest_array, e.upstream.numel())
    grads = [value for name, value in e.truth.items() if name.startswith("grad_")]
    states = [value for name, value in e.truth.items() if not name.startswith("grad_")]
    forward = [x for x in (*e.inputs, *states) if x is not None and x.is_floating_point()]
    perturbed = e.run([_map(_perturbed, x) for x in e.inputs], e.upstream)
    found = {}
    for name, value in e.truth.items():
        # Terms that cancel to 0, as in the gradient of a bias before batch_norm, leave their rounding errors.
        related = [e.upstream, *grads] if name.startswith("grad_") else forward
        cancelled = FEW * max(_largest(x) for x in related)
        sensitive = FEW * _largest(perturbed[name] - value) / PERTURBATION
        found[name] = Bound(
            1.0, max(length * _largest(value), 4 * e.single_error(name), cancelled, sensitive)
        )
    return found


def _perturbed(x: Tensor) -> Tensor:
    """Move x towards 0 by at most one rounding; equal values stay equal, so that ties stay ties."""
    return x * (1 - PERTURBATION * torch.cos(1000 * x).abs())


measured = Rule(_measured)


# ---- elementwise functions -----------------------------------------------------------------------------


def _tanh(e: Evaluation) -> dict[str, Bound]:
    """Analyse grad_x = g (1 − y²): for y near ±1, the difference keeps y's rounding error u."""
    return {"y": Bound(4.0, e.truth["y"].abs()), "grad_x": Bound(8.0, e.upstream.abs())}


def _sigmoid(e: Evaluation) -> dict[str, Bound]:
    """Analyse grad_x = g y (1 − y): 1 − y keeps y's rounding error, multiplied by g y."""
    y = e.truth["y"]
    return {"y": Bound(6.0, y), "grad_x": Bound(10.0, e.upstream.abs() * y)}


tanh, sigmoid = Rule(_tanh), Rule(_sigmoid)


# ---- over classes --------------------------------------------------------------------------------------


def _below_largest(x: Tensor, dim: int) -> Tensor:
    """Return t = max(x) − x: exp(−t) has the relative error t·u, as its argument is rounded.

    Beyond the range of exponents exp(−t) is 0, and its error counts as underflow.
    """
    return (x.amax(dim, keepdim=True) - x).clamp(max=800) if x.numel() else x


def _softmax(e: Evaluation) -> dict[str, Bound]:
    """Analyse y = exp(−t)/Σexp(−t).

    The relative error of y is t·u from the numerator plus (n + Σy·t)·u from the sum.
    In grad_x = y (g − Σ g y) each factor adds its own error, so the magnitude is the equation on absolute
    values, with each y multiplied by its 1 + t.
    """
    x, dim = e.inputs[0], int(e.options.get("dim", -1))
    assert x is not None
    y, t = e.truth["y"], 1 + _below_largest(x, dim)
    spread = t + (y * t).sum(dim, keepdim=True)
    weighted = e.upstream.abs() * y
    grad = y * (e.upstream.abs() * spread) + y * spread * weighted.sum(dim, keepdim=True)
    grad = grad + y * (weighted * spread).sum(dim, keepdim=True)
    length = _size(x, dim) + 8.0
    return {"y": Bound(length, y * spread), "grad_x": Bound(length, grad)}


def _log_softmax(e: Evaluation) -> dict[str, Bound]:
    """Analyse y = −t − log Σexp(−t).

    The error is u·(t + log n) plus the relative error of the sum, (n + 1)·u, which the logarithm makes
    absolute. In grad_x = g − softmax(x) Σ g the softmax has the error factor 1 + t.
    """
    x, dim = e.inputs[0], int(e.options.get("dim", -1))
    assert x is not None
    n, t = _size(x, dim), 1 + _below_largest(x, dim)
    p = e.truth["y"].exp()
    grad = e.upstream.abs() + p * t * e.upstream.abs().sum(dim, keepdim=True) * 2
    return {
        "y": Bound(4.0, e.truth["y"].abs() + n + 4),
        "grad_x": Bound(n + 8.0, grad),
    }


softmax, log_softmax = Rule(_softmax), Rule(_log_softmax)


def _cross_entropy(e: Evaluation) -> dict[str, Bound]:
    """Analyse a sum of q·(−log p) with q ≥ 0 and −log p ≥ 0, in which no terms cancel.

    Each −log p has a relative error and, from the logarithm, an absolute error of (n + 1)·u. So the magnitude
    is the loss plus Σq. The loss at equal logits gives Σq, as every −log p is log n there.
    For grad_x = p Σq − q the magnitude is Σq·p·(1 + t) + q, where q = p Σq − grad_x.
    """
    x = e.inputs[0]
    assert x is not None
    dim = 1 if x.ndim > 1 else 0
    n = _size(x, dim)
    at_zero = e.run([torch.zeros_like(x), *e.inputs[1:]], e.upstream)
    total = at_zero["y"].abs() / log(n) if n > 1 else at_zero["y"].abs()
    p, t = x.softmax(dim), 1 + _below_largest(x, dim)
    # Σq·|g| of each sample is the gradient's factor before the softmax p.
    share = _share_of_each_sample(e, x, dim)
    grad = e.truth["grad_x"].abs() + 3 * share * p * t
    length = n + 8 + _samples(e) / max(n, 1)
    return {"y": Bound(length, e.truth["y"].abs() + total), "grad_x": Bound(length, grad)}


def _share_of_each_sample(e: Evaluation, x: Tensor, dim: int) -> Tensor:
    """Return Σq·|g| for each sample.

    At logits that give one class the probability 1, grad_x = p Σq − q is −q for every other class. This gives
    q, one class after another.
    """
    n = _size(x, dim)
    total = torch.zeros_like(x.amax(dim, keepdim=True)) if x.numel() else x.sum(dim, keepdim=True)
    for k in range(n):
        certain = torch.full_like(x, -1e4)
        certain.narrow(dim, (k + 1) % n, 1).fill_(1e4)
        q = -e.run([certain, *e.inputs[1:]], e.upstream)["grad_x"].narrow(dim, k, 1)
        total = total + (q.abs() if n > 1 else torch.ones_like(q))
    return total


cross_entropy = Rule(_cross_entropy)


# ---- other losses --------------------------------------------------------------------------------------


def _mse(e: Evaluation) -> dict[str, Bound]:
    """Analyse (x − t)²: the difference is rounded once, and squares do not cancel in a sum."""
    return {name: Bound(_samples(e) + 6, value.abs()) for name, value in e.truth.items()}


def _binary_cross_entropy(e: Evaluation) -> dict[str, Bound]:
    """For targets in [0, 1] all terms have the same sign, and log x and log(1 − x) have relative errors.

    The gradient g (x − t)/(x (1 − x)) also has a relative error, as differences of inputs are rounded once.
    """
    return {name: Bound(_samples(e) + 10, value.abs()) for name, value in e.truth.items()}


def _binary_cross_entropy_with_logits(e: Evaluation) -> dict[str, Bound]:
    """Analyse (1 − t) x + l (log(1 + exp(−|x|)) + max(−x, 0)).

    Terms as large as x may almost cancel, so the magnitude is that of the terms, |1 − t||x| + l (1 + |x|)
    with l = 1 + (pos_weight + 1) |t|, as 1 + (pos_weight − 1) t may cancel too. The magnitude of the
    gradient's terms is |1 − t| + l, as σ(x) − t rounds terms of size 1.
    """
    x, target, weight, pos_weight = (*e.inputs, None, None)[:4]
    assert x is not None
    assert target is not None
    l = 1 if pos_weight is None else 1 + (pos_weight.abs() + 1) * target.abs()
    w = torch.ones_like(x) if weight is None else weight.abs().expand_as(x)
    terms = w * ((1 - target).abs() * x.abs() + l * (1 + x.abs()))
    reduction = e.options.get("reduction", "mean")
    loss = terms if reduction == "none" else terms.sum() / (x.numel() if reduction == "mean" else 1)
    count = x.numel() if reduction == "mean" else 1
    grad = e.upstream.abs() * w * (1 + target.abs() + l) / max(count, 1)
    length = _samples(e) + 10
    return {"y": Bound(length, loss), "grad_x": Bound(length, grad)}


mse = Rule(_mse)
binary_cross_entropy = Rule(_binary_cross_entropy)
binary_cross_entropy_with_logits = Rule(_binary_cross_entropy_with_logits)


# ---- normalisation -------------------------------------------------------------------------------------


def _batch_norm(e: Evaluation) -> dict[str, Bound]:
    """Analyse x̂ = (x − μ)/s, the output and the gradients.

    The error of μ is γ_m·mean|x|, so x̂ has the error κ = (|x| + mean|x|)/s in addition to its relative error.
    The variance has the relative error m·u plus the square of μ's error, which matters if values far from 0
    hardly vary. grad_x = (γ/s)(g − mean g − x̂·mean(g x̂)) and grad_weight = Σ g x̂ inherit the error of x̂, so
    their magnitudes contain |x̂| + κ in place of x̂.
    """
    x, weight, bias, mean, var = e.inputs
    assert x is not None
    axes = [0, *range(2, x.ndim)]

    def per_channel(values: Tensor) -> Tensor:
        return values.reshape(-1, *[1] * (x.ndim - 2))

    m = x.numel() // max(x.shape[1], 1)
    training, eps = bool(e.options["training"]), float(e.options["eps"])
    if training:
        centre, offset = x.mean(axes), x.abs().mean(axes)
        variance = (x - per_channel(centre)).square().mean(axes)
    else:
        assert mean is not None
        assert var is not None
        centre, variance, offset = mean, var, mean.abs()
    s = per_channel((variance + eps).sqrt())
    scale = torch.ones_like(s) if weight is None else per_channel(weight.abs())
    shifted = m * e.unit * offset**2 if training else torch.zeros_like(offset)  # μ's error, squared, ÷ m·u
    normalised = ((x - per_channel(centre)) / s).abs()
    kappa = (x.abs() + per_channel(offset)) / s + normalised * per_channel(shifted) / s**2
    size = normalised + kappa  # |x̂| + κ
    g = e.upstream.abs()
    direct = g
    if training:
        direct = g + per_channel(g.mean(axes)) + 2 * size * per_channel((g * size).mean(axes))
    y = scale * size + (0 if bias is None else per_channel(bias.abs()))
    magnitudes = {
        "y": y,
        "grad_x": scale / s * direct,
        "grad_weight": (g * size).sum(axes),
        "grad_bias": g.sum(axes),
    }
    if training and m and mean is not None and var is not None:
        momentum = float(e.options["momentum"])
        magnitudes["running_mean"] = (1 - momentum) * mean.abs() + momentum * offset
        magnitudes["running_var"] = (1 - momentum) * var + 2 * momentum * (variance + shifted)
    return {name: Bound(m + 12.0, magnitudes.get(name, value.abs())) for name, value in e.truth.items()}


batch_norm = Rule(_batch_norm)


# ---- lengths -------------------------------------------------------------------------------------------


def window_length(e: Evaluation) -> float:
    """Return the largest number of pixels in a window of average-pooling, or of windows over a pixel."""
    kernel = e.options["kernel_size"]
    return float(prod(kernel) if isinstance(kernel, tuple) else kernel**2) + 3


def adaptive_window_length(e: Evaluation) -> float:
    """Return the same for adaptive windows."""
    x = e.inputs[0]
    assert x is not None
    covers = zip(x.shape[-2:], e.upstream.shape[-2:], strict=True)
    return float(prod(ceil(size / out) + ceil(out / size) + 1 for size, out in covers)) + 3


def target_length(e: Evaluation) -> float:
    """Return the number of targets that a loss adds up."""
    return float(_samples(e)) + 5


def _samples(e: Evaluation) -> float:
    x = e.inputs[0]
    assert x is not None
    return float(x.numel()) if e.upstream.numel() == 1 else 1.0


def _size(x: Tensor, dim: int) -> int:
    return int(x.shape[dim]) if x.ndim else 1


def _largest(x: Tensor) -> float:
    finite = x[torch.isfinite(x)]
    return float(finite.abs().max()) if finite.numel() else 0.0


def _map(function: Callable[[Tensor], Tensor], x: Tensor | None) -> Tensor | None:
    """Apply a function to floating-point inputs; labels and absent inputs stay as they are."""
    return function(x) if x is not None and x.is_floating_point() else x
