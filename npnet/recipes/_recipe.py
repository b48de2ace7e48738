"""What a recipe is: an experiment, and the folder that running it leaves behind."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from npnet import check, engines
from npnet.errors import InputError
from npnet.recipes._spec import DOWNLOADS, Options, Report, Result, become
from npnet.run import RESULT, RunFolder

TRAINING = ("quick", "epochs", "batch_size", "lr", "seed", "threads")  # what bears on training a network
ORDER = (
    "only",
    "sizes",
    "quick",
    "epochs",
    "batch_size",
    "lr",
    "seed",
    "data",
    "engine",
    "device",
    "threads",
)


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """An experiment. One that is not the training of a network subclasses this and implements `carry_out`.

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
    dataset : str, optional
        The data set it needs, as `npnet.data.present` knows it; None if it makes its data itself.
    whole : bool
        Whether it is all of the experiment, not some of its networks or with other sizes.

    Attributes
    ----------
    any_engine : bool
        Whether it can run on any engine, not on npnet's alone.
    own_options : tuple of str
        Which of `Options`, `only` and `of` ("sizes") bear on it; the rest is refused. Engines and the data
        folder need not be named, they follow from `any_engine` and `dataset`.

    Raises
    ------
    InputError
        If an argument is none of this.
    """

    name: str
    title: str
    source: str
    reported: str
    expects: str
    dataset: str | None = None
    whole: bool = True
    any_engine: ClassVar[bool] = False
    own_options: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for name in ("name", "title", "source", "reported", "expects"):
            check.instance(kind, name, getattr(self, name), str, "text")
        # It names a folder of runs. Networks within an experiment have names for people.
        if not self.name or "\0" in self.name:
            raise InputError(f"{kind}: name must be a word or some, got {self.name!r:.60}")
        if self.dataset is not None:
            check.choice(kind, "dataset", self.dataset, DOWNLOADS)
        become(self, whole=check.flag(kind, "whole", self.whole))

    @property
    def uses(self) -> tuple[str, ...]:
        """The names of all options that bear on it."""
        named = [*self.own_options]
        named += ["data"] if self.dataset not in (None, "digits") else []
        named += ["engine", "device"] if self.any_engine else []
        return tuple(name for name in ORDER if name in named)

    def check_uses(self, *names: str) -> None:
        """Require that options bear on this experiment.

        Raises
        ------
        InputError
            If one does not; the message says which do.
        """
        for name in names:
            if name not in self.uses:
                known = ", ".join(map(flag, self.uses))
                instead = (
                    f"of the options that change a run it takes {known}" if known else "it has no settings"
                )
                raise InputError(f"{self.name}: {flag(name)} does not apply to this recipe; {instead}")

    def run(self, options: Options, out: str | Path = "runs", report: Report = print) -> Result:
        """Run the experiment and leave a folder of it under `out`.

        Parameters
        ----------
        options : Options
        out : path
            Where runs are collected; found unwritable before anything is done.
        report : callable
            Takes lines about how it goes.

        Returns
        -------
        result : Result

        Raises
        ------
        InputError
            If something does not fit, or an option does not bear on this experiment; nothing is left behind
            then. If training goes wrong after an epoch or more; the folder is left, and the message names it.
        """
        check.instance(self.name, "options", options, Options, "npnet.recipes.Options")
        check.function(self.name, "report", report)
        self._check_engine(options)
        self.check_uses(
            *(name for name in options.asked_for() if name not in ("progress", "engine", "engine_options"))
        )
        folder = RunFolder(out, self.name)
        try:
            return self._carried_out(options, folder, report)
        except InputError as error:
            if folder.path.exists():
                error.args = (f"{error}; what was learnt until then is in {folder.path}", *error.args[1:])
            raise

    def _carried_out(self, options: Options, folder: RunFolder, report: Report) -> Result:
        with folder:
            began = time.perf_counter()
            result = self.carry_out(options, folder, report)
            seconds = round(time.perf_counter() - began, 3)
            ended: dict[str, Any] = {
                "status": result.status,
                "headline": result.headline,
                "as_written": options.as_written and self.whole,
            }
            if len(options.engines) == 1:  # of several, the experiment knows what each reached
                reached = {"headline": result.headline, "seconds": seconds}
                ended["reached"] = {engines.get(options.engine).title: reached}
            folder.write_json(RESULT, ended | dict(result.values))
        return result

    def only(self, *names: str) -> Recipe:
        """Return the experiment with some of its networks, where it has several.

        Raises
        ------
        InputError
            If it has not, or there is no network of a name.
        """
        raise InputError(
            f"{self.name}: --only must go with a recipe of several networks to choose from, "
            f"got {', '.join(map(repr, names))}"
        )

    def of(self, *sizes: int) -> Recipe:
        """Return the experiment with other numbers of samples to learn from, where it is about them.

        Raises
        ------
        InputError
            If it is not.
        """
        raise InputError(
            f"{self.name}: --sizes must go with a recipe that compares sizes of the training part, "
            f"got {' '.join(map(str, sizes))}"
        )

    def _check_engine(self, options: Options) -> None:
        """Require an engine that the experiment can run on and that is there."""
        if options.engine != engines.NUMPY and not self.any_engine:
            raise InputError(
                f"{self.name}: --engine must be {engines.NUMPY} for this recipe, got {options.engine}"
            )
        for engine in options.engines:
            engines.get(engine).check(options.for_engine(engine).settings())

    def summary(self) -> str:
        """Return what the experiment is, as text."""
        lines = {
            "what": self.title,
            "source": self.source,
            "reported there": self.reported,
            "expected here": self.expects,
            "options": " ".join(map(flag, self.uses)) or "none",
        }
        return "\n".join([self.name, *(f"  {name + ':':<16}{text}" for name, text in lines.items())])

    @abstractmethod
    def carry_out(self, options: Options, folder: RunFolder, report: Report) -> Result:
        """Do the experiment, write what is to be kept into the folder, and say how it ended."""


def flag(name: str) -> str:
    """Return an option as the command line has it.

    Examples
    --------
    >>> flag("batch_size")
    '--batch-size'
    """
    return f"--{name.replace('_', '-')}"
