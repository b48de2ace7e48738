"""The report of a run: one HTML file to look at, with everything that was set, learnt, drawn and found.

It needs no other file, no network and no script. A part that cannot be made is left out, and the page says
why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from npnet import __version__
from npnet._pages import asset, filled, theme
from npnet._words import counted
from npnet.experiments._diagnosing import figure_files
from npnet.experiments._report._images import figure_file
from npnet.experiments._report._network import Network, definitions, scroll
from npnet.experiments.runner import Runner
from npnet.run import REPORT
from npnet.table import html_table

# Figures of one network that the page draws by itself.
DRAWN = ("learning_curves.png", "confusion_matrix.png", "misclassified.png", "filters.png", "engines.png")
OF_A_NETWORK = ("epochs", "batch_size", "model", "networks", "data", "versions", "details")


class Page:
    """The report of a run.

    Parameters
    ----------
    runners : sequence of Runner
        One for each engine; the first one's networks are looked at closely.
    settings : mapping
        What ``settings.json`` holds.
    status, headline : str
        As in `Result`.
    """

    def __init__(
        self, runners: Sequence[Runner], settings: Mapping[str, Any], status: str, headline: str
    ) -> None:
        self.runners, self.settings = runners, settings
        self.status, self.headline = status, headline
        self.first = runners[0]
        self.networks = self._networks()

    def encoded(self) -> bytes:
        """Return the page as a file has it."""
        experiment = self.first.experiment
        sections = [*self._overview(), *(self._section(each) for each in self.networks), self._about()]
        values = {
            "title": escape(experiment.name),
            "what": escape(experiment.title),
            "headline": escape(self.headline),
            "facts": self._facts(),
            "contents": self._contents(),
            "version": escape(__version__),
            "style": theme() + asset("npnet.experiments._report", "report.css"),
            "sections": "\n".join(sections),
        }
        return filled(asset("npnet.experiments._report", "report.html"), values).encode("utf-8", "replace")

    def _networks(self) -> list[Network]:
        """Return every network that was trained, and what is set for it."""
        if not self.first.runs:
            return []
        each, best = self.settings.get("networks"), self.first.best.name
        return [
            Network(
                name,
                [runner for runner in self.runners if name in runner.runs],
                self._own_settings() if each is None else each.get(name, {}),
                name == best,
            )
            for name in self.first.runs
        ]

    # ---- what is said of the whole run -----------------------------------------------------------------

    def _facts(self) -> str:
        experiment = self.first.experiment
        facts = {
            "status": self.status,
            "run": self.first.folder.path.name,
            "expected": experiment.expects,
            "reported by the source": experiment.reported,
            "source": experiment.source,
        }
        return definitions(facts)

    def _contents(self) -> str:
        """Link to the networks, where there are several."""
        if len(self.networks) < 2:
            return ""
        links = "".join(
            f'<li><a href="#network-{place}">{escape(network.name)}</a></li>'
            for place, network in enumerate(self.networks)
        )
        return f'<nav aria-label="Networks"><ul>{links}</ul></nav>'

    def _overview(self) -> Iterator[str]:
        """Yield what the networks reached side by side, and the tables and figures of the study."""
        parts = [("Result", self._results)] if self.networks else []
        if any(runner.tables for runner in self.runners):
            parts.append(("Tables", self._tables))
        if self._own_figures():
            parts.append(("Figures", self._figures))
        made = self._made("", parts)
        if made:
            yield f"<section><h2>What came out</h2>{made}</section>"

    def _results(self) -> str:
        columns = ["network", "engine", "judged on", "loss", "accuracy", "epochs", "seconds", "samples/s"]
        rows = [
            [
                run.name or self.first.experiment.name,
                run.engine,
                f"{run.judged_on} part",
                f"{run.loss:.4g}",
                "–" if run.accuracy is None else f"{100 * run.accuracy:.2f} %",
                f"{len(run.history.epochs)} of {run.setup.epochs}",
                f"{run.seconds:.1f}",
                round(run.samples_per_second),
            ]
            for network in self.networks
            for run in network.runs
        ]
        return scroll(html_table(columns, rows), "Result of each network")

    def _tables(self) -> str:
        tables, engines = [], {runner.engine for runner in self.runners}
        for runner in self.runners:
            for headings, rows, title in runner.tables:
                compares = engines <= {*headings}
                whose = "" if len(engines) == 1 or compares else runner.engine
                caption = ": ".join(filter(None, [whose, title])) or None
                tables.append(scroll(html_table(headings, rows, title=caption), caption or "Table"))
        return "".join(tables)

    def _own_figures(self) -> list[Any]:
        """Return the figures that stand in no other part of the page."""
        elsewhere = {
            path
            for runner in self.runners
            for run in runner.runs.values()
            for path, _ in figure_files(runner, run.setup)
        }
        drawn = DRAWN if len(self.networks) == 1 else DRAWN[1:]
        paths = dict.fromkeys(path for runner in self.runners for path in runner.figures)
        return [path for path in paths if path not in elsewhere and path.name not in drawn]

    def _figures(self) -> str:
        return "".join(
            figure_file(path, path.stem.replace("_", " ").replace("-", " ")) for path in self._own_figures()
        )

    def _about(self) -> str:
        """Return what holds for all networks, and the versions the numbers depend on."""
        own = self._own_settings()
        common = {
            name: value
            for name, value in self.settings.items()
            if name not in ("networks", "versions", "model") and (len(self.networks) != 1 or name not in own)
        }
        left_out = {file: why for runner in self.runners for file, why in runner.left_out.items()}
        said = "".join(f"<li>{escape(file)}: {escape(why)}</li>" for file, why in left_out.items())
        parts = [f"<h3>Run</h3>{definitions(common)}"]
        parts.append(f"<h3>Versions</h3>{definitions(self.settings.get('versions', {}))}")
        if said:
            parts.append(f"<h3>Left out</h3><ul>{said}</ul>")
        return f"<section><h2>How it was made</h2>{''.join(parts)}</section>"

    def _own_settings(self) -> dict[str, Any]:
        """Return those settings that belong to the only network."""
        if not self.first.setups or "networks" in self.settings:
            return {}
        setup = self.first.setups[0]
        return {
            name: self.settings[name]
            for name in setup.settings(self.first.splits(setup))
            if name in self.settings
        }

    # ---- what is said of one network -------------------------------------------------------------------

    def _section(self, network: Network) -> str:
        place = self.networks.index(network)
        title = f"Network: {network.name}" if network.name else "The network"
        said = counted(len(network.first.model.parameters), "array") + " of parameters"
        made = self._made(network.name, list(network.parts()))
        return f'<section id="network-{place}" title="{said}"><h2>{escape(title)}</h2>{made}</section>'

    def _made(self, owner: str, parts: Sequence[tuple[str, Any]]) -> str:
        """Return the parts that can be made, each under its heading; of the others, why they cannot."""
        made = []
        for title, make in parts:
            what = f"{title[0].lower()}{title[1:]}" + (f" of {owner}" if owner else "")
            file = f"{REPORT}: {what}"
            html = self.first.attempt(file, file, make)
            if html is None:
                html = f'<p class="failure">Left out: {escape(self.first.left_out[file])}</p>'
            if html:
                made.append(f'<section class="part"><h3>{escape(title)}</h3>{html}</section>')
        return "\n".join(made)
