"""The options of ``npnet parity``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import util

from npnet.cli._parser import Parser
from npnet.errors import MissingError
from ptref.draw import DTYPES


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all operations, layers and models, or one of them, with PyTorch and print the table.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments after ``npnet parity``; by default those of the process.

    Returns
    -------
    status : int
        0 if all agree, 1 if something differs. Invalid options raise SystemExit(2).

    Raises
    ------
    InputError
        If the operation is unknown.
    MissingError
        If PyTorch is not installed, or CUDA is requested and not available.

    Examples
    --------
    >>> main(["--op", "relu", "--dtype", "float32", "--examples", "3"])
                name   dtype     cases   error ÷ bound   npnet ÷ PyTorch   agrees
    ─────────────────────────────────────────────────────────────────────────────
    operation   relu   float32       3   0.000                             yes
    <BLANKLINE>
    agree: 1 of 1
    0
    """
    chosen = _parser().parse_args(arguments)
    if util.find_spec("torch") is None:
        raise MissingError(
            "parity compares with PyTorch, which is not installed: pip install torch torchvision"
        )
    from ptref.table import EXAMPLES, markdown, run_table  # noqa: PLC0415 - needs PyTorch; --help does not

    examples = chosen.examples or EXAMPLES
    if chosen.markdown:
        print(markdown(examples, seed=chosen.seed))  # noqa: T201 - the command's output
        return 0
    return run_table(chosen.op, chosen.dtype, chosen.device, examples, seed=chosen.seed)


def _parser() -> Parser:
    parser = Parser(
        prog="npnet parity",
        description="Compare operations, layers and models with PyTorch, forward and backward.",
    )
    parser.add_argument("--op", metavar="NAME", help="compare only this operation, layer or model")
    parser.add_argument(
        "--dtype", choices=[str(dtype) for dtype in DTYPES], help="compare only in this dtype"
    )
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cpu", help="cuda: compare PyTorch on the GPU too"
    )
    parser.add_argument("--examples", metavar="N", type=_positive, help="cases for each row of the table")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same cases")
    parser.add_argument(
        "--markdown", action="store_true", help="print the table of float32 accuracy as Markdown"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, got {text!r}")
    return int(text)
