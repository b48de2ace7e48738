"""Learning-rate schedules, which change an optimizer's learning rate after each epoch, or after each step."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isfunction
from math import cos, pi
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.optim._settings import Configured, Integer, Number, require_names, require_takes, saved_arrays
from npnet.optim.optimizer import Optimizer

PROGRESS = ("epoch", "base_lr", "last_lr")  # saved with the settings


class Schedule(Configured):
    """A schedule: it changes the learning rate of an optimizer, usually after each epoch.

    An epoch is what passes from one `step` to the next. ``npnet.fit(…, schedule_every="step")`` steps after
    each minibatch, so there the epochs of a schedule are steps of training.

    A schedule of your own subclasses this one, passes its settings to this constructor, and implements
    `next_lr`.

    Parameters
    ----------
    optimizer : Optimizer
        Its present learning rate is the schedule's first.
    **settings
        The numbers of the schedule. Each becomes an attribute and is part of the saved state.

    Attributes
    ----------
    epoch : int
        The number of steps so far.
    base_lr : float
        The learning rate at epoch 0.
    last_lr : float
        The learning rate set by the last step.

    Raises
    ------
    InputError
        If `optimizer` is not an optimizer or a setting does not fit.

    Notes
    -----
    As in PyTorch, each learning rate is computed from the one before, so that a change by hand in between
    lasts. Operations are in PyTorch's order, so the numbers are the same to the bit.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import optim
    >>> class Halving(Schedule):
    ...     def next_lr(self):
    ...         return self.optimizer.lr / 2
    >>> optimizer = optim.SGD({"weight": np.zeros(2)}, lr=1.0)
    >>> schedule = Halving(optimizer)
    >>> schedule.step()
    >>> optimizer.lr, schedule.epoch
    (0.5, 1)
    """

    optimizer: Optimizer

    def __init_subclass__(cls, **settings: Any) -> None:
        """Check the signatures of a user's methods."""
        super().__init_subclass__(**settings)
        for name, taken in {"next_lr": (), "check_settings": ("settings",)}.items():
            if isfunction(method := vars(cls).get(name)):
                require_takes(cls.__name__, method, *taken)

    def __init__(self, optimizer: Optimizer, **settings: Any) -> None:
        owner = type(self).__name__
        check.instance(owner, "optimizer", optimizer, Optimizer, "an optimizer, such as optim.SGD(…)")
        if not optimizer.parameters:
            raise InputError(
                f"{owner}: optimizer must have parameters: {type(optimizer).__name__}.__init__ must call "
                "super().__init__(parameters, lr)"
            )
        self._configure(settings, taken={*dir(Schedule), *PROGRESS, "optimizer"})
        self.optimizer = optimizer
        self.epoch = 0
        self.base_lr = self.last_lr = optimizer.lr

    def next_lr(self) -> float:
        """Return the learning rate of epoch `self.epoch`; that of the epoch before is the optimizer's."""
        raise NotImplementedError(f"{type(self).__name__} does not implement next_lr")

    def step(self) -> None:
        """Advance by one epoch and set the optimizer's learning rate.

        Raises
        ------
        InputError
            If `next_lr` returns no finite number of at least 0; nothing is changed then.
        """
        self._require_made()
        self.epoch += 1
        try:
            lr = check.number(type(self).__name__, "next_lr()", self.next_lr(), least=0.0)
            self.optimizer.lr = lr
        except BaseException:
            self.epoch -= 1
            raise
        self.last_lr = lr

    def get_last_lr(self) -> list[float]:
        """Return `last_lr` in a list, as PyTorch's schedulers do."""
        self._require_made()
        return [self.last_lr]

    def state_dict(self) -> dict[str, ndarray]:
        """Return the settings, the epoch, and the first and last learning rate."""
        self._require_made()
        return {name: np.array(getattr(self, name)) for name in (*self.setting_names, *PROGRESS)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state.

        The optimizer's learning rate is not changed; it is part of the optimizer's own state.

        Raises
        ------
        InputError
            If it is no mapping, a name is missing or unknown, or a value does not fit; nothing is changed
            then.
        """
        self._require_made()
        owner = type(self).__name__
        arrays = saved_arrays(f"{owner}.load_state_dict", state)
        require_names(owner, arrays, {*self.setting_names, *PROGRESS})
        values = {name: array.tolist() for name, array in arrays.items()}
        settings = {name: values[name] for name in self.setting_names}
        self.check_settings(settings)
        own = {name: check.number(owner, name, values[name], least=0.0) for name in ("base_lr", "last_lr")}
        own["epoch"] = check.integer(owner, "epoch", values["epoch"], least=0)
        self._set({name: self._plain(name, value) for name, value in settings.items()} | own)

    def _require_made(self) -> None:
        """Require that the constructor of a user's schedule called this one."""
        if not hasattr(self, "last_lr"):
            raise InputError(
                f"{type(self).__name__}: it has no optimizer: __init__ must call super().__init__(optimizer)"
            )


class StepLR(Schedule):
    """Multiply the learning rate by gamma after every step_size epochs.

    lr ← gamma · lr at epochs step_size, 2 · step_size, …

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        Epochs from one change to the next.
    gamma : float
        The factor.

    Raises
    ------
    InputError
        If step_size is not a positive integer or gamma is negative.

    References
    ----------
    He, Zhang, Ren, Sun, *Deep residual learning for image recognition* (2016), section 3.4, divide the
    learning rate by 10 in this way.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import optim
    >>> optimizer = optim.SGD({"weight": np.zeros(2)}, lr=1.0)
    >>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    ...     print(optimizer.lr)
    1.0
    0.5
    0.5
    0.25
    """

    step_size: int
    gamma: float

    def __init__(self, optimizer: Optimizer, step_size: Integer, gamma: Number = 0.1) -> None:
        super().__init__(optimizer, step_size=step_size, gamma=gamma)

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require what the class lists under Raises."""
        check.integer(type(self).__name__, "step_size", settings["step_size"], least=1)
        check.number(type(self).__name__, "gamma", settings["gamma"], least=0.0)

    def next_lr(self) -> float:
        """Return the learning rate of epoch `self.epoch`."""
        lr = self.optimizer.lr
        return lr * self.gamma if self.epoch % self.step_size == 0 else lr


class ExponentialLR(Schedule):
    """Multiply the learning rate by gamma after every epoch: lr ← gamma · lr.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        The factor.

    Raises
    ------
    InputError
        If gamma is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import optim
    >>> optimizer = optim.SGD({"weight": np.zeros(2)}, lr=1.0)
    >>> schedule = ExponentialLR(optimizer, gamma=0.5)
    >>> schedule.step()
    >>> schedule.step()
    >>> optimizer.lr
    0.25
    """

    gamma: float

    def __init__(self, optimizer: Optimizer, gamma: Number) -> None:
        super().__init__(optimizer, gamma=gamma)

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require what the class lists under Raises."""
        check.number(type(self).__name__, "gamma", settings["gamma"], least=0.0)

    def next_lr(self) -> float:
        """Return the learning rate of epoch `self.epoch`."""
        return self.optimizer.lr * self.gamma


class CosineAnnealingLR(Schedule):
    """Move the learning rate along a cosine from its first value to eta_min, and back.

    lr(t) = eta_min + ½ (base_lr − eta_min) (1 + cos(π t / T_max)) at epoch t.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        Epochs from the first value to eta_min.
    eta_min : float
        The smallest learning rate.

    Raises
    ------
    InputError
        If T_max is not a positive integer or eta_min is negative.

    Notes
    -----
    Each learning rate is computed from the one before, by the ratio of the equation at t and t − 1:

    (lr(t) − eta_min) / (lr(t − 1) − eta_min) = (1 + cos(π t / T_max)) / (1 + cos(π (t − 1) / T_max)).

    One epoch after each minimum the denominators are 0. There the difference between the equation at t and
    t − 1 is added instead, ½ (base_lr − eta_min) (1 − cos(π / T_max)). If eta_min is above base_lr, rounding
    could make a learning rate negative; it is then set to 0.

    References
    ----------
    Loshchilov, Hutter, *SGDR: stochastic gradient descent with warm restarts* (2017), equation 5,
    without restarts.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import optim
    >>> optimizer = optim.SGD({"weight": np.zeros(2)}, lr=1.0)
    >>> schedule = CosineAnnealingLR(optimizer, T_max=2)
    >>> for _ in range(4):
    ...     schedule.step()
    ...     print(round(optimizer.lr, 6))
    0.5
    0.0
    0.5
    1.0
    """

    T_max: int
    eta_min: float

    def __init__(self, optimizer: Optimizer, T_max: Integer, eta_min: Number = 0.0) -> None:
        super().__init__(optimizer, T_max=T_max, eta_min=eta_min)

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Require what the class lists under Raises."""
        check.integer(type(self).__name__, "T_max", settings["T_max"], least=1)
        check.number(type(self).__name__, "eta_min", settings["eta_min"], least=0.0)

    def next_lr(self) -> float:
        """Return the learning rate of epoch `self.epoch`."""
        lr = self.optimizer.lr
        if (self.epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            return lr + (self.base_lr - self.eta_min) * (1 - cos(pi / self.T_max)) / 2
        height = 1 + cos(pi * self.epoch / self.T_max)
        height_before = 1 + cos(pi * (self.epoch - 1) / self.T_max)
        return max(0.0, height / height_before * (lr - self.eta_min) + self.eta_min)
