"""PyTorch through npnet's loop, in one process and in two."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npnet import models, nn, optim, saved, train
from npnet.data import ArrayDataset, Splits, digits
from npnet.engines import Spec
from npnet.errors import InputError

torch = pytest.importorskip("torch")

from ptref.convert import to_torch  # noqa: E402 - PyTorch may be absent
from ptref.engine import engine_for  # noqa: E402 - as above
from ptref.train import fit, main  # noqa: E402 - as above

pytestmark = pytest.mark.usefixtures("bare")  # run-time shape checks would take most of the time

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")),
]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


SHORT = ["digits", "--quick", "--epochs", "2", "--batch-size", "125"]


@pytest.fixture(autouse=True)
def one_thread():
    """Keep PyTorch from waiting for a second thread at every one of many small operations."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def torchrun(*arguments):
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*TORCHRUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """Train in two processes once; return what they printed and the folder of the run."""
    out = tmp_path_factory.mktemp("two")
    ended = torchrun("-m", "ptref.train", *SHORT, "--out", out)
    assert ended.returncode == 0, ended.stderr
    (folder,) = (out / "digits").iterdir()
    return ended.stdout.splitlines(), folder


def some_digits(train=300):
    whole = digits(np.random.default_rng(0))
    parts = (whole.train.subset(range(train)), whole.validation.subset(range(64)))
    return tuple(ArrayDataset(part.x.astype(np.float64), part.y) for part in parts)


# ---- fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
def test_fit_goes_the_way_of_npnet_s_fit(device):
    model = models.mlp([64, 16, 10], "tanh", generator=np.random.default_rng(0), dtype=np.float64)
    module = to_torch(model).to(device)
    settings = {"lr": 0.1, "momentum": 0.9}
    ours, theirs = (
        fit_one(learner, loss, optimizer, some_digits(), epochs=3, batch_size=32, progress=False,
                generator=np.random.default_rng(1))
        for fit_one, learner, loss, optimizer in (
            (train.fit, model, nn.CrossEntropyLoss(), optim.SGD(model.parameters, **settings)),
            (fit, module, torch.nn.CrossEntropyLoss(), torch.optim.SGD(module.parameters(), **settings)),
        )
    )  # fmt: skip
    for own, other in zip(ours.epochs, theirs.epochs, strict=True):
        assert other.train_loss == pytest.approx(own.train_loss, rel=1e-11)
        assert other.validation_loss == pytest.approx(own.validation_loss, rel=1e-11)
        assert other.train_accuracy == own.train_accuracy
    for name, array in model.state_dict().items():
        np.testing.assert_allclose(module.state_dict()[name].cpu().numpy(), array, rtol=0, atol=1e-11)


def test_fit_keeps_the_best_weights_and_steps_the_schedule():
    module = torch.nn.Sequential(torch.nn.Linear(1, 1, dtype=torch.float64))
    x = np.linspace(-1, 1, 20)[:, None]
    learnt_from, judged_by = ArrayDataset(x, 3 * x), ArrayDataset(x, 0 * x)
    torch.nn.init.zeros_(module[0].weight)
    torch.nn.init.zeros_(module[0].bias)
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(sgd, 1, gamma=0.5)
    history = fit(
        module, torch.nn.MSELoss(), sgd, (learnt_from, judged_by), epochs=5, batch_size=5, patience=2,
        generator=np.random.default_rng(0), schedule=schedule, progress=False,
    )  # fmt: skip
    assert [epoch.lr for epoch in history.epochs] == [0.1, 0.05, 0.025]
    assert (history.best_epoch, history.stopped_early) == (1, True)
    expected = history.epochs[0].validation_loss
    judged = torch.nn.functional.mse_loss(module(torch.from_numpy(x)), torch.zeros(20, 1))
    assert float(judged.detach()) == pytest.approx(expected)


def test_data_of_another_dtype_is_converted():
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    history = fit(module, torch.nn.CrossEntropyLoss(), sgd, some_digits(), epochs=1, progress=False)
    assert history.notes == [
        f"{part}: x converted from float64 to float32" for part in ("training", "validation")
    ]


