"""Time contenders that take turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Measure = Callable[[int], float]

SLOW = 0.25  # seconds; a contender whose run takes longer
FEW = 10  # has at most so many turns


@dataclass(frozen=True)
class Contender:
    """An engine with a workload to time.

    Parameters
    ----------
    name : str
        The name of the engine in results.
    measure : callable
        ``measure(n)`` runs the workload n times and returns the seconds it took.
    """

    name: str
    measure: Measure


def on_the_cpu(name: str, work: Callable[[], object]) -> Contender:
    """Return a contender whose work is complete when its function returns.

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
    """Time contenders in rounds, and return for each the seconds per run in each round.

    In each round every contender has a turn of as many runs as fill `turn` seconds; the order rotates by one.
    A turn starts with an untimed run, which refills the caches and gives the other engines' spinning threads
    time to stop. Contenders that are `SLOW` skip this run, as it makes no difference to them, and take part
    only in the first `FEW` rounds.

    Parameters
    ----------
    contenders : sequence of Contender
    rounds : int
    turn : float
        Seconds.
    warm_up : float, optional
        Seconds of untimed runs before the first round; by default as long as a turn.

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
    with _without_garbage_collection():
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
    """Warm up, and return the seconds of the fastest run."""
    fastest, spent = float("inf"), 0.0
    while spent < warm_up or fastest == float("inf"):
        seconds = contender.measure(1)
        fastest, spent = min(fastest, seconds), spent + seconds
    return fastest


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector, so that it does not run during a turn."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
