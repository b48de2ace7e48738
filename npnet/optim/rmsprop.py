"""RMSprop: gradients divided by the root of their mean square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.optim._averages import decay_squares, divide, move_towards, moved_towards
from npnet.optim._settings import Flag, Number
from npnet.optim.optimizer import Optimizer


class RMSprop(Optimizer):
    """Gradient descent on gradients divided by their root mean square: p ← p − lr · g / (√v + eps).

    In the order applied, with g the gradient and v, m, b zero at first:

    1. weight decay, if not 0:  g ← g + weight_decay · p
    2. mean square:             v ← alpha · v + (1 − alpha) · g²
    3. if centered:             m ← m + (1 − alpha) · (g − m),  s = √(v − m²) + eps;  else  s = √v + eps
    4. without momentum:        p ← p − lr · g / s
    5. with momentum:           b ← momentum · b + g / s,  p ← p − lr · b

    Parameters
    ----------
    parameters : mapping from names to arrays
        What is updated in place, usually ``model.parameters``.
    lr : float
        Learning rate.
    alpha : float
        Decay of the averages: the fraction that is kept at each update.
    eps : float
        Keeps the divisor from zero; added outside the root.
    weight_decay : float
        Factor of an L2 penalty weight_decay/2 · ‖p‖², whose gradient is added.
    momentum : float
        Fraction of the previous b that is kept.
    centered : bool
        Whether to divide by the standard deviation instead of the root mean square.

    Raises
    ------
    InputError
        If a setting is negative or not a number, or alpha above 1.

    Notes
    -----
    The variance v − m² is at least 0. If rounding makes it negative, it is set to 0; in PyTorch its root is
    NaN. If eps and the divisor are 0, the element is not changed.

    References
    ----------
    Tieleman, Hinton, *Neural networks for machine learning*, lecture 6.5 (2012); centered: Graves,
    *Generating sequences with recurrent neural networks* (2013), equations 38 to 45.

    Examples
    --------
    >>> import numpy as np
    >>> parameters = {"weight": np.array([1.0, 1.0])}
    >>> optimizer = RMSprop(parameters, lr=0.1, alpha=0.75, eps=0.0)
    >>> optimizer.step({"weight": np.array([0.01, 100.0])})
    >>> parameters["weight"]
    array([0.8, 0.8])
    """

    alpha: float
    eps: float
    weight_decay: float
    momentum: float
    centered: bool
    symbols: ClassVar[Mapping[str, str]] = {"v": "mean_square", "m": "mean", "b": "momentum"}

    def __init__(
        self,
        parameters: Mapping[str, ndarray],
        lr: Number = 1e-2,
        alpha: Number = 0.99,
        eps: Number = 1e-8,
        weight_decay: Number = 0.0,
        momentum: Number = 0.0,
        centered: Flag = False,
    ) -> None:
        super().__init__(
            parameters,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
        )

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require what the class lists under Raises."""
        owner = type(self).__name__
        for name in ("lr", "eps", "weight_decay", "momentum"):
            check.number(owner, name, settings[name], least=0.0)
        check.number(owner, "alpha", settings["alpha"], least=0.0, most=1.0)
        check.flag(owner, "centered", settings["centered"])

    def state_names(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the mean square and, with these settings, the mean and the momentum."""
        centered = ("mean",) if settings["centered"] else ()
        return ("mean_square", *centered, *(("momentum",) if settings["momentum"] else ()))

    def update(
        self,
        parameter: ndarray,
        grad: ndarray,
        state: Mapping[str, ndarray],
        step: int,
        scratch: tuple[ndarray, ndarray],
    ) -> None:
        """Apply the rule to one block."""
        quotient, size = scratch
        if self.weight_decay:
            np.multiply(parameter, self.weight_decay, out=quotient)
            grad = np.add(grad, quotient, out=quotient)
        decay_squares(state["mean_square"], grad, self.alpha, size)
        self._size(grad, state, size)
        if self.momentum:
            quotient = divide(grad, size, self.eps, out=quotient)
            momentum = state["momentum"]
            momentum *= self.momentum
            momentum += quotient
            np.multiply(momentum, self.lr, out=quotient)
        else:
            np.multiply(grad, self.lr, out=quotient)
            divide(quotient, size, self.eps, out=quotient)
        parameter -= quotient

    def _size(self, grad: ndarray, state: Mapping[str, ndarray], size: ndarray) -> None:
        """Write the divisor of the gradient, without eps, to `size`."""
        if self.centered:
            move_towards(state["mean"], grad, 1 - self.alpha, size)
            np.multiply(state["mean"], state["mean"], out=size)
            # The square may overflow, and rounding may make a small variance negative.
            np.minimum(size, np.finfo(size.dtype).max, out=size)
            np.subtract(state["mean_square"], size, out=size)
            np.maximum(size, 0, out=size)
            np.sqrt(size, out=size)
        else:
            np.sqrt(state["mean_square"], out=size)

    def equations(self, step: int) -> dict[str, str]:
        """Return the rule for one element, line by line."""
        lines = {"weight decay": "g ← g + weight_decay · p"} if self.weight_decay else {}
        lines["mean square"] = "v ← alpha · v + (1 − alpha) · g · g"
        if self.centered:
            lines["mean"] = f"m ← {moved_towards('m', 'g', 'alpha', 1 - self.alpha)}"
        lines["divisor"] = f"s = √{'max(v − m · m, 0)' if self.centered else 'v'} + eps"
        if self.momentum:
            lines["momentum"] = "b ← momentum · b + g / s"
        return {
            **lines,
            "step": "d = lr · b" if self.momentum else "d = lr · g / s",
            "new value": "p ← p − d",
        }
