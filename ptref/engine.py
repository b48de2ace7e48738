"""PyTorch as an engine of npnet's training loop: autograd, ``torch.nn`` losses, ``torch.optim``.

`TorchEngine` answers what `npnet.train.run` asks. `engine_for` makes one that starts where an npnet model
stands and meets the same losses, updates and dropped values, so that both engines can be held side by side.

Where `torch.distributed` is set up with several processes, each takes its part of the rows of every
minibatch. They all see the outputs for all rows, so that the loss means the same whatever it averages over,
and the gradients they add up are those of one process, apart from rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer, lr_scheduler

from npnet.engines import Spec
from npnet.errors import DTypeError, InputError
from npnet.nn import Layer
from npnet.parallel import cores, plan
from npnet.parallel import generators_for as shard_generators
from npnet.train import BatchResult
from ptref.convert import to_torch
from ptref.resume import Resumable

FUSED = ("SGD", "Adam", "AdamW")  # one kernel for a whole update, on the CPU as well
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
LABEL_LOSSES = ("CrossEntropyLoss", "NLLLoss", "cross_entropy", "nll_loss")
# What these average over is elements, in the shape of the outputs.
ELEMENT_LOSSES = (
    "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss",
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)  # fmt: skip


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
        Steps after each epoch.
    noise : Noise, optional
        What the module's `SharedDropout` layers draw from.

    Raises
    ------
    InputError
        If the loss gives one value for each sample instead of a number, the module has no parameters, or
        several processes are to train one with batch norm, which mixes their samples.
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Optimizer,
        schedule: lr_scheduler.LRScheduler | None = None,
        noise: Noise | None = None,
    ) -> None:
        if getattr(loss, "reduction", "mean") == "none":
            raise InputError("fit: loss must be one number for a minibatch, got reduction='none'")
        first = next(module.parameters(), None)
        if first is None:
            raise InputError("fit: module must have parameters, got none")
        self.module, self.loss, self.optimizer, self.schedule = module, loss, optimizer, schedule
        self.noise = noise
        self._dtype, self.device = first.dtype, first.device
        self.rank, self.processes = process()
        self._learning = module
        if self.processes > 1:
            if any(isinstance(part, BATCH_NORMS) for part in module.modules()):
                raise InputError("fit: module must be without batch norm where several processes train it")
            self._learning = DistributedDataParallel(module)

    @property
    def lr(self) -> float:
        """The optimizer's learning rate."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def ignore_index(self) -> int | None:
        """The loss's."""
        default = -100 if _is_one_of(LABEL_LOSSES, self.loss) else None
        return getattr(self.loss, "ignore_index", default)

    @property
    def targets(self) -> str:
        """What the loss compares with."""
        if self.ignore_index is not None:
            return "labels"
        return "numbers" if _is_one_of(ELEMENT_LOSSES, self.loss) else "any"

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
        y = self._shared(self._learning(self._tensor(x[rows])), rows, len(x))
        loss = self.loss(y, self._tensor(target))

        self.module.zero_grad(set_to_none=True)
        # Processes average their gradients, where their sum is wanted.
        (loss * self.processes).backward()  # type: ignore[no-untyped-call]
        grads = {name: parameter.grad for name, parameter in self.module.named_parameters()}
        found = {name: grad for name, grad in grads.items() if grad is not None}
        return self._outcome(loss, y, target, found)

    def update(self, grads: Mapping[str, Any]) -> None:
        """Let the optimizer step."""
        for name, parameter in self.module.named_parameters():
            parameter.grad = grads.get(name)
        self.optimizer.step()

    def predict(self, x: ndarray) -> ndarray:
        """Run the module in evaluation mode."""
        return _array(self._evaluated(x))

    def evaluate(self, x: ndarray, target: ndarray) -> BatchResult:
        """Run module and loss forward in evaluation mode."""
        y = self._evaluated(x)
        return self._outcome(self.loss(y, self._tensor(target)), y, target)

    def end_epoch(self) -> None:
        """Step the schedule."""
        if self.schedule is not None:
            self.schedule.step()

    def _evaluated(self, x: ndarray) -> Tensor:
        rows = self._rows(len(x))
        _mode(self.module, training=False)
        with torch.inference_mode():
            return self._shared(self.module(self._tensor(x[rows])), rows, len(x))

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
        if _is_one_of(ELEMENT_LOSSES, self.loss):
            return float(y.numel())
        if not _is_one_of(LABEL_LOSSES, self.loss):
            return float(len(target))
        if target.dtype.kind not in "iu":
            return float(y.numel() / y.shape[min(y.ndim, 2) - 1])
        labels = target[target != self.ignore_index]
        weight = getattr(self.loss, "weight", None)
        return float(labels.size if weight is None else _array(weight)[labels].sum(dtype=np.float64))