# ---- two processes -------------------------------------------------------------------------------------

TWO = """
import sys
from pathlib import Path
import numpy as np
from test_train_shared import learn
from ptref.train import processes

with processes() as rank:
    np.savez(f"{sys.argv[1]}/{rank}.npz", **learn())

left = [thread.read_text().strip() for thread in Path("/proc/self/task").glob("*/comm")]
assert not [name for name in left if "gloo" in name], f"threads outlive their process group: {left}"
"""

SHARED = '''
"""One training run, whichever number of processes do it."""
import numpy as np
from npnet import nn, train
from npnet.data import ArrayDataset, digits
from npnet.engines import Spec
from ptref.engine import engine_for


def learn():
    part = digits(np.random.default_rng(0)).train.subset(range(33))  # 16, 16, and one that one process has
    data = ArrayDataset(part.x.astype(np.float64), part.y)
    rng = np.random.default_rng(1)
    made = {"generator": rng, "dtype": np.float64}
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, **made), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(36, 10, **made),
    )
    model.freeze("0.bias")
    loss = Spec("CrossEntropyLoss", weight=np.linspace(0.1, 2, 10), label_smoothing=0.1)
    with engine_for(model, loss, Spec("SGD", lr=0.1, momentum=0.9), threads=1) as engine:
        history = train.run(engine, (data, data), epochs=2, batch_size=16, generator=rng, progress=False)
    losses = [(epoch.train_loss, epoch.validation_loss) for epoch in history.epochs]
    return {**model.state_dict(), "losses": np.array(losses)}
'''


def test_two_processes_learn_what_one_does(tmp_path, monkeypatch):
    (tmp_path / "test_train_shared.py").write_text(SHARED)
    (tmp_path / "two.py").write_text(TWO)
    ended = torchrun(tmp_path / "two.py", tmp_path)
    assert ended.returncode == 0, ended.stderr
    monkeypatch.syspath_prepend(tmp_path)
    one = __import__("test_train_shared").learn()
    for rank in (0, 1):
        with np.load(tmp_path / f"{rank}.npz") as two:
            assert set(two) == set(one)
            for name, array in one.items():
                np.testing.assert_allclose(two[name], array, rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.usefixtures("blank_pictures")
def test_a_recipe_runs_in_two_processes_and_the_first_alone_reports(of_two, tmp_path):
    lines, folder = of_two
    assert sum(line.startswith("test accuracy: ") for line in lines) == 1
    assert sum(line.startswith("epoch 1/2 ") for line in lines) == 1
    result = json.loads((folder / "result.json").read_text())
    assert lines[-1] == f"test accuracy: {100 * result['accuracy']:.2f} %"

    alone = tmp_path / "alone"
    assert main([*SHORT, "--quiet", "--threads", "1", "--out", str(alone)]) == 0
    (single,) = (alone / "digits").iterdir()
    assert json.loads((single / "result.json").read_text())["loss"] == pytest.approx(result["loss"], rel=1e-4)


def test_batch_norm_in_several_processes_is_refused(monkeypatch):
    monkeypatch.setattr("ptref.engine.process", lambda: (0, 2))
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(4, 4, generator=rng), nn.BatchNorm1d(4), nn.Linear(4, 2, generator=rng))
    with (
        pytest.raises(InputError, match="without batch norm where several processes"),
        engine_for(model, Spec("CrossEntropyLoss"), Spec("SGD", lr=0.1)),
    ):
        pass


def test_the_splits_of_a_recipe_are_taken_too():
    data = some_digits()
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10, dtype=torch.float64))
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    history = fit(module, torch.nn.CrossEntropyLoss(), sgd, Splits(*data, None), epochs=1, batch_size=100,
                  generator=np.random.default_rng(0), progress=False)  # fmt: skip
    assert history.epochs[0].validation_accuracy is not None


