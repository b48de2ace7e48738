"""The command line: ``npnet train``, ``predict``, ``recipes``, ``summary``, and commands of other packages.

Each command stands in a module of its own, whose ``add_parser(commands)`` adds its options and names the
function that does the work: ``set_defaults(command=…)``, from the options to the exit status. Another package
announces such a module by an entry point of the group ``npnet.commands``, under the command's name.

A mistake of the user's meets one line on standard error and exit status 2; Ctrl-C ends with status 130. What
stands in the way of printing (no standard output, a closed one, one of an old encoding) ends nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from npnet import __version__
from npnet._announced import announced, load
from npnet.check import described
from npnet.cli import predict, recipes, summary, train
from npnet.cli._output import INTERRUPTED, MISTAKE, PIPE_CLOSED, complain, finished, usable_streams
from npnet.cli._parser import Parser
from npnet.errors import InputError, MissingError

__all__ = ["main"]

COMMANDS = (train, predict, recipes, summary)  # in the order --help lists them
GROUP = "npnet.commands"
EXAMPLES = """\
examples:
  npnet train                     train a small network on handwritten digits
  npnet recipes                   list the experiments
  npnet train mnist-lenet         run one of them
  npnet train --help              list the options of a command
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Without a command it prints the help.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if absent.

    Returns
    -------
    status : int
        0; 2 after a mistake of the user's, 130 after Ctrl-C, 143 after a request to end (SIGTERM), 141 if the
        reader of the output has gone; of ``npnet parity`` 1 if engines disagree.

    Raises
    ------
    InputError
        If the arguments are not a sequence of str. Nothing that they say makes it raise.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    npnet ...
    0
    """
    given = sys.argv[1:] if arguments is None else _texts(arguments)
    with usable_streams():
        return finished(_status(given))


def _texts(arguments: Sequence[str]) -> list[str]:
    listed = isinstance(arguments, Sequence) and not isinstance(arguments, str | bytes)
    if not listed or not all(isinstance(each, str) for each in arguments):
        raise InputError(f"main: arguments must be a list of str, got {described(arguments)}")
    return list(arguments)


def _status(given: list[str]) -> int:  # noqa: PLR0911 - one for each way to end
    """Do what is asked, and say in a line what stood in the way of it."""
    try:
        return _run(given)
    except SystemExit as ended:  # argparse has said why
        return 0 if ended.code is None else ended.code if isinstance(ended.code, int) else MISTAKE
    except InputError as error:
        return complain(str(error), MISTAKE)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader, such as `head`, has what it wanted
        return PIPE_CLOSED
    except MemoryError:
        return complain("there is not enough memory for this", MISTAKE)
    except OSError as error:
        # What a command does to files of the user's ends in an InputError that names the file. This is what
        # nobody foresaw, or standard output itself.
        what = (
            "the output cannot be written" if error.filename is None else f"{error.filename!s} cannot be used"
        )
        return complain(f"{what} ({error.strerror or error})", MISTAKE)


def _run(given: list[str]) -> int:
    parser, commands = _parsers()
    if not given or given == ["help"]:
        parser.print_help()
        return 0
    if given[0] == "help":
        given = [given[1], "--help"]
    chosen, unknown = parser.parse_known_args(given)
    if unknown:
        commands.choices[chosen.name].refuse(unknown[0])
    status: int = chosen.command(chosen)
    return status


def _parsers() -> tuple[Parser, argparse._SubParsersAction[Parser]]:
    parser = Parser(
        prog="npnet",
        description="Neural networks with hand-written backpropagation in NumPy.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--version", action="version", version=f"npnet {__version__}")
    commands = parser.add_subparsers(
        required=True, dest="name", metavar="COMMAND", title="commands", parser_class=Parser
    )
    for command in (*COMMANDS, *_announced()):
        command.add_parser(commands)
    return parser, commands


def _announced() -> list[Any]:
    """Return the commands of other packages, but for those that cannot be loaded."""
    found = []
    for point in announced(GROUP).values():
        with suppress(MissingError):
            found.append(load(point))
    return found
