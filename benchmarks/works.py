"""The workloads: the models of the recipes, each with its minibatch and its target ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import models, nn

DRAWN = 1024  # different samples; to draw more would take longer than to learn from them


@dataclass(frozen=True)
class Work:
    """A classifier and its minibatch.

    Parameters
    ----------
    name : str
    build : callable
        ``build(generator)`` returns the model.
    sample : tuple of int
        Shape of one sample.
    batch, classes : int
    at_most : float, optional
        The target for the time of npnet ÷ the time of PyTorch in its faster memory format.
    """

    name: str
    build: Callable[[Generator], nn.Layer]
    sample: tuple[int, ...]
    batch: int
    classes: int
    at_most: float | None = None

    @property
    def title(self) -> str:
        """The name, and the size of its images.

        Examples
        --------
        >>> WORKS[0].title
        'logistic regression 1×28×28'
        """
        return f"{self.name} {'×'.join(map(str, self.sample))}" if len(self.sample) > 1 else self.name

    def __str__(self) -> str:
        return f"{self.title}, batch {self.batch}"

    def minibatch(self) -> tuple[ndarray, ndarray]:
        """Return samples and labels; every call returns equal arrays. From `DRAWN` on they repeat."""
        rng = np.random.default_rng(0)
        drawn = min(self.batch, DRAWN)
        x = rng.standard_normal((drawn, *self.sample), dtype=np.float32)
        labels = rng.integers(self.classes, size=drawn)
        return np.resize(x, (self.batch, *self.sample)), np.resize(labels, self.batch)

    def least(self, *, training: bool) -> tuple[int, int]:
        """Return how many operations a run takes, and the fewest bytes it must move.

        Forward, each multiply-add is two operations. Backward has twice as many, less those of the input
        gradient of the first layer, which nobody needs. What must be moved is the minibatch, the answers,
        and the parameters: in training each of these, its gradient and its velocity are read and written.
        """
        summary = self.build(np.random.default_rng(0)).summary(self.sample)
        forward = summary.multiply_adds
        first = next((layer.multiply_adds for layer in summary.layers if layer.multiply_adds), 0)
        sample = int(np.prod(self.sample))
        if not training:
            answers = self.batch * (sample + self.classes)
            return 2 * forward * self.batch, 4 * (answers + summary.parameters)
        return 2 * (3 * forward - first) * self.batch, 4 * (self.batch * sample + 6 * summary.parameters)


def four_convolutions(generator: Generator, *, channels: tuple[int, int] = (32, 64)) -> nn.Layer:
    """Build four 3×3 convolutions, two of each width, global average-pooling and a linear classifier."""
    first, second = channels
    layers: list[nn.Layer] = []
    for inputs, outputs in ((3, first), (first, first), (first, second), (second, second)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, generator=generator), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(second, 10, generator=generator)
    )


def three_normalised(generator: Generator) -> nn.Layer:
    """Build three 3×3 convolutions with batch norm and ReLU, two of them with stride 2, and a classifier."""
    layers: list[nn.Layer] = []
    for inputs, outputs, stride in ((3, 32, 1), (32, 64, 2), (64, 64, 2)):
        layers += [*_normalised(inputs, outputs, 3, stride, generator), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 8 * 8, 10, generator=generator))


def resnet18(generator: Generator) -> nn.Layer:
    """Build ResNet-18 of He, Zhang, Ren, Sun, *Deep residual learning for image recognition* (2016)."""
    layers: list[nn.Layer] = [*_normalised(3, 64, 7, 2, generator), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        for c, step in ((inputs, stride), (outputs, 1)):
            block = nn.Sequential(
                *_normalised(c, outputs, 3, step, generator),
                nn.ReLU(),
                *_normalised(outputs, outputs, 3, 1, generator),
            )
            projection = None if step == 1 else nn.Sequential(*_normalised(c, outputs, 1, step, generator))
            layers += [nn.Residual(block, projection), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10, generator=generator)
    )


def _normalised(c: int, o: int, kernel: int, stride: int, generator: Generator) -> list[nn.Layer]:
    """Return a convolution that keeps the size but for the stride, without a bias, and batch norm."""
    convolution = nn.Conv2d(c, o, kernel, stride=stride, padding=kernel // 2, bias=False, generator=generator)
    return [convolution, nn.BatchNorm2d(o)]


def lenet5(in_channels: int, image_size: int) -> Callable[[Generator], nn.Layer]:
    """Return a function that builds LeNet-5 for images of a size."""
    return lambda generator: models.lenet5(in_channels, image_size, generator=generator)


def mlp(*sizes: int, activation: str = "relu") -> Callable[[Generator], nn.Layer]:
    """Return a function that builds a fully connected network of given sizes."""
    return lambda generator: models.mlp(sizes, activation, generator=generator)


WORKS = [
    Work("logistic regression", mlp(784, 10), (1, 28, 28), 64, 10, at_most=0.3),
    Work("2-D network 2-2", mlp(2, 2), (2,), 80, 2, at_most=0.3),
    Work("2-D network 2-5-2", mlp(2, 5, 2), (2,), 60, 2, at_most=0.3),
    Work("2-D network 2-10-10-2", mlp(2, 10, 10, 2), (2,), 80, 2, at_most=0.3),
    Work("784-100-10", mlp(784, 100, 10), (1, 28, 28), 64, 10, at_most=1.0),
    Work("784-100-100-10", mlp(784, 100, 100, 10), (1, 28, 28), 128, 10, at_most=1.0),
    Work(
        "3072-512-2",
        lambda generator: models.airplane_bird_mlp(generator=generator),
        (3, 32, 32),
        64,
        2,
        at_most=1.0,
    ),
    Work("LeNet-5", lenet5(1, 28), (1, 28, 28), 64, 10, at_most=0.75),
    Work("LeNet-5", lenet5(3, 32), (3, 32, 32), 128, 10, at_most=0.75),
    Work("four 3×3 convolutions", four_convolutions, (3, 32, 32), 64, 10, at_most=1.0),
    Work("signs, small", lambda g: models.signs_small(generator=g), (1, 28, 28), 64, 24, at_most=0.9),
    Work("signs, deep", lambda g: models.signs_deep(generator=g), (1, 28, 28), 64, 24, at_most=1.0),
    Work("3072-1024-100", mlp(3072, 1024, 100, activation="tanh"), (3, 32, 32), 128, 100, at_most=1.0),
    Work("three convolutions with batch norm", three_normalised, (3, 32, 32), 64, 10, at_most=1.3),
    Work("ResNet-18", resnet18, (3, 64, 64), 8, 10, at_most=1.5),
    Work(
        "airplane or bird",
        lambda g: models.airplane_bird_conv(generator=g),
        (3, 32, 32),
        64,
        2,
        at_most=1.0,
    ),
]
