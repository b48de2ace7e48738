"""100 update steps of every option against torch.optim.

PyTorch rounds in two places otherwise than IEEE arithmetic in the order of its own operations: vectorized
loops may fuse a multiplication with an addition, and its square root may come from MKL, which is not
correctly rounded. So two comparisons are made. With loops that do not fuse (a process of its own, started
with ATEN_CPU_CAPABILITY=default) and IEEE square roots the bits must be equal. With PyTorch as it comes,
the difference must stay within a few roundings after all the steps.
"""

import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest

with suppress(ImportError):
    import torch

from tests.examples.optimizers import SETTINGS

STEPS = 100
SHAPES = {"0.weight": (7, 5), "0.bias": (3,), "scale": ()}
CASES = [(rule.__name__, options) for rule, options in SETTINGS]
DTYPES = ("float64", "float32")
everywhere = pytest.mark.parametrize("dtype", DTYPES)
every_case = pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{CASES[i][1]}")


def start(dtype):
    rng = np.random.default_rng(1)
    return {name: rng.standard_normal(shape).astype(dtype)[...] for name, shape in SHAPES.items()}


def gradients(dtype):
    """Gradients of ever smaller size, some exactly zero; from time to time a parameter has none."""
    rng = np.random.default_rng(2)
    for step in range(STEPS):
        grads = {
            name: np.asarray(rng.standard_normal(shape) * 0.97**step * (rng.random(shape) < 0.9), dtype)
            for name, shape in SHAPES.items()
        }
        if step % 7 in (0, 3):
            del grads["0.bias"]
        yield step, grads


def learning_rate(lr, step):
    return lr * 0.5 if step >= STEPS // 2 else lr


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def npnet_path(case, dtype):
    from npnet import optim

    name, options = CASES[case]
    parameters = start(dtype)
    optimizer = getattr(optim, name)(parameters, **options)
    lr, path = optimizer.lr, []
    for step, grads in gradients(dtype):
        optimizer.lr = learning_rate(lr, step)
        optimizer.step(grads)
        path.append(flat(parameters.values()))
    return np.array(path)


def torch_path(case, dtype):
    name, options = CASES[case]
    parameters = {key: torch.nn.Parameter(torch.tensor(array)) for key, array in start(dtype).items()}
    optimizer = getattr(torch.optim, name)(parameters.values(), foreach=False, **options)
    lr, path = optimizer.param_groups[0]["lr"], []
    for step, grads in gradients(dtype):
        optimizer.param_groups[0]["lr"] = learning_rate(lr, step)
        for key, parameter in parameters.items():
            parameter.grad = torch.tensor(grads[key]) if key in grads else None
        optimizer.step()
        path.append(flat(parameter.detach().numpy() for parameter in parameters.values()))
    return np.array(path)


def loops_fuse():
    """Whether p + lr·g is rounded once instead of twice, judged without any of npnet."""
    p, g = np.random.default_rng(3).standard_normal((2, 10_000))
    return not np.array_equal(torch.add(torch.tensor(p), torch.tensor(g), alpha=0.1).numpy(), p + 0.1 * g)


def unfused_paths(file):
    def sqrt(x):
        return torch.from_numpy(np.asarray(np.sqrt(x.detach().numpy())))

    torch.Tensor.sqrt, torch.Tensor.sqrt_ = sqrt, lambda x: x.copy_(sqrt(x))
    paths = {} if loops_fuse() else {f"{i} {d}": torch_path(i, d) for i in range(len(CASES)) for d in DTYPES}
    np.savez(file, **paths)


@pytest.fixture(scope="module")
def unfused(tmp_path_factory):
    pytest.importorskip("torch")
    file = tmp_path_factory.mktemp("torch") / "paths.npz"
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, __file__, str(file)], check=True, env=environment)
    with np.load(file) as paths:
        if not paths.files:
            pytest.skip("this build of PyTorch fuses multiplications with additions")
        return dict(paths)


@every_case
@everywhere
def test_the_bits_are_those_of_torch_without_fused_loops(unfused, case, dtype, change_thresholds):
    change_thresholds(update_block=16)  # so that a parameter takes several blocks
    ours, theirs = npnet_path(case, dtype), unfused[f"{case} {dtype}"]
    assert ours.dtype == theirs.dtype == dtype
    np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(ours[0], ours[-1])


@every_case
@everywhere
def test_the_path_stays_within_roundings_of_torch_as_it_comes(case, dtype):
    pytest.importorskip("torch")
    ours, theirs = npnet_path(case, dtype), torch_path(case, dtype)
    size = np.maximum.accumulate(np.abs(theirs), axis=0)  # the largest value so far sets the rounding
    units = np.abs(ours - theirs) / (np.finfo(dtype).eps * np.maximum(size, 1))
    assert units.max() <= 10  # after 100 steps; 3.7 were measured


SCHEDULES = [
    ("StepLR", {"step_size": 3}),
    ("StepLR", {"step_size": 1, "gamma": 0.7}),
    ("ExponentialLR", {"gamma": 0.93}),
    ("CosineAnnealingLR", {"T_max": 7}),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": 1e-3}),
    ("CosineAnnealingLR", {"T_max": 1, "eta_min": 1e-3}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 60}),
    ("OneCycleLR", {"max_lr": 0.5, "epochs": 7, "steps_per_epoch": 9, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 61, "pct_start": 0.4, "three_phase": True}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 70, "pct_start": 0.0, "div_factor": 2.0}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 60, "pct_start": 1.0, "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 90, "final_div_factor": float("inf")}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 90, "base_momentum": 0.5, "max_momentum": 0.99}),
]


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(("name", "options"), SCHEDULES)
@pytest.mark.parametrize("changed_by_hand", [False, True])
def test_learning_rates_are_those_of_torch(name, options, changed_by_hand):
    pytest.importorskip("torch")
    from npnet import optim

    ours = optim.SGD({"weight": np.zeros(2)}, lr=0.37)
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.37)
    schedule = getattr(optim, name)(ours, **options)
    scheduler = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    assert ours.lr == theirs.param_groups[0]["lr"]
    for epoch in range(1, 60):
        if changed_by_hand and epoch == 5:
            ours.lr = theirs.param_groups[0]["lr"] = 0.2
        schedule.step()
        scheduler.step()
        assert ours.lr == theirs.param_groups[0]["lr"]
        assert schedule.get_last_lr() == scheduler.get_last_lr() == [schedule.last_lr]
        assert schedule.epoch == scheduler.last_epoch == epoch
        assert ours.momentum == theirs.param_groups[0]["momentum"]


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_the_first_of_adams_betas_is_that_of_torch():
    pytest.importorskip("torch")
    from npnet import optim

    ours = optim.Adam({"weight": np.zeros(2)}, betas=(0.9, 0.97))
    theirs = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))], betas=(0.9, 0.97))
    schedule = optim.OneCycleLR(ours, 0.1, 20)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(theirs, 0.1, 20)
    for _ in range(19):
        assert ours.betas == theirs.param_groups[0]["betas"]
        schedule.step()
        scheduler.step()
    assert ours.betas == theirs.param_groups[0]["betas"] == (0.95, 0.97)


if __name__ == "__main__":
    unfused_paths(sys.argv[1])
