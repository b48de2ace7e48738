"""``npnet train``: run a recipe."""

from __future__ import annotations

import shlex
from argparse import Namespace, _ArgumentGroup, _SubParsersAction
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npnet import engines
from npnet.cli import _types
from npnet.cli._output import INTERRUPTED, complain, say
from npnet.cli._parser import Parser
from npnet.cli._runs import unfinished_run
from npnet.cli._signals import ends_like_ctrl_c
from npnet.errors import InputError, MissingError

if TYPE_CHECKING:
    from npnet.experiments import Experiment, Options, Result

DEFAULT_RECIPE = "digits"
NOT_WITH_RESUME = (
    "recipe", "only", "sizes", "quick", "epochs", "batch_size", "lr", "seed", "data", "engine", "device",
    "threads", "diagnose",
)  # fmt: skip
EXAMPLES = f"""\
examples:
  npnet train                                     {DEFAULT_RECIPE}, in some seconds
  npnet train mnist-lenet --epochs 3              three epochs instead of the recipe's own
  npnet train mnist-lenet --engine both           npnet and PyTorch side by side
  npnet train digits --lr 10 --diagnose           what is wrong, and what to try
  npnet train mnist-deep --only "784-100-10"      one of its networks
  npnet train --resume                            go on with the newest run that was interrupted
"""


