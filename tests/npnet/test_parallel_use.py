"""One step in several threads, in forked processes, in blocks within blocks, and copied.

What might hang runs in a process of its own, which is stopped.
"""

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from npnet import nn, optim, parallel
from npnet.errors import InputError
from npnet.kernels import pieces
from npnet.parallel import _workers

pytestmark = pytest.mark.usefixtures("blas_over_threads")
SECONDS = 120  # until a process counts as hanging


@pytest.fixture(autouse=True)
def every_work_is_worth_sharing(change_thresholds):
    change_thresholds(shard_work=1, shard_work_per_parameter=0, shard_samples=2)


def network():
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Linear(5, 4, generator=rng), nn.Dropout(0.5), nn.Linear(4, 3, generator=rng))


def once(step, model=None, n=16):
    rng = np.random.default_rng(1)
    x, target = rng.standard_normal((n, 5), dtype=np.float32), rng.integers(3, size=n)
    value, y, grads = step(model or network(), nn.CrossEntropyLoss(), x, target, np.random.default_rng(2))
    return [np.array(value), y, *grads.values()]


def expected():
    with parallel.Step(1) as step:
        return once(step)


def assert_same(found):
    for array, wanted in zip(found, expected(), strict=True):
        np.testing.assert_array_equal(array, wanted)


def blas_threads():
    return [lib["num_threads"] for lib in _workers.blas.controller().info() if lib["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = blas_threads()
    yield
    assert pieces.current_executor() is pieces.run_in_order
    assert _workers.blas._users == 0
    assert blas_threads() == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("npnet")]


# ---- several threads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("entered", [False, True])
def test_one_step_in_several_threads_at_once(entered):
    step = parallel.Step(3)
    start = threading.Barrier(4)

    def work(_):
        start.wait(timeout=30)
        return [once(step) for _ in range(10)]

    with ThreadPoolExecutor(4, "callers") as callers:
        if entered:
            with step:
                found = list(callers.map(work, range(4)))
        else:
            found = list(callers.map(work, range(4)))
    for results in found:
        for result in results:
            assert_same(result)


def test_blocks_of_two_threads_may_overlap_in_any_way():
    step, other = parallel.Step(2), parallel.Step(3)
    entered, left = threading.Event(), threading.Event()
    found = []

    def second():
        with step, other:
            entered.set()
            assert left.wait(timeout=30)
            found.append(once(step))
            found.append(once(other))

    thread = threading.Thread(target=second)
    with other, step:
        thread.start()
        assert entered.wait(timeout=30)
    assert set(blas_threads()) == {1}  # the other thread is at work
    left.set()
    thread.join(timeout=30)
    assert len(found) == 2
    for result in found:
        assert_same(result)


def test_blocks_within_blocks_and_left_in_another_order():
    step, other = parallel.Step(2), parallel.Step(3)
    with step, other, step:
        assert_same(once(step))
        assert_same(once(other))
    assert_same(once(step))
    step.__enter__()
    other.__enter__()
    step.__exit__(None, None, None)
    assert_same(once(other))
    assert_same(once(step))
    other.__exit__(None, None, None)


def test_a_block_in_a_generator_may_end_in_another_thread():
    step = parallel.Step(2)

    def epochs():
        with step:
            while True:
                yield once(step)

    running = epochs()
    assert_same(next(running))
    pieces.set_executor(pieces.run_in_order)  # this thread's own trace, for what the fixture looks at
    thread = threading.Thread(target=running.close)
    thread.start()
    thread.join(timeout=30)
    assert_same(once(step))


def test_what_a_block_leaves_behind_in_another_context_is_not_in_the_way():
    step = parallel.Step(2)
    step.__enter__()
    thread = threading.Thread(target=step.__exit__, args=(None, None, None))
    thread.start()
    thread.join(timeout=30)
    done = []
    pieces.run_pieces(done.append, [slice(0, 1), slice(1, 2)])  # goes to the step, which is closed
    assert done == [slice(0, 1), slice(1, 2)]
    with step:  # the next block takes the trace away
        assert_same(once(step))
    with step:
        pass
    pieces.set_executor(pieces.run_in_order)


def test_in_coroutines():
    step = parallel.Step(2)

    async def task():
        with step:
            await asyncio.sleep(0)
            here = once(step)
            elsewhere = await asyncio.to_thread(once, step)
            await asyncio.sleep(0)
            return here, elsewhere

    async def tasks():
        return await asyncio.gather(*(task() for _ in range(4)))

    for here, elsewhere in asyncio.run(tasks()):
        assert_same(here)
        assert_same(elsewhere)


# ---- mistakes ------------------------------------------------------------------------------------------


class Fails(nn.Layer):
    """Fails in any thread from the second minibatch on."""

    def apply(self, x, *, training, generator):
        if np.any(x > 1e6):
            raise ZeroDivisionError
        return x, lambda grad_y: grad_y


@pytest.mark.parametrize("entered", [False, True])
def test_it_goes_on_after_a_mistake_in_a_shard(entered):
    model, step = nn.Sequential(Fails()), parallel.Step(2)
    good, bad = np.zeros((16, 5), np.float32), np.full((16, 5), 1e9, np.float32)
    if entered:
        step.__enter__()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            step.predict(model, bad)
        np.testing.assert_array_equal(step.predict(model, good), good)
        assert_same(once(step))
    if entered:
        step.__exit__(None, None, None)


def test_it_goes_on_after_an_interrupted_block():
    step = parallel.Step(2)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), step:
            raise KeyboardInterrupt
    assert_same(once(step))


