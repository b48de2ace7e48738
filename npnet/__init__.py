"""npnet: neural networks with hand-written backpropagation in NumPy, checked against PyTorch.

An operation is one function that computes y and returns, beside y, the function that turns ∂L/∂y into the
gradients of its inputs::

    y, backward = npnet.functional.linear(x, weight, bias)
    grad_x, grad_weight, grad_bias = backward(grad_y)

Names, arguments and shapes are those of ``torch.nn.functional``; returning ``(y, backward)`` is the one
difference. `npnet.nn` has layers made of these operations, `npnet.optim` what moves their parameters,
`npnet.data` what to learn from, and `npnet.fit` the loop around all of it. What is not needed to compute a
gradient, such as `npnet.data` and `npnet.plot`, is loaded when it is first touched.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from npnet import functional, nn, optim
from npnet.errors import DTypeError, InputError, MissingError
from npnet.gradcheck import GradcheckError, GradcheckReport, gradcheck

if TYPE_CHECKING:
    from npnet import (
        checkpoint,
        data,
        definition,
        engines,
        experiments,
        metrics,
        models,
        parallel,
        plot,
        recipes,
        train,
    )
    from npnet.gradcheck import compare, explain
    from npnet.saved import SavedModel, load, save
    from npnet.train import evaluate, fit, predict

__all__ = [
    "DTypeError",
    "GradcheckError",
    "GradcheckReport",
    "InputError",
    "MissingError",
    "SavedModel",
    "checkpoint",
    "compare",
    "data",
    "definition",
    "engines",
    "evaluate",
    "experiments",
    "explain",
    "fit",
    "functional",
    "gradcheck",
    "load",
    "metrics",
    "models",
    "nn",
    "optim",
    "parallel",
    "plot",
    "predict",
    "recipes",
    "save",
    "train",
]
__version__ = "0.1.0"

_MODULES = (
    "checkpoint",
    "data",
    "definition",
    "engines",
    "experiments",
    "metrics",
    "models",
    "parallel",
    "plot",
    "recipes",
    "train",
)
_LOADED_WHEN_TOUCHED = (
    {name: name for name in _MODULES}
    | dict.fromkeys(("SavedModel", "load", "save"), "saved")
    | dict.fromkeys(("compare", "explain"), "gradcheck")
    | dict.fromkeys(("evaluate", "fit", "predict"), "train")
)


def __getattr__(name: str) -> Any:
    """Load a module of npnet when it is first touched, so that importing npnet stays quick."""
    if name in _LOADED_WHEN_TOUCHED:
        module = import_module(f"npnet.{_LOADED_WHEN_TOUCHED[name]}")
        return module if name in _MODULES else getattr(module, name)
    raise AttributeError(f"module 'npnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
