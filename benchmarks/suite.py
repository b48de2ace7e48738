"""Settings and progress lines that all suites share."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks import environment
from benchmarks.results import Results

Item = TypeVar("Item")


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Parameters
    ----------
    threads : int
        Number of threads of every engine.
    quick : bool
        Few rounds on few sizes, to check that everything runs; not for publication.
    data : path, optional
        The folder of the data sets.
    seconds : float, optional
        Start no new measurement after this time; only the suites of a GPU look at it.
    """

    threads: int
    quick: bool = False
    data: Path | None = None
    seconds: float | None = None

    @property
    def rounds(self) -> int:
        """Number of turns of each contender."""
        return 5 if self.quick else 40

    @property
    def turn(self) -> float:
        """Seconds of a turn."""
        return 0.005 if self.quick else 0.05

    def results(self, suite: str) -> Results:
        """Return empty results of a suite."""
        method = {**asdict(self), "rounds": self.rounds, "turn": self.turn}
        del method["data"]  # results are published, and the path of the data is private
        return Results(suite, environment.describe(self.threads), method)

    def some(self, items: Sequence[Item], most: int) -> Sequence[Item]:
        """Return all items, or with `quick` the first few."""
        return items[:most] if self.quick else items


def with_progress(what: str, items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, and print each on standard error before it is measured."""
    for item in items:
        tell(f"{what}: {item}")
        yield item


def tell(line: str) -> None:
    """Print a progress line on standard error."""
    print(line, file=sys.stderr, flush=True)
