"""The sum that one element is: its terms, each a product of elements of other arrays.

A rule takes an operation, the name of a result (``y`` or a gradient) and the place of one element, and yields
the products whose sum that element is, as the equations in `npnet.tracing._kinds` have them. The same rules
stand in ``page/*_terms.js``, which work sums out where someone clicks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import nan
from typing import Any

from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.tracing import _layer_terms as layers
from npnet.tracing import _loss_terms as losses
from npnet.tracing.operation import Operation
from npnet.tracing.sums import Factor, Factors, Index, Rule, Sum, Term, label


def sum_of(operation: Operation, name: str, index: Index) -> Sum:
    """Write one element of an operation's output or of a gradient out as the sum it is.

    Parameters
    ----------
    operation : Operation
    name : str
        "y", or a gradient such as "grad_weight".
    index : tuple of int
        Which element.

    Returns
    -------
    written : Sum

    Raises
    ------
    InputError
        If there is no such array or element, or the operation has no equation.
    """
    owner = f"operation '{operation.name}'"
    array = operation[name]
    if name not in operation.equations:
        known = ", ".join(key for key in operation.equations if key in operation.tensors)
        raise InputError(
            f"{owner}: name must be one with an equation ({known or 'there is none'}), got {name!r}"
        )
    index = _checked_index(owner, array, index)
    factors = Factors(operation)
    rule = _update if name.startswith("new_") else _RULES[operation.kind]
    if name == "y" and operation.settings.get("m") == 0:
        rule = _mean_of_nothing
    terms = tuple(rule(factors, name, index))
    return Sum(label(name, index), float(array[index]), terms, factors.note)


def _checked_index(owner: str, array: ndarray, index: Any) -> Index:
    several = index if isinstance(index, tuple | list) else (index,)
    numbers = tuple(check.integer(owner, "index", number) for number in several)
    fits = len(numbers) == array.ndim and all(-n <= i < n for i, n in zip(numbers, array.shape, strict=True))
    if not fits:
        raise InputError(f"{owner}: index must be one of an array of shape {array.shape}, got {numbers}")
    return tuple(i % n for i, n in zip(numbers, array.shape, strict=True))


def _mean_of_nothing(o: Factors, _name: str, _index: Index) -> Iterator[Term]:
    """Yield what a loss is that averages over no samples, or over none that count."""
    o.note = "the mean of nothing is NaN"
    yield (Factor("0/0", nan),)


def _update(o: Factors, name: str, index: Index) -> Iterator[Term]:
    """Write out what the optimizer did: of its rules, plain gradient descent is a product."""
    parameter = name.removeprefix("new_")
    old = o.at(parameter, *index)
    yield (old,)
    if "lr" in o.settings:
        minus_lr = Factor("−lr", -o.settings["lr"])
        yield minus_lr, o.at(f"grad_{parameter}", *index)
        if o.settings["decay"]:
            yield minus_lr, Factor("weight_decay", o.settings["decay"]), old
    else:
        yield (Factor(f"the step of {o.settings['optimizer']}", float(o.tensors[name][index]) - old.value),)


_RULES: Mapping[str, Rule] = {
    "linear": layers.linear,
    "conv2d": layers.conv2d,
    "max_pool2d": layers.max_pool2d,
    "average": layers.average,
    "relu": layers.relu,
    "leaky_relu": layers.leaky_relu,
    "tanh": layers.tanh,
    "sigmoid": layers.sigmoid,
    "softplus": layers.softplus,
    "dropout": layers.dropout,
    "reshape": layers.reshape,
    "split": layers.split,
    "add": layers.add,
    "softmax": layers.softmax,
    "log_softmax": layers.log_softmax,
    "batch_norm": layers.batch_norm,
    "cross_entropy": losses.cross_entropy,
    "nll_loss": losses.nll_loss,
    "mse_loss": losses.mse_loss,
    "binary_cross_entropy": losses.binary,
    "binary_cross_entropy_with_logits": losses.binary_with_logits,
}
