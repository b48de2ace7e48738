"""Going through an experiment with every engine that is asked for, and what is kept of it."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from npnet import __version__, check, engines, parallel, plot
from npnet.errors import InputError
from npnet.experiments._report import Page
from npnet.experiments.options import Options, set_fields
from npnet.experiments.run import largest_difference
from npnet.experiments.runner import Report, Runner
from npnet.run import REPORT, RESULT, SETTINGS, RunFolder

if TYPE_CHECKING:
    from npnet.experiments.experiment import Experiment


@dataclass(frozen=True)
class Result:
    """How a run of an experiment ended.

    Parameters
    ----------
    status : str
        "finished" or "interrupted".
    headline : str
        The one line that says what came out.
    folder : path
        What the run left.
    figures : tuple of paths
        The pictures among it.
    values : mapping
        What ``result.json`` holds besides.

    Raises
    ------
    InputError
        If an argument has the wrong type or value.
    """

    status: str
    headline: str
    folder: Path
    figures: tuple[Path, ...]
    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        check.choice("Result", "status", self.status, ["finished", "interrupted"])
        check.instance("Result", "headline", self.headline, str, "text")
        set_fields(self, folder=check.path("Result", "folder", self.folder))
        if not isinstance(self.figures, tuple | list):
            raise InputError(f"Result: figures must be a tuple of paths, got {check.described(self.figures)}")
        set_fields(self, figures=tuple(check.path("Result", "figures", figure) for figure in self.figures))
        if not isinstance(self.values, Mapping):
            raise InputError(f"Result: values must be a mapping, got {check.described(self.values)}")


def conduct(experiment: Experiment, options: Options, folder: RunFolder, report: Report) -> Result:
    """Let each engine that is asked for go through an experiment, one after another.

    What the first one found is kept, and what the others alone did; with it what every run reached and, of
    several engines, how far apart their losses are. An engine that is interrupted is the last.

    Parameters
    ----------
    experiment : Experiment
    options : Options
    folder : RunFolder
        Gets the settings and the result.
    report : callable
        Takes lines about how it goes.

    Returns
    -------
    result : Result
    """
    report(f"{experiment.name}: {experiment.title}")
    runners: list[Runner] = []
    reached: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for engine in options.engines():
        runner = Runner(experiment, options, engine, folder, report, tuple(runners))
        runners.append(runner)
        if len(runners) == 1:
            settings = _settings(runner, options)
            folder.write_json(SETTINGS, settings)
        began = time.perf_counter()
        headline, found = experiment.study(runner)
        seconds = time.perf_counter() - began - runner.seconds_drawing
        reached[runner.engine] = {"headline": headline, "seconds": round(seconds, 3)}
        values |= {name: value for name, value in found.items() if name not in values}
        if runner.interrupted:
            break
    values |= _all_runs(runners)
    status = "interrupted" if runners[-1].interrupted else "finished"
    headline = in_one_line({engine: each["headline"] for engine, each in reached.items()})
    page = Page(runners, settings, status, headline)
    runners[0].attempt(REPORT, REPORT, lambda: folder.write(REPORT, lambda out: out.write(page.encoded())))
    left_out = {file: reason for runner in runners for file, reason in runner.left_out.items()}
    values |= {"figures_left_out": left_out} if left_out else {}
    result = Result(
        status,
        headline,
        folder.path,
        tuple(dict.fromkeys(figure for runner in runners for figure in runner.figures)),
        {"reached": reached, **values},
    )
    ended = {
        "status": result.status,
        "headline": result.headline,
        "as_written": options.as_written and experiment.whole,
    }
    folder.write_json(RESULT, ended | dict(result.values))
    if result.status == "finished":
        folder.remove_checkpoints()
    return result


def _settings(runner: Runner, options: Options) -> dict[str, Any]:
    """Return everything needed to do the run again, and say what data there is."""
    common: dict[str, Any] = {
        "recipe": runner.experiment.name,
        "seed": options.seed,
        "quick": options.quick,
        **({"sizes": runner.sizes} if runner.sizes else {}),
        **runner.experiment.details,
    }
    if runner.setups:
        common |= {
            "engine": options.engine,
            "device": runner.options.device,
            **({"engine_options": dict(options.engine_options)} if options.engine_options else {}),
            "threads": options.threads or parallel.cores(),
        }
    each = {setup.name: setup.settings(runner.splits(setup)) for setup in runner.setups}
    for line in dict.fromkeys(_data_line(name, settings) for name, settings in each.items()):
        runner.report(line)
    if options.lr is not None and len(each) > 1:
        runner.report(f"learning rate: {options.lr:g} for each of {len(each)} networks")
    versions = {"versions": _versions(options)}
    return common | (each[""] if list(each) == [""] else {"networks": each} if each else {}) | versions


def _data_line(name: str, settings: Mapping[str, Any]) -> str:
    """Say what a setup learns from; the same line for those that learn from parts of the same sizes."""
    parts = {part: size for part, size in settings["data"].items() if part != "name"}
    told = ", ".join(f"{spaced(size)} {part}" for part, size in parts.items())
    return f"data: {told}" if name else f"data: {told}; model: {spaced(settings['parameters'])} parameters"


def _versions(options: Options) -> dict[str, str]:
    """Return the versions of what the numbers of a run depend on."""
    used = {key: each for name in options.engines() for key, each in engines.get(name).versions().items()}
    return {
        "npnet": __version__,
        "numpy": np.__version__,
        **used,
        "scikit-learn": metadata.version("scikit-learn"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _all_runs(runners: Sequence[Runner]) -> dict[str, Any]:
    """Return what every engine's runs reached, and how far engines are apart."""
    first = runners[0]
    if not first.runs:
        return {}
    alone = first.experiment.name
    values: dict[str, Any] = {
        "networks": {
            each.engine: {name or alone: run.values() for name, run in each.runs.items()} for each in runners
        }
    }
    if len(first.setups) > 1 and not first.experiment.keeps_all_weights:
        best = first.best.name
        values["best"], values["setup"] = first.kept or (best, best)
    if len(runners) > 1:
        values["largest_loss_difference"] = _compare_engines(runners)
    return values


