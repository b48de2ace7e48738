"""The one-cycle schedule, which changes learning rate and momentum after each step."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi
from typing import Any, NamedTuple

from npnet import check
from npnet.errors import InputError
from npnet.optim._settings import Flag, Integer, Number
from npnet.optim.optimizer import Optimizer
from npnet.optim.schedules import Schedule

STRATEGIES = ("cos", "linear")


class _Phase(NamedTuple):
    """What goes from where to where, up to which step."""

    end: float
    lr: tuple[float, float]
    momentum: tuple[float, float]


class OneCycleLR(Schedule):
    """Raise the learning rate to max_lr, then lower it far below its first value; momentum does the reverse.

    With f = max_lr / div_factor and p = pct_start · total_steps − 1 the learning rate of step t = 0, 1, … is

    - on the way from f to max_lr, at t / p, for t ≤ p;
    - then on the way from max_lr to f / final_div_factor, at (t − p) / (total_steps − 1 − p).

    At u on the way from a to b it is a + (b − a) u (``"linear"``), or b + ½ (a − b) (1 + cos(π u))
    (``"cos"``). Momentum goes from max_momentum to base_momentum and back in the same way. With three_phase
    the second way leads from max_lr to f and ends at 2p, and a third leads from f to f / final_div_factor.

    Parameters
    ----------
    optimizer : Optimizer
        Gets its learning rate and momentum from the schedule from the start.
    max_lr : float
        The highest learning rate.
    total_steps : int, optional
        How many steps will be taken; if not given, epochs · steps_per_epoch.
    epochs, steps_per_epoch : int, optional
        Both are needed where total_steps is not given, and looked at only then.
    pct_start : float in 0…1
        The share of the steps that lead up.
    anneal_strategy : "cos" or "linear"
        The form of each way.
    cycle_momentum : bool
        Whether momentum changes too: the setting ``momentum``, or the first of ``betas``.
    base_momentum, max_momentum : float
        The lowest and the highest momentum.
    div_factor : float
        max_lr divided by the first learning rate.
    final_div_factor : float
        The first learning rate divided by the last; ∞ for a last one of 0.
    three_phase : bool
        Whether the learning rate comes down in two ways instead of one.

    Raises
    ------
    InputError
        If a setting does not fit, neither total_steps nor both of epochs and steps_per_epoch are given,
        pct_start · total_steps is 1, which leaves no step to go up, or momentum is to change of an optimizer
        that has none.

    Notes
    -----
    It is made to step after each minibatch: ``npnet.fit(…, schedule=…, schedule_every="step")``. Every
    learning rate is computed from the settings alone, so a change by hand lasts until the next step. After
    total_steps steps the learning rate stays at its last value, where PyTorch extrapolates, possibly below 0;
    one step more is an error, as in PyTorch.

    References
    ----------
    Smith, Topin, *Super-convergence: very fast training of neural networks using large learning rates*
    (2018).

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import optim
    >>> optimizer = optim.SGD({"weight": np.zeros(2)}, momentum=0.9)
    >>> schedule = OneCycleLR(
    ...     optimizer, max_lr=1.0, total_steps=6, pct_start=0.5, anneal_strategy="linear", div_factor=5.0
    ... )
    >>> for _ in range(6):
    ...     print(round(optimizer.lr, 3), round(optimizer.momentum, 3))
    ...     schedule.step()
    0.2 0.95
    0.6 0.9
    1.0 0.85
    0.667 0.883
    0.333 0.917
    0.0 0.95
    """

    max_lr: float
    total_steps: int
    pct_start: float
    anneal_strategy: str
    cycle_momentum: bool
    base_momentum: float
    max_momentum: float
    div_factor: float
    final_div_factor: float
    three_phase: bool

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Number,
        total_steps: Integer | None = None,
        epochs: Integer | None = None,
        steps_per_epoch: Integer | None = None,
        pct_start: Number = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: Flag = True,
        base_momentum: Number = 0.85,
        max_momentum: Number = 0.95,
        div_factor: Number = 25.0,
        final_div_factor: Number = 1e4,
        three_phase: Flag = False,
    ) -> None:
        super().__init__(
            optimizer,
            max_lr=max_lr,
            total_steps=self._steps(total_steps, epochs, steps_per_epoch),
            pct_start=pct_start,
            anneal_strategy=anneal_strategy,
            cycle_momentum=cycle_momentum,
            base_momentum=base_momentum,
            max_momentum=max_momentum,
            div_factor=div_factor,
            final_div_factor=final_div_factor,
            three_phase=three_phase,
        )
        if self.cycle_momentum and not {"momentum", "betas"} & {*optimizer.setting_names}:
            raise InputError(
                f"{type(self).__name__}: optimizer must have momentum or betas where cycle_momentum is True, "
                f"got {type(optimizer).__name__}"
            )
        optimizer.lr = self.next_lr()
        self.base_lr = self.last_lr = optimizer.lr
        self._move_momentum()

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require what the class lists under Raises."""
        owner = type(self).__name__
        check.number(owner, "max_lr", settings["max_lr"], least=0.0)
        check.integer(owner, "total_steps", settings["total_steps"], least=1)
        check.number(owner, "pct_start", settings["pct_start"], least=0.0, most=1.0)
        check.choice(owner, "anneal_strategy", settings["anneal_strategy"], STRATEGIES)
        for name in ("cycle_momentum", "three_phase"):
            check.flag(owner, name, settings[name])
        for name in ("base_momentum", "max_momentum"):
            check.number(owner, name, settings[name], least=0.0, below=1.0)
        check.number(owner, "div_factor", settings["div_factor"], above=0.0)
        if not check.real(owner, "final_div_factor", settings["final_div_factor"]) > 0:
            raise InputError(
                f"{owner}: final_div_factor must be a number above 0, or infinity, "
                f"got {settings['final_div_factor']!r:.60}"
            )
        if settings["pct_start"] * settings["total_steps"] == 1:
            raise InputError(
                f"{owner}: pct_start · total_steps must not be 1, which leaves no step to go up; got "
                f"pct_start={settings['pct_start']!r} and total_steps={settings['total_steps']!r}"
            )

    def next_lr(self) -> float:
        """Return the learning rate of step `self.epoch`.

        Raises
        ------
        InputError
            If there have been more than total_steps steps.
        """
        if self.epoch > self.total_steps:
            raise InputError(
                f"{type(self).__name__}: total_steps must be as many as there are steps; it is "
                f"{self.total_steps}, and this is step {self.epoch}"
            )
        phase, share = self._place()
        return self._between(*phase.lr, share)

    def step(self) -> None:
        """Advance by one step and set the optimizer's learning rate, and its momentum if that changes too.

        Raises
        ------
        InputError
            If there have been total_steps steps already; nothing is changed then.
        """
        super().step()
        self._move_momentum()

    def _steps(self, total: Any, epochs: Any, steps_per_epoch: Any) -> Any:
        """Return how many steps there will be."""
        if total is not None:
            return total
        owner = type(self).__name__
        if epochs is None or steps_per_epoch is None:
            raise InputError(
                f"{owner}: total_steps must be given, or both epochs and steps_per_epoch, got "
                f"epochs={epochs!r:.60}, steps_per_epoch={steps_per_epoch!r:.60}"
            )
        several = check.integer(owner, "steps_per_epoch", steps_per_epoch, least=1)
        return check.integer(owner, "epochs", epochs, least=1) * several

    def _phases(self) -> list[_Phase]:
        first = self.max_lr / self.div_factor
        last = first / self.final_div_factor
        high, low = self.max_momentum, self.base_momentum
        end = self.total_steps - 1
        up = _Phase(self.pct_start * self.total_steps - 1, (first, self.max_lr), (high, low))
        if not self.three_phase:
            return [up, _Phase(end, (self.max_lr, last), (low, high))]
        down = _Phase(2 * self.pct_start * self.total_steps - 2, (self.max_lr, first), (low, high))
        return [up, down, _Phase(end, (first, last), (high, high))]

    def _place(self) -> tuple[_Phase, float]:
        """Return the phase that the present step is in, and how much of it is over."""
        step, start = min(self.epoch, self.total_steps - 1), 0.0
        *early, last = self._phases()
        for phase in early:
            if step <= phase.end:
                return phase, (step - start) / (phase.end - start)
            start = phase.end
        return last, (step - start) / (last.end - start)

    def _between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (cos(pi * share) + 1)

    def _move_momentum(self) -> None:
        if not self.cycle_momentum:
            return
        phase, share = self._place()
        momentum, optimizer = self._between(*phase.momentum, share), self.optimizer
        has_betas = "betas" in optimizer.setting_names
        value = (momentum, *optimizer.settings["betas"][1:]) if has_betas else momentum
        setattr(optimizer, "betas" if has_betas else "momentum", value)
