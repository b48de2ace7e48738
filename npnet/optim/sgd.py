"""Stochastic gradient descent, plain and with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy import add, multiply, ndarray

from npnet import check
from npnet.errors import InputError
from npnet.optim._settings import Flag, Number
from npnet.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent with optional momentum: p ← p − lr · b.

    In the order applied, with g the gradient and t the number of the parameter's update:

    1. weight decay, if not 0:  g ← g + weight_decay · p
    2. momentum, if not 0:      b ← g at t = 1, then b ← momentum · b + (1 − dampening) · g
    3. direction:               d = g without momentum, b with it, g + momentum · b if nesterov
    4. update:                  p ← p − lr · d

    Parameters
    ----------
    parameters : mapping from names to arrays
        What is updated in place, usually ``model.parameters``.
    lr : float
        Learning rate.
    momentum : float
        Fraction of the previous b that is kept; 0 is plain gradient descent.
    dampening : float
        Fraction of the gradient that is left out of b.
    weight_decay : float
        Factor of an L2 penalty weight_decay/2 · ‖p‖², whose gradient is added.
    nesterov : bool
        Whether to use Nesterov's momentum.

    Raises
    ------
    InputError
        If a setting is not a number or, dampening excepted, negative; or nesterov is set without momentum or
        with dampening.

    References
    ----------
    Robbins, Monro, *A stochastic approximation method* (1951); Polyak, *Some methods of speeding up the
    convergence of iteration methods* (1964); Sutskever, Martens, Dahl, Hinton, *On the importance of
    initialization and momentum in deep learning* (2013). As in PyTorch, the learning rate multiplies b;
    Sutskever et al. multiply the gradient before it enters b.

    Examples
    --------
    >>> import numpy as np
    >>> parameters = {"weight": np.array([1.0])}
    >>> optimizer = SGD(parameters, lr=0.5, momentum=0.5)
    >>> for _ in range(3):
    ...     optimizer.step({"weight": np.array([1.0])})
    ...     print(parameters["weight"])
    [0.5]
    [-0.25]
    [-1.125]
    """

    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    symbols: ClassVar[Mapping[str, str]] = {"b": "momentum"}

    def __init__(
        self,
        parameters: Mapping[str, ndarray],
        lr: Number = 1e-3,
        momentum: Number = 0.0,
        dampening: Number = 0.0,
        weight_decay: Number = 0.0,
        nesterov: Flag = False,
    ) -> None:
        super().__init__(
            parameters,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require what the class lists under Raises."""
        owner = type(self).__name__
        for name in ("lr", "momentum", "weight_decay"):
            check.number(owner, name, settings[name], least=0.0)
        check.number(owner, "dampening", settings["dampening"])
        check.flag(owner, "nesterov", settings["nesterov"])
        if settings["nesterov"] and (settings["momentum"] == 0 or settings["dampening"] != 0):
            raise InputError(
                f"{owner}: nesterov must go with a momentum above 0 and a dampening of 0, "
                f"got momentum={settings['momentum']!r}, dampening={settings['dampening']!r}"
            )

    def state_names(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the momentum's name, if there is a momentum."""
        return ("momentum",) if settings["momentum"] else ()

    def update(
        self,
        parameter: ndarray,
        grad: ndarray,
        state: Mapping[str, ndarray],
        step: int,
        scratch: tuple[ndarray, ndarray],
    ) -> None:
        """Apply the rule to one block."""
        decayed, product = scratch
        if self.weight_decay:
            multiply(parameter, self.weight_decay, out=decayed)
            grad = add(grad, decayed, out=decayed)
        if self.momentum:
            grad = self._direction(grad, state["momentum"], step, product)
        multiply(grad, self.lr, out=product)
        parameter -= product

    def _direction(self, grad: ndarray, momentum: ndarray, step: int, product: ndarray) -> ndarray:
        if step == 1:
            momentum[...] = grad
        else:
            momentum *= self.momentum
            momentum += multiply(grad, 1 - self.dampening, out=product) if self.dampening else grad
        if not self.nesterov:
            return momentum
        multiply(momentum, self.momentum, out=product)
        product += grad
        return product

    def equations(self, step: int) -> dict[str, str]:
        """Return the rule for one element, line by line."""
        lines = {"weight decay": "g ← g + weight_decay · p"} if self.weight_decay else {}
        if self.momentum:
            share = "(1 − dampening) · g" if self.dampening else "g"
            lines["momentum"] = "b ← g" if step == 1 else f"b ← momentum · b + {share}"
        if self.nesterov:
            lines["direction"] = "n = g + momentum · b"
        direction = "n" if self.nesterov else "b" if self.momentum else "g"
        return {**lines, "step": f"d = lr · {direction}", "new value": "p ← p − d"}
