"""Several processes on one training: whatever the loss divides by, and when one of them dies."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from npnet import saved

pytest.importorskip("torch")

from ptref.engine import TorchEngine


def environment(**more):
    return os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"} | more


# ---- what they learn -----------------------------------------------------------------------------------


def test_two_and_three_learn_as_one_and_go_on_from_each_other_s_checkpoints(tmp_path):
    """What is checked stands in `together`; one launch does it all, as starting processes takes longest."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    ended = subprocess.run(
        [*command, str(Path(__file__).with_name("together.py")), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment(),
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    # Processes may write to one line.
    agreeing = sorted(re.findall(r"rank \d: all agree", ended.stdout))
    assert agreeing == [f"rank {rank}: all agree" for rank in range(3)]


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_each_sample_belongs_to_one_process(processes):
    for n in range(10):
        rows = []
        for rank in range(processes):
            engine = TorchEngine.__new__(TorchEngine)
            engine.rank, engine.processes = rank, processes
            rows += range(n)[engine._rows(n)]
        assert rows == list(range(n))


# ---- a process that dies -------------------------------------------------------------------------------

DIE = """
import os, signal, sys, time
from pathlib import Path
from ptref.engine import TorchEngine
from ptref.train import main

learn, steps = TorchEngine.forward_backward, 0


def learn_and_die(self, *given):
    global steps
    steps += 1
    if os.environ["RANK"] == "1" and steps == 25:  # of 11 in an epoch
        Path(sys.argv[1], "died").write_text(str(time.time()))
        os.kill(os.getpid(), signal.SIGKILL)
    return learn(self, *given)


TorchEngine.forward_backward = learn_and_die
sys.exit(main(["digits", "--epochs", "1000", "--batch-size", "125", "--out", sys.argv[1]]))
"""


def test_the_others_end_soon_after_one_that_dies_and_keep_what_was_learnt(tmp_path):
    """No agent watches over these two: the one that is left must notice by itself."""
    (tmp_path / "die.py").write_text(DIE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    left, dead = (
        subprocess.Popen(
            [sys.executable, str(tmp_path / "die.py"), str(tmp_path)],
            env=environment(RANK=rank, LOCAL_RANK=rank, **places),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    )
    try:
        _, complaint = left.communicate(timeout=240)
        ended = time.time()
        dead.communicate(timeout=60)
    finally:
        left.kill()
        dead.kill()
    assert dead.returncode == -signal.SIGKILL
    assert ended - float((tmp_path / "died").read_text()) < 30
    assert left.returncode == 2
    (line,) = [line for line in complaint.splitlines() if line.startswith("npnet: ")]
    assert line.startswith(
        "npnet: another process of this training has ended, so this one ends too; see its output; "
        f"what was learnt until then is in {tmp_path}"
    )
    (weights,) = tmp_path.glob("digits/*/model.safetensors")
    assert saved.load(weights).model is not None
