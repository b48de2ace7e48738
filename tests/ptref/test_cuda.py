"""What only a GPU can show: replayed graphs, precision, transfers, memory."""

import gc

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("no CUDA device: torch.cuda.is_available() is false", allow_module_level=True)

from npnet import nn as npn  # noqa: E402 - as above
from npnet import train  # noqa: E402 - PyTorch may be absent
from npnet.data import ArrayDataset  # noqa: E402 - as above
from npnet.engines import Spec  # noqa: E402 - as above
from npnet.errors import InputError  # noqa: E402 - as above
from ptref.device_data import DeviceData, fits  # noqa: E402 - as above
from ptref.device_fit import Training, judge, sgd  # noqa: E402 - as above
from ptref.engine import engine_for  # noqa: E402 - as above
from ptref.execution import Execution, choosing, largest_that_fits  # noqa: E402 - as above
from ptref.train import fit  # noqa: E402 - as above

pytestmark = pytest.mark.usefixtures("bare")
CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def deterministic():
    """Have cuDNN choose kernels that add up in one order."""
    torch.backends.cudnn.deterministic = True
    yield
    torch.backends.cudnn.deterministic = False


def images(n=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(10, size=n)
    x = rng.normal(scale=0.3, size=(n, 1, 28, 28)).astype(np.float32)
    x[np.arange(n), 0, 2 * y, :] += 1  # a bar whose height tells the class
    return x, y


def convolutional(dropout=0.0, batch_norm=True):
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 5),
        torch.nn.BatchNorm2d(8) if batch_norm else torch.nn.Identity(),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Dropout(dropout),
        torch.nn.Flatten(),
        torch.nn.Linear(1152, 10),
    )


def trained(execution, *, resident=True, dropout=0.0, epochs=3):
    torch.manual_seed(0)
    module = convolutional(dropout).to(CUDA)
    data = DeviceData(*images(), CUDA, resident=resident)
    training = Training(
        module, torch.nn.CrossEntropyLoss(), sgd(module, momentum=0.9, weight_decay=1e-4), data,
        batch_size=64, epochs=epochs, rate=lambda step, steps: 0.05 * (1 - step / steps), execution=execution,
    )  # fmt: skip
    losses = training.run(np.random.default_rng(1))
    return losses, {name: value.cpu() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_graphs_learn_the_same_bits(resident, dropout):
    losses, weights = trained(Execution(), resident=resident, dropout=dropout)
    replayed, others = trained(Execution(graphs=True), resident=resident, dropout=dropout)
    assert replayed == losses
    for name, value in weights.items():
        assert torch.equal(others[name], value), name
    assert losses[-1] < losses[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the compiler's own code
@pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores")  # they are left off on purpose
@pytest.mark.parametrize(
    "way", [{"amp": "bf16"}, {"channels_last": True}, {"tf32": True}, {"autotune": True}, {"compile": True}]
)
@pytest.mark.parametrize("graphs", [False, True])
def test_every_way_learns(way, graphs):
    losses, _ = trained(Execution(graphs=graphs, **way), epochs=8)
    assert losses[-1] < 0.5 * losses[0]


def test_resident_and_sent_data_give_the_same_bits():
    one, other = (trained(Execution(), resident=resident) for resident in (True, False))
    assert one[0] == other[0]
    for name, value in one[1].items():
        assert torch.equal(other[1][name], value), name


def test_sent_minibatches_are_those_asked_for():
    x, y = images(1000)
    order = np.random.default_rng(3).permutation(1000)
    data = DeviceData(x, y, CUDA, resident=False)
    seen = [(part.cpu().numpy(), labels.cpu().numpy()) for part, labels in data.minibatches(64, order)]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in seen]), x[order])
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in seen]), y[order])


def test_data_larger_than_the_memory_stays_on_the_host():
    assert not fits(10**15, CUDA)
    assert fits(10**6, CUDA)


def test_judging_on_the_gpu_gives_what_the_cpu_gives():
    x, y = images(700)
    torch.manual_seed(0)
    module = convolutional()
    here = judge(module, DeviceData(x, y, torch.device("cpu")), batch_size=256)
    there = judge(module.to(CUDA), DeviceData(x, y, CUDA), batch_size=256)
    assert there.accuracy == here.accuracy
    assert there.loss == pytest.approx(here.loss, rel=1e-5)


# ---- through npnet's loop ------------------------------------------------------------------------------


