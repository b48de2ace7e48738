"""Which operation a layer applies, its equations, and what these need besides arrays.

A layer of your own that extends one of npnet's is held to the equations of that one: where its backward gives
something else, the sum that is written out shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from npnet import nn
from npnet.functional.arguments import class_axis, convolution_padding, pair, pooling_window
from npnet.functional.avg_pool2d import adaptive_spans, window_divisor
from npnet.kernels.window import Pair, Window, place_window
from npnet.nn import Layer
from npnet.nn.losses import Loss


class Kind(NamedTuple):
    """An operation by name, with its settings, its array arguments after x, and its equations."""

    name: str
    settings: dict[str, Any]
    arguments: dict[str, ndarray]
    equations: dict[str, str]


EQUATIONS: Mapping[str, dict[str, str]] = {
    "linear": {
        "y": "y[n,o] = Σᵢ x[n,i] · weight[o,i] + bias[o]",
        "grad_x": "grad_x[n,i] = Σₒ grad_y[n,o] · weight[o,i]",
        "grad_weight": "grad_weight[o,i] = Σₙ grad_y[n,o] · x[n,i]",
        "grad_bias": "grad_bias[o] = Σₙ grad_y[n,o]",
    },
    "conv2d": {
        "y": "y[n,o,i,j] = Σ weight[o,c,k,l] · x[n,c,i·s+k·d−p,j·s+l·d−p] + bias[o]",
        "grad_x": "grad_x[n,c,h,w] = Σ grad_y[n,o,i,j] · weight[o,c,k,l] where i·s+k·d−p = h, j·s+l·d−p = w",
        "grad_weight": "grad_weight[o,c,k,l] = Σ grad_y[n,o,i,j] · x[n,c,i·s+k·d−p,j·s+l·d−p]",
        "grad_bias": "grad_bias[o] = Σ grad_y[n,o,i,j]",
    },
    "max_pool2d": {
        "y": "y[n,c,i,j] = the largest x[n,c,·,·] under the window",
        "grad_x": "grad_x[n,c,h,w] = Σ grad_y[n,c,i,j] over the windows that chose this x",
    },
    "average": {
        "y": "y[n,c,i,j] = (1/m) · Σ x[n,c,h,w] over the m pixels under the window",
        "grad_x": "grad_x[n,c,h,w] = Σ (1/m) · grad_y[n,c,i,j] over the windows that cover it",
    },
    "relu": {"y": "y = x · [x > 0]", "grad_x": "grad_x = grad_y · [x > 0]"},
    "leaky_relu": {
        "y": "y = x · slope, slope = 1 where x > 0, else a",
        "grad_x": "grad_x = grad_y · slope",
    },
    "tanh": {"y": "y = tanh(x)", "grad_x": "grad_x = grad_y · (1 − y²)"},
    "sigmoid": {"y": "y = 1 / (1 + e^−x)", "grad_x": "grad_x = grad_y · y · (1 − y)"},
    "softplus": {"y": "y = log(1 + e^(β·x)) / β", "grad_x": "grad_x = grad_y · (1 − e^(−β·y))"},
    "softmax": {
        "y": "y[j] = e^x[j] / Σᵢ e^x[i]",
        "grad_x": "grad_x[j] = y[j] · grad_y[j] − Σᵢ y[j] · y[i] · grad_y[i]",
    },
    "log_softmax": {
        "y": "y[j] = x[j] − log Σᵢ e^x[i]",
        "grad_x": "grad_x[j] = grad_y[j] − Σᵢ e^y[j] · grad_y[i]",
    },
    "dropout": {"y": "y = x · factor", "grad_x": "grad_x = grad_y · factor"},
    "reshape": {"y": "y is x in another shape", "grad_x": "grad_x is grad_y in the shape of x"},
    "batch_norm": {
        "y": "y = weight[c] · x̂ + bias[c], x̂ = (x − mean[c]) / √(var[c] + ε)",
        "grad_x": "grad_x = weight[c]/√(var[c] + ε) · (grad_y − mean(grad_y) − x̂ · mean(grad_y · x̂))",
        "grad_weight": "grad_weight[c] = Σ grad_y · x̂",
        "grad_bias": "grad_bias[c] = Σ grad_y",
    },
    "split": {
        "y": "y = x, handed to both branches",
        "grad_x": "grad_x = grad_body + grad_shortcut",
    },
    "add": {
        "y": "y = body + shortcut",
        "grad_body": "grad_body = grad_y",
        "grad_shortcut": "grad_shortcut = grad_y",
    },
    "cross_entropy": {
        "y": "y = −(1/m) · Σ q[n,c] · log p[n,c], p = softmax(x), q from target",
        "grad_x": "grad_x[n,c] = grad_y · (1/m) · (p[n,c] − q[n,c])",
    },
    "nll_loss": {
        "y": "y = −(1/m) · Σₙ w · x[n,target[n]]",
        "grad_x": "grad_x[n,c] = −grad_y · (1/m) · w where c = target[n], else 0",
    },
    "mse_loss": {
        "y": "y = (1/m) · Σ (x − target)²",
        "grad_x": "grad_x = grad_y · (2/m) · (x − target)",
    },
    "binary_cross_entropy": {
        "y": "y = −(1/m) · Σ w · (target · log x + (1 − target) · log(1 − x))",
        "grad_x": "grad_x = grad_y · (1/m) · w · (x − target) / (x · (1 − x))",
    },
    "binary_cross_entropy_with_logits": {
        "y": "y = (1/m) · Σ w · ((1 − target) · log(1 + e^x) + v · target · log(1 + e^−x))",
        "grad_x": "grad_x = grad_y · (1/m) · w · ((1 − target) · σ(x) − v · target · σ(−x))",
    },
}  # fmt: skip


def kind_of(layer: Layer, x: ndarray, *, training: bool) -> Kind | None:
    """Return what a layer applies to x, or None of a layer that npnet does not know."""
    for known, describe in _LAYERS.items():
        if isinstance(layer, known):
            name, settings = describe(layer, x, training)
            arrays = {
                argument: array
                for argument in _ARGUMENTS.get(name, ())
                if (array := getattr(layer, argument)) is not None
            }
            if name == "batch_norm" and settings["training"]:
                axes = (0, *range(2, x.ndim))
                arrays = {key: array for key, array in arrays.items() if not key.startswith("running")}
                arrays |= {"mean": x.mean(axes, np.float64), "var": x.var(axes, np.float64)}
            return Kind(name, settings, arrays, _equations(name, settings, arrays))
    return None


def kind_of_loss(loss: Loss, x: ndarray, target: ndarray) -> Kind | None:
    """Return which loss it is, or None of one of your own."""
    for known, name in _LOSSES.items():
        if isinstance(loss, known):
            settings: dict[str, Any] = {}
            if loss.reduction == "mean":
                settings["m"] = loss.divisor(x, target)
            for setting in ("ignore_index", "label_smoothing"):
                if hasattr(loss, setting):
                    settings[setting] = getattr(loss, setting)
            if name in ("cross_entropy", "nll_loss"):
                settings["axis"] = class_axis(name, x)
            arrays = {
                argument: array
                for argument in ("weight", "pos_weight")
                if (array := getattr(loss, argument, None)) is not None
            }
            return Kind(name, settings, arrays, _equations(name, settings, arrays))
    return None


def known(name: str) -> Kind:
    """Return an operation of containers, which has no settings."""
    return Kind(name, {}, {}, dict(EQUATIONS[name]))


def _equations(name: str, settings: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, str]:
    found = dict(EQUATIONS[name])
    if name in ("linear", "conv2d", "batch_norm"):
        if "bias" not in arrays:
            found = {
                key: text.replace(" + bias[o]", "").replace(" + bias[c]", "") for key, text in found.items()
            }
            found.pop("grad_bias", None)
        if "weight" not in arrays:
            found = {
                key: text.replace("weight[c] · ", "").replace("weight[c]/", "1/")
                for key, text in found.items()
            }
            found.pop("grad_weight", None)
    if name == "conv2d":
        found = {key: _with_numbers(text, settings) for key, text in found.items()}
    if name == "batch_norm" and not settings["training"]:
        found["y"] = found["y"].replace("mean[c]", "running_mean[c]").replace("var[c]", "running_var[c]")
        found["grad_x"] = (
            found["grad_x"].partition(" · (grad_y")[0].replace("var", "running_var") + " · grad_y"
        )
    if name in _LOSSES.values() and "m" not in settings:
        found = {key: text.replace("(1/m) · ", "").replace("(2/m)", "2") for key, text in found.items()}
    if name == "binary_cross_entropy_with_logits" and "pos_weight" not in arrays:
        found = {key: text.replace("v · ", "") for key, text in found.items()}
    if (
        name in ("nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
        and "weight" not in arrays
    ):
        found = {key: text.replace("w · ", "").replace("· w where", "where") for key, text in found.items()}
    return found


def _with_numbers(text: str, settings: Mapping[str, Any]) -> str:
    """Leave out of a convolution's equation what is 1 or 0, and write the numbers of the rest."""
    (sh, sw), (dh, dw), (ph, pw) = settings["stride"], settings["dilation"], settings["padding"]
    if (sh, dh, ph) != (sw, dw, pw):
        return text
    text = text.replace("·s", "" if sh == 1 else f"·{sh}").replace("·d", "" if dh == 1 else f"·{dh}")
    return text.replace("−p", "" if ph == 0 else f"−{ph}")


