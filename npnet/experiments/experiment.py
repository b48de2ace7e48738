"""An experiment: what it is, its source, its setups, and how they are judged and drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from npnet import check, engines
from npnet._words import counted
from npnet.data.published import PUBLISHED
from npnet.errors import InputError
from npnet.experiments.conduct import Result, conduct
from npnet.experiments.options import ORDER, TRAINING, Options, set_fields
from npnet.experiments.runner import Report, Runner
from npnet.experiments.setup import Setup
from npnet.experiments.studies import judge_setups
from npnet.run import OPTIONS, RunFolder
from npnet.table import table

Study = Callable[[Runner], tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment.

    Parameters
    ----------
    name : str
        As typed on the command line.
    title : str
        What it is, in a line.
    source : str
        Where the experiment comes from.
    reported : str
        What the source says comes out.
    expects : str
        What must come out here.
    setups : tuple of Setup
        What is trained. Of several, their names tell them apart.
    study : callable
        Takes a `Runner`, trains the setups with it, looks at what they learnt and draws it; returns the
        headline and the values to keep. By default that is `judge_setups`.
    dataset : str, optional
        The data set it needs, as `npnet.data.present` knows it; None if it makes its data itself.
    sizes, quick_sizes : tuple of int
        Numbers of samples that it compares, where it does; others can be asked for.
    details : mapping
        What else is set, for ``settings.json`` and the summary: mappings by name.
    takes : tuple of str, optional
        The options that bear on it, other than the data folder; by default those of training its setups.
    keeps_all_weights : bool
        Whether the weights of all setups are kept, where they learn different things, and not the best alone.
    whole : bool
        Whether it is all of the experiment, not some of its setups or with other sizes.

    Raises
    ------
    InputError
        If an argument has the wrong type or value.
    """

    name: str
    title: str
    source: str
    reported: str
    expects: str
    setups: tuple[Setup, ...] = ()
    study: Study = judge_setups
    dataset: str | None = None
    sizes: tuple[int, ...] = ()
    quick_sizes: tuple[int, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    takes: tuple[str, ...] | None = None
    keeps_all_weights: bool = False
    whole: bool = True

    def __post_init__(self) -> None:
        for name in ("name", "title", "source", "reported", "expects"):
            check.instance("Experiment", name, getattr(self, name), str, "text")
        if not self.name or "\0" in self.name:  # it names a folder of runs
            raise InputError(f"Experiment: name must be a word or some, got {self.name!r:.60}")
        _check_setups(self.setups)
        check.function("Experiment", "study", self.study)
        if self.dataset is not None:
            check.choice("Experiment", "dataset", self.dataset, PUBLISHED)
        for name in ("sizes", "quick_sizes"):
            given = getattr(self, name)
            if not isinstance(given, tuple):
                raise InputError(
                    f"Experiment: {name} must be a tuple of integers, got {check.described(given)}"
                )
            sizes = tuple(check.integer("Experiment", name, size, least=1) for size in given)
            set_fields(self, **{name: sizes})
        if not isinstance(self.details, Mapping) or not all(
            isinstance(detail, Mapping) for detail in self.details.values()
        ):
            raise InputError(f"Experiment: details must be mappings by name, got {self.details!r:.60}")
        if self.takes is not None and not isinstance(self.takes, tuple):
            raise InputError(f"Experiment: takes must be a tuple of str, got {check.described(self.takes)}")
        for name in self.takes or ():
            check.choice("Experiment", "takes", name, ORDER)
        for name in ("keeps_all_weights", "whole"):
            set_fields(self, **{name: check.flag("Experiment", name, getattr(self, name))})

    @property
    def options(self) -> tuple[str, ...]:
        """The names of all options that bear on it."""
        named = {*(self._takes_by_itself() if self.takes is None else self.takes)}
        if self.dataset not in (None, "digits"):
            named.add("data")
        return tuple(name for name in ORDER if name in named)

    def _takes_by_itself(self) -> set[str]:
        named = {*TRAINING} if self.setups else set()
        if all(setup.fixed_batch_size for setup in self.setups):
            named -= {"batch_size"}
        if len(self.setups) > 1 or not self.whole:
            named.add("only")
        return named

    def check_options(self, *names: str) -> None:
        """Require that options bear on this experiment.

        Raises
        ------
        InputError
            If one does not; the message says which do.
        """
        for name in names:
            if name not in self.options:
                known = ", ".join(map(flag, self.options))
                instead = (
                    f"of the options that change a run it takes {known}" if known else "it has no settings"
                )
                raise InputError(f"{self.name}: {flag(name)} does not apply to this recipe; {instead}")

    def only(self, *names: str) -> Experiment:
        """Return the experiment with some of its setups, in the order it has them.

        Raises
        ------
        InputError
            If there is nothing to choose from, or no setup of a name.
        """
        if "only" not in self.options:
            has = "one network" if self.setups else "no networks"
            this = "needs all its networks" if len(self.setups) > 1 else f"has {has}"
            raise InputError(
                f"{self.name}: --only chooses among the networks of a recipe that has several; "
                f"this one {this}, got {', '.join(map(repr, names))}"
            )
        chosen = self._named(names)
        return replace(self, setups=chosen, whole=self.whole and chosen == self.setups)

    def setup(self, name: str) -> Setup:
        """Return the setup of a name, whether or not it can be run without the others.

        Raises
        ------
        InputError
            If there are no several, or none of that name.
        """
        if len(self.setups) < 2:
            self.only(name)  # which says so
        return self._named((name,))[0]

    def _named(self, names: tuple[str, ...]) -> tuple[Setup, ...]:
        """Return the setups of some names."""
        known = [setup.name for setup in self.setups]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            asked = repr(unknown[0]) if unknown else "none"
            whole = " ".join(map(str, names))
            meant = f"; did you mean {quoted(whole)}, with the quotes?" if whole in known else ""
            raise InputError(
                f"{self.name}: networks must be among {', '.join(map(quoted, known))}, got {asked}{meant}"
            )
        return tuple(setup for setup in self.setups if setup.name in names)

    def with_sizes(self, *sizes: int) -> Experiment:
        """Return the experiment with other numbers of samples to learn from, where it is about them.

        Raises
        ------
        InputError
            If it is not, there are none, or one is no positive integer.
        """
        if "sizes" not in self.options:
            raise InputError(
                f"{self.name}: --sizes must go with a recipe that compares sizes of the training part, "
                f"got {' '.join(map(str, sizes))}"
            )
        if not sizes:
            raise InputError(f"{self.name}: sizes must be one number of samples or more, got none")
        sizes = tuple(check.integer(self.name, "sizes", size, least=1) for size in sizes)
        return replace(self, sizes=sizes, whole=self.whole and sizes == self.sizes)

    def summary(self) -> str:
        """Return what the experiment is, as text: of one setup layer by layer, of several in a table."""
        lines: dict[str, Any] = {
            "what": self.title,
            "source": self.source,
            "reported there": self.reported,
            "expected here": self.expects,
            "options": " ".join(map(flag, self.options)) or "none",
            **({"sizes": " ".join(map(str, self.sizes))} if self.sizes else {}),
        }
        for detail in self.details.values():
            lines |= detail
        more = ""
        if len(self.setups) == 1 and not self.setups[0].name:
            (setup,) = self.setups
            lines["loss"], lines["optimizer"] = setup.loss, setup.optimizer
            lines["schedule"] = setup.schedule_told or "none"
            lines["training"] = f"{counted(setup.epochs, 'epoch')} in minibatches of {setup.batch_size}"
            more = f"\n\n{setup.model(np.random.default_rng(0)).summary(setup.input_shape)}"
        elif self.setups:
            more = f"\n\n{_table_of(self.setups)}"
        return "\n".join([self.name, *(f"  {name + ':':<15} {text}" for name, text in lines.items())]) + more

    # ---- running it ------------------------------------------------------------------------------------

    def run(
        self,
        options: Options,
        out: str | Path = "runs",
        report: Report = print,
        *,
        resume: str | Path | None = None,
    ) -> Result:
        """Run the experiment and leave a folder of it under `out`.

        Parameters
        ----------
        options : Options
        out : path
            Where runs are collected; found unwritable before anything is done.
        report : callable
            Takes lines about how it goes.
        resume : path, optional
            The folder of an interrupted run of this experiment, with these options, to go on in.

        Returns
        -------
        result : Result

        Raises
        ------
        InputError
            If something does not fit, or an option does not bear on this experiment; nothing is left behind
            then. If training goes wrong after an epoch or more; the folder is left, and the message names it.
        """
        check.instance(self.name, "options", options, Options, "npnet.experiments.Options")
        check.function(self.name, "report", report)
        if "engine" not in self.options and options.engine != engines.NUMPY:
            known, asked = engines.NUMPY, options.engine
            raise InputError(f"{self.name}: --engine must be {known} for this recipe, got {asked}")
        self.check_options(*(name for name in options.changed() if name != "engine_options"))
        for name, settings in options.engines().items():
            engines.get(name).check(settings)
        folder = RunFolder(out, self.name) if resume is None else RunFolder.reopen(resume)
        try:
            with folder:
                folder.write_json(OPTIONS, self._asked(options))
                return conduct(self, options, folder, report)
        except InputError as error:
            if folder.path.exists():
                error.args = (f"{error}; what was learnt until then is in {folder.path}", *error.args[1:])
            raise

    def _asked(self, options: Options) -> dict[str, Any]:
        """Return what was asked for, from which `npnet train --resume` makes the same run."""
        asked = {each.name: getattr(options, each.name) for each in fields(options)}
        return {
            "recipe": self.name,
            "only": [] if self.whole else [setup.name for setup in self.setups],
            "sizes": [] if self.whole else list(self.sizes),
            "options": {name: value for name, value in asked.items() if name != "progress"},
        }


def _check_setups(setups: Any) -> None:
    if not isinstance(setups, tuple) or not all(isinstance(setup, Setup) for setup in setups):
        raise InputError(f"Experiment: setups must be a tuple of Setup, got {check.described(setups)}")
    names = [setup.name for setup in setups]
    if len(set(names)) < len(names) or (len(names) > 1 and not all(names)):
        raise InputError(f"Experiment: setups must have names that tell them apart, got {names!r:.120}")


def _table_of(setups: Sequence[Setup]) -> str:
    rows = [
        [
            quoted(setup.name),
            setup.model(np.random.default_rng(0)).summary(setup.input_shape).parameters,
            repr(setup.loss),
            repr(setup.optimizer),
            setup.schedule_told,
            setup.batch_size,
            setup.epochs,
        ]
        for setup in setups
    ]
    headings = ["network", "parameters", "loss", "optimizer", "schedule", "minibatch", "epochs"]
    return table(headings, rows)


def quoted(name: str) -> str:
    """Return the name of a setup as a command line takes it."""
    return f'"{name}"'


def flag(name: str) -> str:
    """Return an option as the command line has it.

    Examples
    --------
    >>> flag("batch_size")
    '--batch-size'
    """
    return f"--{name.replace('_', '-')}"
