"""One training step of a PyTorch module, operation by operation, for `npnet.compare`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn

from npnet import check
from npnet.errors import InputError
from npnet.gradcheck.steps import Gradients, Minibatch, OperationRecord, StepRecord
from npnet.nn import Layer, Loss

SETTINGS = ("reduction", "ignore_index", "label_smoothing")  # of a loss, the same in both libraries
COUNTER = "num_batches_tracked"


def record(reference: object, model: Layer, batch: Minibatch) -> StepRecord:
    """Take a step with a module and record what each of its modules was given and gave.

    Parameters
    ----------
    reference : torch.nn.Module
        Takes on the parameters and buffers of the model, in a copy.
    model : Layer
    batch : Minibatch

    Returns
    -------
    record : StepRecord

    Raises
    ------
    InputError
        If the reference is no module, or its parameters are not those of the model.
    """
    if not isinstance(reference, nn.Module):
        raise InputError(f"compare: reference must be a torch.nn.Module, got {check.described(reference)}")
    module = _like(reference, model, batch)
    calls: list[_Call] = []
    hooks = [
        hook
        for name, child in module.named_modules()
        if not any(child.children())
        for hook in _watch(name, child, calls)
    ]
    x = torch.from_numpy(batch.x.copy()).requires_grad_()
    torch.manual_seed(batch.seed)
    y = module(x)
    for hook in hooks:
        hook.remove()
    value = _run_backward(y, batch)
    parameters = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    grads = {name: _array(grad) for name, grad in {"x": x.grad, **parameters}.items() if grad is not None}
    return StepRecord("PyTorch", tuple(call.operation(batch.training) for call in calls), value, grads)


def _like(reference: nn.Module, model: Layer, batch: Minibatch) -> nn.Module:
    """Return a copy of a module that has the model's parameters, dtype and mode."""
    module = copy.deepcopy(reference).to("cpu", torch.from_numpy(batch.x).dtype).train(batch.training)
    module.requires_grad_()
    arrays = {name: array for name, array in module.state_dict().items() if not name.endswith(COUNTER)}
    state = {name: array for name, array in model.state_dict().items() if not name.endswith(COUNTER)}
    if arrays.keys() != state.keys():
        raise InputError(
            "compare: reference must have parameters of the same names as the model, "
            f"{', '.join(state) or 'none'}, got {', '.join(arrays) or 'none'}"
        )
    for name, array in state.items():
        if tuple(arrays[name].shape) != array.shape:
            raise InputError(
                f"compare: {name} of the reference must have shape {array.shape} as in the model, "
                f"got {tuple(arrays[name].shape)}"
            )
        arrays[name].copy_(torch.from_numpy(np.array(array)))
    return module


def _run_backward(y: Tensor, batch: Minibatch) -> float | None:
    """Run backward from the loss, or from the upstream gradient; return the loss."""
    if batch.loss is None or batch.target is None:
        assert batch.upstream is not None
        if tuple(y.shape) != batch.upstream.shape:
            raise InputError(
                f"compare: reference must give an output of shape {batch.upstream.shape} as the model does, "
                f"got {tuple(y.shape)}"
            )
        y.backward(torch.from_numpy(batch.upstream.copy()))  # type: ignore[no-untyped-call]
        return None
    criterion = _loss(batch.loss)
    if criterion is None:  # a loss of the user's own: its gradient goes back through both
        value, backward = batch.loss.forward(_array(y), batch.target)
        y.backward(torch.from_numpy(np.array(backward(), batch.x.dtype)))  # type: ignore[no-untyped-call]
        return float(value)
    target = torch.from_numpy(batch.target.copy())
    loss = criterion(y, target.long() if batch.target.dtype.kind in "iu" else target)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def _loss(loss: Loss) -> Callable[[Tensor, Tensor], Tensor] | None:
    """Return PyTorch's loss of the same name and settings."""
    kind = getattr(nn, type(loss).__name__, None)
    if kind is None or not type(loss).__module__.startswith("npnet."):
        return None
    settings = {name: getattr(loss, name) for name in SETTINGS if hasattr(loss, name)}
    arrays = {name: getattr(loss, name, None) for name in ("weight", "pos_weight")}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}
    made: Callable[[Tensor, Tensor], Tensor] = kind(**settings, **tensors)
    return made


class _Call:
    """One run of a module without modules within it."""

    def __init__(self, name: str, module: nn.Module, x: Tensor) -> None:
        self.name, self.module, self.x = name, module, x.detach().clone()
        self.y: Tensor | None = None
        self.grads: dict[str, Tensor] = {}

    def hook(self, name: str) -> Callable[[Tensor], None]:
        """Return a hook that keeps a gradient."""

        def keep(grad: Tensor) -> None:
            self.grads[name] = grad.detach().clone()

        return keep

    def operation(self, training: bool) -> OperationRecord:
        """Return the record of this call, once backward has run."""
        assert self.y is not None
        parameters = dict(self.module.named_parameters())
        grads = {name: _array(p.grad) for name, p in parameters.items() if p.grad is not None}
        grad_x, grad_y = (self.grads.get(name) for name in ("x", "y"))
        return OperationRecord(
            self.name,
            type(self.module).__name__,
            _array(self.x),
            _array(self.y),
            None if grad_y is None else _array(grad_y),
            None if grad_x is None else _array(grad_x),
            grads,
            {name: _array(p) for name, p in parameters.items()},
            self._again(training),
        )

    def _again(self, training: bool) -> Callable[[ndarray], Gradients]:
        def again(grad_y: ndarray) -> Gradients:
            module = copy.deepcopy(self.module).train(training)
            x = self.x.clone().requires_grad_()
            y = module(x.clone())
            leaves: dict[str, Tensor] = {"x": x, **dict(module.named_parameters())}
            upstream = torch.from_numpy(np.array(grad_y, _array(y).dtype))
            found = torch.autograd.grad(y, list(leaves.values()), upstream, allow_unused=True)
            named = zip(leaves, found, strict=True)
            return {name: _array(grad) for name, grad in named if grad is not None}

        return again


def _watch(name: str, module: nn.Module, calls: list[_Call]) -> tuple[Any, Any]:
    """Have a module's calls recorded; each gets an input of its own, whose gradient comes from it alone."""

    def before(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        first, *others = inputs
        call = _Call(name, module, first)
        calls.append(call)
        own = first.clone()  # also keeps what works in place from overwriting the recorded output before it
        if own.requires_grad:
            own.register_hook(call.hook("x"))  # type: ignore[no-untyped-call]
        return own, *others

    def after(module: nn.Module, _inputs: tuple[Tensor, ...], y: Tensor) -> Tensor:
        call = next(each for each in reversed(calls) if each.module is module)
        call.y = y.detach().clone()
        if y.requires_grad:
            y = y.clone()
            y.register_hook(call.hook("y"))  # type: ignore[no-untyped-call]
        return y

    return module.register_forward_pre_hook(before), module.register_forward_hook(after)


def _array(tensor: Tensor) -> ndarray:
    return tensor.detach().cpu().numpy().copy()