# ---- layers --------------------------------------------------------------------------------------------

Described = tuple[str, dict[str, Any]]


def _plain(name: str) -> Callable[[Any, ndarray, bool], Described]:
    return lambda *_: (name, {})


def _conv2d(layer: nn.Conv2d, x: ndarray, _: bool) -> Described:
    kernel: Pair = (layer.weight.shape[2], layer.weight.shape[3])
    stride = pair("conv2d", "stride", layer.stride, least=1)
    dilation = pair("conv2d", "dilation", layer.dilation, least=1)
    border = convolution_padding(layer.padding, kernel, stride, dilation)
    place = place_window("conv2d", (x.shape[-2], x.shape[-1]), kernel, stride, border, dilation)
    return "conv2d", {
        "kernel": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": place.before,
        "groups": layer.groups,
    }


def _max_pool2d(layer: nn.MaxPool2d, x: ndarray, _: bool) -> Described:
    place = _pooling("max_pool2d", layer, x, layer.dilation)
    return "max_pool2d", {
        "kernel": place.kernel,
        "stride": place.stride,
        "dilation": place.dilation,
        "padding": place.before,
    }


def _avg_pool2d(layer: nn.AvgPool2d, x: ndarray, _: bool) -> Described:
    place = _pooling("avg_pool2d", layer, x, 1)
    spans = [
        [[max(0, i * step - lead), min(size, i * step - lead + kernel)] for i in range(places)]
        for step, lead, kernel, size, places in zip(
            place.stride, place.before, place.kernel, place.image, place.out, strict=True
        )
    ]
    divisor = window_divisor(place, layer.count_include_pad, layer.divisor_override)
    return "average", {"rows": spans[0], "columns": spans[1], "divisor": divisor.tolist()}


