"""The sum that one element is: its terms, each a product of elements of other arrays.

A rule takes an operation, the name of a result (``y`` or a gradient) and the place of one element, and yields
the products whose sum that element is, as the equations in `npnet.tracing._kinds` have them. The same rules
stand in ``page/*_terms.js``, which work sums out where someone clicks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import nan

from npnet.errors import InputError
from npnet.tracing import _layer_terms as layers
from npnet.tracing import _loss_terms as losses
from npnet.tracing.operation import Operation
from npnet.tracing.sums import Factor, Factors, Index, Rule, Sum, Term, checked_index, label
from npnet.tracing.updates import update_of


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
    index = checked_index(owner, array, index)
    if name.startswith("new_"):
        return Sum(label(name, index), float(array[index]), tuple(_update(operation, name, index)))
    factors, rule = Factors(operation), _RULES[operation.kind]
    if name == "y" and operation.settings.get("m") == 0:
        rule = _mean_of_nothing
    terms = tuple(rule(factors, name, index))
    return Sum(label(name, index), float(array[index]), terms, factors.note)


def _mean_of_nothing(o: Factors, _name: str, _index: Index) -> Iterator[Term]:
    """Yield what a loss is that averages over no samples, or over none that count."""
    o.note = "the mean of nothing is NaN"
    yield (Factor("0/0", nan),)


def _update(o: Operation, name: str, index: Index) -> Iterator[Term]:
    """Yield the old value and the optimizer's step, which `Trace.update` writes out."""
    parameter = name.removeprefix("new_")
    written = update_of(o, parameter, index)
    old = float(o.tensors[parameter][index])
    after = written.total if written.lines else float(written.new)
    yield (Factor(label(parameter, index), old, parameter, index),)
    yield (Factor(f"the step of {written.optimizer}", after - old),)


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
