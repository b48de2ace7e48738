"""Figures: learning curves, confusion matrices, decision surfaces, filters and feature maps, what went wrong.

Each function returns a figure that belongs to nobody else: no window is opened and nothing is left changed
in matplotlib. A notebook shows it where it is the last value of a cell; ``figure.savefig("a.png")`` saves it.
Figures have a white ground of their own, so that they read the same on paper, in a light notebook and in a
dark one, whatever style is set. Colours are told apart by the colour-blind too: they are those of Okabe and
Ito.
"""

from npnet.plot.features import feature_maps
from npnet.plot.plane import surface
from npnet.plot.training import confusion, filters, learning_curves, misclassified

__all__ = ["confusion", "feature_maps", "filters", "learning_curves", "misclassified", "surface"]