def _adaptive(layer: nn.AdaptiveAvgPool2d, x: ndarray, _: bool) -> Described:
    rows, columns = (
        [[span.start, span.stop] for span in spans]
        for spans in adaptive_spans(layer.output_size, (x.shape[-2], x.shape[-1]))
    )
    divisor = [[(row[1] - row[0]) * (column[1] - column[0]) for column in columns] for row in rows]
    return "average", {"rows": rows, "columns": columns, "divisor": divisor}


def _pooling(name: str, layer: Any, x: ndarray, dilation: Any) -> Window:
    batch = x if x.ndim == 4 else x[None]
    return pooling_window(
        name, batch, layer.kernel_size, layer.stride, layer.padding, dilation, layer.ceil_mode
    )


def _along(name: str) -> Callable[[Any, ndarray, bool], Described]:
    return lambda layer, x, _: (name, {"axis": layer.dim % max(x.ndim, 1)})


def _batch_norm(layer: Any, _: ndarray, training: bool) -> Described:
    own = training or not layer.track_running_stats
    return "batch_norm", {"training": own, "eps": layer.eps}


_LAYERS: Mapping[type[Layer], Callable[[Any, ndarray, bool], Described]] = {
    nn.Linear: _plain("linear"),
    nn.Conv2d: _conv2d,
    nn.MaxPool2d: _max_pool2d,
    nn.AvgPool2d: _avg_pool2d,
    nn.AdaptiveAvgPool2d: _adaptive,
    nn.ReLU: _plain("relu"),
    nn.LeakyReLU: lambda layer, *_: ("leaky_relu", {"slope": layer.negative_slope}),
    nn.Tanh: _plain("tanh"),
    nn.Sigmoid: _plain("sigmoid"),
    nn.Softplus: lambda layer, *_: ("softplus", {"beta": layer.beta, "threshold": layer.threshold}),
    nn.Softmax: _along("softmax"),
    nn.LogSoftmax: _along("log_softmax"),
    nn.Dropout: _plain("dropout"),
    nn.Flatten: _plain("reshape"),
    nn.Identity: _plain("reshape"),
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
}
_ARGUMENTS = {
    "linear": ("weight", "bias"),
    "conv2d": ("weight", "bias"),
    "batch_norm": ("weight", "bias", "running_mean", "running_var"),
}
_LOSSES: Mapping[type[Loss], str] = {
    nn.CrossEntropyLoss: "cross_entropy",
    nn.NLLLoss: "nll_loss",
    nn.MSELoss: "mse_loss",
    nn.BCELoss: "binary_cross_entropy",
    nn.BCEWithLogitsLoss: "binary_cross_entropy_with_logits",
}
