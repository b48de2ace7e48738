"""Finite gradients never make what is not a number, and the caller's error settings do not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import optim
from tests.examples.optimizers import EXTREME, SETTINGS

RULES = [*SETTINGS, *EXTREME]
every_rule = pytest.mark.parametrize(("rule", "options"), RULES)
both = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@every_rule
@both
def test_a_constant_gradient(rule, options, dtype):
    """Each element has one of its own, for rules go element by element, and four that go together fill a
    vector register.
    """
    values = [0.0, 0.3, 1.0, -7e-3, 1e-30, 1e-42, 3e18, 2e30]
    grad = np.repeat(np.array(values, dtype), 4)
    parameter = np.ones_like(grad)
    optimizer = rule({"w": parameter}, **options)
    for _ in range(400):
        optimizer.step({"w": grad})
        assert not np.isnan(parameter).any(), grad[np.isnan(parameter)]


@given(
    rule=st.sampled_from(RULES),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.floats(-1, 1), min_size=1, max_size=4),
    kind=st.sampled_from(["random", "constant", "one of two", "mostly zero", "growing"]),
)
def test_finite_gradients(rule, dtype, seed, sizes, kind):
    rng = np.random.default_rng(seed)
    kind_of, options = rule
    # From numbers whose squares vanish to such whose squares overflow, element by element.
    reach = {np.float32: 36.0, np.float64: 300.0}[dtype]
    scale = (10.0 ** (reach * np.array(sizes))).astype(dtype)
    start = rng.standard_normal(len(sizes)).astype(dtype)
    parameter = start.copy()
    optimizer = kind_of({"w": parameter}, **options)
    for step in range(200):
        draw = {
            "random": rng.standard_normal(len(sizes)).clip(-4, 4),
            "constant": np.ones(len(sizes)),
            "one of two": rng.choice([-1.0, 1.0], len(sizes)),
            "mostly zero": (rng.random(len(sizes)) < 0.1) * 1.0,
            "growing": np.full(len(sizes), step / 200),
        }[kind]
        was_finite = np.isfinite(parameter)
        optimizer.step({"w": (draw * scale).astype(dtype)})
        # What has become infinite, by a learning rate too large for such a gradient, may go on as it likes.
        assert not np.isnan(parameter[was_finite]).any(), (step, optimizer)


@both
def test_a_centered_variance_below_zero_counts_as_zero_and_the_rest_is_torchs(dtype):
    torch = pytest.importorskip("torch")
    ours = np.ones(600, dtype)
    theirs = torch.nn.Parameter(torch.tensor(ours))
    optimizer = optim.RMSprop({"w": ours}, centered=True, alpha=0.8)
    other = torch.optim.RMSprop([theirs], centered=True, alpha=0.8, foreach=False)
    constant = np.linspace(0.01, 3, 600).astype(dtype)
    theirs.grad = torch.tensor(constant)
    for step in range(400):
        optimizer.step({"w": constant})
        other.step()
        if step < 10:  # as long as there is a variance beside its rounding
            np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-4)
    assert np.isnan(theirs.detach().numpy()).any()  # so this is a case where rounding goes below zero
    assert np.isfinite(ours).all()


@both
def test_without_eps_what_is_divided_by_zero_stays(dtype):
    for rule, options in ((optim.Adam, {}), (optim.RMSprop, {}), (optim.RMSprop, {"momentum": 0.9})):
        parameter = np.ones(2, dtype)
        optimizer = rule({"w": parameter}, eps=0.0, **options)
        for _ in range(3):
            optimizer.step({"w": np.array([0.0, 1.0], dtype)})
        assert parameter[0] == 1
        assert parameter[1] < 1


@both
def test_a_gradient_that_is_not_a_number_still_shows(dtype):
    for rule, options in RULES:
        parameter = np.ones(2, dtype)
        rule({"w": parameter}, **options).step({"w": np.array([np.nan, 0.5], dtype)})
        assert np.isnan(parameter[0])
        assert np.isfinite(parameter[1])


@every_rule
@both
def test_error_settings_of_the_caller_do_not_matter(rule, options, dtype):
    rng = np.random.default_rng(0)
    shape = (3, 5)
    parameter, other = np.ones(shape, dtype), np.ones(shape, dtype)
    one, two = rule({"w": parameter}, **options), rule({"w": other}, **options)
    for scale in (1e-30, 1.0, 1e30, 0.0):
        grad = (rng.standard_normal(shape) * scale).astype(dtype)
        with np.errstate(all="raise"):
            one.step({"w": grad})
            state = one.state_dict()
            one.load_state_dict(state)
        two.step({"w": grad})
    np.testing.assert_array_equal(parameter, other)


def test_a_state_in_float64_is_taken_over_whole_or_not_at_all():
    source = optim.SGD({"w": np.ones(2)}, momentum=0.9)
    source.step({"w": np.array([1e300, 1e-300])})
    target = optim.SGD({"w": np.ones(2, np.float32)})
    with np.errstate(all="raise"):
        target.load_state_dict(source.state_dict())
    assert target.settings == source.settings
    np.testing.assert_array_equal(target.state_dict()["momentum.w"], np.array([np.inf, 0], np.float32))
