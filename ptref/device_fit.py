"""Training at the pace of the device: no step waits for Python, and Python waits for no step.

`npnet.train.run` looks at the loss after each minibatch, reports it, and can stop there; on a GPU it waits
for the device each time. `fit` queues whole epochs instead: the order of the samples, the learning rates and
the number of the step lie on the device, so that a step, gathering its minibatch included, can be replayed as
one CUDA graph without an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import Optimizer

from npnet import check
from npnet.errors import InputError
from ptref.device_data import DeviceData
from ptref.execution import PLAIN, Execution, memory_told
from ptref.graphs import Replayed, state_of

Rate = Callable[[int, int], float]
Step = Callable[..., tuple[Tensor, ...]]


class Training:
    """A module, its loss and its optimizer, ready to go through data on a device for so many epochs.

    Parameters
    ----------
    module : Module
        On the device of the data.
    loss : callable
        Takes outputs and target and gives a number.
    optimizer : Optimizer
        Made with the module's parameters; `sgd` makes one whose update is a single kernel.
    data : DeviceData
    batch_size : int
    epochs : int
    rate : callable, optional
        ``rate(step, steps)`` is the learning rate of a step, of so many in all. The optimizer's must be a
        tensor on the device then, as `sgd` makes it.
    execution : Execution, optional

    Raises
    ------
    InputError
        If the execution chosen is not possible on this device, or the optimizer's learning rate is no tensor
        where it is to change.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(256, 2)
    >>> data = DeviceData(x.numpy(), (x[:, 0] > 0).long().numpy(), torch.device("cpu"))
    >>> line = nn.Linear(2, 2)
    >>> optimizer = sgd(line, lr=0.5, momentum=0.9)
    >>> training = Training(line, nn.CrossEntropyLoss(), optimizer, data, batch_size=32, epochs=3)
    >>> losses = training.run(np.random.default_rng(0))
    >>> losses[-1] < 0.2 < losses[0]
    True
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Optimizer,
        data: DeviceData,
        *,
        batch_size: int,
        epochs: int,
        rate: Rate | None = None,
        execution: Execution = PLAIN,
    ) -> None:
        execution.require(data.device)
        self.batch_size = check.integer("Training", "batch_size", batch_size, least=1)
        self.epochs = check.integer("Training", "epochs", epochs, least=1)
        self.module, self.loss, self.optimizer = execution.placed(module), loss, optimizer
        self.data, self.execution = data, execution
        self._called = execution.called(module)
        self._rates = self._planned(rate)

        n, device = len(data), data.device
        self._order = torch.arange(n, device=device)
        self._places = torch.arange(min(self.batch_size, n), device=device)
        self._begun = torch.zeros(1, dtype=torch.int64, device=device)  # samples gone through in this epoch
        self._step = torch.zeros(1, dtype=torch.int64, device=device)  # in all epochs
        self._total = torch.zeros((), device=device)  # of the losses in this epoch
        function: Step = self._learn_next if data.resident else self._learn
        self._run: Step = Replayed(function, self._state) if execution.graphs else function

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.epochs * -(-len(self.data) // self.batch_size)

    def run(self, generator: Generator) -> list[float]:
        """Go through the data, epoch after epoch, and return the mean loss of each.

        Parameters
        ----------
        generator : numpy.random.Generator
            Shuffles; the minibatches are those of `npnet.data.minibatches`.

        Returns
        -------
        losses : list of float

        Raises
        ------
        InputError
            If the loss is no longer a number, or the device's memory does not suffice.
        """
        totals = []
        self._step.zero_()
        with self.execution.backends(), self._memory_told():
            self.module.train()
            for _ in range(self.epochs):
                self._total.zero_()
                self._epoch(generator.permutation(len(self.data)))
                totals.append(self._total.clone())
        losses: list[float] = (torch.stack(totals) / len(self.data)).tolist()
        if not np.isfinite(losses).all():
            raise InputError(f"training: the loss is no longer a number; epoch by epoch it was {losses}")
        return losses

    def restart(self, weights: dict[str, Tensor]) -> None:
        """Begin anew with other weights, in the memory that recorded steps know."""
        self.module.load_state_dict(weights)
        for state in self.optimizer.state.values():
            for value in state.values():
                if isinstance(value, Tensor):
                    value.zero_()

    def takes(self, n: int) -> bool:
        """Run a step of n samples without its update; lack of memory is raised."""
        x, target = next(self.data.minibatches(n, np.arange(n) % len(self.data)))
        self._backward(x, target)
        self.module.zero_grad(set_to_none=True)
        return True

    def _memory_told(self) -> AbstractContextManager[None]:
        return memory_told("training", self.batch_size, self.takes, self.data.device)

    def _planned(self, rate: Rate | None) -> Tensor | None:
        """Return the learning rates of all steps, on the device."""
        if rate is None:
            return None
        if not all(isinstance(group["lr"], Tensor) for group in self.optimizer.param_groups):
            raise InputError("Training: the optimizer's lr must be a tensor where it is to change; see sgd")
        return torch.tensor([rate(step, self.steps) for step in range(self.steps)]).to(self.data.device)

    def _epoch(self, order: ndarray) -> None:
        if not self.data.resident:
            for x, target in self.data.minibatches(self.batch_size, order):
                self._run(x, target)
            return
        self._order.copy_(torch.from_numpy(order))
        self._begun.zero_()
        whole, rest = divmod(len(order), self.batch_size)
        for _ in range(whole):
            self._run(self._places)
        if rest:
            self._run(self._places[:rest])

    # ---- what is replayed ------------------------------------------------------------------------------

    def _learn_next(self, places: Tensor) -> tuple[Tensor, ...]:
        """Learn from the minibatch whose turn it is; `places` says how many samples it has."""
        rows = self._order.index_select(0, (self._begun + places) % len(self.data))
        self._begun += len(places)
        return self._learn(*self.data.at(rows))

    def _learn(self, x: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """Forward, backward, update."""
        loss = self._backward(x, target)
        if self._rates is not None:
            rate = self._rates.index_select(0, self._step % self.steps)[0]
            for group in self.optimizer.param_groups:
                group["lr"].copy_(rate)
        self._step += 1
        self.optimizer.step()
        self._total += loss.detach() * len(target)
        return (loss.detach(),)

    def _backward(self, x: Tensor, target: Tensor) -> Tensor:
        with self.execution.autocast(x.device):
            y = self._called(self.execution.laid_out(x))
        loss = self.loss(y.float() if self.execution.amp else y, target)
        self.module.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def _state(self) -> list[Tensor]:
        """Return what recording must leave as it was."""
        rates = [group["lr"] for group in self.optimizer.param_groups if isinstance(group["lr"], Tensor)]
        return [*state_of(self.module, self.optimizer)(), *rates, self._begun, self._step, self._total]


def sgd(module: nn.Module, **settings: Any) -> torch.optim.SGD:
    """Return SGD whose update is one kernel, and whose learning rate is a number on the module's device.

    Parameters
    ----------
    module : Module
    **settings
        Of ``torch.optim.SGD``: momentum, nesterov, weight_decay.

    Returns
    -------
    optimizer : torch.optim.SGD

    Examples
    --------
    >>> sgd(nn.Linear(2, 1), momentum=0.9).param_groups[0]["momentum"]
    0.9
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    lr = torch.tensor(float(settings.pop("lr", 0.0)), device=parameters[0].device)
    return torch.optim.SGD(parameters, lr=lr, fused=True, **settings)


@dataclass(frozen=True)
class Judged:
    """How a module does on data.

    Parameters
    ----------
    loss : float
        Mean over all samples.
    accuracy : float in 0…1
    """

    loss: float
    accuracy: float


def judge(
    module: nn.Module, data: DeviceData, batch_size: int = 4096, execution: Execution = PLAIN
) -> Judged:
    """Pass once through data in evaluation mode, each sample once.

    Parameters
    ----------
    module : Module
        A classifier.
    data : DeviceData
        With class labels.
    batch_size : int
        Bears on memory and speed alone.
    execution : Execution, optional

    Returns
    -------
    judged : Judged
    """
    right = torch.zeros((), dtype=torch.int64, device=data.device)
    loss = torch.zeros((), dtype=torch.float64, device=data.device)
    before = module.training
    module.eval()
    with torch.inference_mode(), execution.backends():
        for x, target in data.minibatches(batch_size, np.arange(len(data))):
            with execution.autocast(data.device):
                y = module(execution.laid_out(x)).float()
            right += (y.argmax(dim=1) == target).sum()
            loss += nn.functional.cross_entropy(y, target, reduction="sum")
    module.train(before)
    return Judged(float(loss) / len(data), float(right) / len(data))
