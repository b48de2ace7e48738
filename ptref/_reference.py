"""The PyTorch side of a comparison: the reference, run in any precision on any device."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from npnet import check
from npnet.errors import DTypeError, InputError
from npnet.nn import Layer


class Reference:
    """The reference, ready to be run in any precision on any device."""

    def __init__(
        self,
        reference: Callable[..., Any],
        subject: Callable[..., Any] | Layer,
        inputs: Sequence[ndarray | None],
        options: dict[str, Any],
        state: tuple[int, ...],
        training: bool,
        names: Mapping[str, str],
    ) -> None:
        self.reference, self.options, self.state, self.training = reference, options, state, training
        self.input_names = _input_names(subject, len(inputs))
        self.layer_state = subject.state_dict() if isinstance(subject, Layer) else {}
        self.parameters = set(subject.parameters) if isinstance(subject, Layer) else set()
        self.names = {name: names.get(name, name) for name in self.layer_state}
        self.dtype = _common_dtype(dict(zip(self.input_names, inputs, strict=True)), self.layer_state)
        if isinstance(reference, torch.nn.Module):
            _check_module(reference, self.names if isinstance(subject, Layer) else None, self.layer_state)
        elif unknown := [name for name in self.layer_state if not name.isidentifier()]:
            raise InputError(
                f"compare: the reference of a layer with parameters in layers, {unknown[0]!r}, "
                "must be a torch.nn.Module"
            )

    def expected_gradients(self, subject: Any) -> set[str]:
        """Return which gradients of parameters the subject must give: those not frozen."""
        if not isinstance(subject, Layer):
            return set()
        return {f"grad_{name}" for name in subject.parameters.keys() - subject.frozen_parameters}

    def described(self, inputs: Sequence[ndarray | None]) -> dict[str, str]:
        """Say what each input is, for the report."""
        named = zip(self.input_names, inputs, strict=True)
        return {name: "absent" if x is None else f"{x.shape} {x.dtype}" for name, x in named}

    def output_shape(self, inputs: Sequence[ndarray | None]) -> tuple[int, ...]:
        """Return the shape of y."""
        tensors = self.tensors(inputs)
        with torch.no_grad(), _without_advice():
            return tuple(self._call(tensors, {}, torch.float64, "cpu")[0].shape)

    def tensors(self, inputs: Sequence[ndarray | None]) -> list[Tensor | None]:
        """Return inputs as float64 tensors; labels as int64."""
        return [None if array is None else tensor(array) for array in inputs]

    def evaluate(
        self,
        tensors: Sequence[Tensor | None],
        upstream: Tensor,
        wanted: Sequence[str],
        dtype: torch.dtype = torch.float64,
        device: str = "cpu",
    ) -> dict[str, Tensor]:
        """Run forward and backward and return, in float64 on the CPU, each array wanted."""
        grads = [name.removeprefix("grad_") for name in wanted if name.startswith("grad_")]
        leaves: dict[str, Tensor] = {}
        placed: list[Tensor | None] = []
        for name, tensor in zip(self.input_names, tensors, strict=True):
            here = None if tensor is None else tensor.detach().to(device, copy=True)
            if here is not None and here.is_floating_point():
                here = here.to(dtype)
                if name in grads:
                    leaves[name] = here.requires_grad_()
            placed.append(here)
        with _without_advice():
            y, states, parameters = self._call(placed, leaves, dtype, device)
            leaves |= {name: parameters[name] for name in grads if name in parameters}
            found = torch.autograd.grad(
                y, list(leaves.values()), upstream.to(device, dtype), allow_unused=True
            )  # fmt: skip
        results = {"y": y, **states}
        for (name, leaf), grad in zip(leaves.items(), found, strict=True):
            results[f"grad_{name}"] = torch.zeros_like(leaf) if grad is None else grad
        return {name: results[name].detach().to("cpu", torch.float64) for name in wanted if name in results}

    def _call(
        self, inputs: Sequence[Tensor | None], leaves: dict[str, Tensor], dtype: torch.dtype, device: str
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Return y, the states afterwards and the parameters, by the subject's names."""
        states = {self.input_names[i]: x for i in self.state if (x := inputs[i]) is not None}
        own = {name: tensor(array).to(device, dtype) for name, array in self.layer_state.items()}
        if not isinstance(self.reference, torch.nn.Module):
            parameters = {name: x.requires_grad_(name in self.parameters) for name, x in own.items()}
            return self.reference(*inputs, **parameters, **self.options), states, parameters
        module = copy.deepcopy(self.reference).to(device, dtype).train(self.training)
        arrays = dict(module.named_parameters()) | dict(module.named_buffers())
        with torch.no_grad():
            for name, value in own.items():
                arrays[self.names[name]].copy_(value)
        for parameter in module.parameters():
            parameter.requires_grad_()
        y = module(*inputs, **self.options)
        named = {name: arrays[self.names[name]] for name in own}
        buffers = {name: x for name, x in named.items() if name not in self.parameters}
        return y, states | buffers, {name: named[name] for name in self.parameters}


