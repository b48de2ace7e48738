"""Containers and models of npnet beside their PyTorch counterparts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from npnet import models as np_models
from npnet import nn
from ptref import models as torch_models
from ptref.cases import Case, Row
from ptref.draw import Choose, Shape, array

__all__ = ["CONTAINERS", "MODELS"]


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


CONTAINERS = (Row("layer", "Sequential and Residual", _sequential),)


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
