"""What processes that train together must agree on: run by torchrun, in three of them.

Two of the three are a group of their own where that is asked for, and one trains alone.
"""

import os
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from npnet import nn, optim, train
from npnet.data import ArrayDataset
from npnet.engines import Spec
from npnet.errors import InputError
from ptref.engine import TorchEngine, engine_for
from ptref.train import fit, processes

ME = int(os.environ["RANK"])
CASES = 40


def of(number, name):
    """Return the block in which the first so many processes are all there are; None for the others."""
    os.environ.update(WORLD_SIZE=str(number), TORCHELASTIC_RUN_ID=name)
    return processes() if number > ME else None


# ---- one step ------------------------------------------------------------------------------------------


def check_gradients(seed):
    """In float64, with class weights, ignored and smoothed labels, and fewer samples than processes.

    Judging counts each sample once: loss, accuracy and number of samples are those of one process.
    """
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
    _, _, expected = train.plain_step(model, loss, x, target, rng)
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
    """It looks at the largest error of the whole minibatch, which one process alone has."""

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


# ---- a run that goes on --------------------------------------------------------------------------------

given = []  # to each step: every process is given the whole minibatch, and takes its rows
learn = TorchEngine.forward_backward


def noting(self, x, target, generator):
    given.append(x[:, 0].tolist())
    return learn(self, x, target, generator)


def npnet_model(rng, **settings):
    made = {"generator": rng, "dtype": np.float64}
    model = nn.Sequential(nn.Linear(3, 6, **made), nn.Tanh(), nn.Dropout(0.4), nn.Linear(6, 4, **made))
    loss = Spec("CrossEntropyLoss", weight=rng.uniform(0.1, 3, size=4), label_smoothing=0.1, ignore_index=1)
    optimizer = [Spec("SGD", lr=0.1, momentum=0.9), Spec("Adam", lr=0.01)][int(rng.integers(2))]
    with engine_for(model, loss, optimizer, Spec("StepLR", step_size=1, gamma=0.5), threads=1) as engine:
        train.run(engine, **settings)
    return model.state_dict()


def pytorch_module(rng, **settings):
    torch.manual_seed(int(rng.integers(99)))
    layers = torch.nn.Linear(3, 6), torch.nn.Dropout(0.4), torch.nn.Linear(6, 4)
    module = torch.nn.Sequential(*layers).to(torch.float64)
    fit(module, torch.nn.CrossEntropyLoss(), torch.optim.SGD(module.parameters(), lr=0.1), **settings)
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def run(learner, seed, *, stops=False, **settings):
    """Train on data and with settings of a seed; return weights and minibatches."""
    rng = np.random.default_rng(seed)
    n, batch_size = int(rng.integers(5, 20)), int(rng.integers(1, 9))
    x = rng.normal(size=(n, 3))
    x[:, 0] = np.arange(n)
    data = ArrayDataset(x, rng.integers(4, size=n))
    steps = -(-n // batch_size)
    stop_after = int(rng.integers(1, 3 * steps))

    def stop(state):
        return state.epoch * steps + state.step == stop_after

    if stops:
        settings["on_step"] = stop
    given.clear()
    weights = learner(
        rng, data=(data, data), epochs=3, batch_size=batch_size, generator=seed, progress=False, **settings
    )
    return weights, list(given)


def changed(learner, seed, before, after, folder):
    """Stop a run of `before` processes and go on with `after`; return what process 0 has in the end."""
    weights, minibatches = {}, []
    for stage, number in enumerate((before, after)):
        joined = of(number, f"{folder} {stage}")
        if joined is None:
            continue
        with joined:
            weights, some = run(learner, seed, checkpoint=folder, resume=bool(stage), stops=not stage)
            minibatches += some
    return weights, minibatches


def check_another_number(seed, before, after, folder):
    """Each minibatch is given once, in the order of a run of one process that never stopped."""
    weights, minibatches = changed(npnet_model, seed, before, after, folder)
    if ME:
        return
    expected, wanted = run(npnet_model, seed)
    assert minibatches == wanted, f"seed {seed}: {before} to {after}"
    for name, array in expected.items():
        np.testing.assert_allclose(weights[name], array, rtol=0, atol=1e-12, err_msg=f"{seed} {name}")


def check_same_bits(learner, folder):
    weights, _ = changed(learner, 0, 2, 2, f"{folder} went on")
    joined = of(2, f"{folder} whole")
    if joined is not None:
        with joined:
            expected, _ = run(learner, 0)
        assert all(weights[name].tobytes() == array.tobytes() for name, array in expected.items())


def check_refusal(folder):
    """A module with generators of its own does not go on with another number of processes."""
    refused = pytest.raises(InputError, match="2 processes drew other numbers than 1 would; resume it with 2")
    with nullcontext() if ME else refused:
        changed(pytorch_module, 0, 2, 1, folder)


def check_masks():
    """Two processes draw different numbers, and the numbers PyTorch draws otherwise are as without them."""
    joined = of(2, "masks")
    if joined is None:
        return
    with joined:
        module = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout(0.5))
        torch.nn.init.ones_(module[0].weight)
        torch.nn.init.ones_(module[0].bias)
        torch.manual_seed(0)
        engine = TorchEngine(module, torch.nn.MSELoss(), torch.optim.SGD(module.parameters(), lr=0.1))
        y = engine.forward_backward(*np.ones((2, 64, 1), np.float32), np.random.default_rng(0)).y
        assert (y[:32] != y[32:]).any(), "two processes must not drop the same"
        torch.testing.assert_close(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(0)))


def check_memory():
    """A process whose memory does not suffice finds out by itself what fits, and the other one ends too."""
    joined, outputs = of(2, "memory"), TorchEngine._outputs
    if joined is None:
        return

    def limited(self, called, x):
        if ME and len(x) > 3:
            raise torch.OutOfMemoryError
        return outputs(self, called, x)

    TorchEngine._outputs = limited
    made = {"generator": np.random.default_rng(0)}
    model = nn.Sequential(nn.Linear(3, 6, **made), nn.Dropout(0.4), nn.Linear(6, 4, **made))
    told = (
        "fit: a minibatch of 20 samples does not fit into memory; at most 6 fit" if ME else "another process"
    )

    def learn():
        with joined, engine_for(model, Spec("CrossEntropyLoss"), Spec("SGD", lr=0.1), threads=1) as engine:
            x, target = np.ones((20, 3), np.float32), np.zeros(20, np.int64)
            engine.forward_backward(x, target, np.random.default_rng(0))

    try:
        with pytest.raises(InputError, match=told):
            learn()
    finally:
        TorchEngine._outputs = outputs


def main(out):
    for number in (2, 3):
        joined = of(number, f"step {number}")
        if joined is not None:
            with joined:
                for seed in range(CASES):
                    check_gradients(seed)
                check_a_loss_without_parts()
    TorchEngine.forward_backward = noting
    for seed, (before, after) in enumerate(((1, 2), (2, 1), (2, 3), (3, 2))):
        check_another_number(seed, before, after, f"{out}/{before} {after}")
    for learner in (npnet_model, pytorch_module):
        check_same_bits(learner, f"{out}/{learner.__name__}")
    check_refusal(f"{out}/refused")
    check_masks()
    check_memory()
    sys.stdout.write(f"rank {ME}: all agree\n")


if __name__ == "__main__":
    main(sys.argv[1])
