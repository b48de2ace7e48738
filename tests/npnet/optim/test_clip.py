"""Clipping gradients, beside PyTorch's."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import nn, optim
from npnet.errors import InputError

NORMS = [2.0, 1.0, 0.5, 3.0, inf]


def gradients(seed, dtype=np.float64, scale=1.0):
    rng = np.random.default_rng(seed)
    shapes = {"0.weight": (7, 5), "0.bias": (3,), "scale": (), "none": (0, 4), "turned": (4, 6)}
    grads = {name: np.asarray(rng.standard_normal(shape) * scale, dtype) for name, shape in shapes.items()}
    return grads | {"turned": grads["turned"].T, "frozen": None}


@given(
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([np.float32, np.float64]),
    norm_type=st.sampled_from(NORMS),
    max_norm=st.sampled_from([0.0, 1e-3, 1.0, 50.0, 1e9, inf]),
)
def test_norm_and_gradients_are_those_of_torch(seed, dtype, norm_type, max_norm):
    torch = pytest.importorskip("torch")
    grads = gradients(seed, dtype)
    if norm_type == inf:  # of no elements at all PyTorch has no largest one
        del grads["none"]
    parameters = []
    for grad in grads.values():
        if grad is not None:
            parameters.append(
                torch.nn.Parameter(torch.zeros(grad.shape, dtype=getattr(torch, dtype.__name__)))
            )
            parameters[-1].grad = torch.tensor(grad.copy())
    objects = dict(grads)
    norm = optim.clip_grad_norm(grads, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
    rounding = 60 * float(np.finfo(dtype).eps)
    assert type(norm) is float
    assert norm == pytest.approx(float(expected), rel=rounding)
    kept = [grad for grad in grads.values() if grad is not None]
    for grad, parameter in zip(kept, parameters, strict=True):
        assert grad.dtype == dtype
        np.testing.assert_allclose(grad, parameter.grad.numpy(), rtol=rounding)
    assert all(grad is objects[name] for name, grad in grads.items())


def test_values_are_those_of_torch():
    torch = pytest.importorskip("torch")
    grads = {"w": np.array([3.0, -0.5, -7.0, np.nan, np.inf, -np.inf]), "none": None}
    parameter = torch.nn.Parameter(torch.zeros(6))
    parameter.grad = torch.tensor(grads["w"], dtype=torch.float32)
    torch.nn.utils.clip_grad_value_([parameter], 1.25)
    optim.clip_grad_value(grads, np.float32(1.25))
    np.testing.assert_array_equal(grads["w"], parameter.grad.numpy())


def test_what_is_small_enough_keeps_its_bits():
    grads = gradients(0, np.float32)
    before = {name: None if grad is None else grad.copy() for name, grad in grads.items()}
    optim.clip_grad_norm(grads, optim.clip_grad_norm(grads, inf) + 1)
    for name, grad in before.items():
        np.testing.assert_array_equal(grads[name], grad)


@pytest.mark.parametrize("grads", [{}, {"w": None}, {"w": np.zeros((0, 3))}])
def test_without_gradients_the_norm_is_zero(grads):
    assert optim.clip_grad_norm(grads, 1.0) == 0


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("norm_type", NORMS)
def test_powers_neither_overflow_nor_vanish(size, norm_type):
    direction = np.array([3.0, -4.0])
    grads = {"w": direction * size, "v": np.array([0.0])}
    with np.errstate(all="raise"):
        norm = optim.clip_grad_norm(grads, 1.0, norm_type)
    expected = 4.0 if norm_type == inf else np.sum(np.abs(direction) ** norm_type) ** (1 / norm_type)
    assert norm / size == pytest.approx(expected, rel=1e-12)
    if size > 1:
        np.testing.assert_allclose(grads["w"], direction / expected, rtol=1e-12)


def test_many_float32_elements_are_added_up_in_float64():
    grads = {"w": np.full(3_000_000, 0.1, np.float32)}
    assert optim.clip_grad_norm(grads, inf, 1.0) == pytest.approx(3e6 * float(np.float32(0.1)), rel=1e-12)
    assert optim.clip_grad_norm(grads, inf) == pytest.approx(3e6**0.5 * float(np.float32(0.1)), rel=1e-12)


@pytest.mark.parametrize("where", ["a", "b"])
@pytest.mark.parametrize("norm_type", NORMS)
def test_what_is_not_finite(where, norm_type):
    def made(value):
        return {"a": np.ones(2), "b": np.ones(2)} | {where: np.array([1.0, value])}

    grads = made(np.nan)
    assert isnan(optim.clip_grad_norm(grads, 1.0, norm_type))
    assert np.isnan(grads["a"]).all()
    assert np.isnan(grads["b"]).all()
    grads = made(-np.inf)
    assert optim.clip_grad_norm(grads, 1.0, norm_type) == inf
    assert isnan(grads[where][1])
    assert (grads["a"][0], grads["b"][0]) == (0, 0)
    for value in (np.nan, np.inf):
        grads = made(value)
        with pytest.raises(
            InputError, match=f"grads must have a finite norm, got .*, not finite in {where}$"
        ):
            optim.clip_grad_norm(grads, 1.0, norm_type, error_if_nonfinite=True)
        np.testing.assert_array_equal(grads[where], [1.0, value])


def test_a_numpy_scalar_is_replaced():
    grads = {"scale": np.float32(3.0), "w": np.array([4.0], np.float32)}
    assert optim.clip_grad_norm(grads, 0.5) == 5.0
    assert isinstance(grads["scale"], np.float32)
    np.testing.assert_allclose([grads["scale"], grads["w"][0]], [0.3, 0.4], rtol=1e-6)
    optim.clip_grad_value(grads, 0.1)
    assert grads["scale"] == np.float32(0.1)


def test_one_array_for_two_parameters_is_scaled_once():
    shared = np.array([3.0, 4.0])
    grads = {"a": shared, "b": shared, "c": shared[:]}
    norm = optim.clip_grad_norm(grads, 1.0)
    assert norm == pytest.approx(75**0.5)
    np.testing.assert_allclose(shared, np.array([3.0, 4.0]) / norm, rtol=1e-6)


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


room = np.ones(6)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("clip", [optim.clip_grad_norm, optim.clip_grad_value])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"b": read_only()}, r"grads\['b'\] must be writable"),
        ({"b": room[:4], "c": room[3:]}, r"grads\['b'\] and grads\['c'\] must not overlap"),
        ({"b": np.broadcast_to(np.ones(1), 3)}, r"grads\['b'\] must be writable"),
        ({"b": [1.0]}, r"grads\['b'\] must be a NumPy array, got list; write np.array\(grads\['b'\]\)"),
    ],
)
def test_gradients_that_do_not_fit_are_refused_before_anything_changes(clip, bad, message):
    first = np.full(2, 9.0)
    with pytest.raises(InputError, match=message):
        clip({"a": first} | bad, 0.5)
    np.testing.assert_array_equal(first, 9.0)


def test_a_step_with_clipped_gradients():
    rng = np.random.default_rng(0)
    model = nn.Linear(3, 2, generator=rng)
    optimizer = optim.SGD(model.parameters, lr=1.0)
    before = model.state_dict()
    y, backward = model.forward(rng.standard_normal((4, 3), dtype=np.float32))
    _, grads = backward(100 * np.ones_like(y))
    optim.clip_grad_norm(grads, 0.25)
    optimizer.step(grads)
    moved = sum(((array - before[name]) ** 2).sum() for name, array in model.parameters.items()) ** 0.5
    assert moved == pytest.approx(0.25, rel=1e-4)
