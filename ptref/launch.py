"""The processes that torchrun has started together: how they find each other, and what they tell each other.

They meet at torchrun's store, a table of texts by name. It outlives them: where torchrun starts them anew,
because one has died (``--max-restarts``), it still holds what the first ones wrote. So what concerns one
generation of processes goes under that generation's number, and what is to last under the launch's name.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
import torch.distributed
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from npnet._words import counted, one_line
from npnet.errors import InputError, MissingError
from ptref.peers import missed

ENVIRONMENT = ("RANK", "0"), ("WORLD_SIZE", "1")
PATIENCE = timedelta(seconds=2)  # for the first process to say what is wrong, where another one knows it too


class Launch:
    """One process of those started together; without torchrun it is alone.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many there are.
    restarts : int
        How often torchrun has started them anew.

    Raises
    ------
    MissingError
        If there is no store where they are to meet.

    Examples
    --------
    >>> launch = Launch()
    >>> launch.rank, launch.size, launch.told("seed", lambda: "0")
    (0, 1, '0')
    """

    def __init__(self) -> None:
        self.rank, self.size = (int(os.environ.get(name, default)) for name, default in ENVIRONMENT)
        self.restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
        self._lasting: Store | None = None
        self._own: Store | None = None
        if self.size > 1 or "TORCHELASTIC_RUN_ID" in os.environ:
            store = _store(self.rank)
            name = f"npnet {os.environ.get('TORCHELASTIC_RUN_ID', '')}"
            self._lasting = PrefixStore(name, store)
            self._own = PrefixStore(f"{name} {self.restarts}", store)

    # ---- the group -------------------------------------------------------------------------------------

    @contextmanager
    def group(self, device: str) -> Iterator[int]:
        """Join all processes to a group of `torch.distributed`, if there are several.

        Parameters
        ----------
        device : "cpu" or "cuda"
            With cuda, each process of a machine takes a GPU of its own.

        Yields
        ------
        rank : int

        Raises
        ------
        InputError
            If a process has no GPU.
        """
        if self.size == 1:
            yield 0
            return
        # The group's threads must end before the interpreter exits: a thread that frees a tensor during
        # shutdown aborts the process. So import the module before the group exists: its functions would
        # otherwise keep the group alive as a default argument.
        importlib.import_module("torch.distributed.nn")
        if device == "cuda":
            torch.cuda.set_device(self.own_gpu())
        torch.distributed.init_process_group(
            "nccl" if device == "cuda" else "gloo", store=self._own, rank=self.rank, world_size=self.size
        )
        try:
            yield self.rank
            with suppress(RuntimeError):  # where others have ended already
                torch.distributed.barrier()  # a process that exits early breaks the others' connections
        finally:
            torch.distributed.destroy_process_group()
            gc.collect()  # reference cycles hold the group too

    def own_gpu(self) -> int:
        """Return the number of the GPU that this process has for itself.

        Raises
        ------
        InputError
            If there are more processes than GPUs on this machine.
        """
        own, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if own >= there:
            raise InputError(
                f"device cuda: each process must have a GPU of its own, but process {self.rank} finds "
                f"{counted(there, 'GPU')} for {own + 1} processes or more; start as many as there are GPUs"
            )
        return own

    # ---- what they tell each other ---------------------------------------------------------------------

    def told(self, name: str, tell: Callable[[], str]) -> str:
        """Return what the first process has to tell, in all of them.

        Parameters
        ----------
        name : str
            What it is about; each name serves once.
        tell : callable
            Called in the first process alone.

        Returns
        -------
        text : str

        Raises
        ------
        MissingError
            If the first process has ended before.
        """
        if self._own is None:
            return tell()
        if self.rank == 0:
            self._own.set(name, tell())
        with missed():
            return self._own.get(name).decode()

    def agreed(self, name: str, mistake: str) -> str:
        """Return the first mistake that one of the processes has met, in all of them; empty if none has.

        Parameters
        ----------
        name : str
            What it is about; each name serves once.
        mistake : str
            This process's own, or nothing.

        Returns
        -------
        mistake : str

        Raises
        ------
        MissingError
            If one of them has ended before.
        """
        if self._own is None or self.size == 1:
            return mistake
        self._own.set(f"{name} {self.rank}", mistake)
        with missed():
            found = [self._own.get(f"{name} {rank}").decode() for rank in range(self.size)]
            self._own.set(f"{name} {self.rank} read", "")
            if self.rank == 0:  # where it keeps the store itself, it must not leave before the others
                self._own.wait([f"{name} {rank} read" for rank in range(self.size)])
        return next(filter(None, found), "")

    def says(self) -> bool:
        """Return whether this process is the one to say what is wrong, of several that end with a mistake.

        It is the first of them if that one meets a mistake too. Any other one waits a little to see.
        """
        if self._own is None or self.size == 1:
            return True
        if self.rank == 0:
            self._own.set("mistake", "")
            return True
        with suppress(RuntimeError):  # the first process is at work still, or has not lived to say anything
            self._own.wait(["mistake"], PATIENCE)
            return False
        return True

    # ---- what lasts ------------------------------------------------------------------------------------

    @property
    def remembers(self) -> bool:
        """Whether the store is torchrun's, not one that the first process keeps and that ends with it."""
        return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "False"

    def remember(self, name: str, text: str) -> None:
        """Keep a text for processes that torchrun may start in the place of these."""
        if self._lasting is not None:
            with missed():
                self._lasting.set(name, text)

    def remembered(self, name: str) -> str:
        """Return the text that processes before these have kept under a name; empty without one."""
        if self._lasting is None or not self.restarts or not self._lasting.check([name]):
            return ""
        return self._lasting.get(name).decode()


def _store(rank: int) -> Store:
    """Return the store at the address that torchrun gives."""
    settings = "MASTER_ADDR", "MASTER_PORT"
    store: Store
    try:
        store, _, _ = next(rendezvous("env://"))
    except (RuntimeError, ValueError) as error:  # no connection; a setting that is missing
        place = ":".join(os.environ.get(name, f"({name} is not set)") for name in settings)
        raise MissingError(
            f"process {rank} finds no store at {place}, where all processes meet ({one_line(str(error))})"
        ) from error
    while isinstance(store, PrefixStore):  # which may be that of a generation
        store = store.underlying_store
    return store
