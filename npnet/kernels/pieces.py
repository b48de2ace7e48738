"""Work in pieces that threads may share: large products, convolutions, updates of large parameters.

A kernel cuts its work into pieces and calls `run_pieces`. Which threads run the pieces is up to the
executor in force, such as the one that `npnet.parallel.Step` sets; by default they run one after another.
How the work is cut depends on its size alone, so the results are the same to the bit for any number of
threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ()  # for npnet itself, not for users

Work = Callable[[slice], object]
Executor = Callable[[Work, Sequence[slice]], object]


def run_in_order(work: Work, pieces: Sequence[slice]) -> None:
    """Run the pieces one after another: the default executor."""
    for piece in pieces:
        work(piece)


_executor: ContextVar[Executor] = ContextVar("executor", default=run_in_order)


def run_pieces(work: Work, pieces: Sequence[slice]) -> None:
    """Call ``work(piece)`` for each piece, in any order and possibly at the same time."""
    if len(pieces) < 2:  # nothing to share: small work does not pay for the executor
        run_in_order(work, pieces)
    else:
        _executor.get()(work, pieces)


def equal_slices(size: int, count: int) -> list[slice]:
    """Cut a range into `count` slices whose lengths differ by at most one.

    Examples
    --------
    >>> equal_slices(5, 2)
    [slice(0, 2, None), slice(2, 5, None)]
    """
    return [slice(i * size // count, (i + 1) * size // count) for i in range(count)]


def slices_of(size: int, length: int) -> list[slice]:
    """Cut a range into slices of one length; the last may be shorter.

    Examples
    --------
    >>> slices_of(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(begin, min(size, begin + length)) for begin in range(0, size, length)]


def current_executor() -> Executor:
    """Return the executor in force in this context."""
    return _executor.get()


def set_executor(executor: Executor) -> None:
    """Set the executor of this context until another one is set.

    `using_executor` restores the previous one by itself, but cannot where a ``with`` block may begin in one
    thread and end in another, as in a generator.
    """
    _executor.set(executor)


@contextmanager
def using_executor(executor: Executor) -> Iterator[None]:
    """Run pieces by `executor` inside a ``with`` block."""
    token = _executor.set(executor)
    try:
        yield
    finally:
        _executor.reset(token)
