"""Every operation, layer and loss of npnet against PyTorch, on drawn inputs (see `ptref.operations`)."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import torch.nn.functional as T  # noqa: E402 - after the skip where torch is missing

from npnet import functional as F  # noqa: E402
from npnet import nn  # noqa: E402
from npnet.errors import InputError  # noqa: E402
from ptref import strategies  # noqa: E402
from ptref.networks import CONTAINERS, MODELS  # noqa: E402
from ptref.operations import LAYERS, OPERATIONS  # noqa: E402
from ptref.parity import assert_parity  # noqa: E402
from ptref.table import measure  # noqa: E402

LOSSES = {"nll_loss", "cross_entropy", "mse_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"}


def test_nothing_is_left_out():
    assert {row.name for row in OPERATIONS} == set(F.__all__)
    layers = {name for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    layers -= {"Layer", "LayerBackward", "Gradients", "Loss", "Summary", "Sequential", "Residual"}
    assert layers | {"Sequential and Residual"} == {row.name for row in (*LAYERS, *CONTAINERS)}


@pytest.mark.parametrize("name", [row.name for row in OPERATIONS])
@given(data=st.data())
def test_an_operation_agrees(name, data):
    case = data.draw(strategies.cases(name))
    report = case.compare()
    assert report.agrees, f"\n{report}"
    check_convention(case, is_loss=name in LOSSES)


def check_convention(case, *, is_loss):
    """Losses have 1 as upstream gradient; of several gradients each can be had alone."""
    inputs = [None if x is None else x.copy() for x in case.inputs]
    with np.errstate(all="ignore"):
        y, backward = case.subject(*inputs, **case.options)
        if is_loss:
            np.testing.assert_array_equal(backward(), backward(np.ones_like(y)), strict=True)
        if "needs" not in inspect.signature(backward).parameters:
            return
        everything = backward(np.ones_like(y))
        for i, whole in enumerate(everything):
            alone = backward(np.ones_like(y), needs=tuple(j == i for j in range(len(everything))))
            assert [grad is None for grad in alone] == [j != i or whole is None for j in range(len(alone))]
            if whole is not None:
                np.testing.assert_array_equal(alone[i], whole, strict=True)


@pytest.mark.parametrize("name", [row.name for row in (*LAYERS, *CONTAINERS)])
@given(data=st.data())
def test_a_layer_agrees(name, data):
    report = data.draw(strategies.cases(name)).compare()
    assert report.agrees, f"\n{report}"


@pytest.mark.parametrize("row", MODELS, ids=[row.name for row in MODELS])
def test_a_model_agrees(row):
    result = measure(row, np.dtype(np.float64), examples=1)
    assert result.agrees, result.failures[0]


@pytest.mark.parametrize("row", OPERATIONS, ids=[row.name for row in OPERATIONS])
def test_float32_is_as_accurate_as_pytorchs(row):
    result = measure(row, np.dtype(np.float32), examples=100)
    assert result.agrees, result.failures[0]
    assert result.over_torch is None or result.over_torch <= 1, f"median ratio {result.over_torch}"


# ---- exactly ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_at_its_kink_and_beyond_numbers(dtype):
    x = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45], dtype)
    report = assert_parity(F.relu, T.relu, x)
    assert report["grad_x"].worst_error == 0
    _, backward = F.relu(x)
    np.testing.assert_array_equal(backward(np.ones_like(x)), [0, 0, 1, 1, 0, float(x[5] > 0), 0])


@pytest.mark.parametrize(
    "window",
    [
        [[1, 1], [1, 1]],
        [[0.0, -0.0], [-0.0, 0.0]],
        [[np.nan, 2], [3, np.nan]],
        [[3, np.nan], [np.nan, np.inf]],
        [[-np.inf, -np.inf], [-np.inf, -np.inf]],
        [[np.inf, np.inf], [0, np.inf]],
    ],
)
def test_max_pool_routes_ties_and_nan_as_pytorch_does(window):
    x, grad_y = np.array([[window]], float), np.array([[[[5.0]]]])
    y, backward = F.max_pool2d(x, 2)
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = T.max_pool2d(x_torch, 2)
    y_torch.backward(torch.tensor(grad_y))
    np.testing.assert_array_equal(y, y_torch.detach().numpy())
    np.testing.assert_array_equal(backward(grad_y), x_torch.grad.numpy())


def test_a_window_between_whose_cells_the_image_falls_is_minus_infinity_and_gives_nothing_back():
    # PyTorch routes this gradient to an index outside of the image, so there is nothing to compare with.
    y, backward = F.max_pool2d(np.ones((1, 1, 1, 1)), (2, 1), padding=(1, 0), dilation=(2, 1))
    assert y.tolist() == [[[[-np.inf]]]]
    assert backward(np.ones_like(y)).tolist() == [[[[0.0]]]]


def test_a_label_of_probability_zero_costs_infinity_even_where_smoothing_leaves_nothing_of_it():
    x, target = np.array([[-np.inf, 0.0]]), np.array([0])
    assert F.cross_entropy(x, target, label_smoothing=1.0)[0] == np.inf
    assert F.cross_entropy(x, target, label_smoothing=0.9)[0] == np.inf
    theirs = T.cross_entropy(torch.tensor(x), torch.tensor(target), label_smoothing=1.0)
    assert theirs.isnan()  # 0 · ∞: the one known difference, see `ptref.operations.losses`


@given(strategies.seeds(), st.sampled_from([0.1, 0.5, 0.8]))
def test_dropout_drops_the_share_asked_for(seed, p):
    n = 20_000
    y, _ = F.dropout(np.ones(n), p, generator=np.random.default_rng(seed))
    deviation = np.sqrt(p * (1 - p) / n)
    assert abs((y == 0).mean() - p) < 6 * deviation
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-15)


# ---- refusals ------------------------------------------------------------------------------------------

IMAGE, KERNEL, LOGITS = np.ones((2, 4, 5, 5)), np.ones((6, 2, 3, 3)), np.ones((3, 4))
LABELS, PROBABILITIES = np.array([0, 1, 3]), np.full((3, 4), 0.5)
SINGLE = np.float32

REFUSED = [
    ("linear", (np.ones((2, 3)), np.ones((4, 5))), {}, "features"),
    ("linear", (np.ones((2, 5)), np.ones((4, 5)), np.ones(3)), {}, "bias"),
    ("linear", (np.ones((2, 5), SINGLE), np.ones((4, 5))), {}, "dtype"),
    ("linear", (np.ones((2, 5), int), np.ones((4, 5))), {}, "float32 or float64"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 1}, "channels"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 3}, "groups"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 0}, "groups"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "stride": 0}, "stride"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "stride": (1, -1)}, "stride"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "padding": -1}, "padding"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "padding": "full"}, "padding"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "padding": "same", "stride": 2}, "stride"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "dilation": 0}, "dilation"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "dilation": 3}, "kernel"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "stride": (1, 1, 1)}, "stride"),
    ("conv2d", (IMAGE, KERNEL), {"groups": 2, "stride": 1.5}, "stride"),
    ("conv2d", (IMAGE, KERNEL, np.ones(4)), {"groups": 2}, "bias"),
    ("conv2d", (IMAGE, KERNEL[0]), {}, "weight"),
    ("conv2d", (IMAGE[0, 0], KERNEL), {}, "x must have shape"),
    ("conv2d", (IMAGE, KERNEL.astype(SINGLE)), {"groups": 2}, "dtype"),
    ("max_pool2d", (IMAGE,), {"kernel_size": 0}, "kernel_size"),
    ("max_pool2d", (IMAGE,), {"kernel_size": 6}, "kernel"),
    ("max_pool2d", (IMAGE,), {"kernel_size": 2, "padding": 2}, "padding"),
    ("max_pool2d", (IMAGE,), {"kernel_size": 2, "padding": -1}, "padding"),
    ("max_pool2d", (IMAGE,), {"kernel_size": 3, "padding": 2, "dilation": 2}, "padding"),
    ("max_pool2d", (IMAGE,), {"kernel_size": 2, "stride": 0}, "stride"),
    ("max_pool2d", (IMAGE,), {"kernel_size": 2, "dilation": 0}, "dilation"),
    ("max_pool2d", (IMAGE,), {"kernel_size": (2, 2, 2)}, "kernel_size"),
    ("max_pool2d", (IMAGE[0, 0],), {"kernel_size": 2}, "x must have shape"),
    ("max_pool2d", (np.ones((2, 3, 0, 4)),), {"kernel_size": 1}, "pixel"),
    ("avg_pool2d", (IMAGE,), {"kernel_size": 6}, "kernel"),
    ("avg_pool2d", (IMAGE,), {"kernel_size": 0}, "kernel_size"),
    ("avg_pool2d", (IMAGE,), {"kernel_size": 3, "padding": 2}, "padding"),
    ("avg_pool2d", (IMAGE,), {"kernel_size": 2, "stride": 0}, "stride"),
    ("avg_pool2d", (IMAGE,), {"kernel_size": 2, "divisor_override": 0}, "divisor_override"),
    ("avg_pool2d", (IMAGE[0, 0],), {"kernel_size": 2}, "x must have shape"),
    ("adaptive_avg_pool2d", (IMAGE,), {"output_size": -1}, "output_size"),
    ("adaptive_avg_pool2d", (IMAGE,), {"output_size": (1, 2, 3)}, "output_size"),
    ("adaptive_avg_pool2d", (IMAGE[0, 0],), {"output_size": 2}, "x must have shape"),
    ("softmax", (LOGITS,), {"dim": 2}, "dim"),
    ("softmax", (LOGITS,), {"dim": -3}, "dim"),
    ("softmax", (LABELS,), {"dim": 0}, "float32 or float64"),
    ("log_softmax", (LOGITS,), {"dim": 2}, "dim"),
    ("log_softmax", (LABELS,), {"dim": 0}, "float32 or float64"),
    ("nll_loss", (LOGITS, np.array([0, 1, 4])), {}, "labels"),
    ("nll_loss", (LOGITS, np.array([0, 1, -1])), {}, "labels"),
    ("nll_loss", (LOGITS, LABELS[:2]), {}, "target"),
    ("nll_loss", (LOGITS, LABELS[:, np.newaxis]), {}, "target"),
    ("nll_loss", (LOGITS, LABELS.astype(float)), {}, "integer"),
    ("nll_loss", (LOGITS, LABELS, np.ones(3)), {}, "weight"),
    ("nll_loss", (LOGITS, LABELS), {"reduction": "average"}, "reduction"),
    ("cross_entropy", (LOGITS, np.array([0, 1, 4])), {}, "labels"),
    ("cross_entropy", (LOGITS, LABELS[:2]), {}, "target"),
    ("cross_entropy", (LOGITS, PROBABILITIES[:, :3]), {}, "target"),
    ("cross_entropy", (LOGITS, LABELS, np.ones(5)), {}, "weight"),
    ("cross_entropy", (LOGITS, LABELS), {"reduction": "average"}, "reduction"),
    ("cross_entropy", (LOGITS, LABELS), {"label_smoothing": 1.5}, "label_smoothing"),
    ("cross_entropy", (LOGITS, PROBABILITIES), {"ignore_index": 1}, "ignore_index"),
    ("mse_loss", (LOGITS, np.ones((3, 3))), {}, "target"),
    ("mse_loss", (LOGITS, LOGITS), {"reduction": "average"}, "reduction"),
    ("binary_cross_entropy", (PROBABILITIES + 1, PROBABILITIES), {}, "from 0 to 1"),
    ("binary_cross_entropy", (PROBABILITIES, PROBABILITIES[:2]), {}, "target"),
    ("binary_cross_entropy", (PROBABILITIES, PROBABILITIES, np.ones(3)), {}, "weight"),
    ("binary_cross_entropy", (PROBABILITIES, PROBABILITIES), {"reduction": "average"}, "reduction"),
    ("binary_cross_entropy_with_logits", (LOGITS, PROBABILITIES[:2]), {}, "target"),
    ("binary_cross_entropy_with_logits", (LOGITS, PROBABILITIES, np.ones(3)), {}, "weight"),
    ("binary_cross_entropy_with_logits", (LOGITS, PROBABILITIES), {"reduction": "average"}, "reduction"),
    ("binary_cross_entropy_with_logits", (LOGITS, PROBABILITIES), {"pos_weight": np.ones(3)}, "pos_weight"),
    ("batch_norm", (np.ones((1, 3)), None, None), {"training": True}, "more than one value"),
    ("batch_norm", (np.ones((2, 3)), None, None), {"training": False}, "running"),
    ("batch_norm", (np.ones((2, 3)), np.ones(2), np.ones(3)), {}, "running_mean"),
    ("batch_norm", (np.ones((2, 3)), np.ones(3), np.ones(3), np.ones(4)), {}, "weight"),
    ("batch_norm", (np.ones((2, 3)), np.ones(3), np.ones(3), None, np.ones(1)), {}, "bias"),
    ("batch_norm", (np.ones(3), np.ones(3), np.ones(3)), {}, "x must have shape"),
    ("dropout", (LOGITS,), {"p": 1.5}, "p must be"),
    ("dropout", (LOGITS,), {"p": -0.1}, "p must be"),
    ("flatten", (IMAGE,), {"start_dim": 4}, "start_dim"),
    ("flatten", (IMAGE,), {"end_dim": -5}, "end_dim"),
    ("flatten", (IMAGE,), {"start_dim": 3, "end_dim": 1}, "start_dim"),
]


def as_tensor(value):
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


@pytest.mark.usefixtures("bare")
@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(("name", "inputs", "options", "what"), REFUSED)
def test_what_pytorch_refuses_is_refused_by_name(name, inputs, options, what):
    theirs = getattr(T, name, None) or getattr(torch, name)
    with pytest.raises((RuntimeError, ValueError, TypeError, IndexError, NotImplementedError)):
        theirs(*map(as_tensor, inputs), **{key: as_tensor(value) for key, value in options.items()})
    with pytest.raises(InputError, match=f"^{name}: .*{what}"):
        getattr(F, name)(*inputs, **options)


@pytest.mark.parametrize("row", OPERATIONS, ids=[row.name for row in OPERATIONS])
@pytest.mark.usefixtures("bare")
def test_an_upstream_gradient_that_does_not_fit_is_refused(row):
    from ptref.draw import Seeded

    refused = 0
    for i in range(10):
        case = row.draw(Seeded(np.random.default_rng([2, i])), np.dtype(np.float64))
        y, backward = case.subject(*case.inputs, **case.options)
        for wrong in (np.ones((*y.shape, 1)), np.ones(y.shape, np.float32)):
            with pytest.raises(InputError, match="must have"):
                backward(wrong)
            refused += 1
    assert refused == 20
