"""What every operation must hold to, over one table of cases; an operation without a case fails.

Each test runs twice: with the thresholds as they are, under which arrays of this size take the plain forms,
and with thresholds so low that every kernel runs, in many blocks and pieces.
"""

import numpy as np
import pytest

from npnet import definition
from npnet import functional as F
from npnet.errors import DTypeError, InputError
from npnet.gradcheck import gradcheck
from tests.examples.operations import CASES

each_case = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture(autouse=True, params=["usual thresholds", "low thresholds"])
def forms(request, change_thresholds):
    if request.param == "low thresholds":
        change_thresholds(
            block_elements=20,
            cache_bytes=200,
            matmul_piece=10,
            matmul_long_sum=4,
            matmul_side=1,
            sum_short=2,
            sum_halved=4,
            sum_block=4,
            sum_pixels=1,
            softmax_short=0,
            conv_product=1,
            conv_results=1,
            conv_few_weights=0,
            conv_piece=1,
            conv_pixels=1,
            batch_norm_elements=0,
            batch_norm_run=1,
            batch_norm_part=2,
        )


def upstream(y, seed=1):
    return np.asarray(np.random.default_rng(seed).standard_normal(y.shape), dtype=y.dtype)


def gradients(backward, grad_y, **needs):
    """Return the gradients as a tuple, whether backward gives one or several."""
    given = backward(grad_y, **needs)
    return given if isinstance(given, tuple) else (given,)


def assert_close(actual, expected, rtol=1e-11):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)


def check(case, arrays, data, **settings):
    def f(*values):
        return case.run(dict(zip(arrays, values, strict=True)), data)

    gradcheck(f, *arrays.values(), **settings)


def test_every_operation_is_in_the_table():
    assert {case.operation for case in CASES} == set(F.__all__)


@pytest.mark.usefixtures("bare")  # thousands of calls; the other tests of the table check their shapes
@each_case
def test_gradients_are_those_of_central_differences(case):
    arrays, data = case.arrays()
    check(case, arrays, data, max_elements=25)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("case", [case for case in CASES if case.definition], ids=str)
def test_output_is_that_of_the_definition(case, n):
    arrays, data = case.arrays(n=max(n, case.smallest))
    assert_close(case.run(arrays, data)[0], case.run(arrays, data, operation=case.definition))


@pytest.mark.parametrize("n", [0, 2, 3])
@pytest.mark.parametrize("training", [True, False])
def test_running_statistics_are_those_of_the_definition(n, training):
    x = np.random.default_rng(0).standard_normal((n, 2))
    states = []
    for operation in (F.batch_norm, definition.batch_norm):
        mean, var = np.array([1.0, -2.0]), np.array([0.5, 3.0])
        operation(x, mean, var, training=training, momentum=0.3)
        states.append((mean, var))
    assert_close(*states)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.operation in ("linear", "conv2d", "max_pool2d")], ids=str
)
def test_gradients_are_those_of_the_definition(case):
    arrays, data = case.arrays()
    y, backward = case.run(arrays, data)
    grad_y = upstream(y)
    arguments = {name: a for name, a in arrays.items() if name != "bias"} | case.settings
    expected = getattr(definition, f"{case.operation}_backward")(grad_y, **arguments)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for grad, truth in zip(gradients(backward, grad_y), expected, strict=True):
        if grad is not None:
            assert_close(grad, truth)


@pytest.mark.parametrize("case", [case for case in CASES if case.operation == "max_pool2d"], ids=str)
def test_gradients_of_equal_maxima_go_where_the_definition_sends_them(case):
    arrays, _ = case.arrays()
    few = np.array([-np.inf, -1.0, 1.0, np.nan])  # so that every window has some of them repeatedly
    x = few[np.digitize(arrays["x"], [-0.5, 0.5, 2])]
    y, backward = F.max_pool2d(x, **case.settings)
    np.testing.assert_array_equal(y, definition.max_pool2d(x, **case.settings))
    grad_y = np.arange(1.0, y.size + 1).reshape(y.shape)  # integers, whose sums are exact
    np.testing.assert_array_equal(
        backward(grad_y), definition.max_pool2d_backward(grad_y, x, **case.settings)
    )


@each_case
def test_float32_stays_float32(case):
    truth, backward = case.run(*case.arrays())
    grad_y = upstream(truth)
    true_grads = gradients(backward, grad_y)

    y, backward = case.run(*case.arrays(dtype=np.float32))
    assert y.dtype == np.float32
    assert_close(y, truth, rtol=1e-4)
    for grad, true_grad in zip(gradients(backward, grad_y.astype(np.float32)), true_grads, strict=True):
        assert (grad is None) == (true_grad is None)
        if grad is not None:
            assert grad.dtype == np.float32
            assert_close(grad, true_grad, rtol=1e-4)


