"""Attributes that PyTorch has and npnet does not, each with the text that says what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from npnet.errors import InputError

_MODE = "there is no mode to set: model.forward(x) is training, model(x) inference"
_NOTHING_KEPT = "gradients are returned by backward and kept nowhere, so there is nothing to set to zero"
_CPU = "npnet computes on the CPU; ptref.convert.to_torch(model) makes a module for a GPU"

LAYER = {
    "train": _MODE,
    "eval": _MODE,
    "zero_grad": _NOTHING_KEPT,
    "backward": "write y, backward = model.forward(x), and then grad_x, grads = backward(grad_y)",
    "to": f"{_CPU}; model.astype converts the dtype",
    "cuda": _CPU,
    "cpu": _CPU,
    "float": "write model.astype(np.float32)",
    "double": "write model.astype(np.float64)",
    "fit": "write npnet.fit(model, loss, optimizer, data)",
    "predict": "write npnet.predict(model, x)",
    "save": "write npnet.save(path, model)",
    "modules": "write model.named_layers()",
    "named_children": "write model.children.items()",
    "named_modules": "write model.named_layers()",
    "named_parameters": "write model.parameters.items()",
    "named_buffers": "write model.buffers.items()",
}
OPTIMIZER = {
    "zero_grad": _NOTHING_KEPT,
    "param_groups": "there is one group: optimizer.lr is its learning rate, optimizer.parameters its arrays",
}
LOSS = {
    "backward": "write loss, backward = criterion.forward(y, target), and then grad_y = backward()",
}


def missing(owner: object, name: str, hints: Mapping[str, str]) -> NoReturn:
    """Raise the AttributeError of a missing attribute, with what to write instead if PyTorch has it."""
    hint = f"; {hints[name]}" if name in hints else ""
    message = f"'{type(owner).__name__}' object has no attribute '{name}'{hint}"
    raise AttributeError(message, name=name, obj=owner)


def not_a_method(name: str, held: str) -> NoReturn:
    """Refuse ``model.parameters()`` and its like: what is a method in PyTorch is a dict here."""
    raise InputError(
        f"{name} is a dict from names to {held}, not a method as in PyTorch: write model.{name} without "
        f"brackets, model.{name}.values() for the {held} alone"
    )
