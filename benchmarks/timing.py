"""Contenders that take turns on one clock."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Measure = Callable[[int], float]


@dataclass(frozen=True)
class Contender:
    """Something that can be timed.

    Parameters
    ----------
    name : str
        The engine, as results list it.
    measure : callable
        ``measure(n)`` does the work n times and returns how many seconds that took.
    """

    name: str
    measure: Measure


def on_the_cpu(name: str, work: Callable[[], object]) -> Contender:
    """Return a contender whose work has ended when its function returns.

    Examples
    --------
    >>> on_the_cpu("nothing", lambda: None).measure(3) < 1
    True
    """

    def measure(times: int) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            work()
        return time.perf_counter() - begin

    return Contender(name, measure)


def race(
    contenders: Sequence[Contender], *, rounds: int, turn: float, warm_up: float | None = None
) -> dict[str, list[float]]:
    """Time contenders in rounds and return for each the seconds one run took, round by round.

    In each round everyone has a turn of as many runs as fill `turn` seconds, and the order moves on by one.
    A turn begins with a run that does not count: it fetches what the others have driven out of the caches,
    and gives their threads, which wait for more work for a while without sleeping, time to stop.

    Parameters
    ----------
    contenders : sequence of Contender
    rounds : int
    turn : float
        Seconds.
    warm_up : float, optional
        Seconds of runs before the first round; as long as a turn by default.

    Returns
    -------
    samples : dict from names to lists of float

    Examples
    --------
    >>> samples = race([on_the_cpu("nothing", lambda: None)], rounds=3, turn=1e-4)
    >>> len(samples["nothing"])
    3
    """
    runs = {
        contender.name: _runs_in(contender, turn, turn if warm_up is None else warm_up)
        for contender in contenders
    }
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    with _garbage_waits():
        for i in range(rounds):
            first = i % len(contenders)
            for contender in [*contenders[first:], *contenders[:first]]:
                contender.measure(1)
                times = runs[contender.name]
                samples[contender.name].append(contender.measure(times) / times)
    return samples


def _runs_in(contender: Contender, turn: float, warm_up: float) -> int:
    """Warm up, and return how many runs fill a turn."""
    fastest, spent = float("inf"), 0.0
    while spent < warm_up or fastest == float("inf"):
        seconds = contender.measure(1)
        fastest, spent = min(fastest, seconds), spent + seconds
    return max(1, round(turn / max(fastest, 1e-9)))


@contextmanager
def _garbage_waits() -> Iterator[None]:
    """Keep the garbage collector from falling into someone's turn."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
