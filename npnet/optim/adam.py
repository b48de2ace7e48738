"""Adam, with weight decay as an L2 penalty or decoupled from the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.optim._averages import decay_squares, divide, move_towards, moved_towards
from npnet.optim._settings import Flag, Number
from npnet.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Gradient descent with adaptive moments: momentum, divided by the root of the mean square gradient.

    In the order applied, with g the gradient, t the number of the parameter's update, and m, v zero at
    first:

    1. weight decay, if not 0:  g ← g + weight_decay · p
    2. first moment:            m ← m + (1 − β₁) · (g − m)
    3. second moment:           v ← β₂ · v + (1 − β₂) · g²
    4. if amsgrad:              w ← max(w, v);  else  w = v
    5. update:                  p ← p − lr/(1 − β₁ᵗ) · m / (√w / √(1 − β₂ᵗ) + eps)

    Parameters
    ----------
    parameters : mapping from names to arrays
        What is updated in place, usually ``model.parameters``.
    lr : float
        Learning rate.
    betas : pair of float
        β₁ and β₂, the decay of the two moments: the fractions that are kept at each update.
    eps : float
        Keeps the divisor from zero; added outside the root.
    weight_decay : float
        Factor of an L2 penalty weight_decay/2 · ‖p‖², whose gradient is added.
    amsgrad : bool
        Whether to divide by the largest second moment so far instead of the current one.

    Raises
    ------
    InputError
        If a setting is negative or not a number, or a beta is not in [0, 1).

    Notes
    -----
    The moments start at zero and are biased towards it. After t updates with gradients of mean ḡ, the
    expectation of m is (1 − β₁)·Σᵢ β₁ⁱ·ḡ over i < t, which is (1 − β₁ᵗ)·ḡ; dividing by 1 − β₁ᵗ removes the
    bias, and likewise for v.

    If eps and the divisor are 0, as after gradients that were always 0, the element is not changed.

    References
    ----------
    Kingma, Ba, *Adam: a method for stochastic optimization* (2015), algorithm 1; amsgrad: Reddi, Kale,
    Kumar, *On the convergence of Adam and beyond* (2018). As in PyTorch, amsgrad takes the maximum
    before the bias of v is corrected.

    Examples
    --------
    The first step has the length of the learning rate, however large the gradient.

    >>> import numpy as np
    >>> parameters = {"weight": np.array([1.0, 1.0])}
    >>> Adam(parameters, lr=0.25).step({"weight": np.array([-0.01, 100.0])})
    >>> parameters["weight"].round(4)
    array([1.25, 0.75])
    """

    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool
    decoupled: ClassVar[bool] = False  # whether weight decay bypasses the moments
    symbols: ClassVar[Mapping[str, str]] = {
        "β₁": "betas[0]",
        "β₂": "betas[1]",
        "m": "first_moment",
        "v": "second_moment",
        "w": "largest_moment",
    }

    def __init__(
        self,
        parameters: Mapping[str, ndarray],
        lr: Number = 1e-3,
        betas: tuple[Number, Number] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 0.0,
        amsgrad: Flag = False,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require what the class lists under Raises."""
        owner = type(self).__name__
        for name in ("lr", "eps", "weight_decay"):
            check.number(owner, name, settings[name], least=0.0)
        betas = settings["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise InputError(f"{owner}: betas must be a pair of numbers, got {betas!r:.60}")
        for i, beta in enumerate(betas):
            check.number(owner, f"betas[{i}]", beta, least=0.0, below=1.0)
        check.flag(owner, "amsgrad", settings["amsgrad"])

    def state_names(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the two moments and, with amsgrad, of the largest second one."""
        return ("first_moment", "second_moment", *(("largest_moment",) if settings["amsgrad"] else ()))

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
        lr, (beta1, beta2) = self.lr, self.betas
        if self.weight_decay and self.decoupled:
            parameter *= 1 - lr * self.weight_decay
        elif self.weight_decay:
            np.multiply(parameter, self.weight_decay, out=quotient)
            grad = np.add(grad, quotient, out=quotient)
        move_towards(state["first_moment"], grad, 1 - beta1, size)
        decay_squares(state["second_moment"], grad, beta2, size)
        self._size(state, 1 - beta2**step, size)
        np.multiply(state["first_moment"], lr / (1 - beta1**step), out=quotient)
        divide(quotient, size, self.eps, out=quotient)
        parameter -= quotient

    def _size(self, state: Mapping[str, ndarray], correction: float, size: ndarray) -> None:
        """Write the divisor of the first moment, without eps, to `size`."""
        moment = state["second_moment"]
        if self.amsgrad:
            moment = np.maximum(state["largest_moment"], moment, out=state["largest_moment"])
        np.sqrt(moment, out=size)
        size /= correction**0.5

    def equations(self, step: int) -> dict[str, str]:
        """Return the rule for one element, line by line."""
        decay = "p ← p · (1 − lr · weight_decay)" if self.decoupled else "g ← g + weight_decay · p"
        lines = {"weight decay": decay} if self.weight_decay else {}
        lines["first moment"] = f"m ← {moved_towards('m', 'g', 'β₁', 1 - self.betas[0])}"
        lines["second moment"] = "v ← β₂ · v + (1 − β₂) · g · g"
        if self.amsgrad:
            lines["largest second moment"] = "w ← max(w, v)"
        return {
            **lines,
            "bias correction of m": "c₁ = 1 − β₁^t",
            "bias correction of v": "c₂ = 1 − β₂^t",
            "divisor": f"s = √{'w' if self.amsgrad else 'v'} / √c₂ + eps",
            "step": "d = lr / c₁ · m / s",
            "new value": "p ← p − d",
        }


class AdamW(Adam):
    """Adam with weight decay decoupled from the gradient: first p ← p · (1 − lr · weight_decay).

    This replaces step 1 of `Adam`; the rest is the same. The decay does not pass through the moments, so
    weights with large gradients decay as fast as others.

    Parameters
    ----------
    parameters, lr, betas, eps, amsgrad
        As in `Adam`.
    weight_decay : float
        Factor of the decay, times the learning rate.

    Raises
    ------
    InputError
        If a setting is negative or not a number, or a beta is not in [0, 1).

    References
    ----------
    Loshchilov, Hutter, *Decoupled weight decay regularization* (2019), algorithm 2. As in PyTorch, the
    learning rate multiplies the decay, where the paper has a separate schedule multiplier.

    Examples
    --------
    With a gradient of zero only the decay is left.

    >>> import numpy as np
    >>> parameters = {"weight": np.array([1.0, 2.0])}
    >>> AdamW(parameters, lr=0.5, weight_decay=0.5).step({"weight": np.zeros(2)})
    >>> parameters["weight"]
    array([0.75, 1.5 ])
    """

    decoupled = True

    def __init__(
        self,
        parameters: Mapping[str, ndarray],
        lr: Number = 1e-3,
        betas: tuple[Number, Number] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 1e-2,
        amsgrad: Flag = False,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)
