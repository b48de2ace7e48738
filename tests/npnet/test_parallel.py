"""A step over threads is the plain step, and the same to the bit for every number of threads."""

import gc
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npnet import nn, parallel
from npnet.errors import InputError
from npnet.kernels import thresholds
from npnet.kernels.pieces import run_pieces
from npnet.parallel import _plan, _workers
from npnet.train import plain_step

pytestmark = pytest.mark.usefixtures("blas_over_threads")


@pytest.fixture(autouse=True)
def every_work_is_worth_sharing(change_thresholds):
    change_thresholds(shard_work=1, shard_work_per_parameter=0, shard_samples=2)


def network(*more, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, generator=rng, dtype=dtype),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        *more,
        nn.Linear(27, 4, generator=rng, dtype=dtype),
    )


def minibatch(n=13, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 2, 6, 6)).astype(dtype), rng.integers(4, size=n)


def step(threads, model, x, target, loss=None, seed=0):
    with parallel.Step(threads) as over_threads:
        return over_threads(model, loss or nn.CrossEntropyLoss(), x, target, np.random.default_rng(seed))


def assert_same_bits(one, other):
    (value, y, grads), (other_value, other_y, other_grads) = one, other
    assert value == other_value
    np.testing.assert_array_equal(y, other_y)
    assert grads.keys() == other_grads.keys()
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, other_grads[name])


@given(
    n=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 100),
    dropout=st.booleans(),
)
@settings(max_examples=15)
def test_the_result_is_the_same_to_the_bit_for_any_number_of_threads(n, dtype, seed, dropout):
    model = network(*[nn.Dropout(0.5)] * dropout, dtype=dtype, seed=seed)
    x, target = minibatch(n, dtype, seed)
    alone = step(1, model, x, target, seed=seed)
    for threads in (2, 16):
        assert_same_bits(alone, step(threads, model, x, target, seed=seed))


def test_the_same_to_the_bit_where_blas_would_use_its_own_threads(change_thresholds):
    change_thresholds(shard_samples=1000)  # one shard
    rng = np.random.default_rng(0)
    model = nn.Linear(902, 584, generator=rng)
    x, target = rng.standard_normal((206, 902), dtype=np.float32), rng.integers(584, size=206)
    assert_same_bits(step(1, model, x, target), step(16, model, x, target))


def test_threads_share_the_products_of_what_is_not_cut_into_shards(monkeypatch, change_thresholds):
    change_thresholds(shard_samples=1000)
    threads = set()
    multiply = np.matmul
    monkeypatch.setattr(
        np,
        "matmul",
        lambda *args, **more: (threads.add(threading.current_thread().name), multiply(*args, **more)),
    )
    rng = np.random.default_rng(0)
    model = nn.Linear(902, 584, generator=rng)
    step(2, model, rng.standard_normal((206, 902), dtype=np.float32), rng.integers(584, size=206))
    assert len(threads) == 2  # this one and another


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss(reduction="sum"),
        nn.CrossEntropyLoss(weight=np.array([0.1, 2.0, 5.0, 1.0]), ignore_index=2, label_smoothing=0.1),
        nn.MSELoss(),
    ],
    ids=str,
)
def test_it_computes_what_the_plain_step_does(loss):
    model = network()
    x, target = minibatch()
    if isinstance(loss, nn.MSELoss):
        target = np.random.default_rng(1).standard_normal((13, 4))
    value, y, grads = step(3, model, x, target, loss)
    expected_value, expected_y, expected_grads = plain_step(model, loss, x, target, np.random.default_rng(0))
    assert len(parallel.shards(model, x)) > 1
    assert value == pytest.approx(expected_value, rel=1e-14)
    np.testing.assert_allclose(y, expected_y, rtol=0, atol=1e-14)
    assert list(grads) == list(expected_grads)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, expected_grads[name], rtol=0, atol=1e-13)