def add_parser(commands: _SubParsersAction[Parser]) -> None:
    """Add the command and its options.

    Parameters
    ----------
    commands : what `argparse.ArgumentParser.add_subparsers` returns
    """
    parser = commands.add_parser(
        "train",
        help="run a recipe: train its network, judge it, draw its figures",
        description="Run a recipe: train its network, judge it, draw its figures. All of it is kept in a new "
        "folder, runs/RECIPE/TIME. An option that the recipe does not use is refused; "
        "`npnet summary RECIPE` lists those it uses. Ctrl-C ends training and keeps what was learnt.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(command=_train)
    parser.add_argument(
        "recipe",
        nargs="?",
        default=DEFAULT_RECIPE,
        metavar="RECIPE",
        help=f"The recipe to run, one that `npnet recipes` lists. Without a name it is {DEFAULT_RECIPE}.",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="RUN",
        help="Go on with a run that was interrupted or killed: RUN is its folder; without a name it is the "
        "newest unfinished run in --out. The run ends with the same bits as if it had never stopped.",
    )
    _add_parts(parser.add_argument_group("what is run"))
    _add_training(parser.add_argument_group("how it is trained"))
    _add_places(parser.add_argument_group("where things are"))
    _add_engines(parser.add_argument_group("what computes"))
    parser.add_argument_group("what is printed").add_argument(
        "--quiet", action="store_true", help="Print the result alone, the last line."
    )


def _add_parts(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--only",
        nargs="+",
        metavar="NETWORK",
        help="Train some networks of a recipe that has several; `npnet summary RECIPE` lists their names.",
    )
    group.add_argument(
        "--sizes",
        nargs="+",
        type=_types.positive,
        metavar="N",
        help="Train once on each of these numbers of samples, in a recipe that compares sizes.",
    )
    group.add_argument(
        "--quick",
        action="store_true",
        help="Cut the run short, with few epochs on few samples, to see that everything works.",
    )
    group.add_argument(
        "--diagnose",
        action="store_true",
        help="Watch gradients, updates and dead units of each layer: draw them, and warn in words if they "
        "vanish, explode or die, or if nothing is learnt. The weights are the same to the bit.",
    )


def _add_training(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--epochs",
        type=_types.positive,
        metavar="N",
        help="Go N times through the training data, instead of as often as the recipe says.",
    )
    group.add_argument(
        "--batch-size",
        type=_types.positive,
        metavar="N",
        help="Learn from N samples in each step, instead of as many as the recipe says.",
    )
    group.add_argument(
        "--lr",
        type=_types.positive_float,
        metavar="X",
        help="Begin with the learning rate X instead of the recipe's.",
    )
    group.add_argument(
        "--seed",
        type=_types.seed,
        metavar="N",
        help="Draw initial weights and the order of the samples from the seed N. The same seed gives the "
        "same bits; without this option it is 0.",
    )


def _add_places(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--out",
        type=_types.folder,
        default=Path("runs"),
        metavar="DIR",
        help="Keep runs in this folder. Without this option it is the folder runs.",
    )
    group.add_argument(
        "--data",
        type=_types.folder_there,
        metavar="DIR",
        help="Look for data sets in this folder, and download them to it, rather than to NPNET_DATA or "
        "~/.cache/npnet.",
    )


def _add_engines(group: _ArgumentGroup) -> None:
    known = _backends()
    others = [name for name in known if name != engines.NUMPY]
    named = ", ".join(f"{name} ({known[name].title})" for name in others)
    group.add_argument(
        "--engine",
        type=_types.engine,
        default=engines.NUMPY,
        metavar="ENGINE",
        help="Compute with another engine than npnet's own, which is called numpy: "
        f"{named or 'none is installed'}. With both, or with names that have a comma between them, "
        "engines run side by side, from equal weights on equal minibatches.",
    )
    group.add_argument(
        "--device",
        choices=sorted({device for backend in known.values() for device in backend.devices}),
        help="Compute on this device, with an engine that has it. Without this option it is the CPU.",
    )
    for option in (option for backend in known.values() for option in backend.options):
        flag = f"--{option.name.replace('_', '-')}"
        if option.choices:
            group.add_argument(flag, choices=option.choices, help=option.help)
        else:
            group.add_argument(flag, action="store_true", default=None, help=option.help)
    group.add_argument(
        "--threads",
        type=_types.threads,
        metavar="N",
        help="Compute with N threads instead of one for each core. The result is the same to the bit.",
    )


# ---- what it does --------------------------------------------------------------------------------------


def _train(chosen: Namespace) -> int:
    with ends_like_ctrl_c() as received:
        try:
            status = _run(chosen)
        except KeyboardInterrupt:  # before anything was learnt, or asked for twice
            status = complain("interrupted", INTERRUPTED)
    return 128 + received[0] if received and status == INTERRUPTED else status


def _run(chosen: Namespace) -> int:
    recipe, options, folder = _new_run(chosen) if chosen.resume is None else _unfinished_run(chosen)
    with _threads(options.threads):
        result = recipe.run(options, chosen.out, _ignore if chosen.quiet else say, resume=folder)
    if result.status == "interrupted":
        complain(
            f"interrupted; what was learnt until then is in {result.folder}, and npnet train --resume goes "
            "on with it",
            INTERRUPTED,
        )
    elif not chosen.quiet:
        for line in _what_next(result):
            say(line)
    say(result.headline)
    return INTERRUPTED if result.status == "interrupted" else 0


def _new_run(chosen: Namespace) -> tuple[Experiment, Options, None]:
    """Return the recipe and the options asked for."""
    from npnet.experiments import Options  # noqa: PLC0415 - not every command needs them

    options = Options(
        seed=chosen.seed or 0,
        epochs=chosen.epochs,
        batch_size=chosen.batch_size,
        lr=chosen.lr,
        data=chosen.data,
        quick=chosen.quick,
        progress=not chosen.quiet,
        engine=chosen.engine,
        device=chosen.device,
        threads=chosen.threads,
        diagnose=chosen.diagnose,
        engine_options=_engine_options(chosen),
    )
    return _chosen_recipe(chosen), options, None


def _unfinished_run(chosen: Namespace) -> tuple[Experiment, Options, Path]:
    """Return recipe and options of a run that is to be resumed, and its folder."""
    from npnet._kept_run import KeptRun  # noqa: PLC0415 - as above
    from npnet.run import RunFolder  # noqa: PLC0415 - as above

    require_no_others(chosen)
    path = RunFolder.reopen(unfinished_run(chosen.resume, chosen.out)).path
    kept = KeptRun.open(path)
    if not chosen.quiet:
        say(f"resuming {path}")
    return kept.experiment, replace(kept.options, progress=not chosen.quiet), path


def require_no_others(chosen: Namespace) -> None:
    """Require no recipe and no options beside ``--resume``, which takes them from the run.

    Parameters
    ----------
    chosen : argparse.Namespace
        The options of ``npnet train``.

    Raises
    ------
    InputError
        If there are others; the message names them.
    """
    own = {"recipe": DEFAULT_RECIPE, "engine": engines.NUMPY, "quick": False, "diagnose": False}
    others = [name for name in NOT_WITH_RESUME if getattr(chosen, name) != own.get(name)]
    if others := [*others, *_engine_options(chosen)]:
        raise InputError(
            f"--resume takes recipe and options from the run; leave out {', '.join(map(_typed, others))}"
        )


def _typed(name: str) -> str:
    """Return an argument as it is typed."""
    return "the recipe" if name == "recipe" else f"--{name.replace('_', '-')}"


def _backends() -> dict[str, engines.Backend]:
    """Return all engines by name, but for those of packages that are broken."""
    found = {}
    for name in engines.names():
        with suppress(MissingError):
            found[name] = engines.get(name)
    return found


def _engine_options(chosen: Namespace) -> dict[str, Any]:
    """Return the values of those options that belong to one engine."""
    own = {option.name for backend in _backends().values() for option in backend.options}
    return {name: value for name, value in vars(chosen).items() if name in own and value is not None}


def _chosen_recipe(chosen: Namespace) -> Experiment:
    from npnet import recipes  # noqa: PLC0415 - as above

    recipe = recipes.get(chosen.recipe)
    if chosen.seed is not None:  # a seed of 0 does not show in the options
        recipe.check_options("seed")
    recipe = recipe.only(*chosen.only) if chosen.only else recipe
    return recipe.with_sizes(*chosen.sizes) if chosen.sizes else recipe


def _what_next(result: Result) -> list[str]:
    """Return lines about what a run has left and what can be done with it."""
    from npnet.run import MODEL, REPORT  # noqa: PLC0415 - as above

    lines, weights = [f"everything is in {result.folder}"], result.folder / MODEL
    if (result.folder / REPORT).exists():
        lines.append(f"report: {result.folder / REPORT}")
    if weights.exists():
        best = result.values.get("best")
        lines.append(f"weights: {weights}" + (f", of the network {best!r}" if best else ""))
        use = _use(result.folder, weights)
        lines += [f"try it: {use}"] if use else []
    return lines


def _use(folder: Path, weights: Path) -> str | None:
    """Return what to type to have a trained model answer; None if its data has no raw form to ask about."""
    from npnet import saved  # noqa: PLC0415 - as above
    from npnet.data import ImageFormat  # noqa: PLC0415 - as above

    try:
        model = saved.load(weights)
    except InputError:  # weights alone
        return None
    if isinstance(model.format, ImageFormat):
        return f"npnet predict {shlex.quote(str(folder))} PICTURE…"
    return None if model.row_format is None else f"npnet predict {shlex.quote(str(folder))} FILE.csv"


def _threads(number: int | None) -> AbstractContextManager[object]:
    """Hold the matrix products to a number of threads."""
    if number is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - not every command needs it

    limits: AbstractContextManager[object] = threadpool_limits(number, user_api="blas")
    return limits


def _ignore(line: str) -> None:
    """Print nothing."""
