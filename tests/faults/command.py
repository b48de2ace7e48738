"""Kill ``npnet train`` itself: whatever moment it is, the run goes on, to the files it would have left."""

import json
import os
import random
import signal
import sys
import time
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from npnet import cli, run
from npnet.errors import InputError
from npnet.experiments import runner
from npnet.run import newest_unfinished
from npnet.train import _checkpoints, read_checkpoint
from tests.faults.harness import SIGKILLED, KillAtEvent, context, without_main
from tests.faults.left import left

RECIPES = {
    "digits": ["digits", "--quick", "--epochs", "3", "--threads", "1"],
    "linreg": ["linreg", "--epochs", "4"],  # several networks, all of them kept
}
AT_ONCE = -1.0  # after which time what a killed command has left is removed


def child(arguments, fault=None):
    """Run the command in this process, under a fault."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run.A_WHILE = AT_ONCE
    _checkpoints.SHARE = 1e9  # a checkpoint after each of these short epochs
    runner.Runner.figure_of_all = lambda *_arguments, **_settings: None  # drawing takes most of the time
    if fault is not None:
        fault()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        status = cli.main(["train", *arguments, "--quiet"])
    sys.exit(status)


def start(out, *arguments, fault=None):
    process = context().Process(target=child, args=([*arguments, "--out", str(out)], fault))
    with without_main():
        process.start()
    return process


def finish(out, *arguments, fault=None):
    process = start(out, *arguments, fault=fault)
    process.join(120)
    assert process.exitcode is not None, "the command hangs"
    return process.exitcode


@cache
def expected(recipe):
    """Return what a run leaves when nothing happens, and how long it takes."""
    with TemporaryDirectory() as out:
        finish(out, *RECIPES[recipe])
    with TemporaryDirectory() as out:
        began = time.perf_counter()
        assert finish(out, *RECIPES[recipe]) == 0
        return left(Path(out)), time.perf_counter() - began


def check_goes_on(recipe, out):
    """Require that the run which was killed ends as one that was not, with at most one epoch done again."""
    for metrics in out.glob("*/*/metrics.jsonl"):
        assert len(metrics.read_text().splitlines()) - epochs_saved(metrics.parent) <= 1
    try:
        with mock.patch.object(run, "A_WHILE", AT_ONCE):
            unfinished = newest_unfinished(out)
    except InputError:  # it had not begun, or had finished
        finished = [path for path in out.glob("*/*/result.json") if "finished" in path.read_text()]
        status = 0 if finished else finish(out, *RECIPES[recipe])
    else:
        status = finish(out, "--resume", str(unfinished))
    assert status == 0, f"exit status {status}"
    assert left(out) == expected(recipe)[0], "the run ends with other files"


def epochs_saved(folder):
    """Return how many epochs of all trainings of a run are in its files."""
    if json.loads((folder / "result.json").read_text())["status"] == "finished":
        return len((folder / "metrics.jsonl").read_text().splitlines())
    return sum(
        read_checkpoint(path).epoch for path in folder.glob("checkpoints/*") if any(path.glob("step-*"))
    )


def kill_at_random(recipe, seed, *, kills=1):
    """Kill the command one or more times at random moments."""
    rng, (_, seconds) = random.Random(seed), expected(recipe)
    with TemporaryDirectory() as folder:
        out = Path(folder)
        for _ in range(kills):
            begun = any(out.glob("*/*/options.json"))
            process = start(out, *(["--resume"] if begun else RECIPES[recipe]))
            time.sleep(rng.uniform(0, 1.2 * seconds))
            process.kill()
            process.join()
        check_goes_on(recipe, out)


def kill_at_event(recipe, number, when="before"):
    """Kill the command at its nth file event; return whether it got so far."""
    with TemporaryDirectory() as folder:
        out = Path(folder)
        status = finish(out, *RECIPES[recipe], fault=KillAtEvent(out, number, when))
        assert status in (0, SIGKILLED), status
        if status == SIGKILLED:
            check_goes_on(recipe, out)
        return status == SIGKILLED
