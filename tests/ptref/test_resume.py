"""Training with PyTorch goes on from a checkpoint with the same bits."""

import os
import signal
from contextlib import nullcontext

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from npnet.errors import InputError  # noqa: E402
from npnet.train import read_checkpoint  # noqa: E402
from npnet.train.checkpoint import CheckpointFolder  # noqa: E402
from ptref.engine import TorchEngine  # noqa: E402
from ptref.train import fit  # noqa: E402

pytestmark = pytest.mark.usefixtures("bare")

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((44, 1, 6, 6)).astype(np.float32), RNG.integers(3, size=44)
DATA = ((X[:32], Y[:32]), (X[32:], Y[32:]))
OPTIMIZERS = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw, fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
}
SCHEDULES = {
    "epoch": lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3),
    "step": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, 12, final_div_factor=np.inf
    ),
}


def layers():
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 3)
    )


def train(optimizer="momentum", *, module=None, every="epoch", **settings):
    """Train from scratch, as a new process would; return weights, losses, and what comes next at random."""
    torch.manual_seed(3)
    module = module or layers()
    moved = OPTIMIZERS[optimizer](module.parameters())
    settings = {"data": DATA, "epochs": 3, "batch_size": 9, "progress": False} | settings
    settings |= {"schedule": SCHEDULES[every](moved), "schedule_every": every}
    history = fit(module, torch.nn.CrossEntropyLoss(), moved, **settings)
    weights = {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}
    losses = [(e.train_loss, e.validation_loss, e.train_accuracy, e.lr) for e in history.epochs]
    return weights, losses, history.best_epoch, torch.rand(4).tolist()


def interrupt_at(step):
    def on_step(state):
        if state.epoch * 4 + state.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_step


@pytest.mark.parametrize("step", [1, 4, 6, 11])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_goes_on_with_the_same_bits(tmp_path, optimizer, step):
    expected = train(optimizer)
    train(optimizer, checkpoint=tmp_path, on_step=interrupt_at(step))
    found = read_checkpoint(tmp_path)
    assert 4 * found.epoch + found.step == step
    assert train(optimizer, checkpoint=tmp_path, resume=True) == expected


@pytest.mark.parametrize("step", range(1, 12))
def test_a_schedule_of_steps_goes_on_at_the_step_it_was_at(tmp_path, step):
    expected = train(every="step")
    train(every="step", checkpoint=tmp_path, on_step=interrupt_at(step))
    assert train(every="step", checkpoint=tmp_path, resume=True) == expected


def test_another_optimizer_is_refused(tmp_path):
    train(checkpoint=tmp_path, epochs=1)
    with pytest.raises(InputError, match=r"optimizer is Adam \(, was SGD \("):
        train("adam", checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize("drops", [True, False])
def test_another_number_of_processes_is_refused_where_the_module_draws(tmp_path, drops):
    nn = torch.nn
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.3 if drops else 0.0), nn.Linear(36, 3))
    train(module=module, checkpoint=tmp_path, epochs=1)
    engine = TorchEngine(module, nn.CrossEntropyLoss(), OPTIMIZERS["momentum"](module.parameters()))
    engine.draws.processes = 2
    state = CheckpointFolder(tmp_path).newest()[0]["engine"] | {"schedule": None}
    refused = pytest.raises(
        InputError, match="1 process drew other numbers than 2 would; resume it with 1, or"
    )
    with refused if drops else nullcontext():
        engine.load_state_dict(state)


@pytest.mark.parametrize("begun_on", ["cpu", "cuda"])
def test_a_run_goes_on_on_another_device(tmp_path, monkeypatch, begun_on):
    """A GPU has a generator of its own, which is restored where there is something to restore."""
    train(checkpoint=tmp_path, epochs=1)
    module = layers()
    moved = OPTIMIZERS["momentum"](module.parameters())
    engine = TorchEngine(module, torch.nn.CrossEntropyLoss(), moved)
    state = CheckpointFolder(tmp_path).newest()[0]["engine"] | {"schedule": None}
    kept = {"cuda": np.arange(16, dtype=np.uint8)} if begun_on == "cuda" else {}
    state["generators"] |= kept
    restored = []
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: restored.append(state.tolist()))
    engine.load_state_dict(state)
    assert not restored
    engine.device = torch.device("cuda")
    engine.load_state_dict(state)
    assert restored == [array.tolist() for array in kept.values()]


class Spoiling(torch.nn.Module):
    def __init__(self, where):
        super().__init__()
        self.where, self.calls = where, 0

    def forward(self, x):
        self.calls += self.training
        if self.calls < 3:
            return x
        if self.where == "forward":
            return x * torch.where(torch.arange(x.shape[1]) == 1, torch.nan, 1.0)
        return x + torch.sqrt(x * 0) * 0  # 0/0 backward


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("forward", r"the loss became nan .*in the forward of module '1' Spoiling\(\): its output holds nan"),
        ("backward", r"the gradient of '0.weight' holds nan at index \(0, 0\) .*Function 'SqrtBackward0'"),
    ],
)
def test_nan_is_traced_to_its_module_or_function(where, message):
    module = torch.nn.Sequential(torch.nn.Linear(5, 4), Spoiling(where), torch.nn.Linear(4, 3))
    x = RNG.standard_normal((20, 5)).astype(np.float32)
    with pytest.raises(InputError, match=message):
        train(module=module, data=(x, np.arange(20) % 3))


def test_detection_changes_nothing():
    assert train(detect_anomaly=True) == train()
