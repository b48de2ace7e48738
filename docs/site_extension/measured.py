"""Tables and figures of the benchmarks, made from the results in the repository when the site is built."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from site_extension import pictures
from site_extension.directives import picture_of

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # the benchmarks are not part of the distribution

from benchmarks import figures, report, results  # noqa: E402 - after the search path


class Benchmark(SphinxDirective):
    """The figure and the tables of one file of results, or of some of its works."""

    required_arguments = 1
    option_spec = dict.fromkeys(("figure", "works", "kind", "tables"), directives.unchanged)

    def run(self) -> list[nodes.Node]:
        """Read the results; the page is built again when they change."""
        self.env.note_dependency(str(path_of(self.arguments[0])))
        try:
            measured = selected(self.arguments[0], self.options)
            text = written(measured, self.options)
        except ValueError as error:
            raise self.error(str(error)) from None
        shown = nodes.container(classes=["measured"])
        if "figure" in self.options:
            shown += picture_of(drawn(measured), self.options["figure"])
        self.state.nested_parse(StringList(text.splitlines(), source=self.arguments[0]), 0, shown)
        return [shown]


def path_of(name: str) -> Path:
    """Return the file of results of a name."""
    return ROOT / "benchmarks" / "results" / f"{name}.json"


def selected(name: str, options: Mapping[str, str]) -> results.Results:
    """Return results, of the works and of the kind that the options name; ceilings stay.

    Parameters
    ----------
    name : str
        Of the file, such as "h100/gpu".
    options : mapping
        "works", parted by ";", and "kind"; of all without them.

    Raises
    ------
    ValueError
        If nothing was measured of what an option names.
    """
    measured = results.read(path_of(name))
    wanted = {"work": _parted(options.get("works", "")), "kind": _parted(options.get("kind", ""))}
    records = measured.records
    for what, names in wanted.items():
        unknown = [name for name in names if not measured.has(**{what: name})]
        if unknown:
            raise ValueError(f"{name}: no {what} {', '.join(unknown)} was measured")
        records = [record for record in records if not names or record.about.get(what, names[0]) in names]
    notes = measured.notes if records == measured.records else []  # they count all records
    return replace(measured, records=records, notes=notes)


def written(measured: results.Results, options: Mapping[str, str]) -> str:
    """Write tables in Markdown: those whose numbers, from 1, the option "tables" lists, or all of them."""
    return report.markdown(measured, [int(number) for number in options.get("tables", "").split()])


def drawn(measured: results.Results) -> dict[str, str]:
    """Draw the figure of results for a light page and for a dark one, as PNG files in base64."""
    figure = figures.figure_of(measured)
    assert figure is not None, f"the suite {measured.suite} has no figure"
    return pictures.drawn(figure)


def _parted(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]
