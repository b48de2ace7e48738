"""Copies of optimizers learn by themselves; what shares memory, or was replaced, is told apart."""

import copy
import pickle
from collections import deque
from functools import partial

import numpy as np
import pytest

from npnet import nn, optim
from npnet.errors import InputError
from tests.examples.optimizers import SETTINGS

RULES = [partial(rule, **settings) for rule, settings in SETTINGS]
SCHEDULES = [
    partial(optim.StepLR, step_size=2),
    partial(optim.ExponentialLR, gamma=0.9),
    partial(optim.CosineAnnealingLR, T_max=5),
    partial(optim.OneCycleLR, max_lr=0.5, total_steps=20),
]
WAYS = {"deepcopy": copy.deepcopy, "pickle": lambda given: pickle.loads(pickle.dumps(given))}
every_rule = pytest.mark.parametrize("rule", RULES, ids=str)
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def network(dtype=np.float32):
    """Parameters of up to 4 096 elements, and larger ones."""
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Linear(90, 60, generator=rng, dtype=dtype), nn.Linear(60, 3, generator=rng, dtype=dtype)
    )


def gradients(model, seed):
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(array.shape).astype(array.dtype) for name, array in model.parameters.items()
    }


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], strict=True, err_msg=name)


@every_rule
@every_way
@pytest.mark.parametrize("steps", [0, 3])
def test_a_copy_learns_as_the_original_would_to_the_bit(rule, way, steps):
    model = network()
    optimizer = rule(model.parameters)
    for seed in range(steps):
        optimizer.step(gradients(model, seed))
    # So that they have had different numbers of updates, and are updated one by one.
    optimizer.step({"1.bias": gradients(model, 9)["1.bias"]})
    before = model.state_dict()
    other, own = way((model, optimizer))
    assert own.settings == optimizer.settings
    for name, array in own.parameters.items():
        assert array is other.parameters[name]
        assert not np.shares_memory(array, model.parameters[name])
    for seed in range(10, 14):
        own.step(gradients(other, seed))
    assert_same(model.state_dict(), before)
    for seed in range(10, 14):
        optimizer.step(gradients(model, seed))
    assert_same(other.state_dict(), model.state_dict())
    assert_same(own.state_dict(), optimizer.state_dict())
    assert not np.array_equal(other.parameters["1.bias"], before["1.bias"])


@every_way
def test_an_optimizer_copied_alone_has_arrays_of_its_own(way):
    model = network()
    optimizer = optim.Adam(model.parameters)
    before = model.state_dict()
    own = way(optimizer)
    own.step(gradients(model, 1))
    assert_same(model.state_dict(), before)
    optimizer.step(gradients(model, 1))
    assert_same(dict(own.parameters), dict(model.parameters))


def test_a_shallow_copy_moves_the_same_arrays_with_a_state_of_its_own():
    model, reference = network(), network()
    optimizer = optim.SGD(model.parameters, lr=0.1, momentum=0.9)
    other = copy.copy(optimizer)
    optimizer.step(gradients(model, 1))
    assert "momentum.1.bias" not in other.state_dict()
    other.step(gradients(model, 2))
    for seed in (1, 2):
        optim.SGD(reference.parameters, lr=0.1).step(gradients(reference, seed))
    assert_same(model.state_dict(), reference.state_dict())


@every_way
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_a_schedule_copied_with_its_optimizer_moves_the_copy(schedule, way):
    optimizer = optim.SGD(network().parameters, lr=1.0)
    made = schedule(optimizer)
    made.step()
    _, other, other_schedule = way((optimizer, optimizer, made))
    assert other_schedule.optimizer is other
    kept = optimizer.lr
    path = []
    for _ in range(6):
        other_schedule.step()
        path.append(other.lr)
    assert optimizer.lr == kept
    for lr in path:
        made.step()
        assert optimizer.lr == lr
    assert len(set(path)) > 1


def test_what_a_rule_of_ones_own_keeps_beside_its_settings_is_copied_too():
    class Counting(optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, lr=1.0)
            self.seen = []

        def update(self, parameter, grad, state, step, scratch):
            self.seen.append(step)
            parameter -= grad

    optimizer = Counting({"w": np.zeros(2)})
    optimizer.step({"w": np.ones(2)})
    other = copy.deepcopy(optimizer)
    other.step({"w": np.ones(2)})
    assert (optimizer.seen, other.seen) == ([1], [1, 2])
    np.testing.assert_array_equal(other.parameters["w"], -2)


