"""``npnet parity``: every operation, layer and model against PyTorch."""

from __future__ import annotations

from argparse import _SubParsersAction
from collections.abc import Sequence
from importlib import import_module

from npnet.cli._parser import Parser


def add_parser(commands: _SubParsersAction[Parser]) -> None:
    """Add the command, to be listed by ``npnet --help``; its options are known to `ptref`.

    Parameters
    ----------
    commands : what `argparse.ArgumentParser.add_subparsers` returns
    """
    commands.add_parser(
        "parity",
        help="compare every operation, layer and model with PyTorch, which it needs",
        add_help=False,
    )


def hand_over(arguments: Sequence[str]) -> int:
    """Run the command; `ptref` is loaded by it alone, since it loads PyTorch.

    Parameters
    ----------
    arguments : sequence of str
        What stands behind ``npnet parity``.

    Returns
    -------
    status : int
        0 if all agree, 1 if something differs.
    """
    status: int = import_module("ptref.cli").main(arguments)
    return status
