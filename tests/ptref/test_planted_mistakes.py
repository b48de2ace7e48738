"""The checker is checked: mistakes that students make, each of which the comparison has to catch.

A mistake stands in for npnet's own operation in the cases that the parity table draws. Where it cannot even
run, as a transposed matrix that does not fit, that does not count: it has to be caught by its numbers.
"""

from functools import wraps

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from npnet import functional as F  # noqa: E402 - after the skip where torch is missing
from npnet import nn  # noqa: E402
from ptref.draw import Seeded  # noqa: E402
from ptref.operations import OPERATIONS  # noqa: E402
from ptref.parity import assert_parity, compare  # noqa: E402
from ptref.rows import row  # noqa: E402

# What a student's code does with NaN and infinity, NumPy comments on; here only the result counts.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

MISTAKES = {}


def mistake(operation, dtype=np.float64):
    def register(wrong):
        assert wrong.__name__ not in MISTAKES
        MISTAKES[wrong.__name__] = (operation, np.dtype(dtype), wrong)
        return wrong

    return register


# ---- linear --------------------------------------------------------------------------------------------


@mistake("linear")
def weight_transposed_in_backward(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)
    return y, lambda grad_y: (grad_y @ weight.T, *backward(grad_y)[1:])


@mistake("linear")
def weight_gradient_transposed(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)

    def wrong_backward(grad_y):
        grad_x, grad_weight, grad_bias = backward(grad_y)
        return grad_x, grad_weight.T.reshape(weight.shape), grad_bias

    return y, wrong_backward


@mistake("linear")
def weight_gradient_of_the_wrong_sign(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)

    def wrong_backward(grad_y):
        grad_x, grad_weight, grad_bias = backward(grad_y)
        return grad_x, -grad_weight, grad_bias

    return y, wrong_backward


@mistake("linear")
def bias_gradient_not_summed(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)

    def wrong_backward(grad_y):
        grad_x, grad_weight, _ = backward(grad_y)
        rows = grad_y.reshape(-1, len(weight))
        return grad_x, grad_weight, None if bias is None or not len(rows) else rows[0].copy()

    return y, wrong_backward


@mistake("linear")
def weight_gradient_averaged_over_the_batch(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)

    def wrong_backward(grad_y):
        grad_x, grad_weight, grad_bias = backward(grad_y)
        return grad_x, grad_weight / max(len(x), 1), grad_bias

    return y, wrong_backward


@mistake("linear")
def bias_ignored(x, weight, bias=None):
    _, backward = F.linear(x, weight, bias)
    return F.linear(x, weight)[0], backward


@mistake("linear")
def summed_in_float32(x, weight, bias=None):
    _, backward = F.linear(x, weight, bias)
    rounded = [None if a is None else a.astype(np.float32) for a in (x, weight, bias)]
    return F.linear(*rounded)[0].astype(np.float64), backward


@mistake("linear", np.float32)
def summed_in_half_precision(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)
    return y.astype(np.float16).astype(np.float32), backward


@mistake("linear", np.float32)
def silently_promoted_to_float64(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)
    return y + np.zeros(1), backward


@mistake("linear", np.float32)
def gradients_silently_promoted_to_float64(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)
    return y, lambda grad_y: [None if g is None else g.astype(np.float64) for g in backward(grad_y)]


@mistake("linear")
def gradients_accumulated_from_call_to_call(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)
    total = np.zeros_like(weight)

    def wrong_backward(grad_y):
        grad_x, grad_weight, grad_bias = backward(grad_y)
        total[...] += grad_weight
        return grad_x, total, grad_bias

    return y, wrong_backward


@mistake("linear")
def input_overwritten(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)
    if x.shape == y.shape and x.flags.writeable:
        x[...] = y
    return y, backward


@mistake("linear")
def one_element_of_the_weight_gradient_a_hundredth_off(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)

    def wrong_backward(grad_y):
        grad_x, grad_weight, grad_bias = backward(grad_y)
        grad_weight.flat[:1] *= 1.01
        return grad_x, grad_weight, grad_bias

    return y, wrong_backward


@mistake("linear")
def right_for_small_upstream_gradients_alone(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)
    return y, lambda grad_y: backward(np.clip(grad_y, -1, 1))