def test_frozen_parameters_have_no_gradient():
    model = network()
    model.freeze("0", "4.bias")
    assert list(step(2, model, *minibatch())[2]) == ["4.weight"]


def test_each_shard_drops_other_values():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 2, generator=np.random.default_rng(0)))
    model.layers["1"].weight[...] = 1
    _, y, _ = step(2, model, np.ones((8, 64), np.float32), np.zeros(8, int))
    assert len(np.unique(y[:, 0])) > 1


def test_batch_norm_sees_the_whole_minibatch():
    plain, sharded = (
        network(nn.BatchNorm1d(27, dtype=np.float64)),
        network(nn.BatchNorm1d(27, dtype=np.float64)),
    )
    x, target = minibatch()
    assert len(parallel.shards(sharded, x)) == 1
    assert len(parallel.shards(sharded, x, training=False)) > 1
    assert_same_bits(
        step(2, sharded, x, target),
        plain_step(plain, nn.CrossEntropyLoss(), x, target, np.random.default_rng(0)),
    )
    for name, buffer in plain.buffers.items():
        np.testing.assert_array_equal(buffer, sharded.buffers[name])


def test_convolutions_of_a_whole_minibatch_are_shared_to_the_same_bit(monkeypatch, change_thresholds):
    change_thresholds(cache_bytes=2000, conv_joined=10**9)  # a few rows of an image
    used, multiply = set(), np.matmul
    monkeypatch.setattr(
        np,
        "matmul",
        lambda *args, **more: (used.add(threading.current_thread().name), multiply(*args, **more))[1],
    )
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(2, 40, 5, generator=rng), nn.BatchNorm2d(40), nn.ReLU(),
        nn.Conv2d(40, 30, 3, padding=1, generator=rng), nn.Flatten(), nn.Linear(120, 4, generator=rng),
    )  # fmt: skip
    x, target = minibatch(12, np.float32)
    alone = step(1, model, x, target)
    assert len(used) == 1
    for threads in (2, 5):
        assert_same_bits(alone, step(threads, model, x, target))
    assert len(used) > 1


def test_a_layer_of_ones_own_may_couple_samples():
    class Centre(nn.Layer):
        def couples_samples(self, training):
            return True

        def apply(self, x, *, training, generator):
            return x - x.mean(axis=0), lambda grad_y: grad_y - grad_y.mean(axis=0)

    model = network(nn.Residual(Centre()))
    assert len(parallel.shards(model, minibatch()[0])) == 1


@given(st.integers(1, 200), st.integers(1, 5), st.integers(1, 60))
def test_shards_are_all_of_the_minibatch_in_order(n, samples, work):
    with thresholds.using(shard_samples=samples, shard_work=work):
        x = np.zeros((n, 3), np.float32)
        parts = parallel.shards(nn.Linear(3, 2, generator=np.random.default_rng(0)), x)
    assert np.concatenate([np.arange(n)[part] for part in parts]).tolist() == list(range(n))
    assert len(parts) in {2**k for k in range(9)}
    sizes = [part.stop - part.start for part in parts]
    assert len(parts) == 1 or min(sizes) >= samples
    assert len(parts) == 1 or n * 6 / len(parts) >= work


def test_a_shard_is_worth_its_gradients(change_thresholds):
    model = nn.Linear(100, 50, generator=np.random.default_rng(0))  # one multiply-add for each weight
    change_thresholds(shard_work_per_parameter=64)
    assert len(parallel.shards(model, np.zeros((127, 100), np.float32))) == 1
    assert len(parallel.shards(model, np.zeros((130, 100), np.float32))) == 2


def with_head(dtype=np.float64, seed=0):
    """A trunk of convolutions on shards, and a head that sees the minibatch whole."""
    rng = np.random.default_rng(seed)
    made = {"generator": rng, "dtype": dtype}
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, **made), nn.Dropout(0.5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(12, 5, **made), nn.BatchNorm1d(5, dtype=dtype), nn.Dropout(0.5), nn.Linear(5, 4, **made),
    )  # fmt: skip


