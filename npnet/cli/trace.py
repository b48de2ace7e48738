"""``npnet trace``: one recorded training step, as a table or as a page with the sum behind every number."""

from __future__ import annotations

import os
import webbrowser
from argparse import Namespace, _SubParsersAction
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from npnet._regular import path_of
from npnet.cli import _types
from npnet.cli._output import say
from npnet.cli._parser import Parser
from npnet.cli.train import DEFAULT_RECIPE
from npnet.errors import InputError

if TYPE_CHECKING:
    from npnet import nn
    from npnet._kept_run import KeptRun
    from npnet.experiments import Options, Setup
    from npnet.tracing import Trace

EXAMPLES = """\
examples:
  npnet trace --html step.html                    a page of one step of the last digits run
  npnet trace mnist-lenet --index 3 --open        LeNet-5 on the fourth test digit, in the browser
  npnet trace mnist-deep --only "784-100-10"      one of the networks of a recipe that has several
  npnet trace runs/digits/2026-05-09T08-24-00Z    a run that was kept
"""


def add_parser(commands: _SubParsersAction[Parser]) -> None:
    """Add the command and its options.

    Parameters
    ----------
    commands : what `argparse.ArgumentParser.add_subparsers` returns
    """
    parser = commands.add_parser(
        "trace",
        help="record one training step: every array, and the sum behind every number",
        description="Send a test sample forward and backward through a network and record every operation. "
        "Prints a table, or writes a page that needs neither a server nor a network. Nothing is learnt. "
        "The optimizer begins anew, as a run keeps nothing of its optimizer.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(command=_trace)
    parser.add_argument(
        "what",
        nargs="?",
        default=DEFAULT_RECIPE,
        metavar="RECIPE | RUN",
        help="A recipe, whose last run gives the weights (without one they are as training begins), or the "
        f"folder of a run. Without a name it is {DEFAULT_RECIPE}.",
    )
    parser.add_argument(
        "--only",
        metavar="NETWORK",
        help="Which network of a recipe or a run that has several; without this option it is the best of a "
        "run, or the first.",
    )
    parser.add_argument(
        "--index",
        type=_types.seed,
        default=0,
        metavar="I",
        help="Which sample of the test part; the first is 0.",
    )
    parser.add_argument("--html", metavar="FILE", help="Write the page to this file.")
    parser.add_argument("--open", action="store_true", help="Open the page in the browser.")
    parser.add_argument(
        "--no-reference",
        action="store_true",
        help="Leave PyTorch's gradients out, which stand beside npnet's where PyTorch is installed.",
    )
    parser.add_argument(
        "--out",
        type=_types.folder,
        default=Path("runs"),
        metavar="DIR",
        help="Look for runs in this folder. Without this option it is the folder runs.",
    )
    parser.add_argument(
        "--data",
        type=_types.folder_there,
        metavar="DIR",
        help="Look for data sets in this folder rather than in NPNET_DATA or ~/.cache/npnet.",
    )


def _trace(chosen: Namespace) -> int:
    recorded = _recorded(chosen)
    if chosen.html is None and not chosen.open:
        say(repr(recorded))
        return 0
    file = recorded.save(chosen.html or "trace.html")
    say(f"page: {file}")
    if chosen.open:
        webbrowser.open(file.absolute().as_uri())
    return 0


def _recorded(chosen: Namespace) -> Trace:
    """Run the step."""
    from npnet import tracing  # noqa: PLC0415 - not every command needs these
    from npnet.experiments import traced  # noqa: PLC0415 - as above

    title, setup, model, options = _network_of(chosen)
    reference = None if chosen.no_reference else tracing.installed_reference()
    recorded = traced(setup, model, setup.splits(options), index=chosen.index, reference=reference)
    say(title)
    return recorded


def _network_of(chosen: Namespace) -> tuple[str, Setup, nn.Layer, Options]:
    """Return a network of a kept run or, where there is none, one as it is before training."""
    import numpy as np  # noqa: PLC0415 - as above

    from npnet.experiments import Options  # noqa: PLC0415 - as above

    run = _run_of(chosen)
    if run is not None:
        setup, model = run.network(chosen.only)
        whose, options, weights = run.experiment.name, run.options, f"of {run.path}"
    else:
        setup, options = _setup(chosen), Options()
        model = setup.model(np.random.default_rng(0))
        whose, weights = chosen.what, "as they are before training"
    title = ", ".join(filter(None, [whose, setup.name]))
    data = options.data if chosen.data is None else chosen.data
    return f"{title}: weights {weights}", setup, model, replace(options, data=data)


def _run_of(chosen: Namespace) -> KeptRun | None:
    """Return the run that was named, or the last of a recipe that has weights; None where there is none."""
    from npnet import recipes  # noqa: PLC0415 - as above
    from npnet._kept_run import KeptRun  # noqa: PLC0415 - as above
    from npnet.run import OPTIONS  # noqa: PLC0415 - as above

    if chosen.what not in recipes.names():
        path = path_of("trace", chosen.what, "RUN")
        if not os.path.exists(path):  # noqa: PTH110 - pathlib's raises, of long names
            if len(path.parts) > 1:
                raise InputError(f"trace: RUN must be the folder of a run, and there is no {path}")
            recipes.get(chosen.what)  # which says of an unknown name what was perhaps meant
        if not (path / OPTIONS).exists():
            raise InputError(f"trace: RUN must be the folder of a run with its {OPTIONS}, got {path}")
        return KeptRun.open(path)
    folders = sorted((chosen.out / chosen.what).glob("*/"), reverse=True)  # they are named after the time
    runs = (KeptRun.open(folder) for folder in folders if (folder / OPTIONS).exists())
    return next((run for run in runs if run.networks()), None)


def _setup(chosen: Namespace) -> Setup:
    """Return the network of a recipe: of several the one that --only names, or the first."""
    from npnet import recipes  # noqa: PLC0415 - as above

    recipe = recipes.get(chosen.what)
    if not recipe.setups:
        raise InputError(f"trace: RECIPE must train a network, got {recipe.name}; use npnet.trace in Python")
    return recipe.setups[0] if chosen.only is None else recipe.setup(chosen.only)
