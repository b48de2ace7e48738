"""The networks of the experiments, each built by one function.

Parameters have the names of the same network in `ptref.models`, so a weight file of one loads into the other.
Inputs are images of shape (n, c, h, w); outputs are logits, one for each class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from npnet import check, nn
from npnet.errors import InputError

ACTIVATIONS: Mapping[str, type[nn.Layer]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}

__all__ = [
    "airplane_bird_conv",
    "airplane_bird_mlp",
    "lenet5",
    "logistic_regression",
    "mlp",
    "signs_deep",
    "signs_small",
]


def logistic_regression(
    features: int,
    classes: int,
    *,
    init: str = "default",
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> nn.Sequential:
    """Build multiclass logistic regression: one affine map from features to logits.

    Parameters
    ----------
    features : int
        The number of features; an image is flattened.
    classes : int
    init, generator, dtype
        As in `npnet.nn.Linear`.

    Returns
    -------
    model : Sequential
        With parameters linear.weight and linear.bias.

    Raises
    ------
    InputError
        If a size is not a positive integer.

    Examples
    --------
    >>> logistic_regression(784, 10, generator=np.random.default_rng(0)).summary((1, 28, 28)).parameters
    7850
    """
    features = check.integer("logistic_regression", "features", features, least=1)
    classes = check.integer("logistic_regression", "classes", classes, least=1)
    linear = nn.Linear(features, classes, init=init, generator=generator, dtype=dtype)
    return nn.Sequential({"flatten": nn.Flatten(), "linear": linear})


def mlp(
    sizes: Sequence[int],
    activation: str = "relu",
    *,
    batch_norm: bool = False,
    init: str = "default",
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> nn.Sequential:
    """Build a deep fully connected classifier from a list of layer sizes.

    Parameters
    ----------
    sizes : sequence of int
        Features, hidden units of each layer, classes; two sizes make logistic regression.
    activation : str
        The activation after each layer but the last: "relu", "leaky_relu", "tanh" or "sigmoid".
    batch_norm : bool
        Whether hidden layers are normalised before their activation.
    init, generator, dtype
        As in `npnet.nn.Linear`.

    Returns
    -------
    model : Sequential
        With layers fc1, fc2, … and, with batch_norm, bn1, bn2, …

    Raises
    ------
    InputError
        If there are fewer than two sizes, one is not a positive integer, or the activation is unknown.

    Examples
    --------
    >>> print(mlp([784, 100, 10], generator=np.random.default_rng(0)))
    Sequential(
      (flatten): Flatten()
      (fc1): Linear(784, 100)
      (relu1): ReLU()
      (fc2): Linear(100, 10)
    )
    """
    sizes = check_sizes(sizes)
    check.flag("mlp", "batch_norm", batch_norm)
    act = activation_class(activation)
    layers: dict[str, nn.Layer] = {"flatten": nn.Flatten()}
    for i, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
        layers[f"fc{i}"] = nn.Linear(inputs, outputs, init=init, generator=generator, dtype=dtype)
        if i < len(sizes) - 1:
            if batch_norm:
                layers[f"bn{i}"] = nn.BatchNorm1d(outputs, dtype=dtype)
            layers[f"{activation}{i}"] = act()
    return nn.Sequential(layers)


def lenet5(
    in_channels: int = 1,
    image_size: int = 28,
    classes: int = 10,
    *,
    init: str = "default",
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> nn.Sequential:
    """Build LeNet-5 as it is taught today, with ReLU and max-pooling.

    Parameters
    ----------
    in_channels : int
        1 for grey images, 3 for colour.
    image_size : int
        Height and width. The network was made for 32; images of 28 are padded by 2 pixels on each side.
    classes : int
    init, generator, dtype
        As in `npnet.nn.Conv2d`.

    Returns
    -------
    model : Sequential
        With layers conv1, conv2, fc1, fc2, fc3.

    Raises
    ------
    InputError
        If a size is not a positive integer or the image too small.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, *Gradient-based learning applied to document recognition* (1998),
    section II.B. The original has saturating activations, average pooling with learnt coefficients, a second
    convolution that is connected to some of the channels only, and radial basis functions as outputs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> lenet5(generator=rng).summary((1, 28, 28)).parameters
    61706
    >>> lenet5(3, 32, generator=rng).summary((3, 32, 32)).parameters
    62006
    """
    image_size = check.integer("lenet5", "image_size", image_size, least=1)
    in_channels = check.integer("lenet5", "in_channels", in_channels, least=1)
    classes = check.integer("lenet5", "classes", classes, least=1)
    padding = lenet5_padding(image_size)
    conv = partial(nn.Conv2d, init=init, generator=generator, dtype=dtype)
    linear = partial(nn.Linear, init=init, generator=generator, dtype=dtype)
    return nn.Sequential(
        {
            "conv1": conv(in_channels, 6, 5, padding=padding),
            "relu1": nn.ReLU(),
            "pool1": nn.MaxPool2d(2),
            "conv2": conv(6, 16, 5),
            "relu2": nn.ReLU(),
            "pool2": nn.MaxPool2d(2),
            "flatten": nn.Flatten(),
            "fc1": linear(lenet5_features(image_size), 120),
            "relu3": nn.ReLU(),
            "fc2": linear(120, 84),
            "relu4": nn.ReLU(),
            "fc3": linear(84, classes),
        }
    )


def signs_small(
    classes: int = 24,
    *,
    init: str = "default",
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> nn.Sequential:
    """Build a minimal convolutional network for the 28×28 signs: four 5×5 kernels and a linear layer.

    Parameters
    ----------
    classes : int
        24 letters are shown by a still hand.
    init, generator, dtype
        As in `npnet.nn.Conv2d`.

    Returns
    -------
    model : Sequential
        With layers conv1 and fc1.

    Raises
    ------
    InputError
        If classes is not a positive integer.

    Examples
    --------
    >>> signs_small(generator=np.random.default_rng(0)).summary((1, 28, 28)).parameters
    13952
    """
    classes = check.integer("signs_small", "classes", classes, least=1)
    conv = partial(nn.Conv2d, init=init, generator=generator, dtype=dtype)
    linear = partial(nn.Linear, init=init, generator=generator, dtype=dtype)
    return nn.Sequential(
        {
            "conv1": conv(1, 4, 5),  # (n, 4, 24, 24)
            "relu1": nn.ReLU(),
            "pool1": nn.MaxPool2d(2),  # (n, 4, 12, 12)
            "flatten": nn.Flatten(),
            "fc1": linear(4 * 12 * 12, classes),
        }
    )


def signs_deep(
    classes: int = 24,
    *,
    dropout: float = 0.5,
    init: str = "default",
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> nn.Sequential:
    """Build a deeper network for the 28×28 signs: three convolutions, each pooled, and two linear layers.

    Parameters
    ----------
    classes : int
    dropout : float
        Probability with which a hidden unit is dropped in training.
    init, generator, dtype
        As in `npnet.nn.Conv2d`.

    Returns
    -------
    model : Sequential
        With layers conv1, conv2, conv3, fc1, fc2.

    Raises
    ------
    InputError
        If classes is not a positive integer or dropout not a probability.

    Examples
    --------
    >>> signs_deep(generator=np.random.default_rng(0)).summary((1, 28, 28)).parameters
    100248
    """
    classes = check.integer("signs_deep", "classes", classes, least=1)
    dropout = check.number("signs_deep", "dropout", dropout, least=0.0, most=1.0)
    conv = partial(nn.Conv2d, init=init, generator=generator, dtype=dtype)
    linear = partial(nn.Linear, init=init, generator=generator, dtype=dtype)
    layers: dict[str, nn.Layer] = {}
    for i, (inputs, outputs) in enumerate(pairwise((1, 16, 32, 64)), start=1):
        layers[f"conv{i}"] = conv(inputs, outputs, 3, padding=1)
        layers[f"relu{i}"] = nn.ReLU()
        layers[f"pool{i}"] = nn.MaxPool2d(2)
    return nn.Sequential(
        {
            **layers,  # (n, 64, 3, 3)
            "flatten": nn.Flatten(),
            "fc1": linear(64 * 3 * 3, 128),
            "relu4": nn.ReLU(),
            "dropout": nn.Dropout(dropout),
            "fc2": linear(128, classes),
        }
    )


def airplane_bird_mlp(
    hidden: int = 512,
    *,
    log_softmax: bool = False,
    init: str = "default",
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> nn.Sequential:
    """Build the fully connected classifier of airplanes and birds: 3072-512-2 with tanh.

    Parameters
    ----------
    hidden : int
        Hidden units.
    log_softmax : bool
        Whether outputs are log-probabilities, for `npnet.nn.NLLLoss`, instead of logits, for
        `npnet.nn.CrossEntropyLoss`; the value of the loss is the same.
    init, generator, dtype
        As in `npnet.nn.Linear`.

    Returns
    -------
    model : Sequential
        With layers fc1 and fc2.

    Raises
    ------
    InputError
        If hidden is not a positive integer.

    References
    ----------
    Stevens, Antiga, Viehmann, *Deep Learning with PyTorch* (2020), section 7.2.

    Examples
    --------
    >>> airplane_bird_mlp(generator=np.random.default_rng(0)).summary((3, 32, 32)).parameters
    1574402
    """
    hidden = check.integer("airplane_bird_mlp", "hidden", hidden, least=1)
    check.flag("airplane_bird_mlp", "log_softmax", log_softmax)
    model = mlp([3 * 32 * 32, hidden, 2], "tanh", init=init, generator=generator, dtype=dtype)
    return nn.Sequential({**model.layers, "log_softmax": nn.LogSoftmax(1)}) if log_softmax else model


def airplane_bird_conv(
    channels: tuple[int, int] = (16, 8),
    hidden: int = 32,
    activation: str = "tanh",
    *,
    init: str = "default",
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> nn.Sequential:
    """Build the convolutional classifier of airplanes and birds on 32×32 images.

    Parameters
    ----------
    channels : pair of int
        Kernels of the two 3×3 convolutions.
    hidden : int
        Units of the hidden linear layer.
    activation : str
        "relu", "leaky_relu", "tanh" or "sigmoid".
    init, generator, dtype
        As in `npnet.nn.Conv2d`.

    Returns
    -------
    model : Sequential
        With layers conv1, conv2, fc1, fc2.

    Raises
    ------
    InputError
        If a size is not a positive integer or the activation is unknown.

    References
    ----------
    Stevens, Antiga, Viehmann, *Deep Learning with PyTorch* (2020), section 8.3, for the defaults.

    Examples
    --------
    >>> airplane_bird_conv(generator=np.random.default_rng(0)).summary((3, 32, 32)).parameters
    18090
    """
    hidden = check.integer("airplane_bird_conv", "hidden", hidden, least=1)
    first, second = _two_channels(channels)
    act = activation_class(activation)
    conv = partial(nn.Conv2d, init=init, generator=generator, dtype=dtype)
    linear = partial(nn.Linear, init=init, generator=generator, dtype=dtype)
    return nn.Sequential(
        {
            "conv1": conv(3, first, 3, padding=1),
            f"{activation}1": act(),
            "pool1": nn.MaxPool2d(2),
            "conv2": conv(first, second, 3, padding=1),
            f"{activation}2": act(),
            "pool2": nn.MaxPool2d(2),  # (n, second, 8, 8)
            "flatten": nn.Flatten(),
            "fc1": linear(second * 8 * 8, hidden),
            f"{activation}3": act(),
            "fc2": linear(hidden, 2),
        }
    )


def _two_channels(channels: tuple[int, int]) -> list[int]:
    pair = channels if isinstance(channels, tuple | list) else ()
    if len(pair) != 2:
        raise InputError(f"airplane_bird_conv: channels must be a pair of integers, got {channels!r:.60}")
    return [check.integer("airplane_bird_conv", "channels", number, least=1) for number in pair]


# ---- shared with ptref.models --------------------------------------------------------------------------


def activation_class(activation: str) -> type[nn.Layer]:
    """Return the class of the layer with an activation's name."""
    return ACTIVATIONS[check.choice("activation_class", "activation", activation, ACTIVATIONS)]


def check_sizes(sizes: Any) -> list[int]:
    """Return the sizes of a fully connected network as a list: at least input and output."""
    values = sizes.tolist() if isinstance(sizes, np.ndarray) and sizes.ndim == 1 else sizes
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or len(values) < 2:
        shown = f"{sizes!r:.60}" if isinstance(sizes, tuple | list) else check.described(sizes)
        raise InputError(f"mlp: sizes must be at least two, features and classes, got {shown}")
    return [check.integer("mlp", f"sizes[{i}]", size, least=1) for i, size in enumerate(values)]


def lenet5_padding(image_size: int) -> int:
    """Return the padding of LeNet-5's first convolution, which brings 28 pixels to its original 32."""
    return 2 if image_size == 28 else 0


def lenet5_features(image_size: int) -> int:
    """Return the number of features after LeNet-5's convolutions: 16 channels, each about size/4 squared."""
    image_size = check.integer("lenet5", "image_size", image_size, least=1)
    side = ((image_size + 2 * lenet5_padding(image_size) - 4) // 2 - 4) // 2
    if side < 1:
        raise InputError(f"lenet5: image_size must be at least 16, got {image_size}")
    return 16 * side * side