@pytest.fixture
def parameters_cost(change_thresholds):
    change_thresholds(shard_work_per_parameter=64)


@pytest.mark.usefixtures("parameters_cost")
def test_fully_connected_layers_at_the_end_see_the_whole_minibatch():
    division = parallel.plan(with_head(), minibatch(40)[0], training=True)
    assert list(division.trunk.children) == ["0", "1", "2", "3", "4"]
    assert list(division.head.children) == ["5", "6", "7", "8"]
    assert len(division.shards) > 1


@pytest.mark.usefixtures("parameters_cost")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_head_changes_no_bit_with_the_number_of_threads(dtype):
    x, target = minibatch(40, dtype)
    alone = step(1, with_head(dtype), x, target, seed=3)
    for threads in (2, 3, 16):
        assert_same_bits(alone, step(threads, with_head(dtype), x, target, seed=3))


@pytest.mark.usefixtures("parameters_cost")
@pytest.mark.parametrize("frozen", [(), ("0",), ("5", "8"), ("0", "5", "8")])
def test_trunk_and_head_compute_what_the_plain_step_does(frozen):
    x, target = minibatch(40)
    found = []
    for run in (parallel.Step(2), plain_step):
        model = with_head()
        # Shards draw other numbers.
        model = nn.Sequential({**model.layers, "1": nn.Identity(), "7": nn.Identity()})
        model.freeze(*frozen)
        found.append(run(model, nn.CrossEntropyLoss(), x, target, np.random.default_rng(0)))
    (value, y, grads), (expected_value, expected_y, expected_grads) = found
    assert value == pytest.approx(expected_value, rel=1e-13)
    np.testing.assert_allclose(y, expected_y, rtol=0, atol=1e-13)
    assert list(grads) == list(expected_grads)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, expected_grads[name], rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.usefixtures("parameters_cost")
def test_layers_may_be_in_another_model_between_steps():
    model, (x, target) = with_head(), minibatch(40)
    step(2, model, x, target)
    last = nn.Linear(5, 4, generator=np.random.default_rng(9), dtype=np.float64)
    model = nn.Sequential({**model.layers, "8": last})
    grads = step(2, model, x, target)[2]
    again = with_head()
    again.load_state_dict(model.state_dict())
    again.buffers["6.running_mean"][...] = 0
    np.testing.assert_array_equal(grads["8.weight"], step(2, again, x, target)[2]["8.weight"])


def test_a_shard_keeps_its_products_to_its_own_thread(change_thresholds):
    change_thresholds(matmul_piece=10)
    names, all_at_work = {}, []

    class Spy(nn.Layer):
        def apply(self, x, *, training, generator):
            own = threading.current_thread().name
            if all_at_work and own not in names:
                all_at_work[0].wait(timeout=30)  # lest one that is done early takes another's share
            run_pieces(lambda _: names.setdefault(own, set()).add(threading.current_thread().name),
                       [slice(0, 1)] * 4)  # fmt: skip
            return x, lambda grad_y: grad_y

    model = network(Spy())
    parallel.shards(model, minibatch(40)[0])  # goes through the model once, to see what it costs
    names.clear()
    all_at_work.append(threading.Barrier(3))
    step(3, model, *minibatch(40))
    assert len(names) == 3
    assert all(used == {own} for own, used in names.items())


def test_the_first_mistake_is_told_once_all_threads_have_ended():
    ended = []

    class Late(nn.Layer):
        def apply(self, x, *, training, generator):
            if len(x) > 1 and threading.current_thread() is threading.main_thread():
                raise InputError("this thread's mistake")
            time.sleep(0.05)
            ended.append(len(x))
            return x, lambda grad_y: grad_y

    model = network(Late())
    parallel.shards(model, minibatch(8)[0], training=False)
    ended.clear()
    with parallel.Step(2) as over_threads:
        with pytest.raises(InputError, match="this thread's mistake"):
            over_threads.predict(model, minibatch(8)[0])
        assert ended  # before the pool is shut down, which waits too


