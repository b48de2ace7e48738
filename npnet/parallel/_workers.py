"""The threads of a step, and the limit on NumPy's BLAS, whose own threads would compete with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock, get_ident
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from npnet.kernels.pieces import (
    Executor,
    Work,
    current_executor,
    run_in_order,
    set_executor,
    using_executor,
)

# Bytes. glibc's mmap threshold does not rise above 32 MiB.
LARGEST_KEPT = 31 * 1024 * 1024

Result = TypeVar("Result")


class Workers:
    """A pool of threads, the calling thread included.

    The pool exists while at least one holder does: a ``with`` block, or a call under way in any thread.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.holders = 0
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0  # the process that started the pool

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the number of threads alone; the copy starts a pool of its own."""
        return type(self), (self.threads,)

    def enter(self) -> None:
        """Hold the pool, and let it do the pieces of large operations in this context."""
        self.hold()
        if self.threads > 1:
            set_executor(_Share(self, current_executor()))

    def leave(self) -> None:
        """Undo `enter`, perhaps in another context."""
        current = current_executor()
        if isinstance(current, _Share) and current.workers is self:
            current = current.outer
        self.release()
        # A block that ended in another context, or in another order, left its executor behind: remove it.
        while isinstance(current, _Share) and not current.workers.holders:
            current = current.outer
        set_executor(current)

    def hold(self, *, only_if_held: bool = False) -> bool:
        """Keep the pool until `release`; return whether there is one."""
        with _lock:
            if not self.holders:
                if only_if_held:
                    return False
                _keep_freed_memory()
                blas.hold()
                self._start()
            self.holders += 1
            return True

    def release(self) -> None:
        """Shut the pool down unless somebody else holds it."""
        with _lock:
            self.holders -= 1
            if self.holders:
                return
            pool, self._pool = self._pool, None
            blas.release()
        if pool is not None and self._process == os.getpid():
            pool.shutdown()

    def _start(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads - 1, "npnet") if self.threads > 1 else None
        self._process = os.getpid()

    def _running_pool(self) -> ThreadPoolExecutor | None:
        """Return the pool; a forked process has lost its threads and starts new ones."""
        if self._pool is not None and self._process != os.getpid():
            with _lock:
                if self._process != os.getpid():
                    self._start()
        return self._pool

    def map(self, work: Callable[..., Result], *items: Sequence[Any]) -> list[Result]:
        """Return what `work` returns for each item, in their order; the calling thread does its share."""
        jobs = list(zip(*items, strict=True))
        pool = self._running_pool() if len(jobs) > 1 else None
        if pool is None:
            return [work(*job) for job in jobs]

        def do(share: list[tuple[Any, ...]]) -> list[Result]:
            with using_executor(run_in_order):  # all threads are busy already
                return [work(*job) for job in share]

        count = min(self.threads, len(jobs))
        others: list[Future[list[Result]]] = []
        try:
            # The context carries NumPy's error settings into the threads.
            others.extend(pool.submit(copy_context().run, do, jobs[i::count]) for i in range(1, count))
            own = do(jobs[::count])
        finally:
            for other in others:
                other.exception()  # wait, since the thread works on arrays of this call
        done = [own, *(other.result() for other in others)]
        return [done[i % count][i // count] for i in range(len(jobs))]


class _Share:
    """An executor of pieces: the pool runs them while it is held, otherwise the outer executor does.

    A ``with`` block may end in another context than it began in and leave its executor behind there, which
    must then do no harm.
    """

    def __init__(self, workers: Workers, outer: Executor) -> None:
        self.workers, self.outer = workers, outer

    def __call__(self, work: Work, pieces: Sequence[slice]) -> object:
        if not self.workers.hold(only_if_held=True):
            return self.outer(work, pieces)
        try:
            return self.workers.map(work, pieces)
        finally:
            self.workers.release()


def _keep_freed_memory() -> None:
    """Let the C library keep memory that is freed after a step for the next one.

    By default glibc returns large arrays to the operating system, which must then map every page anew while
    all threads wait. Freeing one large array raises its mmap threshold to that size, and its trim threshold
    to twice as much (mallopt(3), M_MMAP_THRESHOLD): from then on it keeps the memory. The array is never
    written to, so it takes no memory itself. With other C libraries this has no effect.
    """
    np.empty(LARGEST_KEPT, np.uint8)


class Blas:
    """NumPy's BLAS, one per process: limited to one thread while any step is running."""

    def __init__(self) -> None:
        self._controller: ThreadpoolController | None = None
        self._limited: Any = None
        self._thread = 0  # the thread that set the limit
        self._users = 0

    def controller(self) -> ThreadpoolController:
        """Return the controller of the BLAS libraries, which are searched for once."""
        if self._controller is None:
            self._controller = ThreadpoolController()
        return self._controller

    def hold(self) -> None:
        """Set the limit, unless it is set already."""
        if not self._users:
            self._limited = self.controller().limit(limits=1, user_api="blas")
            self._thread = get_ident()
        self._users += 1

    def release(self) -> None:
        """Lift the limit after the last `hold` was released."""
        self._users -= 1
        if not self._users:
            # For some libraries threadpoolctl lets only the thread that set a limit change it.
            if self._thread != get_ident():
                self._clear_owner(force=True)
            self._limited.restore_original_limits()
            self._clear_owner(force=False)

    def _clear_owner(self, *, force: bool) -> None:
        for library in self.controller().lib_controllers:
            if hasattr(library, "clear_controlling_thread"):  # not in every version
                library.clear_controlling_thread(force=force)


blas = Blas()
_lock = Lock()  # guards the counts of holders and users


def _renew_lock() -> None:
    """Replace the lock in a forked process: a thread that held it does not exist there."""
    global _lock  # noqa: PLW0603 - one lock for the process
    _lock = Lock()


if hasattr(os, "register_at_fork"):  # not on every system
    os.register_at_fork(after_in_child=_renew_lock)
