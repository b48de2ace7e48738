"""What PyTorch takes npnet takes too, with PyTorch's results; NumPy's integers are as good as an int."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from npnet import functional as F
from npnet import nn
from npnet.errors import InputError

pair = st.tuples(st.integers(1, 4), st.integers(1, 4))


def images(shape=(2, 2, 5, 5), seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("operation", "settings"),
    [
        ("max_pool2d", {"kernel_size": (2,)}),
        ("max_pool2d", {"kernel_size": [2], "stride": ()}),
        ("max_pool2d", {"kernel_size": 2, "stride": (1,), "padding": (1,), "dilation": (2,)}),
        ("max_pool2d", {"kernel_size": 2, "padding": 1, "dilation": 3}),
        ("avg_pool2d", {"kernel_size": (3,), "stride": [], "padding": (1,)}),
        ("avg_pool2d", {"kernel_size": np.int8(2), "stride": np.uint8(1), "ceil_mode": True}),
        ("avg_pool2d", {"kernel_size": 2, "divisor_override": -3}),
        ("adaptive_avg_pool2d", {"output_size": [2, 3]}),
    ],
)
def test_pooling_of_what_torch_takes(operation, settings, same_as_torch):
    same_as_torch(operation, images(), **settings)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("settings", [{"padding": (1,)}, {"stride": [2]}, {"dilation": (2,), "stride": (1,)}])
def test_convolution_of_what_torch_takes(settings):
    torch = pytest.importorskip("torch")
    x, weight = images(), images((3, 2, 2, 2), seed=1)
    expected = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight), **settings)
    np.testing.assert_allclose(F.conv2d(x, weight, **settings)[0], expected.numpy(), rtol=1e-12, atol=1e-13)


@given(st.data())
def test_windows_that_hang_over_are_torchs(data):
    torch = pytest.importorskip("torch")
    h, w = data.draw(pair)
    kernel, stride, dilation = (data.draw(pair) for _ in range(3))
    padding = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    name = data.draw(st.sampled_from(["max_pool2d", "avg_pool2d"]))
    settings = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": True}
    settings |= (
        {"dilation": dilation} if name == "max_pool2d" else {"count_include_pad": data.draw(st.booleans())}
    )
    x = images((1, 1, h, w), seed=h)
    theirs = torch.from_numpy(x.copy()).requires_grad_()
    try:
        expected = getattr(torch.nn.functional, name)(theirs, **settings)
    except RuntimeError:
        with pytest.raises(InputError):
            getattr(F, name)(x, **settings)
        return
    # A window that lies in the border altogether has no maximum; of an empty average PyTorch leaves memory as
    # it was.
    assume(torch.isfinite(expected).all())
    y, backward = getattr(F, name)(x, **settings)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-13)
    grad_y = images(y.shape, seed=1)
    expected.backward(torch.from_numpy(grad_y))
    np.testing.assert_allclose(backward(grad_y), theirs.grad.numpy(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_a_window_larger_than_the_image_may_hang_over_it(name, same_as_torch):
    same_as_torch(name, images((1, 1, 2, 2)), kernel_size=3, stride=2, ceil_mode=True)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (0, 3, 2, 2), (2, 3, 0)])
def test_batch_norm_of_nothing_changes_no_statistics(shape, training):
    mean, var = np.array([1.0, 2.0, 3.0]), np.ones(3)
    y, backward = F.batch_norm(np.zeros(shape), mean, var, np.ones(3), np.ones(3), training=training)
    assert y.shape == shape
    grad_x, grad_weight, grad_bias = backward(y)
    assert grad_x.shape == shape
    assert not grad_weight.any()
    assert not grad_bias.any()
    np.testing.assert_array_equal(mean, [1, 2, 3])


# ---- NumPy's numbers as settings -----------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_small_integers_do_not_wrap_around():
    sizes = (np.uint8(128), np.uint8(128), np.int8(3))
    layer = nn.Conv2d(*sizes, generator=np.random.default_rng(0))
    plain = nn.Conv2d(128, 128, 3, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(layer.weight, plain.weight)
    layer = nn.Linear(np.uint8(200), np.uint8(100), init="xavier_normal", generator=np.random.default_rng(0))
    plain = nn.Linear(200, 100, init="xavier_normal", generator=np.random.default_rng(0))
    np.testing.assert_array_equal(layer.weight, plain.weight)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda rng: nn.Linear(np.uint8(3), np.int8(2), np.bool_(0), generator=rng),
            "Linear(3, 2, bias=False)",
        ),
        (
            lambda rng: nn.Conv2d(
                np.uint8(3), 4, (np.int8(2),), [np.int8(2), 1], padding=(1,), generator=rng
            ),
            "Conv2d(3, 4, 2, stride=(2, 1), padding=1)",
        ),
        (
            lambda rng: nn.BatchNorm1d(np.int8(3), np.float32(0.5), np.float64(0.25), np.bool_(1)),
            "BatchNorm1d(3, eps=0.5, momentum=0.25)",
        ),
        (
            lambda rng: nn.MaxPool2d(np.uint8(2), (), np.int16(1), ceil_mode=np.bool_(1)),
            "MaxPool2d(2, padding=1, ceil_mode=True)",
        ),
        (
            lambda rng: nn.AvgPool2d(np.uint8(2), divisor_override=np.int8(3), count_include_pad=np.bool_(0)),
            "AvgPool2d(2, count_include_pad=False, divisor_override=3)",
        ),
        (lambda rng: nn.AdaptiveAvgPool2d((np.int8(1), None)), "AdaptiveAvgPool2d((1, None))"),
        (lambda rng: nn.LeakyReLU(np.float32(0.5)), "LeakyReLU(negative_slope=0.5)"),
        (lambda rng: nn.Softmax(np.int8(1)), "Softmax(dim=1)"),
        (lambda rng: nn.LogSoftmax(np.int8(1)), "LogSoftmax(dim=1)"),
        (lambda rng: nn.Flatten(np.int8(0)), "Flatten(start_dim=0)"),
        (lambda rng: nn.Dropout(np.float32(0.25)), "Dropout(p=0.25)"),
    ],
)
@pytest.mark.usefixtures("bare")
def test_layers_keep_plain_numbers(make, text):
    layer = make(np.random.default_rng(0))
    assert repr(layer) == text
    for name in layer.setting_names:
        value = getattr(layer, name)
        for part in value if isinstance(value, tuple) else (value,):
            assert isinstance(part, int | float | str | bool | None | np.ndarray)


@pytest.mark.usefixtures("bare")
def test_operations_take_numpy_numbers():
    x, labels = images((2, 3)), np.array([0, 2])
    plain = F.cross_entropy(x, labels, ignore_index=2, label_smoothing=0.5)[0]
    own = F.cross_entropy(x, labels, ignore_index=np.int8(2), label_smoothing=np.float32(0.5))[0]
    np.testing.assert_array_equal(own, plain)
    np.testing.assert_array_equal(F.softmax(x, np.int8(0))[0], F.softmax(x, 0)[0])
    statistics = np.zeros(3), np.ones(3)
    plain = F.batch_norm(x, *statistics, training=False, eps=0.5)[0]
    np.testing.assert_array_equal(
        F.batch_norm(x, *statistics, training=np.bool_(0), eps=np.float32(0.5))[0], plain
    )
    loss, backward = F.mse_loss(x, x + 1)
    np.testing.assert_array_equal(backward(loss * 2), 2 * backward())  # of a scalar times a number


# ---- messages that lead on -----------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.conv2d(images((2, 8, 8, 3)), images((4, 3, 3, 3))), r"write x.transpose\(0, 3, 1, 2\)"),
        (lambda: F.conv2d(images((8, 8, 3)), images((4, 3, 3, 3))), r"write x.transpose\(2, 0, 1\)"),
        (lambda: F.conv2d(images((9, 8, 8)), images((4, 1, 3, 3))), r"write x\[:, np.newaxis\]"),
        (lambda: F.max_pool2d(images((2, 8, 8, 1)), 2), r"write x.transpose\(0, 3, 1, 2\)"),
        (lambda: F.avg_pool2d(images((2, 8, 8, 1)), 2), r"write x.transpose\(0, 3, 1, 2\)"),
        (lambda: nn.BatchNorm2d(3, dtype=float)(images((2, 8, 8, 3))), r"write x.transpose\(0, 3, 1, 2\)"),
        (lambda: nn.BatchNorm2d(3, dtype=float)(images((3, 8, 8))), r"write x\[np.newaxis\]"),
        (lambda: nn.BatchNorm1d(3, dtype=float)(images((3,))), r"write x\[np.newaxis\]"),
        (lambda: nn.Flatten()(images((3,))), r"write x\[np.newaxis\]"),
        (lambda: nn.BatchNorm1d(3, dtype=float).forward(images((1, 3))), "drop_last=True .* batch_size"),
        (lambda: F.relu(images((2,)).astype(">f4")), r"foreign byte order \(>f4\); write x.astype"),
        (lambda: F.cross_entropy(images((2, 3)), np.eye(3, dtype=int)[:2]), r"target.argmax\(axis=1\)"),
        (lambda: F.cross_entropy(images((2, 3)), np.eye(3, dtype=bool)[:2]), r"target.argmax\(axis=1\)"),
        (lambda: F.nll_loss(images((2, 3)), np.eye(3)[:2]), r"target.argmax\(axis=1\)"),
        (lambda: F.cross_entropy(images((2, 3)), np.array([[0], [1]])), r"write target\[:, 0\]"),
        (
            lambda: F.nll_loss(images((2, 3)), np.array([0.0, 1.0])),
            r"write target.astype|target.astype\(np.int64\)",
        ),
        (lambda: F.mse_loss(np.ones((1, 1)).view(np.matrix), np.ones((1, 1))), r"write np.asarray\(x\)"),
        (lambda: F.mse_loss(np.ones(2), np.ma.masked_array([1.0, 2.0])), r"write target.filled\(value\)"),
    ],
)
def test_a_message_says_what_to_write(call, message):
    with pytest.raises(InputError, match=message):
        call()
