import threading
import tracemalloc

import numpy as np
import pytest

from npnet import optim, parallel
from npnet.errors import DTypeError, InputError
from npnet.kernels import thresholds
from tests.examples.optimizers import SETTINGS

every_rule = pytest.mark.parametrize(("rule", "options"), SETTINGS)


def arrays(seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return {
        "0.weight": rng.standard_normal((4, 3)).astype(dtype),
        "0.bias": rng.standard_normal(4).astype(dtype),
    }


def copies(named):
    return {name: array.copy() for name, array in named.items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        np.testing.assert_array_equal(array, second[name], strict=True)


# ---- updating ------------------------------------------------------------------------------------------


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_are_updated_in_place_and_gradients_left_alone(rule, options, dtype):
    parameters, grads = arrays(0, dtype), arrays(1, dtype)
    before, grads_before, objects = copies(parameters), copies(grads), dict(parameters)
    optimizer = rule(parameters, **options)
    for _ in range(3):
        optimizer.step(grads)
    assert_same(grads, grads_before)
    for name, array in parameters.items():
        assert array is objects[name]
        assert array.dtype == dtype
        assert np.all(array != before[name])


@every_rule
def test_without_a_gradient_neither_parameter_nor_state_changes(rule, options):
    parameters = arrays(0)
    optimizer = rule(parameters, **options)
    optimizer.step(arrays(1))
    bias = parameters["0.bias"].copy()
    state = {name: value for name, value in optimizer.state_dict().items() if name.endswith("bias")}
    optimizer.step({"0.weight": arrays(2)["0.weight"]})
    optimizer.step({"0.weight": arrays(3)["0.weight"], "0.bias": None})
    np.testing.assert_array_equal(parameters["0.bias"], bias)
    assert_same({name: optimizer.state_dict()[name] for name in state}, state)
    assert state["step.0.bias"] == 1
    assert optimizer.state_dict()["step.0.weight"] == 3


@every_rule
def test_a_step_without_gradients_changes_nothing(rule, options):
    parameters = arrays(0)
    optimizer = rule(parameters, **options)
    optimizer.step({})
    assert_same(parameters, arrays(0))
    assert optimizer.state_dict().keys() == set(optimizer.settings)


@every_rule
def test_strides_do_not_matter(rule, options):
    plain, grad = arrays(0)["0.weight"], arrays(1)["0.weight"]
    room = np.zeros((6, 8))
    turned = room[::2, ::-2].T  # neither contiguous nor in order
    turned[...] = plain
    optimizers = rule({"w": plain}, **options), rule({"w": turned}, **options)
    for _ in range(3):
        optimizers[0].step({"w": grad})
        optimizers[1].step({"w": np.asfortranarray(grad)[::1]})
    np.testing.assert_array_equal(turned, plain)
    assert np.count_nonzero(room) == plain.size


@every_rule
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,)])
def test_small_shapes(rule, options, shape):
    parameter = np.ones(shape)
    optimizer = rule({"w": parameter}, **options)
    optimizer.step({"w": np.ones(shape)})
    assert np.all(parameter < 1)
    assert optimizer.state_dict()["step.w"] == 1


@every_rule
def test_a_large_parameter_is_updated_as_its_pieces_would_be(rule, options):
    rng = np.random.default_rng(0)
    size = 2 * thresholds.current.update_block + 3
    whole, grad = rng.standard_normal((2, size)).astype(np.float32)
    pieces = {str(i): piece.copy() for i, piece in enumerate(np.array_split(whole, 7))}
    grads = {str(i): piece for i, piece in enumerate(np.array_split(grad, 7))}
    by_whole, by_piece = rule({"w": whole}, **options), rule(pieces, **options)
    for _ in range(2):
        by_whole.step({"w": grad})
        by_piece.step(grads)
    np.testing.assert_array_equal(whole, np.concatenate(list(pieces.values())))


