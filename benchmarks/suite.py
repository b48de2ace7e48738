"""Settings and progress lines that all suites share."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks import environment, results
from benchmarks.results import Results

Item = TypeVar("Item")

# Gbit/s and microseconds, as makers state them. NVLink: 450 GB/s in each direction.
LINKS = (
    "Ethernet 1 Gbit/s=1,50",
    "Ethernet 10 Gbit/s=10,50",
    "InfiniBand 400 Gbit/s=400,10",
    "NVLink=3600,10",
)


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
    add_to : path, optional
        The folder of earlier results: what is there is kept, what is missing is measured, and each
        measurement is saved at once. Only the suites of a GPU do so.
    links : tuple of str
        Between the machines or GPUs that are planned for; only the plan looks at them.
    """

    threads: int
    quick: bool = False
    data: Path | None = None
    seconds: float | None = None
    add_to: Path | None = None
    links: tuple[str, ...] = LINKS

    @property
    def rounds(self) -> int:
        """Number of turns of each contender."""
        return 5 if self.quick else 40

    @property
    def turn(self) -> float:
        """Seconds of a turn."""
        return 0.005 if self.quick else 0.05

    def results(self, suite: str) -> Results:
        """Return results of a suite: empty, or those that are to be added to."""
        method = {**asdict(self), "rounds": self.rounds, "turn": self.turn}
        for name in ("data", "add_to", "links"):  # results are published, and paths are private
            del method[name]
        new = Results(suite, environment.describe(self.threads), method)
        path = None if self.add_to is None else self.add_to / f"{suite}.json"
        return new if path is None or not path.exists() else results.added_to(results.read(path), new)

    def keep(self, found: Results) -> None:
        """Save results so far, where they are added to: what is cut short then loses one measurement."""
        if self.add_to is not None:
            results.write(found, self.add_to)

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
