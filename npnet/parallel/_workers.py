"""Threads, and NumPy's BLAS, which must not use threads of its own meanwhile."""

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

# Of larger arrays glibc takes no such notice.
LARGEST_KEPT = 31 * 1024 * 1024

Result = TypeVar("Result")


class Workers:
    """Threads that work side by side, this one and others.

    The others are there while anyone holds them: blocks and calls under way, in whichever thread.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.holders = 0
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0  # that the others are in

    def __reduce__(self) -> tuple[Any, ...]:
        """Start afresh in a copy."""
        return type(self), (self.threads,)

    def enter(self) -> None:
        """Hold the others, and have pieces of work in this context done by all."""
        self.hold()
        if self.threads > 1:
            set_executor(_Share(self, current_executor()))

    def leave(self) -> None:
        """End what `enter` began, perhaps in another context."""
        now = current_executor()
        if isinstance(now, _Share) and now.workers is self:
            now = now.outer
        self.release()
        # Blocks that were left elsewhere, or in another order, leave a trace, which is not kept for good.
        while isinstance(now, _Share) and not now.workers.holders:
            now = now.outer
        set_executor(now)

    def hold(self, *, only_if_held: bool = False) -> bool:
        """Keep the others at hand until `release`; say whether they are."""
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
        """Let the others go, if nobody else holds them."""
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

    def _others(self) -> ThreadPoolExecutor | None:
        """Return the other threads. A process that was forked has none of them, and starts its own."""
        if self._pool is not None and self._process != os.getpid():
            with _lock:
                if self._process != os.getpid():
                    self._start()
        return self._pool

    def map(self, work: Callable[..., Result], *items: Sequence[Any]) -> list[Result]:
        """Return what `work` returns for each item, in their order; this thread does its share."""
        jobs = list(zip(*items, strict=True))
        pool = self._others() if len(jobs) > 1 else None
        if pool is None:
            return [work(*job) for job in jobs]

        def do(share: list[tuple[Any, ...]]) -> list[Result]:
            with using_executor(run_in_order):  # all threads have work already
                return [work(*job) for job in share]

        count = min(self.threads, len(jobs))
        others: list[Future[list[Result]]] = []
        try:
            # NumPy's error settings, like whatever else hangs on the context, hold in the threads too.
            others.extend(pool.submit(copy_context().run, do, jobs[i::count]) for i in range(1, count))
            own = do(jobs[::count])
        finally:
            for other in others:
                other.exception()  # wait for it, since what it works on belongs to this call
        done = [own, *(other.result() for other in others)]
        return [done[i % count][i // count] for i in range(len(jobs))]


class _Share:
    """What gives pieces of work to all threads while they are held, and else to what did the pieces before.

    A ``with`` block may end in another context than it began in: what it leaves behind there must not be in
    the way.
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

    glibc takes a large array freed as a sign that more like it will come: from then on it keeps arrays up to
    that size, and twice as much free memory in all, where it would otherwise have the operating system map
    them anew each time, page by page, with all threads waiting (mallopt(3), M_MMAP_THRESHOLD). The array is
    never touched, so it takes no memory; other C libraries take no notice of it.
    """
    np.empty(LARGEST_KEPT, np.uint8)


class Blas:
    """NumPy's BLAS, which belongs to the process: held to one thread as long as any step is at work."""

    def __init__(self) -> None:
        self._controller: ThreadpoolController | None = None
        self._limited: Any = None
        self._thread = 0  # which went down
        self._users = 0

    def controller(self) -> ThreadpoolController:
        """Return the controller of the libraries, which are looked for once."""
        if self._controller is None:
            self._controller = ThreadpoolController()
        return self._controller

    def hold(self) -> None:
        """Go down to one thread, if that has not been done."""
        if not self._users:
            self._limited = self.controller().limit(limits=1, user_api="blas")
            self._thread = get_ident()
        self._users += 1

    def release(self) -> None:
        """Go back to as many threads as there were, after the last of those who held it."""
        self._users -= 1
        if not self._users:
            # Where the library is one for all threads, threadpoolctl lets nobody set it but who did so first.
            if self._thread != get_ident():
                self._give_up(force=True)
            self._limited.restore_original_limits()
            self._give_up(force=False)

    def _give_up(self, *, force: bool) -> None:
        for library in self.controller().lib_controllers:
            if hasattr(library, "clear_controlling_thread"):  # not in every version
                library.clear_controlling_thread(force=force)


blas = Blas()
_lock = Lock()  # for who uses what; held for a moment at a time


def _renew_lock() -> None:
    """Forget who had the lock when the process was forked, since none of its other threads is here."""
    global _lock  # noqa: PLW0603 - it belongs to the process
    _lock = Lock()


if hasattr(os, "register_at_fork"):  # not on every system
    os.register_at_fork(after_in_child=_renew_lock)
