"""Every layer, loss and model of npnet beside its PyTorch counterpart, with the same arguments.

Both are made with the same arguments, so defaults are compared too. Weights and running statistics are
npnet's, moved away from their initial values, as an initial 0 or 1 could hide a mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from npnet import models as np_models
from npnet import nn
from ptref import models as torch_models
from ptref.cases import Case, Row
from ptref.draw import Choose, Shape, array, as_pair, axes, batch, image_size, one_or_pair, optional

__all__ = ["LAYERS", "MODELS"]

VALUES = ("ordinary", "repeated", "offset")
Options = dict[str, Any]


def _randomized(layer: nn.Layer, seed: int) -> nn.Layer:
    """Move parameters and buffers away from their initial values, of which some are 0 or 1."""
    rng = np.random.default_rng(seed)
    for values in (*layer.parameters.values(), *layer.buffers.values()):
        if values.dtype.kind == "f":
            values += rng.uniform(0.1, 0.9, values.shape)
    return layer


def _layer_row(
    name: str, draw_options: Callable[[Choose], tuple[Options, Shape]], made: tuple[str, ...] = ()
) -> Row:
    """Compare ``npnet.nn.<name>`` with ``torch.nn.<name>``; `made` lists arguments that only npnet has."""

    def draw(choose: Choose, dtype: np.dtype) -> Case:
        options, shape = draw_options(choose)
        seed, training = choose.seed(), choose.choice([True, False])
        own: Options = {"generator": np.random.default_rng(seed), "dtype": dtype}
        layer = getattr(nn, name)(**options, **{key: own[key] for key in made})
        module = getattr(torch.nn, name)(**options)
        x = array(choose, shape, dtype, VALUES)
        return Case(name, _randomized(layer, seed), module, (x,), training=training, seed=choose.seed())

    return Row("layer", name, draw)


def _linear(choose: Choose) -> tuple[Options, Shape]:
    in_features = choose.integer(1, 6)
    options = {
        "in_features": in_features,
        "out_features": choose.integer(1, 5),
        "bias": choose.choice([True, False]),
    }
    return options, (*axes(choose, most=2), in_features)


def _conv2d(choose: Choose) -> tuple[Options, Shape]:
    groups = choose.choice([1, 2])
    c, kernel = groups * choose.integer(1, 2), one_or_pair(choose, 1, 3)
    options = {
        "in_channels": c,
        "out_channels": groups * choose.integer(1, 2),
        "kernel_size": kernel,
        "stride": one_or_pair(choose, 1, 2),
        "padding": one_or_pair(choose, 0, 2),
        "dilation": one_or_pair(choose, 1, 2),
        "groups": groups,
        "bias": choose.choice([True, False]),
    }
    return options, (
        *batch(choose),
        c,
        *image_size(choose, as_pair(kernel), options["dilation"], options["padding"]),
    )


def _pool(choose: Choose) -> tuple[Options, Shape]:
    kernel = one_or_pair(choose, 1, 3)
    options = {
        "kernel_size": kernel,
        "stride": choose.choice([None, 1, 2]),
        "padding": tuple(choose.integer(0, k // 2) for k in as_pair(kernel)),
        "ceil_mode": choose.choice([False, True]),
    }
    return options, (*batch(choose), 2, *image_size(choose, as_pair(kernel)))


def _adaptive_pool(choose: Choose) -> tuple[Options, Shape]:
    shape = (*batch(choose), 2, choose.integer(1, 6), choose.integer(1, 6))
    return {"output_size": choose.choice([1, 2, (3, None), (2, 4)])}, shape


def _batch_norm(choose: Choose, positions: Callable[[], Shape]) -> tuple[Options, Shape]:
    c = choose.integer(1, 3)
    options = {
        "num_features": c,
        "eps": choose.choice([1e-5, 0.1]),
        "momentum": choose.choice([0.1, 0.5, None]),
        "affine": choose.choice([True, False]),
        "track_running_stats": choose.choice([True, False]),
    }
    return options, (choose.integer(2, 4), c, *positions())


def _any(choose: Choose) -> tuple[Options, Shape]:
    return {}, axes(choose)


def _along(choose: Choose) -> tuple[Options, Shape]:
    shape = axes(choose, least=1)
    return {"dim": choose.integer(-len(shape), len(shape) - 1)}, shape


def _flatten(choose: Choose) -> tuple[Options, Shape]:
    start = choose.integer(0, 2)
    return {"start_dim": start, "end_dim": choose.choice([-1, start])}, axes(choose, least=3, most=4)


def _dropout(choose: Choose) -> tuple[Options, Shape]:
    """Choose only p = 0 and p = 1, whose results are not random."""
    return {"p": choose.choice([0.0, 1.0])}, axes(choose)


def _sequential(choose: Choose, dtype: np.dtype) -> Case:
    """Draw a small residual network, written in each library's own way."""
    rng, c = np.random.default_rng(choose.seed()), choose.integer(1, 3)
    training = choose.choice([True, False])
    body = nn.Sequential(
        nn.Conv2d(c, c, 3, padding=1, generator=rng, dtype=dtype), nn.BatchNorm2d(c, dtype=dtype), nn.Tanh()
    )
    layer = nn.Sequential(nn.Residual(body), nn.Flatten(), nn.Linear(c * 20, 3, generator=rng, dtype=dtype))
    module = torch.nn.Sequential(
        _Shortcut(
            torch.nn.Sequential(torch.nn.Conv2d(c, c, 3, padding=1), torch.nn.BatchNorm2d(c), torch.nn.Tanh())
        ),
        torch.nn.Flatten(),
        torch.nn.Linear(c * 20, 3),
    )
    x = array(choose, (choose.integer(1, 3), c, 4, 5), dtype, ("ordinary", "repeated"))
    return Case("Sequential and Residual", layer, module, (x,), training=training, seed=choose.seed())


