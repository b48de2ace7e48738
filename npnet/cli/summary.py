"""``npnet summary``: what a recipe is, its network layer by layer, and the options it takes."""

from __future__ import annotations

from argparse import Namespace, _SubParsersAction

from npnet.cli._output import say
from npnet.cli._parser import Parser
from npnet.cli.train import DEFAULT_RECIPE

EXAMPLES = """\
examples:
  npnet summary mnist-lenet       its layers, and how it is trained
  npnet summary mnist-deep        the names of its networks, for `npnet train mnist-deep --only NETWORK`
"""


def add_parser(commands: _SubParsersAction[Parser]) -> None:
    """Add the command and its options.

    Parameters
    ----------
    commands : what `argparse.ArgumentParser.add_subparsers` returns
    """
    parser = commands.add_parser(
        "summary",
        help="show what a recipe is: its network, its settings, its options",
        description="Show where a recipe comes from, its network layer by layer, how it is trained, "
        "and which options of `npnet train` it takes.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(command=_summary)
    parser.add_argument(
        "recipe",
        nargs="?",
        default=DEFAULT_RECIPE,
        metavar="RECIPE",
        help=f"The recipe to show, one that `npnet recipes` lists. Without a name it is {DEFAULT_RECIPE}.",
    )


def _summary(chosen: Namespace) -> int:
    from npnet import recipes  # noqa: PLC0415 - not every command needs them

    say(recipes.get(chosen.recipe).summary())
    return 0
