"""Training at the pace of the device, on the CPU: the numbers are those of npnet's own loop."""

import numpy as np
import pytest

from npnet import nn, optim, train
from npnet.data import ArrayDataset, minibatches
from npnet.errors import InputError
from npnet.models import mlp

torch = pytest.importorskip("torch")

from ptref.convert import to_torch  # noqa: E402 - PyTorch may be absent
from ptref.device_data import DeviceData  # noqa: E402 - as above
from ptref.device_fit import Training, judge, sgd  # noqa: E402 - as above
from ptref.execution import (  # noqa: E402 - as above
    Execution,
    choosing,
    chosen,
    largest_that_fits,
    memory_told,
    room_told,
)

pytestmark = pytest.mark.usefixtures("bare")
CPU = torch.device("cpu")


def samples(n=50):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)


def training_of(module, *, resident=True, n=50, **settings):
    data = DeviceData(*samples(n), CPU, resident=resident)
    settings = {"batch_size": 16, "epochs": 3, **settings}
    optimizer = settings.pop("optimizer", None) or sgd(module, lr=0.1, momentum=0.9)
    return Training(module, torch.nn.CrossEntropyLoss(), optimizer, data, **settings)


class Greedy(torch.nn.Module):
    """Asks for more memory than there is, for more samples than so many."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def forward(self, x):
        torch.empty(2**50 if len(x) > self.most else 1)
        return x


# ---- data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
def test_minibatches_are_those_of_npnet(resident, drop_last):
    x, y = samples()
    order = np.random.default_rng(5).permutation(len(x))
    data = DeviceData(x, y, CPU, resident=resident, prepared=lambda values: 2 * values)
    found = list(data.minibatches(16, order, drop_last=drop_last))
    expected = list(minibatches(ArrayDataset(x, y), 16, np.random.default_rng(5), drop_last))
    assert len(found) == len(expected)
    for (own, labels), (other, other_labels) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(own.numpy(), 2 * other)
        np.testing.assert_array_equal(labels.numpy(), other_labels)


def test_data_is_sent_again_when_it_has_changed():
    x, y = samples()
    data = DeviceData(x, y, CPU)
    data._x.zero_()
    assert float(data.at(torch.arange(50))[0].abs().sum()) == 0


@pytest.mark.parametrize(("x", "y"), [(np.zeros((0, 2)), np.zeros(0)), (np.zeros((3, 2)), np.zeros(2))])
def test_data_must_have_a_target_for_each_sample(x, y):
    with pytest.raises(InputError, match="x and target must be equally many and not none"):
        DeviceData(x, y, CPU)


# ---- training ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resident", [True, False])
def test_it_goes_the_way_of_npnet(resident):
    """Four steps in each of three epochs, the last of each with two samples."""
    model = mlp([4, 8, 2], "tanh", generator=np.random.default_rng(0))
    module = to_torch(model)
    losses = training_of(module, resident=resident).run(np.random.default_rng(1))
    optimizer = optim.SGD(model.parameters, lr=0.1, momentum=0.9)
    rng, expected = np.random.default_rng(1), []
    for _ in range(3):
        total = 0.0
        for x, target in minibatches(ArrayDataset(*samples()), 16, rng):
            loss, _, grads = train.plain_step(model, nn.CrossEntropyLoss(), x, target, rng)
            optimizer.step(grads)
            total += float(loss) * len(x)
        expected.append(total / 50)
    assert losses == pytest.approx(expected, rel=1e-5)
    for name, array in model.state_dict().items():
        np.testing.assert_allclose(module.state_dict()[name].numpy(), array, rtol=0, atol=1e-5)


def test_the_rate_of_each_step_is_the_schedule_s():
    seen = []
    module = torch.nn.Linear(4, 2)
    optimizer = sgd(module)
    training = training_of(
        module, optimizer=optimizer, rate=lambda step, steps: (step + 1) / (100 * steps), epochs=2
    )
    step = optimizer.step
    optimizer.step = lambda: (seen.append(float(optimizer.param_groups[0]["lr"])), step())
    training.run(np.random.default_rng(0))
    assert seen == pytest.approx([(i + 1) / 800 for i in range(8)])
    seen.clear()
    training.run(np.random.default_rng(0))  # from the beginning again
    assert seen[0] == pytest.approx(1 / 800)


def test_a_restart_is_a_first_start():
    """Weights, momentum and the schedule begin anew, so the second run ends where the first one did."""
    module = torch.nn.Linear(4, 2)
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    training = training_of(module, rate=lambda step, steps: 0.3 * (1 - step / steps))
    first = training.run(np.random.default_rng(0))
    training.restart(weights)
    assert training.run(np.random.default_rng(0)) == first


def test_a_loss_that_is_no_number_ends_training():
    module = torch.nn.Linear(4, 2)
    with pytest.raises(InputError, match="the loss is no longer a number"):
        training_of(module, optimizer=sgd(module, lr=1e38), epochs=5).run(np.random.default_rng(0))


def test_a_changing_rate_needs_a_tensor():
    module = torch.nn.Linear(4, 2)
    plain = torch.optim.SGD(module.parameters(), lr=0.1)
    with pytest.raises(InputError, match="lr must be a tensor where it is to change; see sgd"):
        training_of(module, optimizer=plain, rate=lambda step, steps: 0.1)


def test_bf16_and_channels_last_learn_on_the_cpu_too():
    x = np.random.default_rng(0).normal(size=(64, 1, 8, 8)).astype(np.float32)
    y = (x.mean(axis=(1, 2, 3)) > 0).astype(np.int64)
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2)
    )
    training = Training(
        module, torch.nn.CrossEntropyLoss(), sgd(module, lr=0.1), DeviceData(x, y, CPU), batch_size=16,
        epochs=10, execution=Execution(amp="bf16", channels_last=True),
    )  # fmt: skip
    losses = training.run(np.random.default_rng(0))
    assert losses[-1] < 0.8 * losses[0]
    assert module[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert module[0].weight.dtype == torch.float32


def test_judging_counts_each_sample_once():
    x, y = samples(45)
    module = torch.nn.Linear(4, 2)
    judged = judge(module, DeviceData(x, y, CPU), batch_size=16)
    outputs = module(torch.from_numpy(x)).detach()
    assert judged.accuracy == int((outputs.argmax(1) == torch.from_numpy(y)).sum()) / 45
    assert judged.loss == pytest.approx(
        float(torch.nn.functional.cross_entropy(outputs, torch.from_numpy(y))), rel=1e-6
    )
    assert module.training


# ---- how to compute ------------------------------------------------------------------------------------


def test_graphs_without_cuda_are_refused():
    with pytest.raises(InputError, match="graphs must be replayed on CUDA, got device cpu"):
        training_of(torch.nn.Linear(4, 2), execution=Execution(graphs=True))


def test_tf32_is_off_within_and_as_before_afterwards():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        for tf32 in (False, True):
            with choosing(Execution(tf32=tf32)):
                assert chosen().tf32 is tf32
                assert torch.backends.cudnn.allow_tf32 is tf32
                assert torch.get_float32_matmul_precision() == ("high" if tf32 else "highest")
            assert torch.backends.cudnn.allow_tf32
            assert torch.get_float32_matmul_precision() == before[0]
    finally:
        torch.backends.cudnn.allow_tf32 = before[1]
    assert chosen() == Execution()


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of"),
    RuntimeError(
        "CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side asserts"
    ),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_lack_of_memory_is_told_with_what_fits(error):
    def fits(n):
        if n > 300:
            raise error
        return True

    told = r"^fit: a minibatch of 1024 samples does not fit into the GPU's memory; at most 288 fit$"
    with pytest.raises(InputError, match=told), memory_told("fit", 1024, fits):
        raise error
    assert largest_that_fits(5000, fits) in range(270, 301)


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_lack_of_memory_for_something_else_is_one_line(error):
    with (
        pytest.raises(InputError, match=r"^the model does not fit into memory \(C|c") as told,
        room_told("the model"),
    ):
        raise error
    assert "\n" not in str(told.value)
    with pytest.raises(ZeroDivisionError), room_told("the model"):
        raise ZeroDivisionError


def test_the_search_for_what_fits_hides_no_other_error():
    def wrong(n):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        largest_that_fits(64, wrong)
    with pytest.raises(RuntimeError, match="mat1"), memory_told("fit", 64, lambda n: True):
        wrong(64)


def test_where_nothing_fits_it_is_said():
    def never(n):
        raise torch.OutOfMemoryError

    with pytest.raises(InputError, match="not even one sample fits"), memory_told("fit", 64, never):
        raise torch.OutOfMemoryError


def test_a_minibatch_too_large_for_memory_is_one_line():
    told = "training: a minibatch of 16 samples does not fit into memory; at most 9 fit"
    with pytest.raises(InputError, match=told):
        training_of(torch.nn.Sequential(Greedy(9), torch.nn.Linear(4, 2))).run(np.random.default_rng(0))


def test_other_errors_pass_unchanged():
    with pytest.raises(ZeroDivisionError), memory_told("fit", 64, lambda n: True):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"amp": "fp16"}, "Execution: amp must be one of bf16, got 'fp16'"),
        ({"graphs": 1}, "Execution: graphs must be True or False"),
        ({"tf32": "yes"}, "Execution: tf32 must be True or False"),
    ],
)
def test_what_is_no_execution_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Execution(**settings)
