"""The list of recipes: what each is, whether its data is here, and what its runs here have reached."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npnet import data, engines, recipes
from npnet.data.published import PUBLISHED
from npnet.experiments.experiment import Experiment
from npnet.recipes._past_runs import Reached, best_run, last_runs, shares

PAGE, LEAST, WIDE = 110, 40, 100  # characters in a line: without a terminal, in the narrowest, in a wide one
INDENT, TIE, GAP = "    ", "\N{NO-BREAK SPACE}", "  "
NOT_MEASURED = "not measured"
COLUMNS = ("recipe", "what it is", "source", "reported there", "expected here", "data")
LEGEND = """\
data: {size} is downloaded at first use; {place} means to be fetched by hand: `npnet train` says how.
your best: the highest share in a finished run with the recipe's own settings, from {out}.
`npnet train RECIPE` runs one, `npnet recipes RECIPE` says more about it."""


@dataclass(frozen=True)
class Listing:
    """All recipes or some, with what whole runs of each have reached.

    A run counts if it was finished with the recipe's own settings: neither cut short, nor with others or with
    some of its networks. Its time is that of training and judging, without loading data and drawing.

    Parameters
    ----------
    out : path
        Where runs are kept.
    folder : path, optional
        Where data sets are.
    names : tuple of str
        Those to list; all if empty.
    """

    out: Path
    folder: Path | None = None
    names: tuple[str, ...] = ()

    def text(self, width: int = PAGE) -> str:
        """Return a line for each recipe, with at most so many characters, and what the columns mean."""
        width = max(width, LEAST)
        heading = ["recipe", "what it is", "data", "expected", "your best"]
        rows = [self._short(recipe, wide=width >= WIDE) for recipe in self._recipes()]
        columns = list(zip(heading, *rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        widths[1] = max(0, min(widths[1], width - sum(widths) + widths[1] - len(GAP) * (len(widths) - 1)))
        if widths[1] < len(heading[1]):  # too narrow for all: the name and what it is
            columns, widths = columns[:2], [widths[0], width - widths[0] - len(GAP)]
        lines = [
            GAP.join(
                f"{shorten(cell, wide):<{wide}}" for cell, wide in zip(row, widths, strict=True)
            ).rstrip()
            for row in zip(*columns, strict=True)
        ]
        wide = width >= WIDE
        size, place = ("what is missing", '"place it yourself"') if wide else ("a size", '"place it"')
        legend = LEGEND.format(size=size, place=place, out=self.out)
        return "\n".join(
            [*lines, "", *(wrapped for line in legend.splitlines() for wrapped in fill(line, width))]
        )

    def long(self, width: int = PAGE) -> str:
        """Return the list with all there is to say, below the title of each recipe."""
        width = max(width, LEAST)
        rows = self.rows()
        longest = max(len(name) for name, *_ in rows)
        lines = []
        for name, title, source, reported, expects, here, *measured in rows:
            lines += fill(f"{name:<{longest}}  {title}", width, longest + 2)
            for fact in (f"source: {source}", f"reported there: {reported}", f"expected here: {expects}"):
                lines += packed([fact], width)
            reached = [f"{engine}: {shown}" for engine, shown in zip(titles(), measured, strict=True)]
            lines += packed([f"data: {here}", *reached], width)
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the list as a table of Markdown."""
        rows = [[f"`{name}`", *cells] for name, *cells in self.rows()]
        heading = [*COLUMNS, *titles()]
        lines = [heading, ["---"] * len(heading), *rows]
        return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)

    def rows(self) -> list[list[str]]:
        """Return all cells, a row for each recipe."""
        return [self._row(recipe) for recipe in self._recipes()]

    def _recipes(self) -> list[Experiment]:
        return [recipes.get(name) for name in self.names or recipes.names()]

    def _row(self, recipe: Experiment) -> list[str]:
        said = [recipe.name, recipe.title, recipe.source, recipe.reported, recipe.expects]
        reached = last_runs(self.out / recipe.name)
        own, *others = (_shown(reached.get(engine)) for engine in titles())
        measured = [own, *(others if "engine" in recipe.options else ["–" for _ in others])]
        return [*said, self._data(recipe), *measured]

    def _short(self, recipe: Experiment, *, wide: bool) -> list[str]:
        best = best_run(self.out / recipe.name)
        reached = "–" if best is None else figures(best.headline) or "finished"
        return [
            recipe.name,
            recipe.title,
            self._place(recipe, wide=wide),
            figures(recipe.expects) or "–",
            reached,
        ]

    def _data(self, recipe: Experiment) -> str:
        if recipe.dataset is None:
            return "makes its own"
        return "present" if data.present(recipe.dataset, self.folder) else "missing"

    def _place(self, recipe: Experiment, *, wide: bool) -> str:
        """Say in a word where the data is, or what it takes to have it."""
        if recipe.dataset is None or data.present(recipe.dataset, self.folder):
            return "here"
        size = PUBLISHED[recipe.dataset].download
        if size is None:
            return "place it yourself" if wide else "place it"
        return f"downloads {size}" if wide else size


def titles() -> list[str]:
    """Return what the engines are called."""
    return [engines.get(name).title for name in engines.names()]


def figures(text: str) -> str:
    """Return the shares in a text as people compare them: one, or the lowest and the highest.

    Examples
    --------
    >>> figures("test accuracy: 99.72 %"), figures("SVM 86.1 ± 8.1 %, network 86.5 ± 9.1 %"), figures("y = x")
    ('99.72 %', '86.1–86.5 %', '')
    """
    found = shares(text)
    if not found:
        return ""
    least, most = (re.sub(r"\.0$", "", str(share)) for share in (min(found), max(found)))
    return f"{most} %" if least == most else f"{least}–{most} %"


def shorten(line: str, width: int) -> str:
    """Return a line of at most so many characters; an ellipsis stands for the rest.

    Examples
    --------
    >>> shorten("a long line", 8)
    'a long…'
    """
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def fill(text: str, width: int, indent: int = 0) -> list[str]:
    """Return a text in lines, those behind the first indented; a number stays with its unit.

    Examples
    --------
    >>> fill("accuracy 98 % of the test", 13, 2)
    ['accuracy 98 %', '  of the test']
    """
    bound = re.sub(r"(?<=\d) (?=%|±|\d{3}\b|s\b|min\b|MB\b)|(?<=±) ", TIE, text)
    # Two blanks apart are columns, which wrapping would leave as they are.
    wrapped = textwrap.wrap(bound, width, break_on_hyphens=False, subsequent_indent=" " * indent)
    return [line.replace(TIE, " ") for line in wrapped]


def packed(facts: Sequence[str], width: int) -> list[str]:
    """Return indented lines that hold facts one after another; one that fits into a line is not broken.

    Examples
    --------
    >>> packed(["npnet: 98 %", "PyTorch: 97 %"], 32)
    ['    npnet: 98 % · PyTorch: 97 %']
    >>> packed(["npnet: 98 %", "PyTorch: 97 %"], 24)
    ['    npnet: 98 %', '    PyTorch: 97 %']
    >>> packed(["npnet: accuracy 98 %"], 21)
    ['    npnet: accuracy', '      98 %']
    """
    lines = [""]
    for fact in facts:
        joined = f"{lines[-1]} · {fact}" if lines[-1] else fact
        if len(INDENT + joined) <= width:
            lines[-1] = joined
        else:
            lines = [*filter(None, lines), *fill(fact, width - len(INDENT), 2)]
    return [INDENT + line for line in lines]


def _shown(reached: Reached | None) -> str:
    return NOT_MEASURED if reached is None else f"{reached.headline}; {reached.time}"