def test_parameters_of_a_model_can_be_copied_and_pickled():
    parameters = network().parameters
    for way in (*WAYS.values(), copy.copy):
        assert_same(dict(way(parameters)), dict(parameters))
        assert type(way(parameters)) is type(parameters)


# ---- memory --------------------------------------------------------------------------------------------

room = np.zeros((4, 6))


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (room, room),
        (room, room[:]),
        (room, room.T),
        (room, room.reshape(-1)),
        (room[:3], room[2:]),
        (room[::2], room[:, 1]),
        (room, room[1, 2:3]),
        (room, room.view(np.float32)),
        (room, room[1, 1, ...]),
    ],
)
def test_parameters_that_share_memory_are_refused_by_both_names(one, other):
    with pytest.raises(InputError, match=r"parameters\['a'\] and parameters\['c'\] (are one|share)"):
        optim.SGD({"a": one, "b": np.zeros(3), "c": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (room[::2], room[1::2]),
        (room[:, :3], room[:, 3:]),
        (room[:0], room),
        (room[0], room[1].view(np.float32)),
    ],
)
def test_parameters_side_by_side_in_one_array_are_taken(one, other):
    one[...] = other[...] = 0
    optim.SGD({"a": one, "b": other}, lr=1.0).step({"a": np.ones_like(one), "b": np.ones_like(other)})
    assert np.all(one == -1)
    assert np.all(other == -1) or one.size == 0


@pytest.mark.usefixtures("bare")
def test_an_array_that_was_broadcast_is_refused():
    one = np.lib.stride_tricks.as_strided(np.zeros(1), (3,), (0,), writeable=True)
    with pytest.raises(InputError, match=r"parameters\['w'\] must have each element once"):
        optim.SGD({"w": one})


# ---- arrays that were replaced -------------------------------------------------------------------------


def replace_behind_its_back(model):
    for layer in model.layers.values():
        vars(layer)["weight"] = layer.weight.copy()


@pytest.mark.parametrize("steps", [0, 3, 500])
def test_an_array_in_the_place_of_another_is_noticed(steps):
    model = network()
    optimizer = optim.SGD(model.parameters)
    for _ in range(steps):
        optimizer.step({"1.bias": np.ones(3, np.float32)})
    replace_behind_its_back(model)
    grads = gradients(model, 0)
    with pytest.raises(InputError, match=r"parameter '\d\.\w+' is another array .* make the optimizer after"):
        deque(optimizer.step(grads) for _ in range(optim.optimizer.CHECK_INTERVAL))


def test_what_has_no_gradient_may_be_replaced():
    model = network()
    optimizer = optim.SGD(model.parameters)
    vars(model.layers["1"])["bias"] = np.zeros(3, np.float32)
    optimizer.step({"0.bias": np.ones(60, np.float32)})
    with pytest.raises(InputError, match=r"parameter '1\.bias' is another array"):
        optimizer.step({"1.bias": np.ones(3, np.float32)})


def test_an_optimizer_outlives_its_model():
    model = network()
    optimizer = optim.SGD(model.parameters)
    grads = gradients(model, 0)
    del model
    optimizer.step(grads)


def test_a_converted_model_needs_another_optimizer():
    model = network()
    optimizer = optim.SGD(model.parameters)
    model.astype(np.float64)
    with pytest.raises(InputError, match=r"after model.astype make the optimizer anew"):
        optimizer.step(gradients(model, 0))
    model.astype(np.float32)
    with pytest.raises(InputError, match=r"after model.astype make the optimizer anew"):
        optimizer.step(gradients(model, 0))


def test_which_parameters_there_are_is_settled():
    optimizer = optim.SGD({"w": np.zeros(2)})
    with pytest.raises(TypeError, match="does not support item assignment"):
        optimizer.parameters["v"] = np.zeros(2)
    with pytest.raises(InputError, match="parameters must stay those it was made with"):
        optimizer.parameters = {"v": np.zeros(2)}


@pytest.mark.parametrize("size", [3, 5000])
def test_an_array_made_read_only_is_refused_before_anything_changes(size):
    first, second = np.zeros(size), np.zeros(size)
    optimizer = optim.SGD({"a": first, "b": second})
    second.flags.writeable = False
    with pytest.raises(InputError, match=r"parameters\['b'\] must be writable"):
        optimizer.step({"a": np.ones(size), "b": np.ones(size)})
    np.testing.assert_array_equal(first, 0)
