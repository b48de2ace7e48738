"""The list of recipes: what each is, whether its data is here, and what its runs here have reached."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npnet import data, recipes
from npnet.recipes._recipe import Recipe
from npnet.recipes._spec import ENGINES
from npnet.run import RESULT

PAGE, LEAST = 110, 40  # characters in a line: where there is no terminal, and in the narrowest
INDENT, TIE = "    ", "\N{NO-BREAK SPACE}"
NOT_MEASURED = "not measured"
COLUMNS = ("recipe", "what it is", "source", "reported there", "expected here", "data", *ENGINES.values())


@dataclass(frozen=True)
class Listing:
    """All recipes, with the last whole run of each by either engine.

    A run counts if it was finished with the recipe's own settings: neither cut short, nor with others or with
    some of its networks. Its time is that of training, and of judging where that takes training too, without
    the figures; of a recipe that trains nothing it is that of all.

    Parameters
    ----------
    out : path
        Where runs are kept.
    folder : path, optional
        Where data sets are.
    """

    out: Path
    folder: Path | None = None

    def text(self, width: int = PAGE) -> str:
        """Return the list with at most so many characters in a line; what is known stands below the title."""
        width = max(width, LEAST)
        rows = self.rows()
        longest = max(len(name) for name, *_ in rows)
        lines = []
        for name, title, source, _, _, here, *measured in rows:
            lines.append(shorten(f"{name:<{longest}}  {title}", width))
            lines.append(shorten(f"{INDENT}data: {here} · {source}", width))
            reached = zip(ENGINES.values(), measured, strict=True)
            lines += packed([f"{engine}: {shown}" for engine, shown in reached], width)
        return "\n".join(lines)

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


def shorten(line: str, width: int) -> str:
    """Return a line of at most so many characters; an ellipsis stands for the rest.

    Examples
    --------
    >>> shorten("a long line", 8)
    'a long…'
    """
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def packed(facts: Sequence[str], width: int) -> list[str]:
    """Return indented lines that hold facts one after another; one that fits into a line is not broken.

    Examples
    --------
    >>> packed(["npnet: 98 %", "PyTorch: 97 %"], 32)
    ['    npnet: 98 % · PyTorch: 97 %']
    >>> packed(["npnet: 98 %", "PyTorch: 97 %"], 24)
    ['    npnet: 98 %', '    PyTorch: 97 %']
    >>> packed(["npnet: accuracy 98 %"], 21)
    ['    npnet: accuracy', '    98 %']
    """
    lines = [""]
    for fact in facts:
        joined = f"{lines[-1]} · {fact}" if lines[-1] else fact
        if len(INDENT + joined) <= width:
            lines[-1] = joined
        else:
            # A number stays with its unit.
            bound = re.sub(r"(?<=\d) (?=%|±|\d{3}\b|s\b|min\b)|(?<=±) ", TIE, fact)
            wrapped = textwrap.wrap(bound, width - len(INDENT), break_on_hyphens=False)
            lines = [*filter(None, lines), *(line.replace(TIE, " ") for line in wrapped)]
    return [INDENT + line for line in lines]


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
