"""Work in pieces that may be done side by side: large products, and the updates of large parameters.

Where the pieces are done is up to whoever calls `spread_over`, such as `npnet.parallel.Step` with its
threads. What the pieces are is not: that follows from the work alone, so that the same numbers are computed
in the same way by one thread or by many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

Work = Callable[[slice], object]
Spread = Callable[[Work, Sequence[slice]], object]


def one_by_one(work: Work, pieces: Sequence[slice]) -> None:
    """Do the pieces in their order, as happens if nothing else is said."""
    for piece in pieces:
        work(piece)


_spread: ContextVar[Spread] = ContextVar("spread", default=one_by_one)


def spread(work: Work, pieces: Sequence[slice]) -> None:
    """Do all pieces of some work, in any order and perhaps at the same time."""
    _spread.get()(work, pieces)


@contextmanager
def spread_over(handler: Spread) -> Iterator[None]:
    """Have pieces of work done by `handler`, which calls a function for each of a list of them."""
    token = _spread.set(handler)
    try:
        yield
    finally:
        _spread.reset(token)
