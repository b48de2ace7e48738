"""Training on PyTorch autograd through npnet's own loop: on the CPU, on a GPU, in several processes.

``npnet train RECIPE --engine torch`` trains a recipe in one process. In several, which share the rows of
every minibatch and add up their gradients::

    torchrun --nproc-per-node 2 -m ptref.train RECIPE [options of npnet train]

The first process reports and writes; the weights are those of one process, apart from rounding. With
``--resume RUN`` as many processes as before go on to the same bits, more or fewer to the same apart from
rounding. With ``torchrun --max-restarts N`` they go on by themselves where one has died.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler

from npnet import cli
from npnet.cli._output import MISTAKE, complain
from npnet.errors import InputError, MissingError
from npnet.run import watching
from npnet.train import Data, Epoch, History, ProgressMode, Recorder, ScheduleEvery, State, run
from ptref.engine import TorchEngine, process
from ptref.launch import Launch
from ptref.task import RUN, Task, task_of


def fit(
    module: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: Optimizer,
    data: Data,
    *,
    epochs: int = 10,
    batch_size: int = 64,
    generator: Generator | int | None = None,
    schedule: lr_scheduler.LRScheduler | None = None,
    schedule_every: ScheduleEvery = "epoch",
    patience: int | None = None,
    drop_last: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 300.0,
    detect_anomaly: bool = False,
    progress: ProgressMode = True,
    on_epoch: Callable[[Epoch], Any] | None = None,
    on_step: Callable[[State], Any] | None = None,
    on_backward: Callable[[State], Any] | None = None,
    recorder: Recorder | None = None,
) -> History:
    """Train a module of PyTorch as `npnet.fit` trains a model of npnet: the same loop, the same minibatches.

    Within `processes`, or wherever else `torch.distributed` is set up, every process calls this with equal
    arguments and learns from its part of every minibatch.

    Parameters
    ----------
    module : Module
        On whichever device. Its dropout draws from PyTorch's own generator. Of several processes, each seeds
        that for every step, from `generator` and its number, and leaves it as it was.
    loss : loss of ``torch.nn``, or any callable
    optimizer : torch.optim.Optimizer
        Made with the module's parameters.
    data, epochs, batch_size, generator, patience, drop_last, progress, on_epoch, on_step, on_backward
        As in `npnet.fit`; gradients in ``state.grads`` are tensors.
    recorder : Recorder, optional
        As in `npnet.fit`. It records dead units if it was made with an npnet model of the same parameters.
    checkpoint, resume, checkpoint_seconds, detect_anomaly
        As in `npnet.fit`. Of several processes, the first one writes the checkpoints. As many processes go on
        to the same bits. Another number goes on with the same minibatches, to the same weights apart from
        rounding, provided that the module draws nothing at random by itself.
    schedule : schedule of ``torch.optim.lr_scheduler``, optional
    schedule_every : "epoch" or "step"
        Whether the schedule steps after each epoch or after each update of the weights.

    Returns
    -------
    history : History

    Raises
    ------
    InputError
        As `npnet.fit` and `ptref.engine.TorchEngine`.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet.data import digits
    >>> _ = torch.manual_seed(0)
    >>> module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    >>> data = digits(np.random.default_rng(0))
    >>> history = fit(module, nn.CrossEntropyLoss(), sgd, data, epochs=3, batch_size=32, progress=False)
    >>> history.epochs[-1].validation_accuracy > 0.8
    True
    """
    return run(
        TorchEngine(module, loss, optimizer, schedule, schedule_every=schedule_every),
        data,
        epochs=epochs,
        batch_size=batch_size,
        generator=generator,
        patience=patience,
        drop_last=drop_last,
        checkpoint=checkpoint,
        resume=resume,
        checkpoint_seconds=checkpoint_seconds,
        detect_anomaly=detect_anomaly,
        progress=progress if process()[0] == 0 else False,
        on_epoch=on_epoch,
        on_step=on_step,
        on_backward=on_backward,
        recorder=recorder,
    )


@contextmanager
def processes(device: str = "cpu") -> Iterator[int]:
    """Join the processes that torchrun has started, where it has.

    Parameters
    ----------
    device : "cpu" or "cuda"
        With cuda, each process of a machine takes a GPU of its own.

    Yields
    ------
    rank : int
        The number of this process.

    Examples
    --------
    >>> with processes() as rank:
    ...     rank
    0
    """
    with Launch().group(device) as rank:
        yield rank


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``npnet train --engine torch`` in every process; the first alone reports and writes.

    What is wrong is said once: by the first process, if it knows. Processes that torchrun has restarted
    (``--max-restarts``) go on with the run they had begun, from its last checkpoint.

    Parameters
    ----------
    arguments : sequence of str, optional
        The options of ``npnet train``; those of the process by default.

    Returns
    -------
    status : int
        That of ``npnet train``.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        launch = Launch()
        task = Task.read(launch.told("task", lambda: task_of(given, launch).written()))
        with tempfile.TemporaryDirectory() as place:
            own = _own_arguments(task, launch, Path(place))
            if task.status is not None or own is None:
                return MISTAKE if task.status is None else task.status
            with launch.group(task.device):
                return _ended(_first(launch, own) if launch.rank == 0 else _another(launch, own))
    except MissingError as error:  # another process has ended
        return complain(str(error), MISTAKE)


def _own_arguments(task: Task, launch: Launch, place: Path) -> list[str] | None:
    """Return the arguments for this process once all have theirs; None if one has not, which is said."""
    arguments, mistake = None, ""
    try:
        if task.device == "cuda" and launch.size > 1:
            launch.own_gpu()
        arguments = task.of_process(launch.rank, place)
    except InputError as error:
        mistake = str(error)
    if mistake := launch.agreed("arguments", mistake):
        if launch.rank == 0:
            complain(mistake, MISTAKE)
        return None
    return arguments


def _first(launch: Launch, arguments: list[str]) -> int:
    """Train, report and write."""
    with watching(lambda folder: launch.remember(RUN, str(folder.resolve()))):
        status = cli.main(["train", *arguments])
    if status == MISTAKE:
        launch.says()  # which keeps the others from saying the same
    return status


def _another(launch: Launch, arguments: list[str]) -> int:
    """Do the same work, and say nothing but what the first process does not."""
    said = StringIO()
    with redirect_stdout(StringIO()), redirect_stderr(said):
        status = cli.main(["train", *arguments])
    if status == MISTAKE and launch.says():
        sys.stderr.write(said.getvalue())
    return status


def _ended(status: int) -> int:
    """Return the status; after a mistake, leave at once, for others may be at work and wait for this one."""
    if status == MISTAKE and torch.distributed.is_initialized():
        raise SystemExit(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
