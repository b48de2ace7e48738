"""What ``npnet train --diagnose`` does: it records each training, warns in words, and draws."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from npnet import nn, plot
from npnet.experiments.setup import Setup
from npnet.train import History, Recorder, Symptom, diagnose

if TYPE_CHECKING:
    from npnet.experiments.runner import Runner

SURFACE_SAMPLES, SURFACE_POINTS = 128, 15
FIGURES = {
    "gradient_flow": "gradients of each layer over training",
    "update_ratios": "size of the updates beside that of the weights",
    "dead_units": "units that answer nothing",
    "activation_histograms": "what each layer puts out",
    "loss_surface": "the loss around the weights",
}
NOTHING = "diagnosis: nothing found; gradients, updates, dead units and loss are as they should be"


def recorder_for(runner: Runner, setup: Setup, model: nn.Layer) -> Recorder | None:
    """Return what records a training of a runner; None if nobody has asked for it.

    Parameters
    ----------
    runner : Runner
    setup : Setup
    model : Layer
        What is to be trained.

    Returns
    -------
    recorder : Recorder or None
    """
    return Recorder(model, setup.loss.make(nn)) if runner.options.diagnose else None


@contextmanager
def diagnosed_on_failure(runner: Runner, setup: Setup, recorder: Recorder | None) -> Iterator[None]:
    """Diagnose a training that ends in an error, such as NaN: it needs it most.

    Parameters
    ----------
    runner : Runner
    setup : Setup
    recorder : Recorder, optional
        Nothing is done without one.
    """
    try:
        yield
    except Exception as error:
        history = getattr(error, "history", None)
        if recorder is not None and isinstance(history, History):
            with suppress(Exception):  # the error under way is what the user must see
                diagnosis(runner, setup, recorder, history)
        raise


def diagnosis(
    runner: Runner, setup: Setup, recorder: Recorder | None, history: History
) -> tuple[Symptom, ...] | None:
    """Say what is wrong with a training, and draw what was recorded of it.

    Parameters
    ----------
    runner : Runner
    setup : Setup
    recorder : Recorder, optional
    history : History

    Returns
    -------
    symptoms : tuple of Symptom, or None
        None where nothing was recorded.
    """
    if recorder is None or not recorder.moments:
        return None
    who = ", ".join(name for name in (runner.engine, setup.name) if name)
    symptoms = diagnose(recorder, history)
    for symptom in symptoms:
        runner.report(f"warning: {who}: {symptom}")
    if not symptoms:
        runner.report(f"{who}: {NOTHING}" if setup.name else NOTHING)
    runner.folder.stays = True
    _draw(runner, setup, recorder)
    return symptoms


def figure_files(runner: Runner, setup: Setup) -> list[tuple[Path, str]]:
    """Return the figures that were drawn of a training, and what each shows.

    Parameters
    ----------
    runner : Runner
    setup : Setup

    Returns
    -------
    files : list of (path, str)
    """
    words = {f"{name}{_ending(runner, setup)}.png": says for name, says in FIGURES.items()}
    return [(path, words[path.name]) for path in runner.figures if path.name in words]


def _draw(runner: Runner, setup: Setup, recorder: Recorder) -> None:
    """Draw into the folder what there is to draw."""
    experiment = runner.experiment.name
    title = ", ".join(name for name in (experiment, setup.name, runner.engine) if name)
    ending = _ending(runner, setup)

    def draw(name: str, *arguments: object, **settings: object) -> None:
        runner.figure_of_all(f"{name}{ending}.png", getattr(plot, name), *arguments, title=title, **settings)

    draw("gradient_flow", recorder)
    draw("update_ratios", recorder)
    if any(moment.dead for moment in recorder.moments):
        draw("dead_units", recorder)
    model, loss, x, target = recorder.last, recorder.loss, recorder.x, recorder.target
    if model is None or loss is None or x is None or target is None:
        return
    draw("activation_histograms", model, x)
    if any(array.ndim > 1 for array in model.parameters.values()):
        few = slice(None, SURFACE_SAMPLES)
        draw("loss_surface", model, loss, x[few], target[few], points=SURFACE_POINTS)


def _ending(runner: Runner, setup: Setup) -> str:
    """Return what tells the figures of several networks and engines apart."""
    names = [setup.name, runner.engine if runner.earlier else ""]
    return "".join(f"-{re.sub(r'[^0-9A-Za-z]+', '-', name).strip('-')}" for name in names if name)
