"""``npnet train --resume``: a run that was interrupted or killed ends as if it had never stopped."""

import os
import signal

import numpy as np
import pytest

from npnet import cli, recipes
from npnet.data import ArrayDataset, Splits
from npnet.errors import InputError
from npnet.experiments import runner
from npnet.run import RunFolder, newest_unfinished
from npnet.train import read_checkpoint, run
from tests.faults.left import left

pytestmark = pytest.mark.usefixtures("bare")

RECIPES = {
    "one network": ["digits", "--quick", "--epochs", "2"],
    "several, with snapshots": ["gmm-deep", "--epochs", "40"],
    "several, all kept": ["linreg", "--quick"],
    "a schedule of steps": ["mnist-fast", "--batch-size", "8"],
    "a schedule of steps, PyTorch": [
        "mnist-fast",
        "--batch-size",
        "8",
        "--engine",
        "torch",
        "--threads",
        "1",
    ],
}


@pytest.fixture
def few_digits(monkeypatch):
    """Put 50 steps of noise, in minibatches of 8, in the place of MNIST."""
    rng = np.random.default_rng(0)
    part = ArrayDataset(rng.random((400, 1, 28, 28), np.float32), rng.integers(10, size=400))
    monkeypatch.setattr("npnet.data.mnist", lambda folder: Splits(part, None, part.subset(range(50))))


@pytest.fixture
def interrupting(monkeypatch):
    """Return a function that has SIGTERM come at the nth step from now on, of all networks together."""
    steps = [10**9]

    def counting(engine, splits, **settings):
        def on_step(_state):
            steps[0] -= 1
            if steps[0] == 0:
                os.kill(os.getpid(), signal.SIGTERM)

        return run(engine, splits, on_step=on_step, **settings)

    def at(step):
        steps[0] = step

    monkeypatch.setattr(runner, "run", counting)
    # Drawing takes most of the time and is tested elsewhere.
    monkeypatch.setattr(runner.Runner, "figure_of_all", lambda *_arguments, **_settings: None)
    return at


def train(*arguments):
    return cli.main(["train", *map(str, arguments), "--quiet"])


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.usefixtures("few_digits")
def test_a_run_that_is_interrupted_twice_ends_as_one_that_is_not(name, tmp_path, interrupting):
    if "torch" in RECIPES[name]:
        pytest.importorskip("torch")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train(*RECIPES[name], "--out", whole) == 0
    interrupting(23)
    assert train(*RECIPES[name], "--out", broken) == 128 + signal.SIGTERM
    interrupting(18)
    assert train("--resume", "--out", broken) == 128 + signal.SIGTERM
    interrupting(10**9)
    assert train("--resume", newest_unfinished(broken), "--out", broken) == 0
    assert left(broken) == left(whole)


@pytest.mark.usefixtures("interrupting")
def test_a_finished_run_is_not_resumed(tmp_path, capsys):
    assert train("linreg", "--quick", "--out", tmp_path) == 0
    (folder,) = tmp_path.glob("*/*")
    assert train("--resume", folder, "--out", tmp_path) == 2
    assert "has finished; there is nothing to resume" in capsys.readouterr().err
    assert train("--resume", "--out", tmp_path) == 2
    assert "there is no run in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "--epochs", "3"], "--resume takes recipe and options from the run; leave out --epochs"),
        (["linreg", "--resume", "--seed", "1"], "leave out the recipe, --seed"),
        (
            ["--resume", "/no/such/run"],
            "RUN must be the folder of an unfinished run, but /no/such/run is not there",
        ),
    ],
)
def test_what_does_not_go_with_resume_is_refused(arguments, message, tmp_path, capsys):
    assert train(*arguments, "--out", tmp_path) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"recipe": "no"}', b'{"recipe": 3, "only": 1}', b"\xff"]
)
def test_options_that_are_none_are_refused(content, tmp_path, interrupting, capsys):
    interrupting(5)
    train("linreg", "--quick", "--out", tmp_path)
    (newest_unfinished(tmp_path) / "options.json").write_bytes(content)
    (folder,) = tmp_path.glob("*/*")
    assert train("--resume", folder, "--out", tmp_path) == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith("npnet: ")
    assert "recipe" in complaint or "options.json" in complaint


def test_a_run_that_another_process_works_on_is_left_alone(tmp_path, interrupting):
    interrupting(5)
    train("linreg", "--quick", "--out", tmp_path)
    path = newest_unfinished(tmp_path)
    with RunFolder.reopen(path):
        with pytest.raises(InputError, match=r"there is no run in .* that could be resumed"):
            newest_unfinished(tmp_path)
        with pytest.raises(InputError, match=f"goes on already, in process {os.getpid()}"):
            recipes.get("linreg").run(runner.Options(quick=True), tmp_path, print, resume=path)
    assert newest_unfinished(tmp_path) == path


def test_a_run_that_was_killed_in_its_first_epoch_keeps_its_steps(tmp_path, interrupting, monkeypatch):
    """An error ends it, and no epoch has been noted; what was saved within the epoch stays."""

    def fail(*_arguments):
        raise InputError("something failed")

    interrupting(3)
    monkeypatch.setattr(runner.Runner, "_judged", fail)
    assert train("digits", "--quick", "--out", tmp_path) == 2
    path = newest_unfinished(tmp_path)
    assert read_checkpoint(path / "checkpoints" / "numpy-0001").step == 3
