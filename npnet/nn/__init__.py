"""Layers: each owns its parameters and names the operation of `npnet.functional` it applies.

``y, backward = layer.forward(x)`` runs a layer in training, ``grad_x, grads = backward(grad_y)`` runs it
backward, and ``layer(x)`` is inference. Names, arguments and defaults are those of ``torch.nn``.
"""

from npnet.nn.activations import ReLU
from npnet.nn.containers import Residual, Sequential
from npnet.nn.layer import Gradients, Layer, LayerBackward
from npnet.nn.linear import Linear

__all__ = ["Gradients", "Layer", "LayerBackward", "Linear", "ReLU", "Residual", "Sequential"]