@every_rule
def test_small_parameters_are_updated_together_as_each_would_be_alone(
    rule, options, monkeypatch, change_thresholds
):
    change_thresholds(update_small=12)
    rng = np.random.default_rng(0)
    parameters = {
        "a": rng.standard_normal((4, 3)),
        "b": rng.standard_normal(4),
        "c": rng.standard_normal(()),
        "single": rng.standard_normal((2, 2)).astype(np.float32),
        "singles": rng.standard_normal(3).astype(np.float32),
        "turned": rng.standard_normal((3, 2)).T,
        "large": rng.standard_normal(13),
    }
    together = rule(parameters, **options)
    alone = {name: array.copy() for name, array in parameters.items()}
    each = {name: rule({name: array}, **options) for name, array in alone.items()}
    counts = []
    original = together.update
    monkeypatch.setattr(
        together, "update", lambda *given: (counts.append(len(given[0])), original(*given))[1]
    )
    for step in range(6):
        absent = {"b", "large"} if step in (2, 3) else set()
        if step == 4:  # from now on b has had two updates fewer than a and c
            state = together.state_dict()
            together.load_state_dict(state)
        grads = {
            name: rng.standard_normal(array.shape).astype(array.dtype)
            for name, array in parameters.items()
            if name not in absent
        }
        together.step(grads)
        for name, grad in grads.items():
            each[name].step({name: grad})
    assert_same(parameters, alone)
    for name, optimizer in each.items():
        for key, kept in optimizer.state_dict().items():
            np.testing.assert_array_equal(together.state_dict()[key], kept, err_msg=f"{name} {key}")
    assert counts.count(17) == 2  # a, b and c, as long as they had been updated equally often
    assert counts.count(7) == 6  # the two of float32


@every_rule
def test_no_temporary_is_as_large_as_a_parameter(rule, options):
    size = 20 * thresholds.current.update_block
    parameters, grads = {"w": np.ones(size, np.float32)}, {"w": np.ones(size, np.float32)}
    optimizer = rule(parameters, **options)
    optimizer.step(grads)  # makes state and scratch
    tracemalloc.start()
    optimizer.step(grads)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < parameters["w"].nbytes / 8  # two blocks of twenty


@every_rule
def test_non_finite_numbers_pass_silently_and_stay_in_their_element(rule, options):
    parameter = np.ones(4)
    optimizer = rule({"w": parameter}, **options)
    for _ in range(2):
        optimizer.step({"w": np.array([1.0, np.nan, np.inf, 1e300])})
    assert np.isfinite(parameter[0])
    assert np.isnan(parameter[1])


def test_a_momentum_switched_on_later_starts_from_the_gradient():
    parameters = {"w": np.array([1.0])}
    optimizer = optim.SGD(parameters, lr=0.5, dampening=0.5)
    optimizer.step({"w": np.array([1.0])})
    optimizer.momentum = 0.5
    optimizer.step({"w": np.array([1.0])})
    assert parameters["w"] == 0.0


def test_a_momentum_switched_on_and_off_can_be_saved_at_any_time():
    optimizer = optim.SGD({"w": np.array([1.0])}, lr=0.5)
    for momentum in (0.0, 0.5, 0.0):
        optimizer.momentum = momentum
        for _ in range(2):
            state = optimizer.state_dict()
            other = optim.SGD({"w": np.array([1.0])})
            other.load_state_dict(state)
            assert_same(other.state_dict(), state)
            optimizer.step({"w": np.array([1.0])})


def test_a_learning_rate_of_another_dtype_does_not_change_the_arithmetic():
    first, second = arrays(0, np.float32), arrays(0, np.float32)
    plain, scalar = optim.Adam(first, lr=0.1), optim.Adam(second, lr=0.1)
    scalar.lr = np.float64(0.1)
    plain.step(arrays(1, np.float32))
    scalar.step(arrays(1, np.float32))
    assert_same(first, second)


# ---- state ---------------------------------------------------------------------------------------------


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_continued_from_a_saved_state_gives_the_same_bits(rule, options, dtype):
    parameters = arrays(0, dtype)
    optimizer = rule(parameters, **options)
    for seed in range(1, 4):
        optimizer.step(arrays(seed, dtype))
    optimizer.lr *= 0.3
    optimizer.step({"0.bias": arrays(4, dtype)["0.bias"]})

    resumed = copies(parameters)
    continued = rule(resumed)  # with the default settings: those of the state take their place
    continued.load_state_dict(optimizer.state_dict())
    assert continued.settings == optimizer.settings
    for seed in range(5, 9):
        optimizer.step(arrays(seed, dtype))
        continued.step(arrays(seed, dtype))
    assert_same(resumed, parameters)
    assert_same(continued.state_dict(), optimizer.state_dict())


def test_the_state_is_a_copy_both_ways():
    parameters = arrays(0)
    optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9)
    optimizer.step(arrays(1))
    state = optimizer.state_dict()
    saved = copies(state)
    optimizer.step(arrays(2))
    assert_same(state, saved)
    optimizer.load_state_dict(state)
    optimizer.step(arrays(2))
    assert_same(state, saved)