class _Shortcut(torch.nn.Module):
    """body(x) + x."""

    def __init__(self, body: torch.nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        y: torch.Tensor = self.body(x) + x
        return y


# ---- losses --------------------------------------------------------------------------------------------


def _loss_row(name: str, draw_inputs: Callable[[Choose, np.dtype], tuple[Options, ndarray, ndarray]]) -> Row:
    """Compare a loss; options that are arrays become tensors for PyTorch."""

    def draw(choose: Choose, dtype: np.dtype) -> Case:
        options, x, target = draw_inputs(choose, dtype)
        options["reduction"] = choose.choice(["mean", "sum", "none"])
        tensors = {key: _tensor(value) for key, value in options.items()}
        loss, module = getattr(nn, name)(**options), getattr(torch.nn, name)(**tensors)
        return Case(name, loss, module, (x, target), seed=choose.seed())

    return Row("layer", name, draw)


def _tensor(value: Any) -> Any:
    return torch.tensor(value.tolist(), dtype=torch.float64) if isinstance(value, ndarray) else value


def _weights(choose: Choose, shape: Shape, dtype: np.dtype) -> ndarray | None:
    return optional(choose, lambda: 0.1 + array(choose, shape, dtype, ("positive",)))


def _class_targets(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    n, classes = choose.integer(1, 4), choose.integer(2, 5)
    target = np.random.default_rng(choose.seed()).integers(0, classes, n)
    return {"weight": _weights(choose, (classes,), dtype)}, array(choose, (n, classes), dtype, VALUES), target


def _smoothed_targets(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    options, x, target = _class_targets(choose, dtype)
    return {**options, "label_smoothing": choose.choice([0.0, 0.2])}, x, target


def _number_targets(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    shape = axes(choose, least=1)
    return {}, array(choose, shape, dtype, VALUES), array(choose, shape, dtype, VALUES)


def _probabilities(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    shape = axes(choose, least=1)
    x, target = (array(choose, shape, dtype, ("probability",)) for _ in range(2))
    return {"weight": _weights(choose, shape[-1:], dtype)}, x, target


def _logits(choose: Choose, dtype: np.dtype) -> tuple[Options, ndarray, ndarray]:
    shape = axes(choose, least=1)
    x, target = array(choose, shape, dtype, VALUES), array(choose, shape, dtype, ("probability",))
    options = {name: _weights(choose, shape[-1:], dtype) for name in ("weight", "pos_weight")}
    return options, x, target


LAYERS = (
    _layer_row("Linear", _linear, ("generator", "dtype")),
    _layer_row("Conv2d", _conv2d, ("generator", "dtype")),
    _layer_row("MaxPool2d", _pool),
    _layer_row("AvgPool2d", _pool),
    _layer_row("AdaptiveAvgPool2d", _adaptive_pool),
    _layer_row("BatchNorm1d", lambda choose: _batch_norm(choose, lambda: axes(choose, most=1)), ("dtype",)),
    _layer_row(
        "BatchNorm2d", lambda choose: _batch_norm(choose, lambda: axes(choose, least=2, most=2)), ("dtype",)
    ),
    *(_layer_row(name, _any) for name in ("ReLU", "LeakyReLU", "Tanh", "Sigmoid", "Identity")),
    _layer_row("Softmax", _along),
    _layer_row("LogSoftmax", _along),
    _layer_row("Flatten", _flatten),
    _layer_row("Dropout", _dropout),
    Row("layer", "Sequential and Residual", _sequential),
    _loss_row("CrossEntropyLoss", _smoothed_targets),
    _loss_row("NLLLoss", _class_targets),
    _loss_row("MSELoss", _number_targets),
    _loss_row("BCELoss", _probabilities),
    _loss_row("BCEWithLogitsLoss", _logits),
)


# ---- models --------------------------------------------------------------------------------------------


def _model_row(
    name: str,
    make: Callable[..., nn.Layer],
    module: Callable[[], torch.nn.Module],
    image: Shape,
    **options: Any,
) -> Row:
    """Compare a model in training mode on a minibatch of one to three images."""

    def draw(choose: Choose, dtype: np.dtype) -> Case:
        model = make(**options, generator=np.random.default_rng(choose.seed()), dtype=dtype)
        x = array(choose, (choose.integer(1, 3), *image), dtype, ("ordinary",))
        return Case(name, model, module(), (x,), seed=choose.seed())

    return Row("model", name, draw, dtypes=(np.dtype(np.float64),), cost=50)


MODELS = (
    _model_row(
        "logistic_regression",
        np_models.logistic_regression,
        lambda: torch_models.LogisticRegression(64, 10),
        (1, 8, 8),
        features=64,
        classes=10,
    ),
    *(
        _model_row(
            f"mlp-{activation}",
            np_models.mlp,
            lambda activation=activation: torch_models.MLP((64, 32, 16, 10), activation),  # type: ignore[misc]
            (1, 8, 8),
            sizes=(64, 32, 16, 10),
            activation=activation,
        )
        for activation in ("relu", "leaky_relu", "tanh", "sigmoid")
    ),
    _model_row("lenet5", np_models.lenet5, torch_models.LeNet5, (1, 28, 28)),
    _model_row("signs_small", np_models.signs_small, torch_models.SignsSmall, (1, 28, 28)),
    _model_row(
        "signs_deep",
        np_models.signs_deep,
        lambda: torch_models.SignsDeep(dropout=0.0),
        (1, 28, 28),
        dropout=0.0,
    ),
    _model_row("airplane_bird_mlp", np_models.airplane_bird_mlp, torch_models.AirplaneBirdMLP, (3, 32, 32)),
    _model_row(
        "airplane_bird_conv", np_models.airplane_bird_conv, torch_models.AirplaneBirdConv, (3, 32, 32)
    ),
)
