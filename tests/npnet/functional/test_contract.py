"""What every operation must hold to, over one table of cases; an operation without a case fails.

Each test runs twice: with the thresholds as they are, under which arrays of this size take the plain forms,
and with thresholds so low that every kernel runs, in many blocks and pieces.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from npnet import definition
from npnet import functional as F
from npnet.errors import DTypeError, InputError
from npnet.gradcheck import gradcheck

N = "n"  # stands in shapes for the size of the batch


@dataclass(frozen=True)
class Case:
    """One operation with its settings, on random arrays of given shapes."""

    operation: str
    about: str
    shapes: dict[str, tuple]  # of the differentiable arrays
    settings: dict[str, Any] = field(default_factory=dict)
    data: Callable[[np.random.Generator, int], dict[str, np.ndarray]] = lambda rng, n: {}
    range: Callable[[np.ndarray], np.ndarray] = lambda x: x  # where x has to be
    expected: Callable[..., np.ndarray] | None = None  # its definition, where that goes by another name
    smallest: int = 1  # batch, of those above 0

    def __str__(self):
        return f"{self.operation}, {self.about}"

    @property
    def batched(self):
        return self.shapes["x"][:1] == (N,)

    @property
    def definition(self):
        return self.expected or getattr(definition, self.operation, None)

    def arrays(self, n=3, dtype=np.float64, seed=0):
        """Return the differentiable arrays and the data, by the names of the arguments."""
        rng = np.random.default_rng(seed)
        drawn = {
            name: rng.standard_normal([n if size == N else size for size in shape])
            for name, shape in self.shapes.items()
        }
        drawn["x"] = self.range(drawn["x"])
        data = self.data(rng, n)
        return tuple(
            {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in group.items()}
            for group in (drawn, data)
        )

    def run(self, arrays, data, *, operation=None):
        """Return y and backward; running statistics are state, so every run starts from copies."""
        state = {name: a.copy() for name, a in data.items() if name.startswith("running")}
        settings = {name: value() if name == "generator" else value for name, value in self.settings.items()}
        return (operation or getattr(F, self.operation))(**arrays, **(data | state), **settings)


def labels(shape=(), **more):
    """Return what draws class labels of shape (n, *shape) out of 4, and other arrays of given shapes."""

    def draw(rng, n):
        return {
            "target": rng.integers(4, size=(n, *shape)),
            **{name: rng.uniform(0.5, 2, size) for name, size in more.items()},
        }

    return draw


def targets(*shape, **more):
    """Return what draws targets in (0, 1) of shape (n, *shape), and other arrays of given shapes."""

    def draw(rng, n):
        return {
            "target": rng.uniform(0, 1, (n, *shape)),
            **{name: rng.uniform(0.5, 2, size) for name, size in more.items()},
        }

    return draw


def statistics(rng, n):
    return {"running_mean": rng.standard_normal(2), "running_var": rng.uniform(0.5, 2, 2)}


def no_statistics(rng, n):
    return {}


def unit_interval(x):
    return 0.1 + 0.8 / (1 + np.exp(-x))


def labels_some_ignored(rng, n):
    return {"target": np.array([1, 3, 0, 2, 3])[np.arange(n) % 5], "weight": rng.uniform(0.5, 2, 4)}


def nll_of_log_softmax(x, target, **settings):
    return definition.nll_loss(definition.log_softmax(x, min(1, x.ndim - 1)), target, **settings)


CONV = {"x": (N, 4, 6, 5), "weight": (6, 4, 3, 2), "bias": (6,)}
NORM = {"x": (N, 2, 3, 2), "weight": (2,), "bias": (2,)}
IMAGES = {"x": (N, 2, 6, 5)}
SCORES = {"x": (N, 4)}

CASES = [
    Case("linear", "rows", {"x": (N, 3), "weight": (4, 3), "bias": (4,)}),
    Case("linear", "no bias", {"x": (N, 3), "weight": (4, 3)}),
    Case("linear", "more axes", {"x": (N, 2, 3), "weight": (4, 3), "bias": (4,)}),
    Case("linear", "one vector", {"x": (3,), "weight": (4, 3), "bias": (4,)}),
    Case("conv2d", "plain", CONV),
    Case("conv2d", "no bias", {"x": (N, 4, 6, 5), "weight": (6, 4, 3, 2)}),
    Case("conv2d", "stride and padding", CONV, {"stride": (2, 1), "padding": (1, 2)}),
    Case("conv2d", "stride that leaves rows over", CONV, {"stride": 2}),
    Case("conv2d", "dilation", CONV, {"dilation": (2, 3), "padding": 1}),
    Case("conv2d", "groups", CONV | {"weight": (6, 2, 3, 2)}, {"groups": 2, "stride": 2, "padding": 1}),
    Case("conv2d", "depthwise", CONV | {"weight": (4, 1, 3, 2), "bias": (4,)}, {"groups": 4}),
    Case("conv2d", "padding same", CONV | {"weight": (6, 4, 3, 4)}, {"padding": "same"}),
    Case("conv2d", "padding same, dilated", CONV, {"padding": "same", "dilation": (1, 3)}),
    Case("conv2d", "padding valid", CONV, {"padding": "valid"}),
    Case("conv2d", "1 × 1", CONV | {"weight": (6, 4, 1, 1)}),
    Case("conv2d", "one image", CONV | {"x": (4, 6, 5)}, {"padding": 1}),
    Case("max_pool2d", "plain", IMAGES, {"kernel_size": 2}),
    Case("max_pool2d", "overlapping", IMAGES, {"kernel_size": (3, 2), "stride": 1, "padding": 1}),
    Case("max_pool2d", "dilation", IMAGES, {"kernel_size": 2, "stride": (2, 1), "dilation": (3, 2)}),
    Case("max_pool2d", "ceil_mode", IMAGES, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    Case("max_pool2d", "window beyond the end", IMAGES, {"kernel_size": 1, "stride": 4, "ceil_mode": True}),
    Case("max_pool2d", "one image", {"x": (2, 6, 5)}, {"kernel_size": 2}),
    Case("avg_pool2d", "plain", IMAGES, {"kernel_size": 2}),
    Case("avg_pool2d", "overlapping", IMAGES, {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1}),
    Case("avg_pool2d", "ceil_mode", IMAGES, {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True}),
    Case(
        "avg_pool2d",
        "padding not counted",
        IMAGES,
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    ),
    Case("avg_pool2d", "divisor_override", IMAGES, {"kernel_size": 3, "padding": 1, "divisor_override": 5}),
    Case("avg_pool2d", "one image", {"x": (2, 6, 5)}, {"kernel_size": 2}),
    Case("adaptive_avg_pool2d", "to one", IMAGES, {"output_size": 1}),
    Case("adaptive_avg_pool2d", "uneven", IMAGES, {"output_size": (4, 3)}),
    Case("adaptive_avg_pool2d", "one image", {"x": (2, 6, 5)}, {"output_size": (3, 2)}),
    Case("relu", "any shape", IMAGES),
    Case("leaky_relu", "default slope", IMAGES),
    Case("leaky_relu", "slope 0.3", IMAGES, {"negative_slope": 0.3}),
    Case("tanh", "any shape", IMAGES),
    Case("sigmoid", "any shape", IMAGES),
    Case("softmax", "last axis", SCORES),
    Case("softmax", "axis 1 of 4", IMAGES, {"dim": 1}),
    Case("log_softmax", "last axis", SCORES),
    Case("log_softmax", "axis 1 of 4", IMAGES, {"dim": 1}),
    Case("nll_loss", "mean", SCORES, data=labels()),
    Case("nll_loss", "sum", SCORES, {"reduction": "sum"}, labels(weight=4)),
    Case("nll_loss", "none, spatial", {"x": (N, 4, 2, 3)}, {"reduction": "none"}, labels((2, 3), weight=4)),
    Case("nll_loss", "weighted mean, spatial", {"x": (N, 4, 2, 3)}, data=labels((2, 3), weight=4)),
    Case("nll_loss", "ignored labels", SCORES, {"ignore_index": 3}, labels_some_ignored),
    Case("cross_entropy", "mean", SCORES, data=labels(), expected=nll_of_log_softmax),
    Case(
        "cross_entropy",
        "none, spatial",
        {"x": (N, 4, 2, 3)},
        {"reduction": "none"},
        labels((2, 3), weight=4),
        expected=nll_of_log_softmax,
    ),
    Case(
        "cross_entropy",
        "ignored labels",
        SCORES,
        {"ignore_index": 3},
        labels_some_ignored,
        expected=nll_of_log_softmax,
    ),
    Case("cross_entropy", "smoothed", SCORES, {"label_smoothing": 0.2}, labels(weight=4)),
    Case("cross_entropy", "probabilities", SCORES, data=targets(4, weight=4)),
    Case("mse_loss", "mean", SCORES, data=targets(4)),
    Case("mse_loss", "none", IMAGES, {"reduction": "none"}, targets(2, 6, 5)),
    Case("binary_cross_entropy", "mean", SCORES, data=targets(4), range=unit_interval),
    Case(
        "binary_cross_entropy",
        "weighted sum",
        SCORES,
        {"reduction": "sum"},
        targets(4, weight=4),
        unit_interval,
    ),
    Case("binary_cross_entropy_with_logits", "mean", SCORES, data=targets(4)),
    Case(
        "binary_cross_entropy_with_logits",
        "weighted, none",
        SCORES,
        {"reduction": "none"},
        targets(4, weight=4, pos_weight=4),
    ),
    Case("batch_norm", "training", NORM, {"training": True}, statistics),
    Case("batch_norm", "evaluation", NORM, {"training": False, "eps": 1e-3}, statistics),
    Case("batch_norm", "features", NORM | {"x": (N, 2)}, {"training": True}, statistics, smallest=2),
    Case("batch_norm", "no scale and shift", {"x": (N, 2, 3, 2)}, {"training": True}, statistics),
    Case(
        "batch_norm",
        "no running statistics",
        NORM,
        {"training": True, "running_mean": None, "running_var": None},
        no_statistics,
    ),
    Case("dropout", "training", IMAGES, {"p": 0.3, "generator": lambda: np.random.default_rng(1)}),
    Case("dropout", "evaluation", IMAGES, {"training": False}),
    Case("flatten", "all axes", IMAGES),
    Case("flatten", "images", IMAGES, {"start_dim": 1}),
    Case("flatten", "two axes of four", IMAGES, {"start_dim": -3, "end_dim": 2}),
]
each_case = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture(autouse=True, params=["usual thresholds", "low thresholds"])
def forms(request, change_thresholds):
    if request.param == "low thresholds":
        change_thresholds(
            block_elements=20,
            cache_bytes=200,
            matmul_piece=10,
            matmul_long_sum=4,
            sum_short=2,
            sum_halved=4,
            sum_block=4,
            sum_pixels=1,
            softmax_short=0,
            conv_product=1,
            conv_results=1,
            conv_few_weights=0,
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
