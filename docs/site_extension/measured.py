"""Tables and figures of the benchmarks, made from the results in the repository when the site is built."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from site_extension.directives import picture_of

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # the benchmarks are not part of the distribution

from benchmarks import figures, report, results  # noqa: E402 - after the search path


class Benchmark(SphinxDirective):
    """The figure and the tables of one file of results."""

    required_arguments = 1
    option_spec = {"figure": directives.unchanged}  # noqa: RUF012 - Sphinx's interface

    def run(self) -> list[nodes.Node]:
        """Read the results; the page is built again when they change."""
        path = ROOT / "benchmarks" / "results" / f"{self.arguments[0]}.json"
        self.env.note_dependency(str(path))
        measured = results.read(path)
        written = StringList(report.markdown(measured).splitlines(), source=str(path))
        shown = nodes.container(classes=["measured"])
        if "figure" in self.options:
            shown += _figure(measured, self.options["figure"])
        self.state.nested_parse(written, 0, shown)
        return [shown]


def _figure(measured: results.Results, what: str) -> nodes.raw:
    with tempfile.TemporaryDirectory() as folder:
        path = figures.draw(measured, Path(folder))
        assert path is not None, f"the suite {measured.suite} has no figure"
        return picture_of(base64.b64encode(path.read_bytes()).decode(), what)
