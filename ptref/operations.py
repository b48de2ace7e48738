"""Every operation of npnet beside its PyTorch counterpart, with all of its options."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as T
from numpy import ndarray
from torch import Tensor

from npnet import functional as F
from ptref import bounds
from ptref.bounds import Rule
from ptref.cases import Case, Row
from ptref.draw import FINITE, Choose, Shape, array, as_pair, axes, batch, image_size, one_or_pair, optional

__all__ = ["OPERATIONS"]

ANY = (*FINITE, "infinite", "nan")
MODERATE = ("ordinary", "repeated", "zeros", "offset", "tiny")
REDUCTIONS = ("mean", "sum", "none")


# ---- operations without options ------------------------------------------------------------------------


def _linear(choose: Choose, dtype: np.dtype) -> Case:
    leading = axes(choose)
    in_features, out_features = choose.integer(0, 6), choose.integer(0, 5)
    make = partial(array, choose, dtype=dtype, values=ANY)
    inputs = (
        make((*leading, in_features)),
        make((out_features, in_features)),
        optional(choose, lambda: make((out_features,))),
    )
    return Case("linear", F.linear, T.linear, inputs, rule=bounds.sums(), seed=choose.seed())


def _elementwise(
    name: str,
    reference: Callable[..., Tensor],
    rule: Rule,
    options: Callable[[Choose], dict[str, Any]] = lambda _: {},
) -> Row:
    def draw(choose: Choose, dtype: np.dtype) -> Case:
        x = array(choose, axes(choose, most=4), dtype, ANY)
        return Case(name, getattr(F, name), reference, (x,), options(choose), rule, seed=choose.seed())

    return Row("operation", name, draw)


def _along(name: str, reference: Callable[..., Tensor], rule: Rule) -> Row:
    def draw(choose: Choose, dtype: np.dtype) -> Case:
        shape = axes(choose, most=3, size=6)
        dim = choose.integer(-max(len(shape), 1), max(len(shape), 1) - 1)
        x = array(choose, shape, dtype, ANY)
        return Case(name, getattr(F, name), reference, (x,), {"dim": dim}, rule, seed=choose.seed())

    return Row("operation", name, draw)


def _flatten(choose: Choose, dtype: np.dtype) -> Case:
    shape = axes(choose, most=4)
    last = max(len(shape), 1) - 1
    start = choose.integer(0, last)
    end = choose.integer(start, last)
    options = {
        "start_dim": choose.choice([start, start - last - 1]),
        "end_dim": choose.choice([end, end - last - 1]),
    }
    x = array(choose, shape, dtype, ANY)
    return Case("flatten", F.flatten, torch.flatten, (x,), options, bounds.exact, seed=choose.seed())


def _dropout(choose: Choose, dtype: np.dtype) -> Case:
    """Compare with a product by npnet's own dropout mask, as the two libraries draw different masks."""
    x = array(choose, axes(choose), dtype, ANY)
    options = {"p": choose.choice([0.0, 0.25, 0.5, 0.9, 1.0]), "training": choose.choice([True, False])}
    seed = choose.seed()

    def subject(x: ndarray, p: float, training: bool) -> Any:
        return F.dropout(x, p, training, generator=np.random.default_rng(seed))

    def reference(x: Tensor, p: float, training: bool) -> Tensor:
        kept = subject(np.ones(tuple(x.shape)), p, training)[0] != 0
        return (
            x * torch.from_numpy(np.asarray(kept)).to(x.device) * (1 / (1 - p) if training and p < 1 else 1)
        )

    return Case("dropout", subject, reference, (x,), options, bounds.relative(4.0), seed=choose.seed())


# ---- sliding windows -----------------------------------------------------------------------------------


