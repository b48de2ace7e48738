"""``npnet trace``: one recorded training step, as a table or as a page with the sum behind every number."""

from __future__ import annotations

import json
import webbrowser
from argparse import Namespace, _SubParsersAction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npnet.cli import _types
from npnet.cli._output import say
from npnet.cli._parser import Parser
from npnet.cli.train import DEFAULT_RECIPE
from npnet.errors import InputError

if TYPE_CHECKING:
    from numpy import ndarray

    from npnet import nn
    from npnet.experiments import Experiment, Setup
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
        "Prints a table, or writes a page that needs neither a server nor a network. Nothing is learnt.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(command=_trace)
    parser.add_argument(
        "what",
        nargs="?",
        default=DEFAULT_RECIPE,
        metavar="RECIPE | RUN",
        help="A recipe, whose last run gives the weights (without one they are as training begins; so are "
        f"those of a recipe of several networks), or a run's folder. Without a name it is {DEFAULT_RECIPE}.",
    )
    parser.add_argument(
        "--only",
        metavar="NETWORK",
        help="Which network of a recipe that has several; without this option it is the first.",
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
    import numpy as np  # noqa: PLC0415 - not every command needs these

    import npnet  # noqa: PLC0415 - as above
    from npnet import nn, optim, tracing  # noqa: PLC0415 - as above

    run = _run_of(chosen)
    recipe = _recipe_of(chosen, run)
    setup = _setup(recipe, chosen, run)
    model = setup.model(np.random.default_rng(0)) if run is None else _model(run)
    x, target = _sample(setup, model, chosen)
    what = f"{recipe.name}, {setup.name}" if setup.name else recipe.name
    say(f"{what}: weights {'as they are before training' if run is None else f'of {run}'}")
    return npnet.trace(
        model,
        setup.loss.make(nn),
        x,
        target,
        optimizer=setup.optimizer.make(optim, model.parameters),
        generator=np.random.default_rng(0),
        reference=None if chosen.no_reference else tracing.installed_reference(),
    )


def _run_of(chosen: Namespace) -> Path | None:
    """Return the folder of the run whose weights are to be used, None where there is none."""
    from npnet import recipes  # noqa: PLC0415 - as above
    from npnet.run import MODEL  # noqa: PLC0415 - as above

    if chosen.what not in recipes.names():
        return Path(chosen.what)
    if len(recipes.get(chosen.what).setups) != 1:
        return None  # of several networks, a run keeps the weights of one, whichever was best
    runs = sorted((chosen.out / chosen.what).glob(f"*/{MODEL}"))  # they are named after the time
    return runs[-1].parent if runs else None


def _recipe_of(chosen: Namespace, run: Path | None) -> Experiment:
    """Return the recipe that was named, or that a run is of."""
    from npnet import recipes  # noqa: PLC0415 - as above
    from npnet.run import MODEL, SETTINGS  # noqa: PLC0415 - as above

    if chosen.what in recipes.names() or run is None or not run.is_dir():
        return recipes.get(chosen.what)  # which says of an unknown name what was perhaps meant
    try:
        name = json.loads((run / SETTINGS).read_text(encoding="utf-8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"trace: RUN must be the folder of a run with its {SETTINGS}, got {run}") from error
    if not (run / MODEL).exists():
        raise InputError(f"trace: RUN must have a {MODEL}, got {run}")
    return recipes.get(name)


def _setup(recipe: Experiment, chosen: Namespace, run: Path | None) -> Setup:
    """Return the network to trace: of a recipe of several the one that --only names, or the first."""
    if chosen.only is not None:
        recipe = recipe.only(chosen.only)
    if not recipe.setups:
        raise InputError(f"trace: RECIPE must train a network, got {recipe.name}; use npnet.trace in Python")
    if run is not None and len(recipe.setups) > 1:
        raise InputError(
            f"trace: RUN must be that of a recipe with one network, got one of {recipe.name}; its networks "
            f"are traced as they begin, by `npnet trace {recipe.name} --only NETWORK`"
        )
    return recipe.setups[0]


def _model(run: Path) -> nn.Layer:
    from npnet import saved  # noqa: PLC0415 - as above
    from npnet.run import MODEL  # noqa: PLC0415 - as above

    return saved.load(run / MODEL).model


def _sample(setup: Setup, model: nn.Layer, chosen: Namespace) -> tuple[ndarray, ndarray]:
    """Return one sample as a minibatch, and the next with it for layers that need more than one."""
    from npnet.data import minibatches  # noqa: PLC0415 - as above
    from npnet.experiments import Options  # noqa: PLC0415 - as above

    splits = setup.splits(Options(data=chosen.data))
    part: Any = splits.test if splits.test is not None else splits.train
    if chosen.index >= len(part):
        raise InputError(
            f"trace: --index must be below {len(part)}, the number of samples, got {chosen.index}"
        )
    count = 2 if any(layer.couples_samples(training=True) for _, layer in model.named_layers()) else 1
    samples = [part[(chosen.index + k) % len(part)] for k in range(count)]
    return next(minibatches(samples, count))
