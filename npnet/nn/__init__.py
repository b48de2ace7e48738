"""Layers and losses: each owns its arrays and applies one operation of `npnet.functional`.

``y, backward = layer.forward(x)`` runs a layer in training mode, ``grad_x, grads = backward(grad_y)`` runs it
backward, and ``layer(x)`` is inference. Names, arguments and defaults are those of ``torch.nn``.

Two conventions hold throughout. A class of your own implements `apply`, and users call `forward`. What a
layer has is an attribute, without brackets, and it is the layer's own: ``parameters``, ``buffers``,
``children``. What must be computed or copied is a method: ``state_dict()``, ``summary(shape)``.
"""

from npnet.nn.activations import (
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from npnet.nn.containers import Residual, Sequential
from npnet.nn.conv import Conv2d
from npnet.nn.layer import Gradients, Layer, LayerBackward
from npnet.nn.linear import Linear
from npnet.nn.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Loss, MSELoss, NLLLoss
from npnet.nn.normalization import BatchNorm1d, BatchNorm2d
from npnet.nn.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from npnet.nn.summary import Summary

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Gradients",
    "Identity",
    "Layer",
    "LayerBackward",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "MaxPool2d",
    "NLLLoss",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Summary",
    "Tanh",
]
