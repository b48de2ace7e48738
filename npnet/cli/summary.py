"""``npnet summary``: what a recipe or a run is, its network layer by layer, and the options it takes."""

from __future__ import annotations

import os
from argparse import Namespace, _SubParsersAction

from npnet.cli._output import say
from npnet.cli._parser import Parser
from npnet.cli._runs import model_file
from npnet.cli.train import DEFAULT_RECIPE

EXAMPLES = """\
examples:
  npnet summary mnist-lenet       its layers, and how it is trained
  npnet summary mnist-deep        the names of its networks, for `npnet train mnist-deep --only NETWORK`
  npnet summary runs/digits/2026-05-09T08-24-00Z        what a run has learnt
"""


def add_parser(commands: _SubParsersAction[Parser]) -> None:
    """Add the command and its options.

    Parameters
    ----------
    commands : what `argparse.ArgumentParser.add_subparsers` returns
    """
    parser = commands.add_parser(
        "summary",
        help="show what a recipe or a run is: its network, its settings, its options",
        description="Show where a recipe comes from, its network layer by layer, how it is trained, "
        "and which options of `npnet train` it takes. Of a run, show its trained network and how it ended.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(command=_summary)
    parser.add_argument(
        "recipe",
        nargs="?",
        default=DEFAULT_RECIPE,
        metavar="RECIPE | RUN",
        help="The recipe to show, one that `npnet recipes` lists, the folder of a run, or a file written by "
        f"npnet.save. Without a name it is {DEFAULT_RECIPE}.",
    )


def _summary(chosen: Namespace) -> int:
    from npnet import recipes  # noqa: PLC0415 - not every command needs them

    named = chosen.recipe in recipes.names() or not os.path.exists(chosen.recipe)  # noqa: PTH110 - long names
    say(recipes.get(chosen.recipe).summary() if named else _of_run(chosen.recipe))
    return 0


def _of_run(run: str) -> str:
    """Return what a run has learnt, as text."""
    from npnet import saved  # noqa: PLC0415 - as above
    from npnet.run import RESULT, read_json  # noqa: PLC0415 - as above

    file = model_file("summary", run)
    model = saved.load(file)
    lines = {"model": repr(model).partition("; ")[2].removesuffix(")")}
    if file.with_name(RESULT).exists():
        result = read_json(file.with_name(RESULT))
        lines |= {name: str(result[name]) for name in ("status", "headline", "best") if name in result}
    about = [f"  {name + ':':<15} {text}" for name, text in lines.items()]
    shape = None if model.task is None else model.input_shape  # unknown without the data
    layers = model.model if shape is None else model.model.summary(shape)
    return "\n".join([str(file), *about, "", str(layers)])
