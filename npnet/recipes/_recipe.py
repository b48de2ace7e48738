"""What a recipe is: an experiment, and the folder that running it leaves behind."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any, ClassVar

from npnet.errors import InputError, MissingError
from npnet.recipes._spec import ENGINES, Options, Report, Result
from npnet.run import RESULT, RunFolder


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
    engines : tuple of str
        Those it can run on, as `Options.engine` names them.
    """

    name: str
    title: str
    source: str
    reported: str
    expects: str
    dataset: str | None = None
    whole: bool = True
    engines: ClassVar[tuple[str, ...]] = ("numpy",)

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
            If something does not fit; nothing is left behind then, unless training had begun.
        """
        self._check_engine(options)
        with RunFolder(out, self.name) as folder:
            began = time.perf_counter()
            result = self.carry_out(options, folder, report)
            seconds = round(time.perf_counter() - began, 3)
            ended: dict[str, Any] = {
                "status": result.status,
                "headline": result.headline,
                "as_written": options.as_written and self.whole,
            }
            if options.engine in ENGINES:  # of two engines, the experiment knows what either reached
                reached = {"headline": result.headline, "seconds": seconds}
                ended["reached"] = {ENGINES[options.engine]: reached}
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
        if options.engine not in self.engines:
            raise InputError(
                f"{self.name}: --engine must be {' or '.join(self.engines)} for this recipe, "
                f"got {options.engine}"
            )
        if options.engine == "numpy":
            if options.device != "cpu":
                raise InputError(
                    f"{self.name}: --device {options.device} must go with --engine torch, "
                    "as NumPy has the CPU alone"
                )
            return
        if util.find_spec("torch") is None:
            raise MissingError(
                f"--engine {options.engine} trains with PyTorch, which is not installed: "
                "pip install torch torchvision"
            )
        from ptref.engine import check_device  # noqa: PLC0415 - PyTorch is loaded when asked for

        check_device(options.device)

    def summary(self) -> str:
        """Return what the experiment is, as text."""
        lines = {
            "what": self.title,
            "source": self.source,
            "reported there": self.reported,
            "expected here": self.expects,
        }
        return "\n".join([self.name, *(f"  {name + ':':<16}{text}" for name, text in lines.items())])

    @abstractmethod
    def carry_out(self, options: Options, folder: RunFolder, report: Report) -> Result:
        """Do the experiment, write what is to be kept into the folder, and say how it ended."""
