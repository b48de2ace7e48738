"""What the processes of ``python -m ptref.train`` are to do, as the first of them reads the command line.

The others are told, so that all do the same, and what is wrong with it is said once.
"""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from npnet.cli import train
from npnet.cli._output import MISTAKE, complain, say
from npnet.cli._parser import Parser
from npnet.cli._runs import unfinished_run
from npnet.errors import InputError
from npnet.run import OPTIONS, RESULT, RunFolder, read_json
from ptref.device import has_gpu
from ptref.launch import Launch

# What a launch remembers: the folder of its run, and that nothing can be done.
RUN, REFUSED = "run", "refused"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to do.

    Parameters
    ----------
    status : int, optional
        The exit status, where there is nothing to be done and all that there is to say has been said.
    device : "cpu" or "cuda"
    arguments : sequence of str
        Those of ``npnet train``.
    folder : str
        The run to go on with; empty for a new one.

    Examples
    --------
    >>> Task.read(Task(arguments=["digits"]).written()).of_process(0, Path("nowhere"))
    ['digits']
    """

    status: int | None = None
    device: str = "cpu"
    arguments: Sequence[str] = ()
    folder: str = ""

    def written(self) -> str:
        """Return it as a text."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Task:
        """Return the task that a text holds."""
        return cls(**json.loads(text))

    def of_process(self, rank: int, place: Path) -> list[str]:
        """Return the arguments for one process.

        The first writes to the run. Any other does the same work on a copy, and where it goes nobody looks.

        Parameters
        ----------
        rank : int
        place : path
            A folder of the process's own.

        Returns
        -------
        arguments : list of str

        Raises
        ------
        InputError
            If the run's folder is not there for this process.
        """
        if rank == 0:
            return [*self.arguments, *(["--resume", self.folder] if self.folder else [])]
        if not self.folder:
            return [*self.arguments, "--quiet", "--out", str(place)]
        kept = shutil.ignore_patterns(".lock", "*.tmp", "*.png")
        try:
            copy = shutil.copytree(self.folder, place / "run", ignore=kept)
        except (OSError, shutil.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"--resume: RUN must be a folder that all processes see, but process {rank} cannot read "
                f"{self.folder} ({reason})"
            ) from None
        return [*self.arguments, "--quiet", "--resume", str(copy)]


def task_of(given: Sequence[str], launch: Launch) -> Task:
    """Return what a command line asks for; of a launch that is restarted, the rest of its own run.

    Parameters
    ----------
    given : sequence of str
        Options of ``npnet train``. With ``--resume``, a recipe must be the run's.
    launch : Launch

    Returns
    -------
    task : Task
        With a status, if something is wrong. It has been said then.
    """
    if launch.remembered(REFUSED):  # which was said at the first start
        return Task(status=MISTAKE)
    if not launch.restarts:  # a store that lasts may remember another launch of the same name
        launch.remember(RUN, "")
        launch.remember(REFUSED, "")
    try:
        return _task(given, launch)
    except InputError as error:
        launch.remember(REFUSED, "yes")
        return Task(status=complain(str(error), MISTAKE))
    except SystemExit as ended:  # the parser has said why
        if ended.code:
            launch.remember(REFUSED, "yes")
        return Task(status=ended.code if isinstance(ended.code, int) else 0)


def _task(given: Sequence[str], launch: Launch) -> Task:
    chosen = _parsed(given)
    own = _own_run(launch)
    if own is not None and read_json(own / RESULT).get("status") == "finished":
        say(f"the run in {own} has finished")
        return Task(status=0)
    if own is None and chosen.resume is None:
        return Task(device=_device(chosen.device), arguments=[*given, "--engine", "torch"])
    folder = _chosen_run(chosen) if own is None else own
    quiet = ["--quiet"] if chosen.quiet else []
    return Task(device=_device(_options(folder).get("device")), arguments=quiet, folder=str(folder))


def _parsed(given: Sequence[str]) -> Namespace:
    """Return the options of ``npnet train``, with None for a recipe that is not named."""
    commands = Parser(prog="npnet").add_subparsers(parser_class=Parser)
    train.add_parser(commands)
    parser = commands.choices["train"]
    parser.set_defaults(recipe=None)
    chosen: Namespace = parser.parse_args(list(given))
    return chosen


def _own_run(launch: Launch) -> Path | None:
    """Return the run that this launch has begun before it was restarted, if it left anything."""
    if launch.restarts and not launch.remembers:
        raise InputError(
            "torchrun has restarted this training, but keeps no store from which it could know its run; go "
            "on with the run by --resume"
        )
    own = launch.remembered(RUN)
    return Path(own) if own and (Path(own) / OPTIONS).exists() else None


def _chosen_run(chosen: Namespace) -> Path:
    """Return the run that ``--resume`` means, which PyTorch must have begun and not finished."""
    folder = unfinished_run(chosen.resume, chosen.out)
    asked = _options(folder)
    if asked.get("engine") != "torch":
        raise InputError(
            f"--resume: {folder} must be a run of the engine torch, got {asked.get('engine')!r}; "
            "npnet train --resume goes on with it"
        )
    recipe = read_json(folder / OPTIONS).get("recipe")
    if chosen.recipe not in (None, recipe):
        raise InputError(
            f"--resume: RUN must be a run of the recipe {chosen.recipe}, but {folder} is one of {recipe}; "
            f"leave out {chosen.recipe} to go on with it"
        )
    chosen.recipe = train.DEFAULT_RECIPE  # which stands for none
    train.require_no_others(chosen)
    return RunFolder.reopen(folder).path.resolve()


def _options(folder: Path) -> dict[str, object]:
    """Return the options that a run was made with."""
    options = read_json(folder / OPTIONS).get("options")
    if not isinstance(options, dict):
        raise InputError(f"{folder / OPTIONS} does not hold the options of a run")
    return options


def _device(asked: object) -> str:
    """Return where processes exchange what they compute. That a GPU is missing npnet says by itself."""
    return "cuda" if asked == "cuda" and has_gpu() else "cpu"