@mistake("linear")
def bias_gradient_taken_from_the_first_call(x, weight, bias=None):
    y, backward = F.linear(x, weight, bias)
    first = []

    def wrong_backward(grad_y):
        grad_x, grad_weight, grad_bias = backward(grad_y)
        first.append(grad_bias)
        return grad_x, grad_weight, None if grad_bias is None else grad_bias + len(first) - 1

    return y, wrong_backward


# ---- conv2d --------------------------------------------------------------------------------------------


@mistake("conv2d")
def stride_and_dilation_swapped(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return F.conv2d(x, weight, bias, dilation, padding, stride, groups)


@mistake("conv2d")
def height_and_width_of_the_stride_swapped(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    turned = stride[::-1] if isinstance(stride, tuple) else stride
    return F.conv2d(x, weight, bias, turned, padding, dilation, groups)


@mistake("conv2d")
def kernel_flipped(x, weight, bias=None, **options):
    y, backward = F.conv2d(x, weight[:, :, ::-1, ::-1], bias, **options)

    def wrong_backward(grad_y):
        grad_x, grad_weight, grad_bias = backward(grad_y)
        return grad_x, grad_weight[:, :, ::-1, ::-1], grad_bias

    return y, wrong_backward


@mistake("conv2d")
def groups_interleaved(x, weight, bias=None, groups=1, **options):
    c, axis = groups * weight.shape[1], x.ndim - 3
    shuffled = np.arange(c).reshape(groups, -1).T.ravel()
    y, backward = F.conv2d(np.take(x, shuffled, axis), weight, bias, groups=groups, **options)

    def wrong_backward(grad_y):
        grad_x, *others = backward(grad_y)
        return np.take(grad_x, np.argsort(shuffled), axis), *others

    return y, wrong_backward


@mistake("conv2d")
def last_padding_column_dropped(x, weight, bias=None, padding=0, **options):
    y, backward = F.conv2d(x, weight, bias, padding=padding, **options)

    def wrong_backward(grad_y):
        grad_x, *others = backward(grad_y)
        if padding not in (0, "valid"):
            grad_x[..., -1] = 0
        return grad_x, *others

    return y, wrong_backward


@mistake("conv2d")
def one_pixel_of_padding_too_much_on_the_left(x, weight, bias=None, padding=0, **options):
    if padding == "same":  # an odd pixel belongs behind the image
        turned = [a[..., ::-1, ::-1] for a in (x, weight)]
        y, backward = F.conv2d(*turned, bias, padding=padding, **options)

        def wrong_backward(grad_y):
            grad_x, grad_weight, grad_bias = backward(grad_y[..., ::-1, ::-1])
            return grad_x[..., ::-1, ::-1], grad_weight[..., ::-1, ::-1], grad_bias

        return y[..., ::-1, ::-1], wrong_backward
    return F.conv2d(x, weight, bias, padding=padding, **options)


@mistake("conv2d")
def overlapping_gradients_overwritten(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    y, backward = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    if padding == "same" or groups != 1 or x.ndim == 3:
        return y, backward
    border = 0 if padding == "valid" else padding
    (sh, sw), (dh, dw), (ph, pw) = (v if isinstance(v, tuple) else (v, v) for v in (stride, dilation, border))
    n, c, h, w = x.shape
    height, width = dh * (weight.shape[2] - 1) + 1, dw * (weight.shape[3] - 1) + 1

    def wrong_backward(grad_y):
        grad_x = np.zeros((n, c, h + 2 * ph, w + 2 * pw))
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                rows, columns = slice(i * sh, i * sh + height, dh), slice(j * sw, j * sw + width, dw)
                grad_x[:, :, rows, columns] = np.einsum("no,ockl->nckl", grad_y[:, :, i, j], weight)
        return grad_x[:, :, ph : ph + h, pw : pw + w], *backward(grad_y)[1:]

    return y, wrong_backward


@mistake("conv2d")
def bias_gradient_of_the_first_image_only(x, weight, bias=None, **options):
    y, backward = F.conv2d(x, weight, bias, **options)

    def wrong_backward(grad_y):
        grad_x, grad_weight, grad_bias = backward(grad_y)
        if bias is not None and grad_y.ndim == 4 and len(grad_y):
            grad_bias = grad_y[0].sum(axis=(1, 2))
        return grad_x, grad_weight, grad_bias

    return y, wrong_backward


# ---- pooling -------------------------------------------------------------------------------------------


def plain_pool(x, kernel_size, options, share):
    """Max-pool without options but the stride; `share` says how a window's gradient is dealt out."""
    if any(options.get(name) for name in ("padding", "ceil_mode")) and options.get("padding") != (0, 0):
        return F.max_pool2d(x, kernel_size, **options)
    if options.get("ceil_mode") or options.get("dilation", 1) not in (1, (1, 1)) or x.ndim == 3:
        return F.max_pool2d(x, kernel_size, **options)
    y, _ = F.max_pool2d(x, kernel_size, **options)
    kh, kw = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
    stride = options.get("stride") or (kh, kw)
    sh, sw = stride if isinstance(stride, tuple) else (stride, stride)

    def backward(grad_y):
        grad_x = np.zeros(x.shape)
        for n, c, i, j in np.ndindex(*y.shape):
            window = x[n, c, i * sh : i * sh + kh, j * sw : j * sw + kw]
            part = share(window == y[n, c, i, j]) * grad_y[n, c, i, j]
            grad_x[n, c, i * sh : i * sh + kh, j * sw : j * sw + kw] += part
        return grad_x

    return y, backward


@mistake("max_pool2d")
def gradient_to_the_last_maximum(x, kernel_size, **options):
    def last(is_maximum):
        chosen = np.zeros(is_maximum.shape)
        if is_maximum.any():
            chosen.flat[np.flatnonzero(is_maximum)[-1]] = 1
        return chosen

    return plain_pool(x, kernel_size, options, last)


@mistake("max_pool2d")
def gradient_to_every_maximum(x, kernel_size, **options):
    return plain_pool(x, kernel_size, options, lambda is_maximum: is_maximum.astype(float))


@mistake("max_pool2d")
def gradient_shared_among_maxima(x, kernel_size, **options):
    return plain_pool(x, kernel_size, options, lambda is_maximum: is_maximum / max(is_maximum.sum(), 1))


@mistake("max_pool2d")
def padded_with_zeros(x, kernel_size, padding=0, **options):
    ph, pw = padding if isinstance(padding, tuple) else (padding, padding)
    border = [(0, 0)] * (x.ndim - 2) + [(ph, ph), (pw, pw)]
    y, backward = F.max_pool2d(np.pad(x, border), kernel_size, **options)
    h, w = x.shape[-2:]
    return y, lambda grad_y: backward(grad_y)[..., ph : ph + h, pw : pw + w]


@mistake("max_pool2d")
def ceil_mode_ignored(x, kernel_size, ceil_mode=False, **options):
    return F.max_pool2d(x, kernel_size, **options)


@mistake("avg_pool2d")
def window_that_begins_in_the_far_padding_kept(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, **options
):
    kernel, steps, border = (
        v if isinstance(v, tuple) else (v, v) for v in (kernel_size, stride or kernel_size, padding)
    )
    out = [
        -(-(size + 2 * p - k) // s) + 1 if ceil_mode else (size + 2 * p - k) // s + 1
        for size, k, s, p in zip(x.shape[-2:], kernel, steps, border, strict=True)
    ]
    y, backward = F.avg_pool2d(x, kernel, steps, border, ceil_mode, **options)
    missing = [(0, 0)] * (x.ndim - 2) + [(0, o - have) for o, have in zip(out, y.shape[-2:], strict=True)]
    return np.pad(y, missing), backward


@mistake("avg_pool2d")
def border_counted_although_excluded(x, kernel_size, count_include_pad=True, **options):
    return F.avg_pool2d(x, kernel_size, **options)


@mistake("avg_pool2d")
def gradient_not_divided_by_the_window(x, kernel_size, **options):
    y, backward = F.avg_pool2d(x, kernel_size, **options)
    kh, kw = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
    return y, lambda grad_y: backward(grad_y) * (kh * kw)


@mistake("adaptive_avg_pool2d")
def windows_of_equal_size(x, output_size):
    h, w = x.shape[-2:]
    both = output_size if isinstance(output_size, tuple) else (output_size, output_size)
    oh, ow = (size if out is None else out for out, size in zip(both, (h, w), strict=True))
    if oh > h or ow > w:
        return F.adaptive_avg_pool2d(x, output_size)
    y, backward = F.avg_pool2d(x, (h // oh, w // ow), (h // oh, w // ow))
    return y[..., :oh, :ow], lambda grad_y: backward(np.pad(
        grad_y, [(0, 0)] * (x.ndim - 2) + [(0, full - part) for full, part in
                                           zip(y.shape[-2:], (oh, ow), strict=True)]))  # fmt: skip


# ---- activations ---------------------------------------------------------------------------------------


@mistake("relu")
def slope_one_at_zero(x):
    return F.relu(x)[0], lambda grad_y: np.where(x >= 0, grad_y, 0)


@mistake("relu")
def nan_cut_off(x):
    return np.where(x > 0, x, 0), F.relu(x)[1]


@mistake("relu")
def upstream_gradient_modified(x):
    def backward(grad_y):
        if grad_y.flags.writeable:
            grad_y[x <= 0] = 0
        return grad_y

    return F.relu(x)[0], backward


@mistake("relu")
def input_cut_off_in_place(x):
    backward = F.relu(x.copy())[1]
    if x.flags.writeable:
        np.maximum(x, 0, out=x)
    return np.maximum(x, 0), backward


@mistake("leaky_relu")
def gradient_not_sloped(x, negative_slope):
    return F.leaky_relu(x, negative_slope)[0], lambda grad_y: np.where(x > 0, grad_y, 0)


@mistake("tanh")
def slope_from_the_input_instead_of_the_output(x):
    return F.tanh(x)[0], lambda grad_y: grad_y * (1 - x * x)


@mistake("sigmoid")
def sigmoid_overflowing(x):
    powers = np.exp(x)
    y = powers / (1 + powers)
    return y, lambda grad_y: grad_y * y * (1 - y)


@mistake("softmax")
def maximum_not_subtracted(x, dim):
    y = np.exp(x) / np.exp(x).sum(axis=dim, keepdims=True)
    return y, F.softmax(x, dim)[1]


@mistake("softmax")
def only_the_diagonal_of_the_jacobian(x, dim):
    y, _ = F.softmax(x, dim)
    return y, lambda grad_y: grad_y * y * (1 - y)


@mistake("softmax")
def over_the_last_axis_whatever_is_asked(x, dim):
    return F.softmax(x, -1)


@mistake("log_softmax")
def gradient_not_summed_over_the_classes(x, dim):
    y, _ = F.log_softmax(x, dim)
    return y, lambda grad_y: grad_y - np.exp(y) * grad_y


@mistake("flatten")
def memory_read_in_its_own_order(x, start_dim, end_dim):
    y, backward = F.flatten(x, start_dim, end_dim)
    return x.ravel(order="K").reshape(y.shape), backward


@mistake("dropout")
def kept_values_not_scaled(x, p, training):
    return F.dropout(x, 0.0, training)


# ---- losses --------------------------------------------------------------------------------------------


@mistake("mse_loss")
def mean_not_divided_in_backward(x, target, reduction):
    loss, _ = F.mse_loss(x, target, reduction)
    return loss, lambda grad_loss: 2 * (x - target) * grad_loss


@mistake("mse_loss")
def factor_two_forgotten(x, target, reduction):
    loss, backward = F.mse_loss(x, target, reduction)
    return loss, lambda grad_loss: backward(grad_loss) / 2


@mistake("mse_loss")
def sum_instead_of_mean(x, target, reduction):
    return F.mse_loss(x, target, "sum" if reduction == "mean" else reduction)


@mistake("mse_loss")
def upstream_gradient_taken_for_one(x, target, reduction):
    loss, backward = F.mse_loss(x, target, reduction)
    return loss, lambda grad_loss: backward(np.ones_like(grad_loss))


@mistake("nll_loss")
def class_weights_left_out_of_the_mean(x, target, weight=None, reduction="mean", **options):
    if weight is None or reduction != "mean":
        return F.nll_loss(x, target, weight, reduction=reduction, **options)
    total, backward = F.nll_loss(x, target, weight, reduction="sum", **options)
    count = (target != options["ignore_index"]).sum()
    return total / count, lambda grad_loss: backward(grad_loss) / count


@mistake("cross_entropy")
def ignored_labels_counted_in_the_mean(x, target, weight=None, reduction="mean", **options):
    if weight is not None or reduction != "mean" or target.dtype.kind == "f":
        return F.cross_entropy(x, target, weight, reduction=reduction, **options)
    total, backward = F.cross_entropy(x, target, weight, reduction="sum", **options)
    return total / target.size, lambda grad_loss: backward(grad_loss) / target.size


@mistake("cross_entropy")
def smoothing_on_the_other_classes_only(x, target, weight=None, label_smoothing=0.0, **options):
    classes = x.shape[min(x.ndim, 2) - 1]
    more = label_smoothing * classes / max(classes - 1, 1)  # as if ε were shared by classes − 1
    return F.cross_entropy(x, target, weight, label_smoothing=min(more, 1.0), **options)


@mistake("cross_entropy")
def smoothing_not_weighted_by_class(x, target, weight=None, label_smoothing=0.0, **options):
    plain, plain_backward = F.cross_entropy(x, target, weight, **options)
    even, even_backward = F.cross_entropy(x, target, label_smoothing=1.0, **options)
    share = label_smoothing
    return (
        (1 - share) * plain + share * even,
        lambda grad: plain_backward(np.asarray((1 - share) * grad)) + even_backward(np.asarray(share * grad)),
    )


@mistake("binary_cross_entropy")
def logarithm_of_zero(x, target, weight=None, reduction="mean"):
    loss = -(target * np.log(x) + (1 - target) * np.log(1 - x)) * (1 if weight is None else weight)
    _, backward = F.binary_cross_entropy(x, target, weight, reduction)
    return np.asarray({"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[reduction]()), backward


@mistake("binary_cross_entropy_with_logits")
def sigmoid_taken_first(x, target, weight, pos_weight, reduction):
    if pos_weight is not None:
        return F.binary_cross_entropy_with_logits(x, target, weight, reduction, pos_weight)
    y, sigmoid_backward = F.sigmoid(x)
    loss, backward = F.binary_cross_entropy(y, target, weight, reduction)
    return loss, lambda grad_loss: sigmoid_backward(backward(grad_loss))


# ---- batch_norm ----------------------------------------------------------------------------------------


def per_channel(values, x):
    return values.reshape(-1, *[1] * (x.ndim - 2))


def normalize(x, weight, bias, mean, var, options):
    return F.batch_norm(x, mean, var, weight, bias, **options)


@mistake("batch_norm")
def normalised_by_the_unbiased_variance(x, weight, bias, mean, var, **options):
    m = x.size // x.shape[1]
    if not options["training"] or m < 2:
        return normalize(x, weight, bias, mean, var, options)
    _, backward = normalize(x, weight, bias, mean, var, options)
    axes = (0, *range(2, x.ndim))
    unbiased = x.var(axis=axes, ddof=1)
    evaluation = {"training": False, "eps": options["eps"]}
    return F.batch_norm(x, x.mean(axis=axes), unbiased, weight, bias, **evaluation)[0], backward


@mistake("batch_norm")
def running_variance_biased(x, weight, bias, mean, var, **options):
    before = None if var is None else var.copy()
    y, backward = normalize(x, weight, bias, mean, var, options)
    m = x.size // x.shape[1]
    if options["training"] and var is not None and m > 1:
        kept = (1 - options["momentum"]) * before
        var[...] = kept + (var - kept) * (m - 1) / m
    return y, backward


@mistake("batch_norm")
def momentum_the_wrong_way_round(x, weight, bias, mean, var, momentum, **options):
    return F.batch_norm(x, mean, var, weight, bias, momentum=1 - momentum, **options)


@mistake("batch_norm")
def statistics_taken_for_constants_in_backward(x, weight, bias, mean, var, **options):
    y, backward = normalize(x, weight, bias, mean, var, options)
    if not options["training"] or not x.size:
        return y, backward
    deviation = np.sqrt(x.var(axis=(0, *range(2, x.ndim))) + options["eps"])
    scale = (1 if weight is None else weight) / deviation
    return y, lambda grad_y: (grad_y * per_channel(scale, x), *backward(grad_y)[1:])


@mistake("batch_norm")
def path_through_the_variance_forgotten(x, weight, bias, mean, var, **options):
    y, backward = normalize(x, weight, bias, mean, var, options)
    if not options["training"] or not x.size:
        return y, backward
    axes = (0, *range(2, x.ndim))
    scale = (1 if weight is None else weight) / np.sqrt(x.var(axis=axes) + options["eps"])

    def wrong_backward(grad_y):
        centred = grad_y - per_channel(grad_y.mean(axis=axes), x)
        return centred * per_channel(scale, x), *backward(grad_y)[1:]

    return y, wrong_backward


@mistake("batch_norm")
def weight_forgotten_in_the_gradient_of_x(x, weight, bias, mean, var, **options):
    y, backward = normalize(x, weight, bias, mean, var, options)
    if weight is None:
        return y, backward

    def wrong_backward(grad_y):
        return backward(grad_y / per_channel(weight, x))[0], *backward(grad_y)[1:]

    return y, wrong_backward


@mistake("batch_norm")
def mean_of_the_gradient_not_taken_off(x, weight, bias, mean, var, **options):
    y, backward = normalize(x, weight, bias, mean, var, options)
    if not options["training"] or not x.size:
        return y, backward
    axes = (0, *range(2, x.ndim))
    scale = (1 if weight is None else weight) / np.sqrt(x.var(axis=axes) + options["eps"])

    def wrong_backward(grad_y):
        grad_x, *others = backward(grad_y)
        return grad_x + per_channel(scale * grad_y.mean(axis=axes), x), *others

    return y, wrong_backward


@mistake("batch_norm")
def running_statistics_never_updated(x, weight, bias, mean, var, **options):
    own = [None if a is None else a.copy() for a in (mean, var)]
    return normalize(x, weight, bias, *own, options)


@pytest.mark.parametrize("name", sorted(MISTAKES))
def test_the_mistake_is_caught(name):
    operation, dtype, wrong = MISTAKES[name]
    assert (caught := first_report(operation, dtype, wrong)) is not None
    assert operation in str(caught)


def first_report(name, dtype, subject, cases=150):
    """Return the first report that differs, on cases that npnet's own operation passes."""
    return first_of_drawn(name, dtype, lambda right: subject, cases)


def first_of_drawn(name, dtype, mistaken, cases=150):
    """Return the same where the mistake is made of npnet's own operation."""
    for i in range(cases):
        case = row(name).draw(Seeded(np.random.default_rng([1, i])), dtype)
        try:
            report = case.compare(mistaken(case.subject))
        except ValueError:  # shapes that do not fit
            continue
        if not report.agrees:
            assert case.compare().agrees
            return report
    return None


def with_small_errors(right):
    """Return the operation with a first gradient that is wrong by a thousandth."""

    @wraps(right)
    def wrong(*inputs, **options):
        y, backward = right(*inputs, **options)

        def wrong_backward(grad_y):
            grads = backward(grad_y)
            first, *others = grads if isinstance(grads, tuple) else (grads,)
            return (first * np.asarray(1.001, first.dtype), *others)

        return y, wrong_backward

    return wrong


@pytest.mark.parametrize("name", [row.name for row in OPERATIONS])
def test_a_small_error_in_the_gradient_of_any_operation_is_caught(name):
    report = first_of_drawn(name, np.dtype(np.float64), with_small_errors)
    assert report is not None
    assert name in str(report)


def test_there_are_enough_of_them():
    assert len(MISTAKES) >= 60


# ---- what hides at the values that parameters start from ---------------------------------------------


def layer_of(operation_with_mistake, kind, **settings):
    """Return a layer of npnet whose operation is one with a mistake."""

    class Mistaken(kind):
        def apply(self, x, *, training, generator):
            super().apply(x, training=training, generator=generator)  # statistics follow
            y, wrong = operation_with_mistake(self, x, training)
            return y, lambda grad_y, needs: wrong(grad_y)

    return Mistaken(**settings)


def norm_without_weight(layer, x, training):
    mean, var = np.zeros(3), np.ones(3)
    options = {"training": training, "eps": layer.eps, "momentum": layer.momentum}
    if not training:
        mean, var = layer.running_mean, layer.running_var
    return weight_forgotten_in_the_gradient_of_x(x, layer.weight, layer.bias, mean, var, **options)


def norm_without_bias(layer, x, training):
    y, backward = norm_right(layer, x, training)
    return y - per_channel(layer.bias, x), backward


def norm_of_unit_variance(layer, x, training):
    y, backward = norm_right(layer, x, training)
    if training:
        return y, backward
    return y, lambda grad_y: (grad_y * per_channel(layer.weight, x), *backward(grad_y)[1:])


def norm_right(layer, x, training):
    statistics = layer.running_mean.copy(), layer.running_var.copy()
    return F.batch_norm(x, *statistics, layer.weight, layer.bias, training, layer.momentum, layer.eps)


@pytest.mark.parametrize(
    ("wrong", "training"),
    [
        (norm_right, None),
        (norm_without_weight, True),
        (norm_without_weight, False),
        (norm_without_bias, True),
        (norm_of_unit_variance, False),
    ],
)
def test_a_mistake_that_hides_at_ones_and_zeros_is_caught(wrong, training):
    x = np.random.default_rng(0).standard_normal((6, 3, 2, 2))
    layer = layer_of(wrong, nn.BatchNorm2d, num_features=3, dtype=np.float64)
    module = torch.nn.BatchNorm2d(3, eps=layer.eps)
    for mode in (True, False) if training is None else (training,):
        report = compare(layer, module, x, training=mode)
        assert any("with other values" in violation for violation in report.violations) == (
            wrong is not norm_right
        ), report


# ---- what only assert_parity sees ----------------------------------------------------------------------


def test_a_misread_layout_is_caught_from_contiguous_inputs():
    def doubled(x):  # reads memory from x's first element on, as if it were contiguous
        y = np.lib.stride_tricks.as_strided(x, strides=np.zeros(x.shape).strides) * 2
        return y, lambda grad_y: 2 * grad_y

    x = np.random.default_rng(0).standard_normal((3, 4))
    assert compare(doubled, lambda x: 2 * x, x, layouts=False).agrees
    with pytest.raises(AssertionError, match="with transposed inputs: y"):
        assert_parity(doubled, lambda x: 2 * x, x)


STEPS, LR, MOMENTUM, DAMPENING = 6, 0.1, 0.9, 0.5


def torch_sgd(gradients):
    """The parameter after some steps, from zero, as a function of the gradients."""
    parameter = torch.zeros_like(gradients[0], requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=LR, momentum=MOMENTUM, dampening=DAMPENING)
    for gradient in gradients.detach():
        parameter.grad = gradient
        optimizer.step()
    return parameter


def sgd(*, momentum=MOMENTUM, dampening=DAMPENING, damped_at_first=False):
    """The same as an operation: a sum of the gradients, each with its coefficient."""
    coefficients, velocity = np.zeros(STEPS), np.zeros(STEPS)
    for step in range(STEPS):
        velocity = momentum * velocity
        velocity[step] = 1 if step == 0 and not damped_at_first else 1 - dampening
        coefficients -= LR * velocity

    def operation(gradients):
        weights = coefficients[:, np.newaxis]
        return (weights * gradients).sum(axis=0), lambda grad_y: weights * grad_y

    return operation


def test_a_mistake_in_an_update_rule_is_caught():
    gradients = np.random.default_rng(0).standard_normal((STEPS, 5))
    assert compare(sgd(), torch_sgd, gradients)["y"].agrees  # PyTorch's update rule has no gradient
    for wrong in (
        sgd(momentum=0.0),
        sgd(momentum=1 - MOMENTUM),
        sgd(dampening=0.0),
        sgd(damped_at_first=True),
    ):
        assert not compare(wrong, torch_sgd, gradients)["y"].agrees
