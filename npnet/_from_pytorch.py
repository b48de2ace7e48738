"""What a user of PyTorch reaches for that goes by another way here: the message says by which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

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
    "named_modules": "write model.named_layers()",
    "named_parameters": "write model.parameters.items()",
}
OPTIMIZER = {
    "zero_grad": _NOTHING_KEPT,
    "param_groups": "there is one group: optimizer.lr is its learning rate, optimizer.parameters its arrays",
}
LOSS = {
    "backward": "write loss, backward = criterion.forward(y, target), and then grad_y = backward()",
}


def missing(owner: object, name: str, ways: Mapping[str, str]) -> NoReturn:
    """Raise the AttributeError of a name that is not there, with the way there is instead."""
    way = f"; {ways[name]}" if name in ways else ""
    message = f"'{type(owner).__name__}' object has no attribute '{name}'{way}"
    raise AttributeError(message, name=name, obj=owner)
