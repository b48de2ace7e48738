"""PyTorch's gradients beside those of a traced step: the same step once more, on autograd."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as T
from numpy import ndarray
from torch import Tensor, nn

from npnet import tracing
from npnet.errors import InputError
from npnet.nn import Layer
from ptref.convert import to_torch

__all__ = ["gradients"]


def gradients(
    trace: tracing.Trace, layers: Mapping[str, Layer]
) -> tuple[str, dict[tuple[str, str], ndarray]]:
    """Run a traced step on autograd: the ``reference`` of `npnet.trace`.

    Parameters
    ----------
    trace : Trace
        The step as npnet recorded it.
    layers : mapping from names of operations to layers

    Returns
    -------
    name : str
        "PyTorch" and its version.
    gradients : dict from (operation, gradient) to arrays

    Raises
    ------
    InputError
        If it is no trace.

    Notes
    -----
    Autograd goes through the whole network once, from the loss to the input. What dropout kept is taken from
    the trace. Where there is a layer of your own that has no module (see `ptref.convert.register`), it stops:
    above that layer it begins anew with npnet's output, and below it with npnet's upstream gradient.

    Examples
    --------
    >>> import npnet
    >>> model = npnet.nn.Linear(2, 1, generator=np.random.default_rng(0))
    >>> x, target = np.ones((1, 2), np.float32), np.zeros((1, 1), np.float32)
    >>> recorded = npnet.trace(model, npnet.nn.MSELoss(), x, target, reference=gradients)
    >>> difference = recorded.references["model", "grad_weight"] - recorded["model"]["grad_weight"]
    >>> float(abs(difference).max()) < 1e-6
    True
    """
    if not isinstance(trace, tracing.Trace):
        raise InputError(f"gradients: trace must be what npnet.trace returns, got {type(trace).__name__}")
    outputs: dict[str, Tensor] = {}
    watched: dict[tuple[str, str], Tensor] = {}
    # Where gradients come in: at the loss, and below what has no module. None stands for 1: of tensors
    # autograd checks the shapes, and loads PyTorch's symbolic shapes and SymPy for that, half a second.
    ends: list[tuple[Tensor, Tensor | None]] = []
    for operation in trace:
        arguments: dict[str, Tensor] = {}
        for name, source in operation.sources.items():
            there = outputs.get(source)
            # A view of its own for each taker: its gradient is what comes back from this taker alone.
            arguments[name] = _leaf(operation[name]) if there is None else there.view_as(there)
            arguments[name].requires_grad_()
            arguments[name].retain_grad()
        module = _module(layers.get(operation.name), trace.training)
        y = _output(operation, arguments, module)
        if y is None:
            ends += [
                (outputs[source], torch.from_numpy(operation[f"grad_{name}"].copy()))
                for name, source in operation.sources.items()
                if source in outputs and f"grad_{name}" in operation.tensors
            ]
            continue
        outputs[operation.name] = y
        if operation.name == "loss":
            ends.append((y, torch.ones_like(y) if y.numel() > 1 else None))
        watched |= {(operation.name, f"grad_{name}"): tensor for name, tensor in arguments.items()}
        if module is not None:
            watched |= {
                (operation.name, f"grad_{name}"): parameter for name, parameter in module.named_parameters()
            }
    if ends:
        torch.autograd.backward([tensor for tensor, _ in ends], [grad for _, grad in ends])
    found = {key: tensor.grad.numpy() for key, tensor in watched.items() if tensor.grad is not None}
    return f"PyTorch {torch.__version__.partition('+')[0]}", found


def _leaf(array: ndarray) -> Tensor:
    return torch.from_numpy(array.copy())


def _module(layer: Layer | None, training: bool) -> nn.Module | None:
    """Return the module of a layer, None where there is none."""
    if layer is None:
        return None
    try:
        return to_torch(layer).train(training)
    except InputError:
        return None


def _output(
    operation: tracing.Operation, arguments: Mapping[str, Tensor], module: nn.Module | None
) -> Tensor | None:
    """Run one operation; None if PyTorch has nothing that does the same."""
    if operation.kind == "add":
        return arguments["body"] + arguments["shortcut"]
    if operation.kind == "split":
        return arguments["x"].clone()
    if operation.kind == "dropout":
        return arguments["x"] * torch.from_numpy(np.ascontiguousarray(operation["factor"]))
    if operation.name == "loss":
        return _loss(operation, arguments["x"])
    if module is None:
        return None
    y: Tensor = module(arguments["x"])
    return y


def _loss(operation: tracing.Operation, x: Tensor) -> Tensor | None:
    """Run the loss; None if it is one of someone's own."""
    function = getattr(T, operation.kind, None) if operation.kind else None
    if function is None:
        return None
    target = torch.from_numpy(operation["target"].copy())
    options = {name: _leaf(operation[name]) for name in ("weight", "pos_weight") if name in operation.tensors}
    settings = operation.settings
    known = {name: settings[name] for name in ("ignore_index", "label_smoothing") if name in settings}
    if not target.is_floating_point():
        target = target.long()
    reduction = "mean" if "m" in settings else "sum"
    y: Tensor = function(x, target, reduction=reduction, **options, **known)
    return y