def test_names_in_the_state_are_those_documented():
    optimizer = optim.Adam(arrays(0), amsgrad=True)
    optimizer.step({"0.bias": np.ones(4)})
    assert optimizer.state_dict().keys() == {
        *("lr", "betas", "eps", "weight_decay", "amsgrad", "step.0.bias"),
        *("first_moment.0.bias", "second_moment.0.bias", "largest_moment.0.bias"),
    }


def changed(**changes):
    optimizer = optim.SGD(arrays(0), lr=0.1, momentum=0.9)
    optimizer.step(arrays(1))
    state = optimizer.state_dict() | changes
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": None}, "the state must have the setting 'lr'"),
        ({"lr": np.array(-1.0)}, "lr must be a finite number of at least 0, got -1.0"),
        ({"lr": np.array("fast")}, "lr must be a finite number of at least 0, got 'fast'"),
        ({"lr": np.ones(2)}, r"lr must have shape \(\) in the state, got \(2,\)"),
        ({"nesterov": np.array(1.0)}, "nesterov must be True or False, got 1.0"),
        ({"momentum.0.bias": None}, r"missing \['momentum.0.bias'\], unknown nothing"),
        ({"step.0.bias": None}, r"missing nothing, unknown \['momentum.0.bias'\]"),
        ({"momentum": np.array(0.0)}, r"unknown \['momentum.0.bias', 'momentum.0.weight'\]"),
        ({"momentum.1.bias": np.ones(4)}, r"unknown \['momentum.1.bias'\]"),
        ({"momentum.0.bias": np.ones(5)}, r"momentum.0.bias must have shape \(4,\) in the state, got \(5,\)"),
        ({"momentum.0.bias": np.ones(4, int)}, "momentum.0.bias must be float32 or float64, got int64"),
        (
            {"step.0.bias": np.array(1.5)},
            r"step.0.bias must be a positive integer in the state, got array\(1.5",
        ),
        ({"step.0.bias": np.array(0)}, "step.0.bias must be a positive integer"),
        ({"step.0.bias": np.ones(1, int)}, "step.0.bias must be a positive integer"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(changes, message):
    optimizer = optim.SGD(arrays(0), lr=0.7, momentum=0.3)
    optimizer.step(arrays(2))
    before = optimizer.state_dict()
    with pytest.raises(InputError, match=message):
        optimizer.load_state_dict(changed(**changes))
    assert_same(optimizer.state_dict(), before)
    optimizer.load_state_dict(changed())


# ---- bad input -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (optim.SGD, {"lr": -0.1}, "SGD: lr must be a finite number of at least 0, got -0.1"),
        (optim.SGD, {"lr": float("nan")}, "SGD: lr must be a finite number of at least 0, got nan"),
        (optim.SGD, {"lr": "0.1"}, "SGD: lr must be a finite number of at least 0, got '0.1'"),
        (optim.SGD, {"lr": True}, "SGD: lr must be a finite number of at least 0, got True"),
        (optim.SGD, {"momentum": -0.1}, "SGD: momentum must be a finite number of at least 0"),
        (optim.SGD, {"weight_decay": -0.1}, "SGD: weight_decay must be a finite number of at least 0"),
        (optim.SGD, {"dampening": None}, "SGD: dampening must be a finite number, got None"),
        (optim.SGD, {"nesterov": 1}, "SGD: nesterov must be True or False, got 1"),
        (optim.SGD, {"nesterov": True}, "SGD: nesterov must go with a momentum above 0"),
        (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "a dampening of 0"),
        (optim.RMSprop, {"lr": -1.0}, "RMSprop: lr must be a finite number of at least 0"),
        (optim.RMSprop, {"alpha": -1.0}, "RMSprop: alpha must be a finite number of at least 0"),
        (optim.RMSprop, {"eps": -1.0}, "RMSprop: eps must be a finite number of at least 0"),
        (optim.RMSprop, {"momentum": -1.0}, "RMSprop: momentum must be a finite number of at least 0"),
        (
            optim.RMSprop,
            {"weight_decay": -1.0},
            "RMSprop: weight_decay must be a finite number of at least 0",
        ),
        (optim.RMSprop, {"centered": None}, "RMSprop: centered must be True or False"),
        (optim.Adam, {"lr": -1.0}, "Adam: lr must be a finite number of at least 0"),
        (optim.Adam, {"eps": -1.0}, "Adam: eps must be a finite number of at least 0"),
        (
            optim.Adam,
            {"betas": (1.0, 0.9)},
            r"Adam: betas\[0\] must be a finite number of at least 0 and below 1, got 1.0",
        ),
        (
            optim.Adam,
            {"betas": (0.9, -0.1)},
            r"Adam: betas\[1\] must be a finite number of at least 0 and below 1, got -0.1",
        ),
        (optim.Adam, {"betas": 0.9}, "Adam: betas must be a pair of numbers, got 0.9"),
        (optim.Adam, {"betas": (0.9,)}, "Adam: betas must be a pair of numbers"),
        (optim.Adam, {"amsgrad": 0}, "Adam: amsgrad must be True or False"),
        (optim.AdamW, {"weight_decay": -1.0}, "AdamW: weight_decay must be a finite number of at least 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(rule, options, message):
    with pytest.raises(InputError, match=message):
        rule(arrays(0), **options)


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


shared = np.ones(2)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "SGD: parameters must hold at least one array"),
        ({"w": [1.0]}, r"SGD: parameters\['w'\] must be a NumPy array, got list"),
        ({"w": np.ones(2, int)}, r"SGD: parameters\['w'\] must be float32 or float64, got int64"),
        ({"w": read_only()}, r"SGD: parameters\['w'\] must be writable"),
        ({"a": shared, "b": shared}, r"SGD: parameters\['a'\] and parameters\['b'\] are one array"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        optim.SGD(parameters)


@pytest.mark.usefixtures("bare")
@every_rule
@pytest.mark.parametrize(
    ("bad", "kind", "message"),
    [
        (
            {"0.wieght": np.ones(4)},
            InputError,
            r"got 0.wieght; parameters are 0.bias, 0.weight\. .* model.freeze\('0.wieght'\)",
        ),
        ({"0.bias": np.ones(1)}, InputError, r"grads\['0.bias'\] must have shape \(4,\) .*, got \(1,\)"),
        ({"0.bias": np.ones((1, 4))}, InputError, r"grads\['0.bias'\] must have shape \(4,\)"),
        (
            {"0.bias": np.ones(4, np.float32)},
            DTypeError,
            r"must have the dtype of parameters\['0.bias'\], float64, got float32; after model.astype",
        ),
        ({"0.bias": [1.0] * 4}, DTypeError, r"grads\['0.bias'\] must be a NumPy array, got list"),
    ],
)
def test_gradients_that_do_not_fit_are_refused_before_anything_changes(rule, options, bad, kind, message):
    parameters = arrays(0)
    optimizer = rule(parameters, **options)
    optimizer.step(arrays(1))
    before, state = copies(parameters), optimizer.state_dict()
    with pytest.raises(kind, match=message):
        optimizer.step({"0.weight": arrays(2)["0.weight"]} | bad)
    assert_same(parameters, before)
    assert_same(optimizer.state_dict(), state)


def test_repr_shows_the_settings():
    assert repr(optim.Adam(arrays(0), lr=1)) == (
        "Adam(lr=1.0, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, amsgrad=False)"
    )


@every_rule
def test_large_parameters_are_updated_over_threads_to_the_same_bit(
    rule, options, monkeypatch, change_thresholds
):
    change_thresholds(update_block=100)
    used, empty = set(), np.empty
    monkeypatch.setattr(
        np, "empty", lambda *shape: (used.add(threading.current_thread().name), empty(*shape))[1]
    )
    rng = np.random.default_rng(0)
    start, grads = rng.standard_normal((50, 41), dtype=np.float32), [
        rng.standard_normal((50, 41), dtype=np.float32) for _ in range(3)
    ]  # fmt: skip
    ended = []
    for threads in (1, 2, 5):
        weight = start.copy()
        optimizer = rule({"w": weight}, **options)
        used.clear()
        with parallel.Step(threads):
            for grad in grads:
                optimizer.step({"w": grad})
        assert (len(used) > 1) == (threads > 1)
        ended.append(weight)
    np.testing.assert_array_equal(ended[0], ended[1])
    np.testing.assert_array_equal(ended[0], ended[2])


def test_a_parameter_without_elements_is_passed_over():
    weight = np.ones(3)
    with parallel.Step(2):
        optim.SGD({"none": np.ones((0, 4)), "w": weight}, lr=1.0).step(
            {"none": np.ones((0, 4)), "w": np.ones(3)}
        )
    np.testing.assert_array_equal(weight, 0)