def recipe_like(execution, dtype=np.float32, batch_norm=True):
    rng = np.random.default_rng(0)
    made = {"generator": rng, "dtype": dtype}
    norm = {"bn": npn.BatchNorm2d(4, dtype=dtype)} if batch_norm else {}
    model = npn.Sequential(
        {"conv": npn.Conv2d(1, 4, 5, **made), **norm, "relu": npn.ReLU(), "pool": npn.MaxPool2d(2),
         "flat": npn.Flatten(), "fc": npn.Linear(576, 10, **made)}
    )  # fmt: skip
    x, y = images(200)
    data = ArrayDataset(x.astype(dtype), y)
    with (
        choosing(execution),
        engine_for(
            model, Spec("CrossEntropyLoss"), Spec("SGD", lr=0.05, momentum=0.9), device="cuda"
        ) as engine,
    ):
        history = train.run(engine, (data, data), epochs=3, batch_size=64, generator=1, progress=False)
    return history, model.state_dict()


def test_the_loop_replays_the_same_bits():
    plain, weights = recipe_like(Execution())
    replayed, others = recipe_like(Execution(graphs=True))
    assert [epoch.train_loss for epoch in replayed.epochs] == [epoch.train_loss for epoch in plain.epochs]
    for name, value in weights.items():
        np.testing.assert_array_equal(others[name], value, err_msg=name)


@pytest.mark.parametrize("graphs", [False, True])
def test_a_run_goes_on_with_the_same_bits(tmp_path, graphs):
    """Its dropout draws on the GPU, whose generator is kept too. It stops in the second of three epochs."""

    def run(stop=None, **settings):
        torch.manual_seed(3)
        module = convolutional(dropout=0.3).to(CUDA)
        adam = torch.optim.Adam(module.parameters(), lr=0.01)
        with choosing(Execution(graphs=graphs)):
            history = fit(
                module, torch.nn.CrossEntropyLoss(), adam, (images(200), images(100, 1)), epochs=3,
                batch_size=64, generator=1, on_step=stop, progress=False, **settings,
            )  # fmt: skip
        weights = [array.cpu().numpy().tobytes() for array in module.state_dict().values()]
        return weights, [epoch.train_loss for epoch in history.epochs]

    expected = run()
    run(lambda state: state.epoch == 1 and state.step == 2, checkpoint=tmp_path)
    assert run(checkpoint=tmp_path, resume=True) == expected


def test_tf32_is_off_unless_asked_for():
    """In float32 a product of random numbers is right to 1e-6; with inputs of 10 bits, to 1e-3."""
    errors = {}
    for tf32 in (False, True):
        torch.manual_seed(0)
        linear = torch.nn.Linear(512, 512, bias=False).to(CUDA)
        x = torch.randn(512, 512, device=CUDA)
        with Execution(tf32=tf32).backends(), torch.inference_mode():
            y = linear(x).double()
        truth = x.double() @ linear.weight.detach().double().T
        errors[tf32] = float((y - truth).norm() / truth.norm())
    assert errors[False] < 1e-5 < errors[True]


def test_graphs_with_dropout_that_npnet_draws_are_refused():
    model = npn.Sequential(
        npn.Flatten(), npn.Dropout(0.5), npn.Linear(784, 10, generator=np.random.default_rng(0))
    )
    with (
        pytest.raises(InputError, match="graphs must be without dropout that npnet draws"),
        choosing(Execution(graphs=True)),
        engine_for(model, Spec("CrossEntropyLoss"), Spec("SGD", lr=0.1), device="cuda"),
    ):
        pass


# ---- memory --------------------------------------------------------------------------------------------


def test_out_of_memory_names_the_largest_minibatch_that_fits():
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 64, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(50176, 10)
    )
    module = module.to(CUDA)
    gc.collect()  # graphs of other tests hold memory
    torch.cuda.empty_cache()
    limit = torch.cuda.memory_reserved() + 2**30
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)
    try:
        data = DeviceData(*images(20_000), CUDA)
        training = Training(
            module, torch.nn.CrossEntropyLoss(), sgd(module, lr=0.01), data, batch_size=20_000, epochs=1
        )
        with pytest.raises(InputError, match=r"20000 samples does not fit .*; at most (\d+) fit") as refused:
            training.run(np.random.default_rng(0))
        largest = int(str(refused.value).rsplit("at most ", 1)[1].split()[0])
        assert 500 < largest < 5000  # each image takes at least 200 kB and its gradient as much
        assert training.takes(largest)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def test_the_search_for_what_fits_ends_at_none():
    def never(n):
        raise torch.OutOfMemoryError

    assert largest_that_fits(100, never) == 0
