"""The optimizer's step of one element written out: its equations, with the numbers in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from npnet.table import table
from npnet.tracing._formula import SYMBOL, Value, evaluate
from npnet.tracing.operation import Operation
from npnet.tracing.rules import GRADIENT, PARAMETER, STEP
from npnet.tracing.sums import Index, checked_index, label


@dataclass(frozen=True)
class UpdateLine:
    """One line of an update: an equation, the same with its numbers, and what it comes to.

    Parameters
    ----------
    says : str
        What it is, such as "first moment".
    equation : str
    numbers : str
        Its right side with numbers in place of symbols; "" of what an array holds.
    value : float
        In the precision of the arrays, unless it is made of settings alone.
    """

    says: str
    equation: str
    numbers: str
    value: Value


@dataclass(frozen=True)
class Update:
    """The optimizer's step of one element, written out.

    Parameters
    ----------
    label : str
        The element, such as "weight[0,3]".
    optimizer : str
    step : int
        The how many-th update of this parameter it is.
    given : tuple of UpdateLine
        What the arrays held before: the element, its gradient, and what the optimizer keeps for it.
    lines : tuple of UpdateLine
        The equations; the last gives the new value. Empty of a rule without equations.
    new : float
        What the array holds afterwards.

    Examples
    --------
    >>> import npnet
    >>> from npnet import nn, optim
    >>> model = nn.Linear(1, 1, bias=False, generator=np.random.default_rng(0), dtype=np.float64)
    >>> model.weight[...], x, target = 2.0, np.array([[1.0]]), np.array([[1.5]])
    >>> sgd = optim.SGD(model.parameters, lr=0.25, weight_decay=0.5)
    >>> print(npnet.trace(model, nn.MSELoss(), x, target, optimizer=sgd).update("model.weight", (0, 0)))
    weight[0,0]: update 1 by SGD(lr=0.25, weight_decay=0.5)
    what              equation                   numbers       value
    ────────────────────────────────────────────────────────────────
    old value         p = weight[0,0]                          2
    gradient          g = grad_weight[0,0]                     1
    weight decay      g ← g + weight_decay · p   1 + 0.5 · 2   2
    step              d = lr · g                 0.25 · 2      0.5
    new value         p ← p − d                  2 − 0.5       1.5
    ────────────────────────────────────────────────────────────────
    the array holds   new_weight[0,0]                          1.5
    """

    label: str
    optimizer: str
    step: int
    given: tuple[UpdateLine, ...]
    lines: tuple[UpdateLine, ...]
    new: Value

    @property
    def total(self) -> float:
        """What the last equation comes to; NaN where there is none."""
        return float(self.lines[-1].value) if self.lines else float("nan")

    @property
    def change(self) -> float:
        """The step: the new value less the old one."""
        return float(self.new) - float(self.given[0].value)

    @property
    def agrees(self) -> bool:
        """Whether the equations come to what the array holds, but for the last digits."""
        size = abs(float(self.given[0].value)) + abs(self.change)
        slack = 8 * float(np.finfo(self.new).eps) * size
        return not self.lines or not np.isfinite(size) or abs(self.total - float(self.new)) <= slack

    def __str__(self) -> str:
        rows = [
            (each.says, each.equation, each.numbers, digits(each.value))
            for each in (*self.given, *self.lines)
        ]
        last = ("the array holds", f"new_{self.label}", "", digits(self.new))
        title = f"{self.label}: update {self.step} by {self.optimizer}"
        said = "" if self.agrees else "\nThis is not what the rule gave: its update and its equations differ."
        return table(["what", "equation", "numbers", "value"], rows, title=title, footer=last) + said


def update_of(operation: Operation, parameter: str, index: Index) -> Update:
    """Write the step of one element of a parameter out.

    Raises
    ------
    InputError
        If there is no such element.
    """
    rule, tensors = operation.rules[parameter], operation.tensors
    index = checked_index("Trace.update", tensors[parameter], index)
    held = {PARAMETER: parameter, GRADIENT: f"grad_{parameter}"}
    held |= {symbol: old_state(name, parameter) for symbol, name in rule.state.items()}
    values: dict[str, Value] = {symbol: tensors[name][index] for symbol, name in held.items()}
    says = {PARAMETER: "old value", GRADIENT: "gradient"} | {s: f"{n} before" for s, n in rule.state.items()}
    given = [
        UpdateLine(says[symbol].replace("_", " "), f"{symbol} = {label(name, index)}", "", values[symbol])
        for symbol, name in held.items()
    ]
    values |= rule.numbers
    lines = []
    with np.errstate(all="ignore"):
        for each in rule.lines:
            numbers = substituted(each.text, values)
            values[each.symbol] = evaluate(each.tree, values)
            lines.append(UpdateLine(each.says, each.text, numbers, values[each.symbol]))
    return Update(
        label(parameter, index),
        rule.optimizer,
        int(rule.numbers[STEP]),
        tuple(given),
        tuple(lines),
        tensors[f"new_{parameter}"][index],
    )


def old_state(name: str, parameter: str) -> str:
    """Return the name of the array that an optimizer kept for a parameter before its step.

    Examples
    --------
    >>> old_state("momentum", "weight")
    'old_momentum_weight'
    """
    return f"old_{name}_{parameter}"


def substituted(text: str, values: Mapping[str, Value]) -> str:
    """Return the right side of an equation with numbers for its symbols.

    Examples
    --------
    >>> substituted("d = lr · g", {"lr": 0.5, "g": -2.0})
    '0.5 · (−2)'
    """
    right = re.split("[←=]", text, maxsplit=1)[1].strip()

    def number(found: re.Match[str]) -> str:
        if found[0] not in values:
            return found[0]  # a function
        shown = digits(values[found[0]])
        inner = found.start() > 0 and right[found.start() - 1] not in "(,"
        return f"({shown})" if inner and shown.startswith("−") else shown

    return SYMBOL.sub(number, right)


def digits(value: Value) -> str:
    """Write a number with as many digits as tell it from its neighbours; a plain float with six.

    Examples
    --------
    >>> digits(np.float32(-0.1)), digits(1 - 0.9)
    ('−0.1', '0.1')
    """
    text = str(value) if isinstance(value, np.generic) else f"{value:.6g}"
    return text.removesuffix(".0").replace("-", "−").replace("inf", "∞").replace("nan", "NaN")
