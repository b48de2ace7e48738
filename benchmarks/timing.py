"""Contenders that take turns on one clock."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Measure = Callable[[int], float]

SLOW = 0.25  # seconds; who takes longer for one run
FEW = 10  # has no more turns than this


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
    and gives their threads, which wait for more work for a while without sleeping, time to stop. Those who
    are `SLOW` go without, as it would change nothing for them, and are in the first `FEW` rounds alone.

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
    warm_up = turn if warm_up is None else warm_up
    fastest = {contender.name: _warmed_up(contender, warm_up) for contender in contenders}
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    with _garbage_waits():
        for i in range(rounds):
            first = i % len(contenders)
            for contender in [*contenders[first:], *contenders[:first]]:
                if fastest[contender.name] <= SLOW:
                    contender.measure(1)
                elif i >= FEW:
                    continue
                times = max(1, round(turn / max(fastest[contender.name], 1e-9)))
                samples[contender.name].append(contender.measure(times) / times)
    return samples


def _warmed_up(contender: Contender, warm_up: float) -> float:
    """Warm up, and return how many seconds the fastest run took."""
    fastest, spent = float("inf"), 0.0
    while spent < warm_up or fastest == float("inf"):
        seconds = contender.measure(1)
        fastest, spent = min(fastest, seconds), spent + seconds
    return fastest


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
