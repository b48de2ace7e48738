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

CASES = 40


def environment(**more):
    return os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"} | more


# ---- gradients -----------------------------------------------------------------------------------------

AGREE = """
import sys
import numpy as np
import torch
from npnet import nn, optim, train
from npnet.engines import Spec
from ptref.engine import TorchEngine, engine_for
from ptref.train import processes


def check(seed):
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(1, 12)), int(rng.integers(2, 6))
    x = rng.normal(size=(n, 1, 6, 6))
    target = rng.integers(classes, size=n)
    settings = {"label_smoothing": float(rng.choice([0.0, 0.1, 0.5]))}
    if rng.random() < 0.6:
        settings["weight"] = rng.uniform(0.1, 3.0, size=classes)
    if rng.random() < 0.6:
        settings["ignore_index"] = int(rng.choice([-100, 0, 1]))
        target[rng.random(n) < 0.3] = settings["ignore_index"]
    if rng.random() < 0.2:
        settings["reduction"] = "sum"
    made = {"generator": np.random.default_rng(seed), "dtype": np.float64}
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, **made), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, classes, **made)
    )
    loss = nn.CrossEntropyLoss(**settings)
    counts = float(loss.divisor(np.zeros((n, classes)), target)) > 0
    value, _, expected = train.plain_step(model, loss, x, target, rng)
    numpy = train.NumPyEngine(model, loss, optim.SGD(model.parameters, lr=0.1))
    ours = train.evaluate_engine(numpy, (x, target), batch_size=5)
    with engine_for(model, Spec("CrossEntropyLoss", **settings), Spec("SGD", lr=0.1), threads=1) as engine:
        outcome = engine.forward_backward(x, target, rng)
        judged = train.evaluate_engine(engine, (x, target), batch_size=5)
    where = f"seed {seed}: {n} samples, {settings}"
    if counts:
        for name, grad in expected.items():
            found = outcome.grads[name].numpy()
            np.testing.assert_allclose(found, grad, rtol=0, atol=1e-13 * n, err_msg=f"{where}, {name}")
    np.testing.assert_allclose(outcome.y, model(x), rtol=0, atol=1e-13)
    np.testing.assert_allclose([judged.loss], [ours.loss], rtol=1e-12, err_msg=where)
    assert (judged.seen, judged.accuracy) == (ours.seen, ours.accuracy), where


def check_a_loss_without_parts():
    # What it looks at is the largest error of the whole minibatch, which one process alone has.
    def largest(y, target):
        return (y[:, 0] - target).abs().max()

    torch.manual_seed(0)
    module, x = torch.nn.Linear(3, 1, dtype=torch.float64), np.arange(15.0).reshape(5, 3) % 4
    target = np.array([0.0, 9.0, 1.0, 2.0, 3.0])
    expected = torch.autograd.grad(
        largest(module(torch.tensor(x)), torch.tensor(target)), list(module.parameters())
    )
    engine = TorchEngine(module, largest, torch.optim.SGD(module.parameters(), lr=0.1))
    outcome = engine.forward_backward(x, target, np.random.default_rng(0))
    for found, grad in zip(outcome.grads.values(), expected, strict=True):
        torch.testing.assert_close(found, grad, rtol=0, atol=1e-13)


with processes() as rank:
    for seed in range(int(sys.argv[1])):
        check(seed)
    check_a_loss_without_parts()
print(f"rank {rank}: all agree")
"""


@pytest.mark.parametrize("number", [2, 3])
def test_the_gradient_is_npnet_s_over_the_whole_minibatch(tmp_path, number):
    """In float64, with class weights, ignored and smoothed labels, and fewer samples than processes.

    Judging counts each sample once: loss, accuracy and number of samples are those of one process.
    """
    (tmp_path / "agree.py").write_text(AGREE)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(number)]
    ended = subprocess.run(
        [*command, str(tmp_path / "agree.py"), str(CASES)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment(),
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    # Two processes may write to one line.
    agreeing = sorted(re.findall(r"rank \d: all agree", ended.stdout))
    assert agreeing == [f"rank {rank}: all agree" for rank in range(number)]


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
