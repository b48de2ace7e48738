"""What every suite is given: how long to measure, with how many threads, and whom to tell."""

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
        Of every engine.
    quick : bool
        Few rounds on few sizes: to see that everything runs, not to publish.
    data : path, optional
        Where data sets are.
    """

    threads: int
    quick: bool = False
    data: Path | None = None

    @property
    def rounds(self) -> int:
        """How many turns everyone has."""
        return 5 if self.quick else 40

    @property
    def turn(self) -> float:
        """How many seconds a turn takes."""
        return 0.005 if self.quick else 0.05

    def results(self, suite: str) -> Results:
        """Return results to be filled."""
        method = {**asdict(self), "rounds": self.rounds, "turn": self.turn}
        del method["data"]  # where someone keeps their data is nobody's business
        return Results(suite, environment.describe(self.threads), method)

    def some(self, items: Sequence[Item], most: int) -> Sequence[Item]:
        """Return all items, or the first few when it is to be quick."""
        return items[:most] if self.quick else items


def announced(what: str, items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, saying on standard error which one is under way."""
    for item in items:
        announce(f"{what}: {item}")
        yield item


def announce(line: str) -> None:
    """Say on standard error what is under way."""
    print(line, file=sys.stderr, flush=True)
