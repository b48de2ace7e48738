"""The options of ``python -m ptref.train`` that ``npnet train`` has not: how PyTorch is to compute."""

from __future__ import annotations

from collections.abc import Sequence

from npnet.cli._parser import Parser
from ptref.execution import AMP, Execution

FLAGS = {
    "--channels-last": "keep images in memory as (n, h, w, c)",
    "--compile": "have torch.compile generate kernels",
    "--graphs": "record the kernels of a step as a CUDA graph and replay them",
    "--tf32": "round the inputs of float32 products to 10 bits of precision",
    "--autotune": "have cuDNN time its algorithms and take the fastest",
}


def execution_of(arguments: Sequence[str]) -> tuple[Execution, list[str]]:
    """Take these options out of a command line.

    Parameters
    ----------
    arguments : sequence of str

    Returns
    -------
    execution : Execution
    rest : list of str
        What is left, for ``npnet train``.

    Examples
    --------
    >>> execution, rest = execution_of(["digits", "--amp", "bf16", "--epochs", "1"])
    >>> execution.named(), rest
    ('bf16', ['digits', '--epochs', '1'])
    """
    parser = Parser(prog="ptref.train", add_help=False)
    parser.add_argument("--amp", choices=AMP, help="run products and convolutions in this precision")
    for flag, text in FLAGS.items():
        parser.add_argument(flag, action="store_true", help=text)
    known, rest = parser.parse_known_args(list(arguments))
    return Execution(**vars(known)), rest
