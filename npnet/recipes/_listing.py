"""The list of recipes: what each is, whether its data is here, and what its runs here have reached."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npnet import data, recipes
from npnet.recipes._recipe import Recipe
from npnet.recipes._spec import ENGINES
from npnet.run import RESULT
from npnet.table import table

NOT_MEASURED = "not measured"
COLUMNS = ("recipe", "what it is", "source", "reported there", "expected here", "data", *ENGINES.values())


@dataclass(frozen=True)
class Listing:
    """All recipes, with the last whole run of each by either engine.

    A run counts if it was finished with the recipe's own settings: neither cut short nor with others from
    the command line. Its time is that of training, where the recipe trains one network.

    Parameters
    ----------
    out : path
        Where runs are kept.
    folder : path, optional
        Where data sets are.
    """

    out: Path
    folder: Path | None = None

    def text(self, width: int | None = None) -> str:
        """Return the list as a table of at most so many characters in a line."""
        return table(COLUMNS, self.rows(), width=width)

    def markdown(self) -> str:
        """Return the list as a table of Markdown."""
        rows = [[f"`{name}`", *cells] for name, *cells in self.rows()]
        lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
        return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)

    def rows(self) -> list[list[str]]:
        """Return the cells, a row for each recipe."""
        return [self._row(recipes.get(name)) for name in recipes.names()]

    def _row(self, recipe: Recipe) -> list[str]:
        said = [recipe.name, recipe.title, recipe.source, recipe.reported, recipe.expects]
        reached = last_runs(self.out / recipe.name)
        measured = [_shown(reached.get(engine)) for engine in ENGINES.values()]
        if not {"torch", "both"} & set(recipe.engines):
            measured[-1] = "–"
        return [*said, self._data(recipe), *measured]

    def _data(self, recipe: Recipe) -> str:
        if recipe.dataset is None:
            return "makes its own"
        return "present" if data.present(recipe.dataset, self.folder) else "missing"


def last_runs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the last whole run of each engine has reached, from the folder of a recipe's runs.

    Parameters
    ----------
    folder : path
        It need not be there.

    Returns
    -------
    reached : dict
        From the name of an engine to the run's "headline" and "seconds".

    Examples
    --------
    >>> last_runs(Path("no such folder"))
    {}
    """
    reached: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob(f"*/{RESULT}")):  # folders are named after the time
        try:
            result = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not a file of ours, or no longer
            continue
        if isinstance(result, dict) and result.get("status") == "finished" and result.get("as_written"):
            reached |= result.get("reached", {})
    return reached


def _shown(reached: dict[str, Any] | None) -> str:
    if reached is None:
        return NOT_MEASURED
    seconds = reached["seconds"]
    time = f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
    return f"{reached['headline']}; {time}"
