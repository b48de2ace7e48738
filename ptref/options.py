"""The options that PyTorch has as an engine: how it is to compute. PyTorch is loaded when one is taken."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Sequence
from typing import TYPE_CHECKING

from npnet.cli._parser import Parser
from npnet.engines import EngineOption

if TYPE_CHECKING:
    from ptref.execution import Execution

OPTIONS = (
    EngineOption("amp", "PyTorch: run products and convolutions in this precision.", ("bf16",)),
    EngineOption("channels_last", "PyTorch: keep images in memory as (n, h, w, c)."),
    EngineOption("compile", "PyTorch: have torch.compile generate kernels."),
    EngineOption("graphs", "PyTorch: record the kernels of a step as a CUDA graph and replay them."),
    EngineOption("tf32", "PyTorch: round the inputs of float32 products on a GPU to 10 bits of precision."),
    EngineOption("autotune", "PyTorch: have cuDNN time its algorithms and take the fastest."),
)  # the fields of `ptref.execution.Execution`


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
    from ptref.execution import Execution  # noqa: PLC0415 - loads PyTorch

    parser = Parser(prog="ptref.train", add_help=False, argument_default=SUPPRESS)
    for option in OPTIONS:
        flag = f"--{option.name.replace('_', '-')}"
        if option.choices:
            parser.add_argument(flag, choices=option.choices)
        else:
            parser.add_argument(flag, action="store_true", default=False)
    known, rest = parser.parse_known_args(list(arguments))
    return Execution(**vars(known)), rest