def test_a_mistake_in_another_thread_is_told_in_this_one():
    class OnlyHere(nn.Layer):
        def apply(self, x, *, training, generator):
            if threading.current_thread() is not threading.main_thread():
                raise InputError("the other thread's mistake")
            return x, lambda grad_y: grad_y

    model, (x, _) = network(OnlyHere()), minibatch(8)
    with parallel.Step(2) as over_threads:
        with pytest.raises(InputError, match="the other thread's mistake"):
            over_threads.predict(model, x)
        assert over_threads.predict(network(), x).shape == (8, 4)  # it goes on working


def test_idle_threads_hold_on_to_nothing():
    model, (x, _) = network(), minibatch(8)
    with parallel.Step(2) as over_threads:
        over_threads.predict(model, x)
        reference, x = weakref.ref(x), None
        for _ in range(100):
            gc.collect()
            if reference() is None:
                return
            time.sleep(0.01)  # the other thread may have been on its way
    pytest.fail("a thread without work still has the minibatch of its last one")


@pytest.mark.parametrize("threads", [1, 3])
def test_prediction(threads):
    model = network(nn.Dropout(0.5), nn.BatchNorm1d(27, dtype=np.float64))
    x, _ = minibatch()
    with parallel.Step(threads) as over_threads:
        np.testing.assert_allclose(over_threads.predict(model, x), model(x), rtol=0, atol=1e-14)
        assert over_threads.predict(model, x[:0]).shape == (0, 4)


def test_it_works_without_a_with_block_too():
    model, (x, target) = network(), minibatch()
    without = parallel.Step(2)(model, nn.CrossEntropyLoss(), x, target, np.random.default_rng(0))
    assert_same_bits(step(2, model, x, target), without)


def test_threads_work_and_end():
    names = set()

    class Spy(nn.Layer):
        def apply(self, x, *, training, generator):
            names.add(threading.current_thread().name)
            return x, lambda grad_y: grad_y

    step(2, network(Spy()), *minibatch(40))
    assert any(name.startswith("npnet") for name in names)
    assert not any(thread.name.startswith("npnet") for thread in threading.enumerate())


def test_blas_has_its_threads_back_afterwards():
    def counts():
        return [
            library["num_threads"]
            for library in _workers.blas.controller().info()
            if library["user_api"] == "blas"
        ]

    before = counts()
    with parallel.Step(2) as over_threads:
        assert set(counts()) <= {1}
        over_threads.predict(network(), minibatch()[0])
        assert set(counts()) <= {1}
    assert counts() == before


def test_error_settings_hold_in_the_threads():
    class Overflow(nn.Layer):
        def apply(self, x, *, training, generator):
            return np.exp(x * 0 + 1000), lambda grad_y: grad_y

    with np.errstate(over="ignore", invalid="ignore"):
        step(2, network(Overflow()), *minibatch(40))
    with pytest.raises(RuntimeWarning, match="overflow"):
        step(2, network(Overflow()), *minibatch(40))


@pytest.mark.usefixtures("bare")
def test_what_does_not_fit_is_refused_by_name():
    _, target = minibatch()
    with pytest.raises(InputError, match=r"layer .*0.*Conv2d.* channels"):
        step(2, network(), np.ones((13, 3, 6, 6)), target)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_must_be_positive(threads):
    with pytest.raises(InputError, match="threads must be a positive integer, got"):
        parallel.Step(threads)


def test_all_cores_are_the_default():
    assert parallel.Step().threads == parallel.cores() >= 1


def test_what_a_model_costs_is_forgotten_with_it():
    model = network()
    x, _ = minibatch()
    parallel.shards(model, x)
    key = id(model), x.shape
    assert key in _plan._divisions
    del model
    assert key not in _plan._divisions
