"""Read the results of past runs in a recipe's folder; other files are ignored."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npnet._words import one_line, shortened
from npnet.run import RESULT

LARGEST = 1 << 22  # bytes of a result.json; a run's result has some thousands
LONGEST = 500  # characters of a headline
SHARE = re.compile(r"(\d+(?:\.\d+)?)(?: ± \d+(?:\.\d+)?)? %")


@dataclass(frozen=True)
class Reached:
    """What one engine has reached in a run."""

    headline: str
    seconds: float

    @property
    def time(self) -> str:
        """The time as people read it."""
        return f"{self.seconds:.1f} s" if self.seconds < 100 else f"{self.seconds / 60:.1f} min"


def whole_runs(folder: Path) -> Iterator[dict[str, Reached]]:
    """Yield what each whole run has reached, by engine, the oldest first; the folder need not be there."""
    try:
        runs = sorted(folder.iterdir())  # they are named after the time
    except (OSError, ValueError):
        return
    for run in runs:
        found = _read(run / RESULT)
        result = found if isinstance(found, dict) else {}
        if result.get("status") == "finished" and result.get("as_written") is True:
            yield _reached(result.get("reached"))


def last_runs(folder: Path) -> dict[str, Reached]:
    """Return what the last whole run of each engine has reached, by engine."""
    return {engine: reached for run in whole_runs(folder) for engine, reached in run.items()}


def best_run(folder: Path) -> Reached | None:
    """Return the whole run of the highest share in its headline, of any engine; of equal ones the last."""
    runs = [reached for run in whole_runs(folder) for reached in run.values()]
    return max(reversed(runs), key=lambda each: max(shares(each.headline), default=0.0), default=None)


def shares(text: str) -> list[float]:
    """Return the percentages in a text, without the uncertainties after ±.

    Examples
    --------
    >>> shares("40 mixtures: SVM 86.1 ± 8.1 %, network 86.5 ± 9.1 %")
    [86.1, 86.5]
    """
    return [float(share) for share in SHARE.findall(text)]


def _read(file: Path) -> Any:
    """Return the content of a JSON file; None if it is not JSON or not a run's result."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:  # a pipe would never answer
            return None
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _reached(found: Any) -> dict[str, Reached]:
    if not isinstance(found, dict):
        return {}
    return {
        engine: Reached(shortened(one_line(each["headline"]), LONGEST), float(each["seconds"]))
        for engine, each in found.items()
        if isinstance(each, dict)
        and isinstance(each.get("headline"), str)
        and isinstance(each.get("seconds"), int | float)
    }