def _is_one_of(names: tuple[str, ...], loss: object) -> bool:
    """Tell whether a loss is one of PyTorch's, or made of one: a class or a function of a name."""
    own = {getattr(loss, "__name__", "")} | {kind.__name__ for kind in type(loss).__mro__}
    return not own.isdisjoint(names)


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


# ---- dropout that both engines share -------------------------------------------------------------------


class Noise:
    """The random numbers npnet's layers draw for a minibatch, for PyTorch's layers to draw.

    npnet may cut a minibatch into shards, each with a generator of its own, and see it whole again in the
    layers at the end, which draw from the given one; so does this.

    Parameters
    ----------
    model : Layer
        The npnet model whose noise it is.
    """

    def __init__(self, model: Layer) -> None:
        self.model = model
        self._rows = slice(0)
        self._sharded: list[tuple[int, Generator]] = []  # sizes of the shards, and what each draws from
        self._whole: list[tuple[int, Generator]] = []
        self._head: set[str] = set()

    def begin(self, x: ndarray, generator: Generator, rows: slice) -> None:
        """Begin a minibatch, of which some rows alone are wanted."""
        division = plan(self.model, x, training=True)
        sizes = [part.stop - part.start for part in division.shards]
        self._sharded = list(zip(sizes, shard_generators(generator, len(sizes)), strict=True))
        self._whole = [(len(x), generator)]
        self._head = set(division.head.children)
        self._rows = rows

    def kept(self, layer: str, sample: tuple[int, ...], p: float) -> ndarray:
        """Draw which values a layer keeps, for samples of a shape; see `npnet.functional.dropout`."""
        parts = self._whole if layer.partition(".")[0] in self._head else self._sharded
        drawn = [generator.random((size, *sample), dtype=np.float32) for size, generator in parts]
        kept: ndarray = np.concatenate(drawn)[self._rows] >= p
        return kept


class SharedDropout(nn.Module):
    """Dropout that drops what npnet's drops.

    Parameters
    ----------
    p : float
        Probability of being dropped.
    noise : Noise
        Draws what is dropped.
    name : str
        The layer's dotted name in the model whose noise it is.
    """

    def __init__(self, p: float, noise: Noise, name: str = "") -> None:
        super().__init__()
        self.p, self.noise, self.name = p, noise, name

    def forward(self, x: Tensor) -> Tensor:
        """Zero values in training and enlarge the others to make up for it."""
        if not self.training or self.p == 0:
            return x
        scale = 0.0 if self.p == 1 else 1 / (1 - self.p)
        kept = self.noise.kept(self.name, tuple(x.shape[1:]), self.p)
        return x * (torch.from_numpy(kept).to(x.device, x.dtype) * scale)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"p={self.p}"


def share_dropout(module: nn.Module, noise: Noise, name: str = "") -> nn.Module:
    """Return the module with every ``nn.Dropout`` in it replaced by `SharedDropout`.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    noise : Noise
        What the masks are drawn from.
    name : str
        The module's dotted name in the model.

    Returns
    -------
    module : torch.nn.Module
    """
    if type(module) is nn.Dropout:
        return SharedDropout(module.p, noise, name)
    for own, child in module.named_children():
        setattr(module, own, share_dropout(child, noise, f"{name}.{own}".removeprefix(".")))
    return module


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
    module = share_dropout(to_torch(model), noise).to(device)
    moved = [parameter for parameter in module.parameters() if parameter.requires_grad]
    chosen = optimizer.but(fused=True) if optimizer.kind in FUSED else optimizer
    mover = chosen.make(torch.optim, moved)
    planned = None if schedule is None else schedule.make(lr_scheduler, mover)
    with torch_threads(threads):
        engine = TorchEngine(module, loss_for(loss).to(device), mover, planned, noise)
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


def check_device(device: str) -> None:
    """Require a device that is there.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".

    Raises
    ------
    InputError
        If PyTorch sees no such device.
    """
    if device not in {"cpu", "cuda"}:
        raise InputError(f"the device must be cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        built = "is built without CUDA" if torch.version.cuda is None else "finds no GPU it can use"
        raise InputError(f"device cuda: PyTorch {torch.__version__} {built}; use --device cpu")


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