def convolution(choose: Choose) -> tuple[Shape, Shape, dict[str, Any]]:
    """Choose the shape of x, a shape of the weight that fits it, and all options of a convolution."""
    leading, groups = batch(choose), choose.choice([1, 1, 2, 3])
    c, o = groups * choose.integer(1, 2), groups * choose.integer(1, 2)
    kernel = choose.integer(1, 3), choose.integer(1, 3)
    padding: Any = choose.choice(["numbers", "same", "valid"])
    options: dict[str, Any] = {"groups": groups, "dilation": one_or_pair(choose, 1, 3)}
    options["padding"] = one_or_pair(choose, 0, 2) if padding == "numbers" else padding
    options["stride"] = 1 if padding == "same" else one_or_pair(choose, 1, 3)
    if padding == "same":  # an image of any size fits
        image = choose.integer(1, 5), choose.integer(1, 5)
    else:
        border = options["padding"] if padding == "numbers" else 0
        image = image_size(choose, kernel, options["dilation"], border)
    return (*leading, c, *image), (o, c // groups, *kernel), options


def _conv2d(choose: Choose, dtype: np.dtype) -> Case:
    x_shape, weight_shape, options = convolution(choose)
    make = partial(array, choose, dtype=dtype, values=FINITE)
    inputs = make(x_shape), make(weight_shape), optional(choose, lambda: make(weight_shape[:1]))
    return Case("conv2d", F.conv2d, T.conv2d, inputs, options, bounds.sums(), seed=choose.seed())


def pooling(choose: Choose, *, dilation: bool = True) -> tuple[Shape, dict[str, Any]]:
    """Choose the shape of x and the options that max- and average-pooling share."""
    leading = (*batch(choose), choose.integer(1, 3))
    kernel = one_or_pair(choose, 1, 4)
    options: dict[str, Any] = {"kernel_size": kernel, "ceil_mode": choose.choice([False, True])}
    if choose.choice([False, True]):
        options["stride"] = one_or_pair(choose, 1, 4)
    if dilation:
        options["dilation"] = one_or_pair(choose, 1, 3)
    dilations = as_pair(options.get("dilation", 1))
    options["padding"] = tuple(choose.integer(0, k // 2) for k in as_pair(kernel))
    # An image smaller than the dilation can lie between the positions of a window. PyTorch's max_pool2d then
    # writes the gradient to an index outside the image.
    h, w = image_size(choose, as_pair(kernel), dilations, options["padding"], least=dilations)
    return (*leading, h, w), options


def _max_pool2d(choose: Choose, dtype: np.dtype) -> Case:
    shape, options = pooling(choose, dilation=True)
    x = array(choose, shape, dtype, ("repeated", *ANY))
    return Case("max_pool2d", F.max_pool2d, T.max_pool2d, (x,), options, bounds.exact, seed=choose.seed())


def _avg_pool2d(choose: Choose, dtype: np.dtype) -> Case:
    shape, options = pooling(choose, dilation=False)
    options["count_include_pad"] = choose.choice([True, False])
    options["divisor_override"] = choose.choice([None, 1, 3, -2])
    rule = bounds.sums(bounds.window_length)
    x = array(choose, shape, dtype, ANY)
    return Case("avg_pool2d", F.avg_pool2d, T.avg_pool2d, (x,), options, rule, seed=choose.seed())


def _adaptive_avg_pool2d(choose: Choose, dtype: np.dtype) -> Case:
    shape = (*batch(choose), choose.integer(1, 3), choose.integer(1, 7), choose.integer(1, 7))
    sizes: list[Any] = [1, 2, 3, 5, 8, None]
    size = choose.choice([*sizes[:-1], "pair"])
    options = {"output_size": (choose.choice(sizes), choose.choice(sizes)) if size == "pair" else size}
    rule = bounds.sums(bounds.adaptive_window_length)
    x = array(choose, shape, dtype, ANY)
    return Case(
        "adaptive_avg_pool2d",
        F.adaptive_avg_pool2d,
        T.adaptive_avg_pool2d,
        (x,),
        options,
        rule,
        seed=choose.seed(),
    )


# ---- losses --------------------------------------------------------------------------------------------


def _classes(choose: Choose) -> tuple[Shape, int, Shape]:
    """Choose a shape of logits: the batch, the number of classes, and the positions in each sample."""
    leading = batch(choose)
    return leading, choose.integer(1, 5), axes(choose, most=2, size=3) if leading else ()


def _labels(choose: Choose, shape: Shape, classes: int, ignore_index: int) -> ndarray:
    kind = choose.choice([np.int64, np.int32] if ignore_index < 0 else [np.int64, np.int32, np.uint8])
    rng = np.random.default_rng(choose.seed())
    labels = np.asarray(rng.integers(0, classes, shape))
    ignored = choose.choice([0.0, 0.3, 1.0])
    return np.where(rng.random(shape) < ignored, ignore_index, labels).astype(kind)


def _class_weight(choose: Choose, classes: int, dtype: np.dtype) -> ndarray | None:
    return optional(choose, lambda: array(choose, (classes,), dtype, ("positive",)))


def _nll_loss(choose: Choose, dtype: np.dtype) -> Case:
    leading, classes, positions = _classes(choose)
    options: dict[str, Any] = {
        "ignore_index": choose.choice([-100, 0, -1]),
        "reduction": choose.choice(REDUCTIONS),
    }
    x = array(choose, (*leading, classes, *positions), dtype, ANY)
    target = _labels(choose, (*leading, *positions), classes, options["ignore_index"])
    inputs = (x, target, _class_weight(choose, classes, dtype))
    rule = bounds.sums(bounds.target_length)
    return Case("nll_loss", F.nll_loss, T.nll_loss, inputs, options, rule, seed=choose.seed())


def _cross_entropy(choose: Choose, dtype: np.dtype) -> Case:
    leading, classes, positions = _classes(choose)
    shape = (*leading, classes, *positions)
    options: dict[str, Any] = {
        "ignore_index": choose.choice([-100, 0, -1]),
        "reduction": choose.choice(REDUCTIONS),
        "label_smoothing": choose.choice([0.0, 0.1, 1.0]),
    }
    # With a smoothing of 1 the label has weight 0, and for a label of probability 0 PyTorch adds 0 · ∞, which
    # is NaN. npnet leaves this term out; the loss is the ∞ of the uniform part of the target.
    x = array(choose, shape, dtype, FINITE if options["label_smoothing"] == 1 else ANY)
    if choose.choice([False, True]):
        target = array(choose, shape, dtype, ("probability",))
        options["ignore_index"] = -100
    else:
        target = _labels(choose, (*leading, *positions), classes, options["ignore_index"])
    inputs = (x, target, _class_weight(choose, classes, dtype))
    rule = bounds.cross_entropy
    return Case("cross_entropy", F.cross_entropy, T.cross_entropy, inputs, options, rule, seed=choose.seed())


def _mse_loss(choose: Choose, dtype: np.dtype) -> Case:
    shape = axes(choose)
    inputs = array(choose, shape, dtype, ANY), array(choose, shape, dtype, FINITE)
    options = {"reduction": choose.choice(REDUCTIONS)}
    return Case("mse_loss", F.mse_loss, T.mse_loss, inputs, options, bounds.mse, seed=choose.seed())


def _broadcast(choose: Choose, shape: Shape) -> Shape:
    """Choose a shape that broadcasts to the given one: leading axes left out, others of size 1."""
    kept = shape[choose.integer(0, len(shape)) :]
    return tuple(choose.choice([size, 1]) for size in kept)


def _binary_cross_entropy(choose: Choose, dtype: np.dtype) -> Case:
    shape = axes(choose)
    make = partial(array, choose, dtype=dtype)
    inputs = (
        make(shape, values=("probability",)),
        make(shape, values=("probability",)),
        optional(choose, lambda: make(_broadcast(choose, shape), values=("positive",))),
    )
    options = {"reduction": choose.choice(REDUCTIONS)}
    rule = bounds.binary_cross_entropy
    name = "binary_cross_entropy"
    return Case(
        name, F.binary_cross_entropy, T.binary_cross_entropy, inputs, options, rule, seed=choose.seed()
    )


def _np_bce_with_logits(
    x: ndarray, target: ndarray, weight: ndarray | None, pos_weight: ndarray | None, reduction: str
) -> Any:
    return F.binary_cross_entropy_with_logits(x, target, weight, reduction, pos_weight)


def _torch_bce_with_logits(
    x: Tensor, target: Tensor, weight: Tensor | None, pos_weight: Tensor | None, reduction: str
) -> Tensor:
    return T.binary_cross_entropy_with_logits(x, target, weight, reduction=reduction, pos_weight=pos_weight)


def _bce_with_logits(choose: Choose, dtype: np.dtype) -> Case:
    shape = axes(choose)
    make = partial(array, choose, dtype=dtype)
    inputs = (
        make(shape, values=FINITE),
        make(shape, values=("probability",)),
        optional(choose, lambda: make(_broadcast(choose, shape), values=("positive",))),
        optional(choose, lambda: make(_broadcast(choose, shape), values=("positive",))),
    )
    return Case(
        "binary_cross_entropy_with_logits",
        _np_bce_with_logits,
        _torch_bce_with_logits,
        inputs,
        {"reduction": choose.choice(REDUCTIONS)},
        bounds.binary_cross_entropy_with_logits,
        seed=choose.seed(),
    )


# ---- batch_norm ----------------------------------------------------------------------------------------


def _np_batch_norm(
    x: ndarray,
    weight: ndarray | None,
    bias: ndarray | None,
    running_mean: ndarray | None,
    running_var: ndarray | None,
    **options: Any,
) -> Any:
    return F.batch_norm(x, running_mean, running_var, weight, bias, **options)


def _torch_batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    **options: Any,
) -> Tensor:
    return T.batch_norm(x, running_mean, running_var, weight, bias, **options)


def _batch_norm(choose: Choose, dtype: np.dtype) -> Case:
    training = choose.choice([True, False])
    n, c = choose.integer(0, 4), choose.integer(1, 3)
    positions = axes(choose, most=2, size=4, least=1 if training and n == 1 else 0)
    if training and n == 1:  # PyTorch refuses a single value per channel, which has no variance
        positions = (positions[0] + 2, *(size + 1 for size in positions[1:]))
    make = partial(array, choose, dtype=dtype)
    tracked = not training or choose.choice([True, False])
    inputs = (
        make((n, c, *positions), values=MODERATE),
        optional(choose, lambda: make((c,), values=MODERATE)),
        optional(choose, lambda: make((c,), values=MODERATE)),
        make((c,), values=MODERATE) if tracked else None,
        make((c,), values=("positive",)) if tracked else None,
    )
    options = {
        "training": training,
        "momentum": choose.choice([0.1, 0.0, 0.5, 1.0]),
        "eps": choose.choice([1e-5, 1e-3, 1.0]),
    }
    return Case(
        "batch_norm",
        _np_batch_norm,
        _torch_batch_norm,
        inputs,
        options,
        bounds.batch_norm,
        state=(3, 4),
        seed=choose.seed(),
    )


OPERATIONS = (
    Row("operation", "linear", _linear),
    Row("operation", "conv2d", _conv2d),
    Row("operation", "max_pool2d", _max_pool2d),
    Row("operation", "avg_pool2d", _avg_pool2d),
    Row("operation", "adaptive_avg_pool2d", _adaptive_avg_pool2d),
    _elementwise("relu", T.relu, bounds.exact),
    _elementwise(
        "leaky_relu",
        T.leaky_relu,
        bounds.relative(4.0),
        lambda choose: {"negative_slope": choose.choice([0.01, 0.0, 0.3, 1.0, -0.5])},
    ),
    _elementwise("tanh", torch.tanh, bounds.tanh),
    _elementwise("sigmoid", torch.sigmoid, bounds.sigmoid),
    _along("softmax", T.softmax, bounds.softmax),
    _along("log_softmax", T.log_softmax, bounds.log_softmax),
    Row("operation", "nll_loss", _nll_loss),
    Row("operation", "cross_entropy", _cross_entropy),
    Row("operation", "mse_loss", _mse_loss),
    Row("operation", "binary_cross_entropy", _binary_cross_entropy),
    Row("operation", "binary_cross_entropy_with_logits", _bce_with_logits),
    Row("operation", "batch_norm", _batch_norm),
    Row("operation", "dropout", _dropout),
    Row("operation", "flatten", _flatten),
)