def _compare_engines(runners: Sequence[Runner]) -> dict[str, float]:
    """Report how fast the engines were and how far their losses are apart; draw the best run."""
    first, last = runners[0], runners[-1]
    apart, rows = {}, []
    for name in last.runs:
        runs, shown = [each.runs[name] for each in runners], name or first.experiment.name
        apart[shown], epoch = largest_difference([run.history for run in runs])
        speeds = [spaced(round(run.samples_per_second)) for run in runs]
        rows.append([shown, *(run.shown for run in runs), *speeds, f"{apart[shown]:.2g}", epoch])
    titles = [each.engine for each in runners]
    last.table(
        ["network", *titles, *(f"{title}: samples/s" for title in titles), "losses differ by", "in epoch"],
        rows,
    )
    chosen = last.best
    curves = {each.engine: each.runs[chosen.name].history for each in runners}
    if all(history.epochs for history in curves.values()):
        title = f"{chosen.name or first.experiment.name}: the engines from equal weights"
        label = chosen.setup.loss_label
        last.figure_of_all("engines.png", plot.learning_curves, curves, title=title, loss_label=label)
    return apart


def in_one_line(headlines: Mapping[str, str]) -> str:
    """Return the headlines of one engine or of several as one line.

    Examples
    --------
    >>> in_one_line({"npnet": "accuracy: 90.0 %"})
    'accuracy: 90.0 %'
    >>> in_one_line({"npnet": "accuracy: 90.0 %", "PyTorch": "accuracy: 90.1 %"})
    'npnet: accuracy: 90.0 %; PyTorch: accuracy: 90.1 %'
    >>> in_one_line({"npnet": "accuracy: 90.0 %", "PyTorch": "accuracy: 90.0 %"})
    'npnet and PyTorch: accuracy: 90.0 %'
    """
    if len(set(headlines.values())) == 1:
        (line,) = set(headlines.values())
        return line if len(headlines) == 1 else f"{' and '.join(headlines)}: {line}"
    return "; ".join(f"{engine}: {headline}" for engine, headline in headlines.items())


def spaced(number: int) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,}".replace(",", " ")