@contextmanager
def without_tf32() -> Iterator[None]:
    """Have CUDA multiply float32 matrices in float32, which TF32 rounds to 10 bits first."""
    precision, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = cudnn


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence PyTorch's advice, such as that padding='same' may copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tensor(array: ndarray) -> Tensor:
    """Return a copy as a float64 tensor, or int64 for labels."""
    wide = np.float64 if array.dtype.kind == "f" else np.int64
    return torch.from_numpy(np.array(array, wide, order="C"))


# ---- checks ----------------------------------------------------------------------------------------


def _common_dtype(inputs: Mapping[str, Any], parameters: Mapping[str, ndarray]) -> np.dtype:
    """Return the one dtype of all floating-point arrays, which must be NumPy's."""
    first: tuple[str, np.dtype] | None = None
    for name, array in {**inputs, **parameters}.items():
        if array is None:
            continue
        if type(array) is not ndarray:
            raise DTypeError(f"compare: {name} must be a NumPy array or None, got {check.described(array)}")
        if array.dtype.kind in "iub":
            continue
        if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise DTypeError(f"compare: {name} must be float32 or float64, got {array.dtype}")
        if first is None:
            first = name, array.dtype
        elif array.dtype != first[1]:
            raise DTypeError(
                f"compare: {name} must have the dtype of {first[0]}, {first[1]}, got {array.dtype}"
            )
    if first is None:
        raise InputError(
            f"compare: at least one input must be a floating-point array, got none among {', '.join(inputs)}"
        )
    return first[1]


def _check_module(
    module: torch.nn.Module, names: Mapping[str, str] | None, state: Mapping[str, ndarray]
) -> None:
    """Require one dtype, one device and, for a layer, the same parameters and buffers."""
    arrays = dict(module.named_parameters()) | dict(module.named_buffers())
    floats = {name: array for name, array in arrays.items() if array.is_floating_point()}
    for what in ("dtype", "device"):
        kinds = {name: getattr(array, what) for name, array in floats.items()}
        first = next(iter(kinds), None)
        for name, kind in kinds.items():
            if first is not None and kind != kinds[first]:
                raise InputError(
                    f"compare: {name} of {type(module).__name__} must have the {what} of {first}, "
                    f"{kinds[first]}, got {kind}"
                )
    if names is None:
        return
    counter = "num_batches_tracked"  # which a layer of your own need not have
    missing = set(names.values()) - arrays.keys()
    unknown = {name for name in arrays.keys() - set(names.values()) if not name.endswith(counter)}
    if missing or unknown:
        raise InputError(
            f"compare: the parameters of {type(module).__name__} must be the layer's: it lacks "
            f"{sorted(missing) or 'nothing'}, and has {sorted(unknown) or 'nothing'} besides; "
            "names= maps the layer's names to the module's"
        )
    for own, their in names.items():
        if tuple(arrays[their].shape) != state[own].shape:
            raise InputError(
                f"compare: {their} of {type(module).__name__} must have shape {state[own].shape} "
                f"as in the layer, got {tuple(arrays[their].shape)}"
            )


def _input_names(subject: Any, number: int) -> list[str]:
    """Return what the subject calls its inputs."""
    call = getattr(subject, "forward", subject)
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [positional[i] if i < len(positional) else f"input{i}" for i in range(number)]
