"""The networks of `npnet.models` on PyTorch autograd.

Parameters have the same names and shapes as in `npnet.models`, so either loads the other's ``state_dict`` or
``.safetensors`` file. Modules are created on the CPU in PyTorch's default dtype; ``.to(...)`` moves them.
Their outputs are logits, one for each class.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from npnet import check
from npnet.errors import InputError
from npnet.models import activation_class, check_sizes, lenet5_features, lenet5_padding


class LogisticRegression(nn.Module):
    """Multiclass logistic regression; see `npnet.models.logistic_regression`.

    Parameters
    ----------
    features, classes : int

    Raises
    ------
    InputError
        If one of them is not a positive integer.

    Examples
    --------
    >>> import torch
    >>> LogisticRegression(784, 10)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        features = check.integer("LogisticRegression", "features", features, least=1)
        classes = check.integer("LogisticRegression", "classes", classes, least=1)
        self.linear = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.linear(x.flatten(1))
        return logits


class MLP(nn.Sequential):
    """A deep fully connected classifier from a list of layer sizes; see `npnet.models.mlp`.

    Parameters
    ----------
    sizes : sequence of int
        The number of features, of units in each hidden layer, and of classes.
    activation : str
        "relu", "leaky_relu", "tanh" or "sigmoid".
    batch_norm : bool
        Whether hidden layers are normalised before their activation.

    Raises
    ------
    InputError
        If there are fewer than two sizes, one is not a positive integer, or the activation is unknown.

    Examples
    --------
    >>> list(MLP([2, 10, 2]).state_dict())
    ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
    """

    def __init__(self, sizes: Sequence[int], activation: str = "relu", *, batch_norm: bool = False) -> None:
        check_sizes(sizes)
        check.flag("MLP", "batch_norm", batch_norm)
        activation_class(activation)
        layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
        for i, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
            layers[f"fc{i}"] = nn.Linear(inputs, outputs)
            if i < len(sizes) - 1:
                if batch_norm:
                    layers[f"bn{i}"] = nn.BatchNorm1d(outputs)
                layers[f"{activation}{i}"] = _activation(activation)
        super().__init__(OrderedDict(layers))


class LeNet5(nn.Module):
    """LeNet-5 with ReLU and max-pooling; see `npnet.models.lenet5`.

    Parameters
    ----------
    in_channels : int
        1 for grey images, 3 for colour.
    image_size : int
        Height and width; images of 28 are padded to 32.
    classes : int

    Raises
    ------
    InputError
        If a size is not a positive integer, or the image is too small.

    Examples
    --------
    >>> import torch
    >>> LeNet5(3, 32)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, in_channels: int = 1, image_size: int = 28, classes: int = 10) -> None:
        super().__init__()
        in_channels = check.integer("LeNet5", "in_channels", in_channels, least=1)
        image_size = check.integer("LeNet5", "image_size", image_size, least=1)
        classes = check.integer("LeNet5", "classes", classes, least=1)
        self.conv1 = nn.Conv2d(in_channels, 6, 5, padding=lenet5_padding(image_size))
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(lenet5_features(image_size), 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits


class SignsSmall(nn.Module):
    """Four 5×5 kernels and a linear layer for 28×28 signs; see `npnet.models.signs_small`.

    Parameters
    ----------
    classes : int

    Raises
    ------
    InputError
        If classes is not a positive integer.

    Examples
    --------
    >>> import torch
    >>> SignsSmall()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 24])
    """

    def __init__(self, classes: int = 24) -> None:
        super().__init__()
        classes = check.integer("SignsSmall", "classes", classes, least=1)
        self.conv1 = nn.Conv2d(1, 4, 5)
        self.fc1 = nn.Linear(4 * 12 * 12, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        logits: Tensor = self.fc1(x.flatten(1))
        return logits


class SignsDeep(nn.Module):
    """Three convolutions and two linear layers for 28×28 signs; see `npnet.models.signs_deep`.

    Parameters
    ----------
    classes : int
    dropout : float
        The probability that a hidden unit is dropped in training.

    Raises
    ------
    InputError
        If classes is not a positive integer, or dropout is not a probability.

    Examples
    --------
    >>> import torch
    >>> SignsDeep()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 24])
    """

    def __init__(self, classes: int = 24, *, dropout: float = 0.5) -> None:
        super().__init__()
        classes = check.integer("SignsDeep", "classes", classes, least=1)
        dropout = check.number("SignsDeep", "dropout", dropout, least=0.0, most=1.0)
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * 3 * 3, 128)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.max_pool2d(F.relu(conv(x)), 2)
        x = self.dropout(F.relu(self.fc1(x.flatten(1))))
        logits: Tensor = self.fc2(x)
        return logits


class AirplaneBirdMLP(nn.Module):
    """3072-512-2 with tanh, for airplanes and birds; see `npnet.models.airplane_bird_mlp`.

    Parameters
    ----------
    hidden : int
    log_softmax : bool
        Whether the outputs are log-probabilities instead of logits.

    Raises
    ------
    InputError
        If hidden is not a positive integer, or log_softmax is not a bool.

    Examples
    --------
    >>> import torch
    >>> AirplaneBirdMLP()(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 2])
    """

    def __init__(self, hidden: int = 512, *, log_softmax: bool = False) -> None:
        super().__init__()
        hidden = check.integer("AirplaneBirdMLP", "hidden", hidden, least=1)
        self.log_softmax = check.flag("AirplaneBirdMLP", "log_softmax", log_softmax)
        self.fc1 = nn.Linear(3 * 32 * 32, hidden)
        self.fc2 = nn.Linear(hidden, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, or log-probabilities if `log_softmax` is True."""
        y: Tensor = self.fc2(self.fc1(x.flatten(1)).tanh())
        return y.log_softmax(1) if self.log_softmax else y


class AirplaneBirdConv(nn.Module):
    """Two convolutions and two linear layers for airplanes and birds; see `npnet.models.airplane_bird_conv`.

    Parameters
    ----------
    channels : pair of int
        Number of kernels of each of the two convolutions.
    hidden : int
    activation : str
        "relu", "leaky_relu", "tanh" or "sigmoid".

    Raises
    ------
    InputError
        If a size is not a positive integer, or the activation is unknown.

    Examples
    --------
    >>> import torch
    >>> AirplaneBirdConv()(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self, channels: tuple[int, int] = (16, 8), hidden: int = 32, activation: str = "tanh"
    ) -> None:
        super().__init__()
        if not isinstance(channels, tuple | list) or len(channels) != 2:
            raise InputError(
                f"AirplaneBirdConv: channels must be a pair of integers, got {check.described(channels)}"
            )
        sizes = [check.integer("AirplaneBirdConv", "channels", size, least=1) for size in channels]
        first, second = sizes
        hidden = check.integer("AirplaneBirdConv", "hidden", hidden, least=1)
        self.activation = _activation(activation)
        self.conv1 = nn.Conv2d(3, first, 3, padding=1)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1)
        self.fc1 = nn.Linear(second * 8 * 8, hidden)
        self.fc2 = nn.Linear(hidden, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = F.max_pool2d(self.activation(self.conv1(x)), 2)
        x = F.max_pool2d(self.activation(self.conv2(x)), 2)
        x = self.activation(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


def _activation(name: str) -> nn.Module:
    """Return PyTorch's counterpart of an activation."""
    module: nn.Module = getattr(nn, activation_class(name).__name__)()
    return module
