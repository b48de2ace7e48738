"""How an optimizer moves one element: its equations, read, with what their symbols stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature

from npnet.errors import InputError
from npnet.optim import Optimizer
from npnet.tracing._formula import Line, line, symbols

PARAMETER, GRADIENT, STEP = "p", "g", "t"


@dataclass(frozen=True)
class Rule:
    """How an optimizer moves the elements of one parameter, as `npnet.optim.Optimizer.equations` says it.

    Parameters
    ----------
    optimizer : str
        The optimizer with those of its settings that are not left at their default.
    lines : tuple of Line
        In the order applied; the last gives the new value. Empty of a rule of your own without equations.
    numbers : dict from symbols to float
        The settings, and t, the number of the update.
    state : dict from symbols to names
        What the optimizer keeps for each element.
    """

    optimizer: str
    lines: tuple[Line, ...]
    numbers: Mapping[str, float]
    state: Mapping[str, str]

    @property
    def shown(self) -> str:
        """The equations in one line of text."""
        return "; ".join(each.text for each in self.lines)


def rule_of(optimizer: Optimizer, step: int) -> Rule:
    """Read how an optimizer takes a parameter's step of that number.

    Raises
    ------
    InputError
        If its equations cannot be read, or name what is not there.
    """
    owner = f"{type(optimizer).__name__}.equations"
    equations = optimizer.equations(step)
    if not isinstance(equations, Mapping) or not all(
        isinstance(part, str) for pair in equations.items() for part in pair
    ):
        raise InputError(f"{owner}: it must return a dict from words to equations, got {equations!r:.60}")
    state = {name: name for name in optimizer.state_names(optimizer.settings)}
    numbers = _numbers(optimizer)
    named = {symbol: state[name] for symbol, name in optimizer.symbols.items() if name in state}
    numbers |= {symbol: numbers[name] for symbol, name in optimizer.symbols.items() if name in numbers}
    numbers = {name: number for name, number in numbers.items() if name not in named}
    unnamed = {name: name for name in state if name not in named.values()}
    rule = Rule(
        shown_optimizer(optimizer),
        tuple(_read(owner, says, text) for says, text in equations.items()),
        {**numbers, STEP: float(step)},
        {**named, **unnamed},
    )
    _check(owner, rule)
    return rule


def _numbers(optimizer: Optimizer) -> dict[str, float]:
    """Return the settings that are numbers; those of a tuple have their place beside the name."""
    found = {}
    for name, value in optimizer.settings.items():
        several = {f"{name}[{i}]": part for i, part in enumerate(value)} if type(value) is tuple else {}
        for each, part in (several or {name: value}).items():
            if isinstance(part, int | float):
                found[each] = float(part)
    return found


def _read(owner: str, says: str, text: str) -> Line:
    try:
        return line(says, text)
    except InputError as error:
        raise InputError(f"{owner}: {error}") from None


def _check(owner: str, rule: Rule) -> None:
    """Require that each line takes what is known by then, and that the last is the parameter's."""
    known = [PARAMETER, GRADIENT, *rule.numbers, *rule.state]
    for each in rule.lines:
        for symbol in symbols(each.tree):
            if symbol not in known:
                raise InputError(f"{owner}: {each.text!r} takes {symbol!r}, known are {', '.join(known)}")
        known.append(each.symbol)
    if rule.lines and rule.lines[-1].symbol != PARAMETER:
        raise InputError(f"{owner}: the last line must be that of {PARAMETER}, got {rule.lines[-1].text!r}")


def shown_optimizer(optimizer: Optimizer) -> str:
    """Return an optimizer with its learning rate and what is not left at its default.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import optim
    >>> shown_optimizer(optim.SGD({"weight": np.zeros(2)}, lr=0.5, nesterov=True, momentum=0.5))
    'SGD(lr=0.5, momentum=0.5, nesterov=True)'
    """
    defaults = signature(type(optimizer)).parameters
    changed = (
        f"{name}={value!r}"
        for name, value in optimizer.settings.items()
        if name == "lr" or name not in defaults or value != defaults[name].default
    )
    return f"{type(optimizer).__name__}({', '.join(changed)})"
