"""A step recorded as a CUDA graph and replayed.

Launching a kernel takes the CPU some five microseconds; a small network's kernels take less than that to run,
so the GPU waits. A CUDA graph is the list of a step's kernels with their arguments, recorded once; replaying
it is one launch. The kernels read and write the same memory each time: inputs are copied to where the first
ones lay, and outputs are valid until the next replay. See PyTorch's notes on CUDA semantics, *CUDA Graphs*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

WARM_UPS = 3  # runs before recording: libraries choose their kernels and take their workspaces in the first


class Replayed:
    """A function of device tensors, recorded for each shape of its inputs, and replayed from then on.

    Parameters
    ----------
    function : callable
        Takes tensors and returns a tuple of tensors; it must not look at their values from Python.
    changes : callable
        Returns the tensors that the function changes beside its outputs. Recording runs the function, and
        puts them back: those that are there already as they were, those that came into being then (an
        optimizer's state) to zero.

    Notes
    -----
    The numbers are those of the function itself, to the bit: the kernels are the same ones.
    """

    def __init__(
        self, function: Callable[..., tuple[Tensor, ...]], changes: Callable[[], Iterable[Tensor]]
    ) -> None:
        self.function, self._changes = function, changes
        self._recorded: dict[Any, _Recording] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Replay the function on new inputs; what is returned is overwritten by the next call.

        Inputs may lie in the host's memory, best pinned: they are copied to the device in any case.
        """
        key = tuple((tensor.shape, tensor.dtype, tensor.stride()) for tensor in inputs)
        if key not in self._recorded:
            self._recorded[key] = _Recording(self.function, self._changes, inputs)
        return self._recorded[key].replay(inputs)


class _Recording:
    def __init__(
        self,
        function: Callable[..., tuple[Tensor, ...]],
        changes: Callable[[], Iterable[Tensor]],
        inputs: tuple[Tensor, ...],
    ) -> None:
        self.inputs = tuple(tensor.to("cuda", copy=True) for tensor in inputs)
        before = {id(tensor): (tensor, tensor.detach().clone()) for tensor in changes()}
        noise = torch.cuda.get_rng_state()
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UPS):
                function(*self.inputs)
        torch.cuda.current_stream().wait_stream(beside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = function(*self.inputs)
        with torch.no_grad():
            for tensor in changes():
                known = before.get(id(tensor))
                tensor.zero_() if known is None else tensor.copy_(known[1])
        torch.cuda.set_rng_state(noise)

    def replay(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        for own, given in zip(self.inputs, inputs, strict=True):
            if own is not given:
                own.copy_(given, non_blocking=True)
        self.graph.replay()
        return self.outputs


def state_of(module: nn.Module, optimizer: Optimizer | None = None) -> Callable[[], list[Tensor]]:
    """Return what lists the tensors that a step changes: parameters, buffers, the optimizer's state.

    Parameters
    ----------
    module : Module
    optimizer : Optimizer, optional
        If the step updates as well.

    Returns
    -------
    listed : callable
        Without arguments; returns the tensors as they are at that moment.

    Examples
    --------
    >>> linear = nn.Linear(2, 1)
    >>> len(state_of(linear, torch.optim.SGD(linear.parameters()))())
    2
    """

    def listed() -> list[Tensor]:
        found = [*module.parameters(), *module.buffers()]
        if optimizer is not None:
            for state in optimizer.state.values():
                found += [value for value in state.values() if isinstance(value, Tensor)]
        return found

    return listed
