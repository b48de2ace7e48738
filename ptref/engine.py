"""PyTorch as an engine of npnet's training loop: autograd, ``torch.nn`` losses, ``torch.optim``.

`TorchEngine` answers what `npnet.train.run` asks. `engine_for` makes one that starts where an npnet model
stands and meets the same losses, updates and dropped values, so that both engines can be held side by side.

Where `torch.distributed` is set up with several processes, each takes its part of the rows of every
minibatch, and the gradients they add up are those of one process, apart from rounding. PyTorch's own losses
are sums over samples, divided by a number that the targets tell: each process goes backward from its own part
of the loss while outputs travel. Any other loss may average over what it likes. It is given the outputs for
all rows, and every process waits for those of the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.distributed
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer, lr_scheduler

from npnet import check
from npnet.engines import Spec
from npnet.errors import DTypeError, InputError
from npnet.nn import Layer
from npnet.parallel import cores
from npnet.train import BatchResult, ScheduleEvery
from npnet.train.engine import SCHEDULE_EVERY
from ptref.convert import to_torch
from ptref.device import check_device
from ptref.draws import Draws
from ptref.execution import Execution, chosen, memory_told, room_told
from ptref.graphs import Replayed, state_of
from ptref.loss_parts import ELEMENT_LOSSES, LABEL_LOSSES, Sent, divisor, has_parts, in_parts, is_one_of
from ptref.peers import missed
from ptref.resume import Resumable
from ptref.shared_dropout import Noise, SharedDropout, share_dropout

FUSED = ("SGD", "Adam", "AdamW")  # one kernel for a whole update, on the CPU as well
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


# ---- the engine ----------------------------------------------------------------------------------------


class TorchEngine(Resumable):
    """A PyTorch module, what it is judged by, and what moves its parameters.

    Parameters
    ----------
    module : Module
        On whichever device; minibatches are brought there.
    loss : callable
        Takes outputs and target and gives a number: a loss of ``torch.nn``, usually. One that averages over
        something else than samples and is not PyTorch's needs a method ``divisor(outputs, target)``, as
        `npnet.nn.Loss` has.
    optimizer : torch.optim.Optimizer
        Made with this module's parameters.
    schedule : schedule of ``torch.optim.lr_scheduler``, optional
    noise : Noise, optional
        What the module's `SharedDropout` layers draw from.
    execution : Execution, optional
        Precision, memory format, compiled or not, replayed or not; by default what `choosing` has chosen.
    schedule_every : "epoch" or "step"
        Whether the schedule steps after each epoch or after each update.

    Raises
    ------
    InputError
        If the loss gives one value for each sample instead of a number, the module has no parameters,
        several processes are to train one with batch norm, which mixes their samples, or graphs cannot be
        replayed: without CUDA, in several processes, or where npnet draws what dropout drops.
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Optimizer,
        schedule: lr_scheduler.LRScheduler | None = None,
        noise: Noise | None = None,
        execution: Execution | None = None,
        schedule_every: ScheduleEvery = "epoch",
    ) -> None:
        if getattr(loss, "reduction", "mean") == "none":
            raise InputError("fit: loss must be one number for a minibatch, got reduction='none'")
        first = next(module.parameters(), None)
        if first is None:
            raise InputError("fit: module must have parameters, got none")
        self.execution = chosen() if execution is None else execution
        self.module = self.execution.placed(module)
        self.loss, self.optimizer, self.schedule = loss, optimizer, schedule
        check.choice("fit", "schedule_every", schedule_every, SCHEDULE_EVERY)
        self.noise, self.schedule_every = noise, schedule_every
        self._dtype, self.device = first.dtype, first.device
        self.rank, self.processes = process()
        self.draws = Draws(self.device, self.rank, self.processes, watched=noise is None)
        self._called = self._learning = self.execution.called(module)
        if self.processes > 1:
            if any(isinstance(part, BATCH_NORMS) for part in module.modules()):
                raise InputError(
                    "fit: module must be without batch norm where several processes train it; train it in one"
                )
            together = DistributedDataParallel(module, gradient_as_bucket_view=True)
            self._learning = self.execution.called(together)
        self._part = in_parts(loss) if self.processes > 1 else None
        self._check_graphs()
        self._replayed = Replayed(self._learn, state_of(module)) if self.execution.graphs else None

    @property
    def lr(self) -> float:
        """The optimizer's learning rate."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def ignore_index(self) -> int | None:
        """The loss's."""
        default = -100 if is_one_of(LABEL_LOSSES, self.loss) else None
        return getattr(self.loss, "ignore_index", default)

    @property
    def targets(self) -> str:
        """What the loss compares with."""
        if self.ignore_index is not None:
            return "labels"
        return "numbers" if is_one_of(ELEMENT_LOSSES, self.loss) else "any"

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The first parameter's, in NumPy's words."""
        return np.dtype(str(self._dtype).removeprefix("torch."))

    @property
    def couples_samples(self) -> bool:
        """Whether there is a batch norm."""
        return any(isinstance(part, BATCH_NORMS) for part in self.module.modules())

    def forward_backward(self, x: ndarray, target: ndarray, generator: Generator) -> BatchResult:
        """Run forward and backward; the gradients are the tensors that the parameters hold."""
        rows = self._rows(len(x))
        if self.noise is not None:
            self.noise.begin(x, generator, rows)
        _mode(self.module, training=True)
        drawing = self.draws.within(generator)
        fits = partial(self._learns, x, target)
        with self.execution.backends(), missed(), memory_told("fit", len(x), fits, self.device), drawing:
            if self._replayed is None:
                loss, y, *grads = self._learn(self._tensor(x[rows]), self._tensor(target))
            else:
                loss, y, *grads = self._replayed(self._tensor(x), self._tensor(target))
        return self._outcome(loss, y, target, dict(zip(self._learnt, grads, strict=True)))

    def _learn(self, x: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """Return loss, outputs, and the gradients of those parameters that have one."""
        n = len(target)
        own, rows = self._outputs(self._learning, x), self._rows(n)
        if self._part is None or not has_parts(own, target):
            y = self._shared(own, rows, n)
            loss = self.loss(y, target)
            self._backward(loss)
        else:
            part = self._part(own, target, rows)
            sent = Sent(part.detach(), own.detach(), rows, n)
            self._backward(part)
            loss, y = sent.received()
        grads = {name: parameter.grad for name, parameter in self.module.named_parameters()}
        found = {name: grad for name, grad in grads.items() if grad is not None}
        self._learnt = list(found)
        return loss.detach(), y.detach(), *found.values()

    def _backward(self, loss: Tensor) -> None:
        """Leave the gradients in the parameters, added up over the processes."""
        self.module.zero_grad(set_to_none=True)
        # Processes average their gradients, where their sum is wanted.
        (loss * self.processes).backward()  # type: ignore[no-untyped-call]

    def update(self, grads: Mapping[str, Any]) -> None:
        """Let the optimizer step, and the schedule after it if it does so at every step."""
        for name, parameter in self.module.named_parameters():
            parameter.grad = grads.get(name)
        with room_told("fit: what the optimizer keeps"):
            self.optimizer.step()
        self._step_schedule("step")

    def predict(self, x: ndarray) -> ndarray:
        """Run the module in evaluation mode."""
        return _array(self._evaluated(x))

    def evaluate(self, x: ndarray, target: ndarray) -> BatchResult:
        """Run module and loss forward in evaluation mode."""
        y = self._evaluated(x)
        return self._outcome(self.loss(y, self._tensor(target)), y, target)

    def end_epoch(self) -> None:
        """Step the schedule, if it does so after each epoch."""
        self._step_schedule("epoch")

    def _step_schedule(self, after: ScheduleEvery) -> None:
        if self.schedule is not None and self.schedule_every == after:
            self.schedule.step()

    def _evaluated(self, x: ndarray) -> Tensor:
        rows = self._rows(len(x))
        _mode(self.module, training=False)
        fits = partial(self._answers, x)
        told = memory_told("evaluation", len(x), fits, self.device)
        with torch.inference_mode(), self.execution.backends(), missed(), told:
            return self._shared(self._outputs(self._called, self._tensor(x[rows])), rows, len(x))

    def _outputs(self, called: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Run the module as chosen; outputs are in its own dtype again."""
        with self.execution.autocast(self.device):
            y = called(self.execution.laid_out(x))
        return y.to(self._dtype)

    def _check_graphs(self) -> None:
        self.execution.require(self.device)
        if not self.execution.graphs:
            return
        if self.processes > 1:
            raise InputError(
                "fit: graphs must be replayed in one process, got several; train in one or leave out --graphs"
            )
        if any(isinstance(part, SharedDropout) and part.p for part in self.module.modules()):
            raise InputError(
                "fit: graphs must be without dropout that npnet draws, which comes from the CPU anew for "
                "each minibatch; leave out --graphs"
            )

    def _learns(self, x: ndarray, target: ndarray, n: int) -> bool:
        """Go forward and backward as with a minibatch of n samples; lack of memory is raised.

        Of several processes each does so alone, with as many rows as it would have at most, for the others
        do not know that it does.
        """
        self.module.zero_grad(set_to_none=True)
        rows = slice(-(-n // self.processes))
        if self.noise is not None:
            self.noise.begin(x[:n], np.random.default_rng(0), rows)
        loss = self.loss(self._outputs(self._called, self._tensor(x[rows])), self._tensor(target[rows]))
        learnt = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        torch.autograd.grad(loss, learnt, allow_unused=True)
        return True

    def _answers(self, x: ndarray, n: int) -> bool:
        """Go forward as with a minibatch of n samples, in this process alone; lack of memory is raised."""
        self._outputs(self._called, self._tensor(x[: -(-n // self.processes)]))
        return True

    def _rows(self, n: int) -> slice:
        """Return which rows of a minibatch are this process's."""
        return slice(self.rank * n // self.processes, (self.rank + 1) * n // self.processes)

    def _shared(self, own: Tensor, rows: slice, n: int) -> Tensor:
        """Return the outputs of all processes; gradients flow back to this one's own."""
        if self.processes == 1:
            return own
        everyone = own.new_zeros((n, *own.shape[1:]))
        everyone[rows] = own.detach()
        torch.distributed.all_reduce(everyone)
        return torch.cat([everyone[: rows.start], own, everyone[rows.stop :]])

    def _tensor(self, array: ndarray) -> Tensor:
        """Bring an array to the module's device; class labels become int64, as ``torch.nn`` wants them."""
        if array.dtype.kind in "iu":
            return torch.from_numpy(array.astype(np.int64, copy=False)).to(self.device)
        tensor = torch.from_numpy(array)
        if tensor.dtype != self._dtype:
            raise DTypeError(f"fit: data must be {self._dtype}, as the module is, got {tensor.dtype}")
        return tensor.to(self.device)

    def _outcome(
        self, loss: Tensor, y: Tensor, target: ndarray, grads: dict[str, Any] | None = None
    ) -> BatchResult:
        """Return what a minibatch gave, with a mean in place of a sum."""
        value, divisor = float(loss.detach()), self._divisor(y, target)
        if getattr(self.loss, "reduction", "mean") == "sum":
            value = value / divisor if divisor else np.nan
        return BatchResult(value, divisor, _array(y), grads or {})

    def _divisor(self, y: Tensor, target: ndarray) -> float:
        """Return what the loss's mean divides by; see `npnet.nn.Loss.divisor`."""
        if hasattr(self.loss, "divisor"):
            return float(self.loss.divisor(y, target))
        if is_one_of(ELEMENT_LOSSES, self.loss):
            return float(y.numel())
        if not is_one_of(LABEL_LOSSES, self.loss):
            return float(len(target))
        return float(divisor(self.loss, torch.from_numpy(target)))


def process() -> tuple[int, int]:
    """Return the number of this process and how many there are.

    Returns
    -------
    rank, size : int

    Examples
    --------
    >>> process()
    (0, 1)
    """
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def _mode(module: nn.Module, *, training: bool) -> None:
    if module.training != training:  # going through all layers takes longer than asking
        module.train(training)


def _array(tensor: Tensor) -> ndarray:
    array: ndarray = tensor.detach().cpu().numpy()
    return array


# ---- an engine that stands in for npnet's --------------------------------------------------------------


@contextmanager
def engine_for(
    model: Layer,
    loss: Spec,
    optimizer: Spec,
    schedule: Spec | None = None,
    *,
    device: str = "cpu",
    threads: int | None = None,
    execution: Execution | None = None,
    schedule_every: ScheduleEvery = "epoch",
) -> Iterator[TorchEngine]:
    """Learn with PyTorch what an npnet model would learn; at the end the model has the weights.

    Parameters
    ----------
    model : Layer
        Where the weights come from and go to.
    loss, optimizer, schedule : `npnet.engines.Spec`
        Classes by their names, in ``torch.nn``, ``torch.optim`` and ``torch.optim.lr_scheduler``.
    device : "cpu" or "cuda"
    threads : int, optional
        How many PyTorch computes with; by default all cores, shared among the processes of a machine.
    execution : Execution, optional
        Precision, memory format, compiled or not, replayed or not; by default what `choosing` has chosen.
    schedule_every : "epoch" or "step"
        Whether the schedule steps after each epoch or after each update.

    Yields
    ------
    engine : TorchEngine

    Raises
    ------
    InputError
        If the model has a layer PyTorch has not, or there is no such device.

    Examples
    --------
    >>> from npnet import nn as npn, train
    >>> from npnet.data import ArrayDataset
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(100, 1))
    >>> points = ArrayDataset(x, 2 * x + 1)
    >>> line = npn.Linear(1, 1, generator=rng, dtype=np.float64)
    >>> with engine_for(line, Spec("MSELoss"), Spec("SGD", lr=0.1)) as engine:
    ...     history = train.run(engine, points, epochs=20, batch_size=10, generator=rng)
    >>> float(line.weight[0, 0].round(3)), float(line.bias[0].round(3))
    (2.0, 1.0)
    """
    check_device(device)
    noise = Noise(model)
    with room_told("fit: the model"):
        module = share_dropout(to_torch(model), noise).to(device)
    moved = [parameter for parameter in module.parameters() if parameter.requires_grad]
    chosen = optimizer.but(fused=True) if optimizer.kind in FUSED else optimizer
    mover = chosen.make(torch.optim, moved)
    planned = None if schedule is None else schedule.make(lr_scheduler, mover)
    with torch_threads(threads):
        engine = TorchEngine(
            module, loss_for(loss).to(device), mover, planned, noise, execution, schedule_every
        )
        try:
            yield engine
        finally:  # after an error too: the engine has its best weights back by then
            model.load_state_dict({name: _array(tensor) for name, tensor in module.state_dict().items()})


def loss_for(loss: Spec) -> nn.Module:
    """Return PyTorch's loss of a name; weights of classes become tensors.

    Parameters
    ----------
    loss : Spec

    Returns
    -------
    loss : torch.nn.Module
    """
    arrays = {name: value for name, value in loss.settings.items() if isinstance(value, ndarray)}
    made: nn.Module = loss.but(**{name: torch.from_numpy(value) for name, value in arrays.items()}).make(nn)
    return made


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Let PyTorch compute with so many threads.

    Parameters
    ----------
    number : int, optional
        How many; PyTorch's own choice if not given.
    """
    if number is None:
        number = max(1, cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