# The command line without the figures and the report that each process would draw in the end.
PLAIN = """
import sys
from npnet.experiments import Runner, conduct
from ptref.train import main

Runner.figure_of_all = lambda *_, **__: None
conduct.Page.encoded = lambda self: b""
"""
STOP = f"""{PLAIN}
import os, signal
from npnet.train import _checkpoints
from ptref.engine import TorchEngine

_checkpoints.SHARE = 1e9  # a checkpoint after each epoch, however short
learn, steps = TorchEngine.forward_backward, 0


def learn_and_die(self, *given):
    global steps
    steps += 1
    if steps == 12 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":  # of 8 in an epoch
        if os.environ["TORCHELASTIC_MAX_RESTARTS"] == "0":
            os._exit(9)
        if os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
    return learn(self, *given)


TorchEngine.forward_backward = learn_and_die
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.usefixtures("blank_pictures")
def test_a_run_of_two_processes_is_resumed_from_the_command_line_to_the_same_bits(of_two, tmp_path):
    (tmp_path / "stop.py").write_text(STOP)
    (tmp_path / "plain.py").write_text(f"{PLAIN}sys.exit(main())")
    assert torchrun(tmp_path / "stop.py", *SHORT, "--out", tmp_path).returncode != 0
    (killed,) = (tmp_path / "digits").iterdir()
    assert not (killed / "model.safetensors").exists()
    copy = shutil.copytree(killed, tmp_path / "copy")
    ended = torchrun(tmp_path / "plain.py", "--resume", "--out", tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "resuming" in ended.stdout
    whole, resumed = ((folder / "model.safetensors").read_bytes() for folder in (of_two[1], killed))
    assert whole == resumed

    assert main(["digits", "--resume", str(copy), "--quiet"]) == 0  # one process goes on with it too
    whole, resumed = (
        saved.load(folder / "model.safetensors").model.state_dict() for folder in (of_two[1], copy)
    )
    for name, array in whole.items():
        np.testing.assert_allclose(resumed[name], array, rtol=0, atol=1e-5, err_msg=name)


def test_a_rank_that_dies_is_started_anew_and_the_run_ends_with_the_same_bits(of_two, tmp_path):
    (tmp_path / "stop.py").write_text(STOP)
    ended = torchrun("--max-restarts", "1", tmp_path / "stop.py", *SHORT, "--out", tmp_path)
    assert ended.returncode == 0, ended.stderr
    (folder,) = (tmp_path / "digits").iterdir()
    assert f"resuming {folder}" in ended.stdout
    assert sum(line.startswith("epoch 1/2 ") for line in ended.stdout.splitlines()) == 1
    whole, restarted = ((each / "model.safetensors").read_bytes() for each in (of_two[1], folder))
    assert whole == restarted


def test_a_run_that_cannot_be_resumed_is_told_in_one_line(tmp_path, capsys):
    for name, asked in {
        "numpy": {"recipe": "digits", "options": {"engine": "numpy"}},
        "torch": {"recipe": "digits", "options": {"engine": "torch"}},
        "odd": [],
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "options.json").write_text(json.dumps(asked))
    (tmp_path / "torch" / "result.json").write_text('{"status": "finished"}')
    numpy, ended = str(tmp_path / "numpy"), str(tmp_path / "torch")
    for arguments, message in (
        (["--resume", str(tmp_path / "nowhere")], "nowhere is not there"),
        (["--resume", "--out", str(tmp_path / "empty")], "no run in"),
        (["--resume", numpy], "must be a run of the engine torch, got 'numpy'"),
        (["--resume", str(tmp_path / "odd")], "options.json"),
        (["mnist-lenet", "--resume", ended], "must be a run of the recipe mnist-lenet, but"),
        (["--resume", ended, "--epochs", "3", "--tf32"], "from the run; leave out --epochs, --tf32"),
        (["--resume", ended], "has finished; there is nothing to resume"),
        (["digits", "--epoch", "3"], "there is no option --epoch; did you mean --epochs?"),
    ):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
