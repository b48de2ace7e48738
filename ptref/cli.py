"""The command ``npnet parity``. PyTorch is loaded when it is run; its help needs none."""

from __future__ import annotations

import argparse
from importlib import util
from typing import Any

from npnet.errors import MissingError
from ptref.draw import DTYPES

EXAMPLES = """\
examples:
  npnet parity                    compare everything
  npnet parity --op conv2d        one operation, layer or model alone
"""


def add_parser(commands: Any) -> None:
    """Add the command and its options.

    Parameters
    ----------
    commands : what `argparse.ArgumentParser.add_subparsers` returns
    """
    parser = commands.add_parser(
        "parity",
        help="compare every operation, layer and model with PyTorch, which it needs",
        description="Compare operations, layers and models with PyTorch, forward and backward. "
        "The exit status is 0 if all agree and 1 if something differs.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(command=_parity)
    parser.add_argument("--op", metavar="NAME", help="Compare one operation, layer or model alone.")
    parser.add_argument(
        "--dtype", choices=[str(dtype) for dtype in DTYPES], help="Compare in one dtype alone."
    )
    parser.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        default="cpu",
        help="With cuda, judge PyTorch's own results on the GPU too.",
    )
    parser.add_argument("--examples", metavar="N", type=_positive, help="Draw N cases for each line.")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="Draw the cases from the seed N instead of 0."
    )
    parser.add_argument(
        "--markdown", action="store_true", help="Print the table of float32 accuracy as Markdown."
    )


def _parity(chosen: argparse.Namespace) -> int:
    if util.find_spec("torch") is None:
        raise MissingError(
            "parity compares with PyTorch, which is not installed: pip install torch torchvision"
        )
    from ptref.table import EXAMPLES as CASES  # noqa: PLC0415 - needs PyTorch; --help does not
    from ptref.table import markdown, run_table  # noqa: PLC0415 - as above

    examples = chosen.examples or CASES
    if chosen.markdown:
        print(markdown(examples, seed=chosen.seed))  # noqa: T201 - what the command is for
        return 0
    return run_table(chosen.op, chosen.dtype, chosen.device, examples, seed=chosen.seed)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, got {text!r}")
    return int(text)
