"""Work in pieces that may be done side by side: large products, convolutions, updates of large parameters.

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
    if len(pieces) < 2:  # nothing to share, and small work should not wait to be told so
        one_by_one(work, pieces)
    else:
        _spread.get()(work, pieces)


def evenly(size: int, count: int) -> list[slice]:
    """Cut a range into so many pieces of one size, or sizes that differ by one.

    Examples
    --------
    >>> evenly(5, 2)
    [slice(0, 2, None), slice(2, 5, None)]
    """
    return [slice(i * size // count, (i + 1) * size // count) for i in range(count)]


def in_blocks(size: int, block: int) -> list[slice]:
    """Cut a range into pieces of a size, of which the last may be smaller.

    Examples
    --------
    >>> in_blocks(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(begin, min(size, begin + block)) for begin in range(0, size, block)]


def handler() -> Spread:
    """Return what does pieces of work here at present."""
    return _spread.get()


def hand_over(handler: Spread) -> None:
    """Have pieces of work done by `handler` from here on, for good.

    `spread_over` goes back by itself, but cannot where a ``with`` block may begin in one thread and end in
    another, as in a generator.
    """
    _spread.set(handler)


@contextmanager
def spread_over(handler: Spread) -> Iterator[None]:
    """Have pieces of work done by `handler`, which calls a function for each of a list of them."""
    token = _spread.set(handler)
    try:
        yield
    finally:
        _spread.reset(token)
