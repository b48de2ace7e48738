"""Figures, by what they draw: curves, bars, matrices, weights, images, features, planes, training, losses, ….

Each function returns a matplotlib figure. It opens no window and changes no setting of matplotlib. A notebook
shows the figure if it is the last value of a cell; ``figure.savefig("a.png")`` saves it. Figures always have
a white background and dark text, whatever style is set, so that they look the same on paper and in a dark
notebook. The colours are those of Okabe and Ito, which colour-blind readers can tell apart.

matplotlib takes half a second to import. It is loaded when a figure is asked for: here, and nowhere else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from npnet.plot.activations import activation_histograms
    from npnet.plot.bars import accuracy_by_class, class_histogram
    from npnet.plot.comparisons import accuracies, paired_comparison
    from npnet.plot.curves import LinePlot, learning_curves, line_plots
    from npnet.plot.features import feature_maps
    from npnet.plot.films import film
    from npnet.plot.gradients import gradient_error, gradient_errors, wrong_gradient
    from npnet.plot.images import predictions
    from npnet.plot.kernels import kernel_responses
    from npnet.plot.landscape import loss_surface
    from npnet.plot.lines import Fit, fits
    from npnet.plot.matrices import confusion
    from npnet.plot.planes import Surface, surface, surfaces
    from npnet.plot.training import dead_units, gradient_flow, update_ratios
    from npnet.plot.weights import weight_images

__all__ = [
    "Fit",
    "LinePlot",
    "Surface",
    "accuracies",
    "accuracy_by_class",
    "activation_histograms",
    "class_histogram",
    "confusion",
    "dead_units",
    "feature_maps",
    "film",
    "fits",
    "gradient_error",
    "gradient_errors",
    "gradient_flow",
    "kernel_responses",
    "learning_curves",
    "line_plots",
    "loss_surface",
    "paired_comparison",
    "predictions",
    "surface",
    "surfaces",
    "update_ratios",
    "weight_images",
    "wrong_gradient",
]

_MODULES = (
    "activations", "bars", "comparisons", "curves", "features", "films", "gradients", "images", "kernels",
    "landscape", "lines", "matrices", "planes", "training", "weights",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load the figures, and matplotlib with them, when the first of them is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'npnet.plot' has no attribute {name!r}")
    figures = (vars(import_module(f"npnet.plot.{module}")) for module in _MODULES)
    return next(module[name] for module in figures if name in module)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
