"""``npnet recipes``: the list of experiments."""

from __future__ import annotations

import shutil
from argparse import Namespace, _SubParsersAction
from pathlib import Path

from npnet.cli import _types
from npnet.cli._output import say
from npnet.cli._parser import Parser

EXAMPLES = """\
examples:
  npnet recipes                   one line for each recipe
  npnet recipes mnist-deep        all there is to say about one
  npnet recipes --long            all there is to say about each
"""


def add_parser(commands: _SubParsersAction[Parser]) -> None:
    """Add the command and its options.

    Parameters
    ----------
    commands : what `argparse.ArgumentParser.add_subparsers` returns
    """
    parser = commands.add_parser(
        "recipes",
        help="list the recipes, whether their data is here, and what they reached",
        description="List the recipes: what each is, whether its data is here, what it is expected to reach, "
        "and the best that your finished runs with its own settings have reached.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(command=_recipes)
    parser.add_argument(
        "names", nargs="*", metavar="RECIPE", help="Show these alone, with all there is to say about them."
    )
    parser.add_argument(
        "--long",
        action="store_true",
        help="Show the sources too, what they report, and what either engine reached in its last run.",
    )
    parser.add_argument(
        "--markdown", action="store_true", help="Print a table of Markdown, with all of this."
    )
    parser.add_argument(
        "--out",
        type=_types.folder_there,
        metavar="DIR",
        help="Look for your runs in this folder. Without this option it is the folder runs.",
    )
    parser.add_argument(
        "--data",
        type=_types.folder_there,
        metavar="DIR",
        help="Look for data sets in this folder, rather than in NPNET_DATA or ~/.cache/npnet.",
    )


def _recipes(chosen: Namespace) -> int:
    from npnet.recipes import _listing  # noqa: PLC0415 - not every command needs them

    # COLUMNS if it is set, or else the terminal's width.
    width = shutil.get_terminal_size((_listing.PAGE, 24)).columns
    out = Path("runs") if chosen.out is None else chosen.out
    listed = _listing.Listing(out, chosen.data, tuple(chosen.names))
    if chosen.markdown:
        say(listed.markdown())
    elif chosen.long or chosen.names:
        say(listed.long(width))
    else:
        say(listed.text(width))
    return 0