def test_a_layer_that_takes_no_zeros_is_not_cut_but_works():
    class Picky(nn.Layer):
        def apply(self, x, *, training, generator):
            if not x.any():
                raise IndexError
            return 1 / x, lambda grad_y: -grad_y / x**2

    model, x = nn.Sequential(Picky()), np.ones((16, 5), np.float32)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(parallel.Step(2).predict(model, x), x)


def test_zeros_that_divide_do_not_matter_where_errors_are_raised():
    class Inverse(nn.Layer):
        def apply(self, x, *, training, generator):
            return 1 / x, lambda grad_y: -grad_y / x**2

    rng = np.random.default_rng(0)
    model = nn.Sequential(Inverse(), nn.Linear(5, 2, generator=rng))
    x = np.ones((16, 5), np.float32)
    with np.errstate(all="raise"):
        assert len(parallel.shards(model, x)) > 1
        assert_same(once(parallel.Step(2)))


# ---- copies --------------------------------------------------------------------------------------------


class Named(parallel.Step):
    def __init__(self, name):
        super().__init__(3)
        self.name = name


@pytest.mark.parametrize(
    "way",
    [copy.copy, copy.deepcopy, lambda step: pickle.loads(pickle.dumps(step))],
    ids=["copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("entered", [False, True])
def test_a_copy_has_threads_of_its_own(way, entered):
    step = parallel.Step(3)
    if entered:
        step.__enter__()
    other = way(step)
    assert other.threads == 3
    with other:
        assert_same(once(other))
    assert_same(once(step))
    if entered:
        step.__exit__(None, None, None)
    assert_same(once(other))
    named = copy.deepcopy(Named("mine"))
    assert (named.name, named.threads) == ("mine", 3)


# ---- processes -----------------------------------------------------------------------------------------

PROGRAM = """
import os, sys, threading, multiprocessing
import numpy as np
import numpy.testing  # now: a thread that imports it while another forks leaves the child a locked module
from npnet import nn, optim, parallel
from npnet.kernels import thresholds
thresholds.current = thresholds.Thresholds(
    update_block=100, shard_work=1, shard_work_per_parameter=0, shard_samples=2
)

def once(step):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(50, 40, generator=rng), nn.ReLU(), nn.Linear(40, 3, generator=rng))
    sgd = optim.SGD(model.parameters, lr=0.1)
    for _ in range(5):
        x, target = rng.standard_normal((64, 50), dtype=np.float32), rng.integers(3, size=64)
        sgd.step(step(model, nn.CrossEntropyLoss(), x, target, rng)[2])
    return [array.copy() for array in model.parameters.values()]

def check(step):
    for array, wanted in zip(once(step), expected, strict=True):
        np.testing.assert_array_equal(array, wanted)

step = parallel.Step(3)
expected = once(step)

def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
            ended = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            ended = 1
        # As a process ends: other threads are waited for.
        threading._shutdown()
        sys.stderr.flush()
        os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
CASES = {
    "within a block": """
with step:
    once(step)
    in_child(lambda: (check(step), check(step)))
    check(step)
""",
    "a block that the child leaves": """
def leave():
    check(step)
    step.__exit__(None, None, None)
    check(step)
    with step:
        check(step)
with step:
    once(step)
    in_child(leave)
    check(step)
""",
    "outside of a block": """
in_child(lambda: check(step))
check(step)
""",
    "of another thread, while the step is at work": """
stop = threading.Event()
def work():
    while not stop.is_set():
        check(step)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    in_child(lambda: check(step))
stop.set()
for thread in threads:
    thread.join()
""",
    "a child of a child": """
with step:
    once(step)
    in_child(lambda: (check(step), in_child(lambda: check(step)), check(step)))
""",
    "a pool of processes": """
def job(_):
    return once(step)
with step:
    once(step)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for result in pool.map(job, range(4)):
            for array, wanted in zip(result, expected, strict=True):
                np.testing.assert_array_equal(array, wanted)
""",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("case", CASES)
def test_a_step_in_a_process_that_was_forked(case):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + CASES[case] + "\nprint('done')"],
        capture_output=True, text=True, timeout=SECONDS, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


# ---- what does not fit ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [np.int8(3), np.uint64(3)])
def test_a_number_of_numpy_is_a_number_of_threads(threads):
    step = parallel.Step(threads)
    assert (step.threads, type(step.threads)) == (3, int)
    assert_same(once(step))


def test_a_loss_for_each_sample_is_refused():
    with pytest.raises(InputError, match="Step: loss must be one number for a minibatch"):
        parallel.Step(2)(
            network(), nn.MSELoss(reduction="none"), np.zeros((4, 5), np.float32),
            np.zeros((4, 3), np.float32), np.random.default_rng(0),
        )  # fmt: skip


def test_an_optimizer_in_another_thread_than_the_block_gives_the_same_bits(change_thresholds):
    change_thresholds(update_block=10)
    grad, ended = np.random.default_rng(0).standard_normal(95), []
    ways = (
        lambda step, grads: step(grads),
        lambda step, grads: asyncio.run(asyncio.to_thread(step, grads)),
        lambda step, grads: ThreadPoolExecutor(1).submit(step, grads).result(),
    )
    with parallel.Step(3):
        for way in ways:
            weight = np.ones(95)
            way(optim.Adam({"w": weight}).step, {"w": grad})
            ended.append(weight)
    for weight in ended:
        np.testing.assert_array_equal(weight, ended[0])
