"""A process that dies while several train one module."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from npnet.train import read_checkpoint

PROGRAM = """
import os, sys
import numpy as np, torch
from npnet.data import ArrayDataset
from npnet.train import _checkpoints
from ptref.train import fit, processes

_checkpoints.SHARE = 1e9  # a checkpoint after each epoch, however short

folder, stop_at = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
data = ArrayDataset(rng.standard_normal((40, 5)).astype(np.float32), rng.integers(3, size=40))

def on_step(state):
    if state.epoch * 5 + state.step == stop_at and os.environ["RANK"] == "1":
        os._exit(9)  # as if killed

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
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        assert train(whole) == 0
        assert train(killed, 8) != 0
        assert read_checkpoint(killed / "run").epoch == 1
        assert train(killed) == 0
        results = [np.load(each / "result.npy") for each in (whole, killed)]
        assert results[0].tobytes() == results[1].tobytes(), "the resumed run ends with other bits"


def train(folder, stop_at=0):
    """Train in two processes, of which the second dies after so many steps; return the exit status."""
    folder.mkdir(exist_ok=True)
    program = folder / "program.py"
    program.write_text(PROGRAM)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, program, folder, str(stop_at)],
        env=environment, capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode
