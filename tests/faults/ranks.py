"""A process that dies while several train one module: they are resumed, or torchrun starts them anew."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from npnet.train import read_checkpoint

PROGRAM = """
import os, sys
import numpy as np, torch
from npnet.data import ArrayDataset
from npnet.train import _checkpoints
from ptref.train import fit, processes

_checkpoints.SHARE = 1e9  # a checkpoint after each epoch, however short

folder, stop_at, victim = sys.argv[1], int(sys.argv[2]), sys.argv[3]
first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
rng = np.random.default_rng(0)
data = ArrayDataset(rng.standard_normal((40, 5)).astype(np.float32), rng.integers(3, size=40))

def on_step(state):
    if first and state.epoch * 5 + state.step == stop_at and os.environ["RANK"] == victim:
        os._exit(9)  # as if killed
    if not first and os.environ["RANK"] == "0":
        print("step", state.epoch * 5 + state.step, flush=True)

with processes() as rank:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    sgd = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    fit(module, torch.nn.CrossEntropyLoss(), sgd, data, epochs=3, batch_size=8, on_step=on_step,
        checkpoint=f"{folder}/run", resume=True, progress=False)
    if rank == 0:
        weights = [parameter.detach().numpy().ravel() for parameter in module.parameters()]
        np.save(f"{folder}/result.npy", np.concatenate(weights))
"""


def rank_dies():
    """Kill the second of two processes in the second epoch; the two go on from the end of the first."""
    with TemporaryDirectory() as folder:
        killed = Path(folder)
        assert train(killed, 8).returncode != 0
        assert read_checkpoint(killed / "run").epoch == 1
        assert train(killed).returncode == 0
        assert (killed / "result.npy").read_bytes() == undisturbed(), "the resumed run ends with other bits"


def rank_dies_and_is_restarted(stop_at, victim):
    """Kill one of two processes at a step; torchrun starts both anew, and they go on from a checkpoint."""
    with TemporaryDirectory() as folder:
        ended = train(Path(folder), stop_at, victim, restarts=1)
        assert ended.returncode == 0, ended.stderr[-1000:]
        first = next(line for line in ended.stdout.splitlines() if line.startswith("step "))
        assert first == f"step {stop_at // 5 * 5 + 1}", "it went on elsewhere than from the last checkpoint"
        result = Path(folder, "result.npy").read_bytes()
        assert result == undisturbed(), "the restarted run ends with other bits"


@cache
def undisturbed():
    """Return the weights of a run in which nobody dies."""
    with TemporaryDirectory() as folder:
        assert train(Path(folder)).returncode == 0
        return Path(folder, "result.npy").read_bytes()


def train(folder, stop_at=0, victim=1, restarts=0):
    """Train in two processes, of which one dies after so many steps; return how it ended."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launch, f"--max-restarts={restarts}", program, folder, str(stop_at), str(victim)],
        env=environment, capture_output=True, timeout=300, check=False, text=True,
    )  # fmt: skip
