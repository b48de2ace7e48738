"""The command line: ``npnet train``, ``npnet recipes``, ``npnet summary``, ``npnet parity``.

A mistake of the user's meets one line on standard error and exit status 2; Ctrl-C ends with status 130.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from threadpoolctl import threadpool_limits

from npnet import __version__
from npnet.cli import predict
from npnet.errors import InputError

MISTAKE, INTERRUPTED, PIPE_CLOSED = 2, 130, 141  # the last two as a shell has them
DEFAULT_RECIPE = "digits"


def main(arguments: Sequence[str] | None = None) -> int:  # noqa: PLR0911 - one for each way to end
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if absent.

    Returns
    -------
    status : int
        0; 2 after a mistake of the user's, 130 after Ctrl-C; of ``npnet parity`` 1 if engines disagree.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    npnet ...
    0
    """
    _never_fail_to_print()
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if given[:1] == ["parity"]:
            return _parity(given[1:])
        chosen = _parser().parse_args(given)
        status: int = chosen.command(chosen)
        sys.stdout.flush()  # a reader that has gone is met here, not when Python shuts down
    except SystemExit as ended:  # argparse has said why
        return ended.code if isinstance(ended.code, int) else MISTAKE
    except InputError as error:
        return _say(str(error), MISTAKE)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader, such as `head`, has what it wanted. Python would complain once more when it closes
        # standard output, so that is pointed elsewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _say("the output cannot be written: no space left", MISTAKE)
    return status


# ---- commands ------------------------------------------------------------------------------------------


def _train(chosen: argparse.Namespace) -> int:
    from npnet import recipes  # noqa: PLC0415 - not every command needs them

    recipe = recipes.get(chosen.recipe)
    recipe = recipe.only(*chosen.only) if chosen.only else recipe
    recipe = recipe.of(*chosen.sizes) if chosen.sizes else recipe
    options = recipes.Options(
        seed=chosen.seed,
        epochs=chosen.epochs,
        batch_size=chosen.batch_size,
        lr=chosen.lr,
        data=chosen.data,
        quick=chosen.quick,
        progress=not chosen.quiet,
        engine=chosen.engine,
        device=chosen.device,
        threads=chosen.threads,
    )
    with _threads(chosen.threads):
        result = recipe.run(options, chosen.out, _ignore if chosen.quiet else _print)
    if result.status == "interrupted":
        _say(f"interrupted; what was learnt until then is in {result.folder}", INTERRUPTED)
    elif not chosen.quiet:
        _print(f"everything is in {result.folder}")
    _print(result.headline)
    return INTERRUPTED if result.status == "interrupted" else 0


def _recipes(chosen: argparse.Namespace) -> int:
    from npnet.recipes import _listing  # noqa: PLC0415 - not every command needs them

    width = os.get_terminal_size().columns if sys.stdout.isatty() else _listing.PAGE
    listed = _listing.Listing(chosen.out, chosen.data)
    _print(listed.markdown() if chosen.markdown else listed.text(width))
    return 0


def _summary(chosen: argparse.Namespace) -> int:
    from npnet import recipes  # noqa: PLC0415 - not every command needs them

    _print(recipes.get(chosen.recipe).summary())
    return 0


def _parity(arguments: Sequence[str]) -> int:
    """Hand over to ptref, which knows the options; it is loaded by this command alone."""
    status: int = import_module("ptref.cli").main(arguments)
    return status


def _threads(number: int | None) -> AbstractContextManager[object]:
    """Hold the matrix products to a number of threads."""
    return nullcontext() if number is None else threadpool_limits(number, user_api="blas")


# ---- printing ------------------------------------------------------------------------------------------


def _print(line: str) -> None:
    print(line, flush=True)  # at once, for a reader at the other end of a pipe


def _ignore(line: str) -> None:
    """Print nothing."""


def _say(message: str, status: int) -> int:
    """Print one line about what went wrong, and return the exit status that goes with it."""
    print(f"npnet: {' '.join(message.split())}", file=sys.stderr)
    return status


def _never_fail_to_print() -> None:
    """Print a question mark for a character that a terminal of an old encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


# ---- arguments -----------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, without the usage around it."""

    def error(self, message: str) -> NoReturn:
        """End with the message."""
        self.exit(MISTAKE, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="npnet", description="Neural networks with hand-written backpropagation in NumPy.")
    parser.add_argument("--version", action="version", version=f"npnet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="run a recipe")
    train.set_defaults(command=_train)
    train.add_argument(
        "recipe", nargs="?", default=DEFAULT_RECIPE, metavar="RECIPE", help=f"default {DEFAULT_RECIPE}"
    )
    train.add_argument("--epochs", type=_positive, help="instead of the recipe's own number")
    train.add_argument("--batch-size", type=_positive, help="samples in a minibatch, instead of the recipe's")
    train.add_argument("--lr", type=_positive_float, help="learning rate, instead of the recipe's")
    train.add_argument(
        "--only", nargs="+", metavar="NETWORK", help="of a recipe's networks; `npnet summary` names them"
    )
    train.add_argument(
        "--sizes",
        nargs="+",
        type=_positive,
        metavar="N",
        help="of the training part, if compared",
    )
    train.add_argument("--seed", type=_seed, default=0, help="of all randomness; default 0")
    train.add_argument(
        "--out", type=_folder, default=Path("runs"), metavar="DIR", help="where runs are kept; default runs"
    )
    train.add_argument("--data", type=_folder_there, metavar="DIR", help="where data sets are")
    train.add_argument(
        "--engine", choices=["numpy", "torch", "both"], default="numpy", help="what computes; default numpy"
    )
    train.add_argument(
        "--device", choices=["cpu", "cuda"], default="cpu", help="where PyTorch computes; default cpu"
    )
    train.add_argument("--threads", type=_positive, help="to compute with; default all cores")
    train.add_argument(
        "--quick", action="store_true", help="a short run on little data, to see that all works"
    )
    train.add_argument("--quiet", action="store_true", help="print the result alone")

    listed = commands.add_parser("recipes", help="list the recipes")
    listed.set_defaults(command=_recipes)
    listed.add_argument(
        "--out", type=_folder, default=Path("runs"), metavar="DIR", help="where runs are kept; default runs"
    )
    listed.add_argument("--data", type=_folder_there, metavar="DIR", help="where data sets are")
    listed.add_argument("--markdown", action="store_true", help="as a table of Markdown")

    summary = commands.add_parser("summary", help="show the layers of a recipe's model")
    summary.set_defaults(command=_summary)
    summary.add_argument("recipe", nargs="?", default=DEFAULT_RECIPE, metavar="RECIPE")

    predict.add_parser(commands)

    # Listed here to be shown by --help; `main` hands its arguments over before they are looked at.
    commands.add_parser("parity", help="compare every operation with PyTorch", add_help=False)
    return parser


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, got {text!r}")
    return int(text)


def _folder(text: str) -> Path:
    if not text:  # would be the current folder
        raise argparse.ArgumentTypeError("must name a folder, got ''")
    return Path(text)


def _folder_there(text: str) -> Path:
    if not text or not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"must be a folder that is there, got {text!r}")
    return Path(text)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be an integer of at least 0, got {text!r}")
    return int(text)


def _positive_float(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return number
