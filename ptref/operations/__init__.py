"""Every operation and its layer beside their PyTorch counterparts, with all options, a file for each kind.

A layer and its counterpart are made with the same arguments, so defaults are compared too. Weights and
running statistics are npnet's, moved away from their initial values, as an initial 0 or 1 could hide a
mistake.
"""

from ptref.operations import activations, conv2d, dropout, flatten, linear, losses, normalization, pooling

__all__ = ["LAYERS", "OPERATIONS"]

_KINDS = (linear, conv2d, pooling, activations, losses, normalization, dropout, flatten)

OPERATIONS = tuple(row for kind in _KINDS for row in kind.OPERATIONS)
LAYERS = tuple(row for kind in _KINDS for row in kind.LAYERS)