@each_case
def test_nothing_given_is_modified(case):
    arrays, data = case.arrays()
    before_arrays, before_data = case.arrays()
    for array in (*arrays.values(), *data.values()):
        array.flags.writeable = False
    y, backward = case.run(arrays, data)
    grad_y = upstream(y)
    grad_y.flags.writeable = False
    backward(grad_y)
    np.testing.assert_equal((arrays, data), (before_arrays, before_data))
    np.testing.assert_array_equal(grad_y, upstream(y))


@each_case
def test_backward_gives_the_same_bits_twice(case):
    y, backward = case.run(*case.arrays())
    first = [None if grad is None else grad.copy() for grad in gradients(backward, upstream(y))]
    gradients(backward, upstream(y, seed=2))
    np.testing.assert_equal(list(gradients(backward, upstream(y))), first)


def transposed(array):
    return array.T.copy().T


def spaced(array):
    room = np.full((*array.shape[:-1], 2 * array.shape[-1]), 7, array.dtype) if array.ndim else array
    view = room[..., ::2] if array.ndim else room
    view[...] = array
    return view


def backwards(array):
    return np.flip(np.flip(array).copy()) if array.ndim else array


@each_case
@pytest.mark.parametrize("layout", [transposed, spaced, backwards])
def test_memory_layout_does_not_matter(case, layout):
    arrays, data = case.arrays()
    y, backward = case.run(arrays, data)
    grads = gradients(backward, upstream(y))

    laid_out = [{name: layout(a) for name, a in group.items()} for group in (arrays, data)]
    y_laid_out, backward = case.run(*laid_out)
    assert_close(y_laid_out, y)
    for grad, expected in zip(gradients(backward, layout(upstream(y))), grads, strict=True):
        if expected is not None:
            assert_close(grad, expected)


@each_case
def test_an_upstream_gradient_repeated_by_strides_of_zero(case):
    y, backward = case.run(*case.arrays())
    repeated = np.broadcast_to(np.float64(0.5), y.shape)
    for grad, expected in zip(
        gradients(backward, repeated), gradients(backward, repeated.copy()), strict=True
    ):
        if expected is not None:
            assert_close(grad, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", [case for case in CASES if case.batched], ids=str)
def test_batch_of_nothing(case, dtype):
    arrays, data = case.arrays(n=0, dtype=dtype)
    y, backward = case.run(arrays, data)
    full, _ = case.run(*case.arrays(n=2))
    assert y.dtype == dtype
    assert y.ndim == full.ndim
    if full.ndim and full.shape[0] == 2:
        assert y.shape == (0, *full.shape[1:])
    for grad, array in zip(gradients(backward, upstream(y)), arrays.values(), strict=False):
        assert grad.dtype == dtype
        np.testing.assert_array_equal(grad, np.zeros(array.shape))


@pytest.mark.parametrize("case", [case for case in CASES if case.batched and case.smallest == 1], ids=str)
def test_batch_of_one(case):
    arrays, data = case.arrays(n=1)
    check(case, arrays, data, max_elements=8)


@pytest.mark.usefixtures("bare")
@each_case
def test_an_upstream_gradient_that_does_not_fit_is_refused(case):
    y, backward = case.run(*case.arrays())
    wrong_shapes = [(*y.shape, 1), (1, *y.shape), (1,) * y.ndim, y.shape[1:], y.shape[::-1]]
    for shape in wrong_shapes:
        if shape != y.shape:
            with pytest.raises(InputError, match=rf"^{case.operation}: grad_\w+ must have shape"):
                backward(np.ones(shape))
    with pytest.raises(DTypeError, match=rf"^{case.operation}: grad_\w+ must have the dtype"):
        backward(np.ones(y.shape, np.float32))


@pytest.mark.parametrize("case", [case for case in CASES if {"weight", "bias"} & case.shapes.keys()], ids=str)
def test_gradients_are_computed_as_needed(case):
    y, backward = case.run(*case.arrays())
    everything = gradients(backward, upstream(y))
    for wanted in range(3):
        needs = tuple(k == wanted for k in range(3))
        for k, grad in enumerate(gradients(backward, upstream(y), needs=needs)):
            np.testing.assert_equal(grad, everything[k] if k == wanted else None)


@pytest.mark.parametrize(
    "case", [case for case in CASES if "target" in case.data(np.random.default_rng(0), 1)], ids=str
)
def test_the_upstream_gradient_of_a_loss_is_one_unless_given(case):
    loss, backward = case.run(*case.arrays())
    np.testing.assert_array_equal(backward(), backward(np.ones_like(loss)))
