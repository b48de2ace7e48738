"""Figures: learning curves, confusion matrices, filters, images that were not recognised.

Each function returns a figure that belongs to nobody else: no window is opened and nothing is left changed
in matplotlib. Figures have a white ground of their own, so that they read the same on paper, in a light
notebook and in a dark one, whatever style is set. Colours are told apart by the colour-blind too: they are
those of Okabe and Ito.
"""

from npnet.plot.training import confusion, filters, learning_curves, misclassified

__all__ = ["confusion", "filters", "learning_curves", "misclassified"]
