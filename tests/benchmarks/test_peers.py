"""Peers compute what npnet computes, and take part where they can."""

import subprocess
import sys
from dataclasses import replace
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.works import WORKS, Work, lenet5, mlp
from npnet import nn, optim

LR, MOMENTUM = 0.05, 0.9
STEPS = 3
THREADS = 1  # in this process; JAX keeps the number that it starts with

LENET5 = [work for work in WORKS if work.name == peers.LENET5]
NO_JAX = pytest.mark.skipif(util.find_spec("jax") is None, reason="JAX is not installed")
NO_AUTOGRAD = pytest.mark.skipif(util.find_spec("autograd") is None, reason="autograd is not installed")


def small(work):
    """Return a work with fewer samples."""
    return replace(work, batch=8)


def losses_of_npnet(model, x, target):
    loss = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters, lr=LR, momentum=MOMENTUM)
    losses = []
    for _ in range(STEPS):
        y, backward = model.forward(x)
        value, loss_backward = loss.forward(y, target)
        optimizer.step(backward(loss_backward())[1])
        losses.append(float(value))
    return losses


def check(peer, work):
    """Compare the outputs and the losses of several steps, the second of which has seen the first update."""
    model = work.build(np.random.default_rng(1))
    x, target = work.minibatch()
    settings = {"lr": LR, "momentum": MOMENTUM}
    predict = peers.run(peer, model, x, target, training=False, **settings)
    step = peers.run(peer, model, x, target, training=True, **settings)
    np.testing.assert_allclose(predict(), model(x), rtol=1e-4, atol=1e-5)
    losses = [step() for _ in range(STEPS)]
    assert {np.asarray(loss).dtype for loss in losses} == {np.dtype(np.float32)}
    np.testing.assert_allclose(
        [float(loss) for loss in losses], losses_of_npnet(model, x, target), rtol=1e-4, atol=1e-5
    )


def build_everything(generator):
    """Build a model that has all layers, and all their settings, that are rewritten in JAX."""
    return nn.Sequential(
        nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), groups=2, generator=generator),
        nn.Tanh(),
        nn.AvgPool2d(2, stride=1, padding=1),
        nn.Conv2d(6, 4, 3, dilation=2, bias=False, generator=generator),
        nn.Sigmoid(),
        nn.MaxPool2d((2, 3), stride=(1, 2), padding=(1, 1)),
        nn.Flatten(),
        nn.Linear(4 * 6 * 6, 5, generator=generator),
        nn.ReLU(),
        nn.Linear(5, 3, bias=False, generator=generator),
    )


@NO_JAX
@pytest.mark.parametrize("work", WORKS, ids=str)
def test_jax_learns_what_npnet_learns(work):
    if any(isinstance(layer, nn.Dropout) for _, layer in work.build(np.random.default_rng(0)).named_layers()):
        pytest.skip("dropout is not compared")
    check(peers.JAX, small(work))


@NO_JAX
def test_jax_has_all_settings_of_its_layers():
    check(peers.JAX, Work("everything", build_everything, (4, 16, 14), 5, 3))


@NO_AUTOGRAD
@pytest.mark.parametrize("work", LENET5, ids=str)
def test_autograd_learns_what_npnet_learns(work):
    check(peers.AUTOGRAD, small(work))


@NO_JAX
@pytest.mark.parametrize(
    "layer",
    [
        nn.Dropout(0.5),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, padding=1, count_include_pad=False),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(0),
        nn.Residual(nn.ReLU()),
    ],
    ids=repr,
)
def test_jax_refuses_what_it_would_compute_differently(layer):
    reason = peers.refusal(peers.JAX, LENET5[0], nn.Sequential(layer), THREADS)
    assert reason == f"{layer!r} has no counterpart in this comparison"


@NO_JAX
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted on Linux alone")
@pytest.mark.parametrize("number", [1, 3])
def test_jax_has_the_threads_asked_for_or_does_not_take_part(number):
    code = (
        "import os, numpy as np; from benchmarks import peers; from benchmarks.works import WORKS\n"
        "model = WORKS[0].build(np.random.default_rng(0))\n"
        f"for threads in ({number}, {number + 1}):\n"
        "    print(peers.refusal('JAX', WORKS[0], model, threads))\n"
        "print(os.environ.get('PJRT_NPROC'))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    refused = f"{number + 1} threads were requested, {number} were counted"
    assert done.stdout.splitlines() == ["None", refused, "None"]


@NO_AUTOGRAD
def test_autograd_is_asked_for_lenet5_alone(monkeypatch):
    monkeypatch.setattr(peers, "PEERS", (peers.AUTOGRAD,))
    works = [LENET5[0], Work("one", mlp(4, 2), (4,), 2, 2), Work("two", mlp(4, 2), (4,), 2, 2)]
    assert peers.absences(works, 1) == [
        "autograd: not measured, only LeNet-5 is written in it: one, batch 2; two, batch 2"
    ]


def test_what_is_not_installed_is_not_mentioned(monkeypatch):
    monkeypatch.setattr(peers.util, "find_spec", lambda name: None)
    assert peers.installed() == []
    assert peers.absences(WORKS, 1) == []


def test_without_peers_in_the_suite_none_is_loaded(monkeypatch):
    pytest.importorskip("torch")
    from benchmarks import contenders

    def loaded(name):
        raise AssertionError(name)

    monkeypatch.setattr(peers, "import_module", loaded)
    with contenders.of_work(small(LENET5[0]), 1, training=True, engines=contenders.UNCOMPILED) as found:
        assert {contenders.NPNET, contenders.EAGER} <= {contender.name for contender in found}


@NO_AUTOGRAD
@pytest.mark.parametrize("training", [True, False])
def test_peers_that_are_asked_for_take_part(training):
    pytest.importorskip("torch")
    from benchmarks import contenders

    work = Work(peers.LENET5, lenet5(1, 28), (1, 28, 28), 2, 10)
    with contenders.of_work(work, 1, training=training, engines=(contenders.NPNET, *peers.PEERS)) as found:
        names = [contender.name for contender in found]
        assert {contenders.NPNET, peers.AUTOGRAD} <= set(names)
        assert all(contender.measure(1) > 0 for contender in found)


def test_the_aim_is_for_training_steps_of_lenet5():
    assert peers.targets(LENET5[0], training=True) == {peers.AUTOGRAD: 0.15}
    assert peers.targets(LENET5[0], training=False) == {}
    assert peers.targets(WORKS[0], training=True) == {}
